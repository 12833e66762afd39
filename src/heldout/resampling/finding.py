"""From what a user writes (a name, an object, an array) to a scheme."""

from __future__ import annotations

from typing import Any

import numpy as np

from heldout._arrays import is_frame
from heldout.errors import InvalidInput
from heldout.resampling.bootstrap import Bootstrap, Poisson
from heldout.resampling.draw import Resampling
from heldout.resampling.given import Given
from heldout.resampling.groups import Groups
from heldout.resampling.kfold import KFold
from heldout.resampling.subsample import Subsample

__all__ = ["find_resampling"]

_BY_NAME: dict[str, type[Resampling]] = {
    "bootstrap": Bootstrap,
    "poisson": Poisson,
    "subsample": Subsample,
    "kfold": KFold,
    "groups": Groups,
}
_NEEDS = {"blocks": "Blocks(length=...)", "disjoint": "Disjoint(sizes=...)"}


def find_resampling(what: Any) -> Resampling:
    """Return the scheme that `what` names, is, or holds the weights of.

    Parameters
    ----------
    what : Resampling, str or array of shape (n_rows, n_replicas)
        An object with `draw`; "bootstrap", "poisson", "subsample", "kfold" or "groups" for the scheme with its
        defaults; or weights, as `Given` takes them.

    Returns
    -------
    Resampling

    Raises
    ------
    InvalidInput
        An unknown name, the name of a scheme that needs parameters ("blocks", "disjoint"), a class instead of an
        object, or anything else.

    Examples
    --------
    >>> find_resampling("subsample")
    Subsample(share=0.8)
    >>> find_resampling([[1, 0], [0, 1]])
    Given(weights=<2 x 2>, roles=None)
    """
    if isinstance(what, str):
        if what in _NEEDS:
            raise InvalidInput(f"resampling {what!r} has no default: pass heldout.resampling.{_NEEDS[what]}")
        if what not in _BY_NAME:
            known = ", ".join(map(repr, _BY_NAME))
            raise InvalidInput(f"resampling must be one of {known}, got {what!r:.60}: or pass an object or weights")
        return _BY_NAME[what]()
    if isinstance(what, type):
        raise InvalidInput(f"resampling must be an object, got the class {what.__name__}: write {what.__name__}(...)")
    if isinstance(what, Resampling):
        return what
    if isinstance(what, np.ndarray | list | tuple) or is_frame(what):
        return Given(what)
    raise InvalidInput(
        f"resampling must be a name, an object with draw, or an array of weights, got {what!r:.60}: "
        "pass one of heldout.resampling"
    )
