"""Random folds of the same sizes as another splitter's: what a careless split would have said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._arrays import n_rows
from heldout._random import stream
from heldout.splits.splitter import Fold, Splitter

__all__ = ["matched_random_folds"]


def matched_random_folds(
    splitter: Splitter, X: Any, y: Any = None, groups: Any = None, random_state: Any = 0
) -> list[Fold]:
    """Return folds of random rows with the same numbers of training and test rows, fold by fold.

    So the two errors differ by *which* rows are held out, not by how many are learned from.

    Parameters
    ----------
    splitter : Splitter
    X, y, groups
        As for ``splitter.split``.
    random_state : None, int or numpy generator, default 0

    Returns
    -------
    list of (training rows, test rows)
        As many as the splitter makes; a row is tested at most once per repeat.

    Examples
    --------
    >>> from heldout.splits import BlockedTime
    >>> X = range(40)
    >>> [(len(train), len(test)) for train, test in matched_random_folds(BlockedTime(n_blocks=3), X)]
    [(10, 10), (20, 10), (30, 10)]
    """
    n = n_rows(X)
    rng = stream(random_state, "matched folds")
    shuffled: NDArray[np.intp] = rng.permutation(n)
    used, folds = 0, []
    for train, test in splitter.split(X, y, groups):
        if used + len(test) > n:
            # The splitter has begun another repeat: every row may be tested again.
            shuffled, used = rng.permutation(n), 0
        chosen = shuffled[used : used + len(test)]
        used += len(test)
        rest = np.ones(n, dtype=bool)
        rest[chosen] = False
        others = rng.permutation(np.flatnonzero(rest))[: len(train)]
        folds.append((np.sort(others), np.sort(chosen)))
    return folds
