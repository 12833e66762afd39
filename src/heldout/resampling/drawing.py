"""A draw by any scheme: those of the user's are checked as arrays of the user's are."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from heldout.errors import InvalidInput
from heldout.resampling.blocks import Blocks
from heldout.resampling.bootstrap import Bootstrap, Poisson
from heldout.resampling.disjoint import Disjoint
from heldout.resampling.draw import Draw, Resampling
from heldout.resampling.given import Given
from heldout.resampling.groups import Groups
from heldout.resampling.kfold import KFold
from heldout.resampling.subsample import Subsample

__all__ = ["checked_draw"]

_OWN = (Blocks, Bootstrap, Disjoint, Given, Groups, KFold, Poisson, Subsample)


def checked_draw(
    resampling: Resampling, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0
) -> Draw:
    """Draw one training set per replica, and make sure that a scheme that is not ours has drawn what it must.

    Parameters
    ----------
    resampling : Resampling
    n_rows, n_replicas, groups, random_state
        See `Resampling.draw`.

    Raises
    ------
    InvalidInput
        As the scheme raises it; what it returns is no `Draw`, or holds what `Given` would refuse.

    Examples
    --------
    >>> checked_draw(KFold(), n_rows=4, n_replicas=2).weights.sum(axis=0).tolist()
    [2, 2]
    """
    drawn = resampling.draw(n_rows, n_replicas, groups=groups, random_state=random_state)
    if type(resampling) in _OWN:
        return drawn
    if not isinstance(drawn, Draw):
        raise InvalidInput(
            f"draw of {resampling!r:.60} must return a heldout.resampling.Draw, got {type(drawn).__name__}: "
            "return Draw(weights)"
        )
    try:
        return Given(drawn.weights, drawn.roles).draw(n_rows, n_replicas, groups=groups)
    except InvalidInput as error:
        raise InvalidInput(f"draw of {resampling!r:.60} has returned what cannot be used: {error}") from error
