"""Which rows each replica trains on: one column of whole-number weights per replica, never a copy of rows.

A scheme is a small frozen object with one method, ``draw(n_rows, n_replicas, groups=, random_state=)``, which
returns a `Draw`. Schemes are compared by value and may be parameters of scikit-learn estimators, where a name
("bootstrap") or an array of the user's does as well: `find_resampling` makes a scheme of either.
"""

from heldout.resampling.blocks import Blocks
from heldout.resampling.bootstrap import Bootstrap, Poisson
from heldout.resampling.disjoint import Disjoint
from heldout.resampling.draw import Draw, Resampling
from heldout.resampling.drawing import checked_draw
from heldout.resampling.finding import find_resampling
from heldout.resampling.given import Given
from heldout.resampling.groups import Groups
from heldout.resampling.kfold import KFold
from heldout.resampling.subsample import Subsample

__all__ = [
    "Blocks",
    "Bootstrap",
    "Disjoint",
    "Draw",
    "Given",
    "Groups",
    "KFold",
    "Poisson",
    "Resampling",
    "Subsample",
    "checked_draw",
    "find_resampling",
]
