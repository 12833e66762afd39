"""Folds of windows whose futures do not overlap: whole series where there are many, blocks of time where there are few.

::

    origins of one long series   0 0 0 0 0 0 | 1 1 1 1 1 1 | 2 2 2 2 2 2
    learns for fold 1            x x x x . . | . . . . . . | . . x x x x      (. within a horizon: purged)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput
from heldout.sequence.windows import Windows

__all__ = ["Folds", "fold_windows"]


@dataclass(frozen=True, eq=False)
class Folds:
    """Which windows are predicted together, and which of the others may be learned from.

    Parameters
    ----------
    of : array of int64, shape (n_windows,)
        Fold of each window, 0 .. n_folds - 1.
    learn : array of bool, shape (n_folds, n_windows)
        Whether the model that predicts a fold may learn from a window: it lies in another fold, and its future shares
        no time step of the same series with the future of a window in that fold.
    """

    of: NDArray[np.int64]
    learn: NDArray[np.bool_]

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.learn)

    def take(self, chosen: NDArray[np.intp]) -> Folds:
        """Return the folds of some of the windows."""
        return Folds(self.of[chosen], self.learn[:, chosen])


def fold_windows(windows: Windows, n_folds: int = 5) -> Folds:
    """Cut windows into folds.

    Parameters
    ----------
    windows : Windows
    n_folds : int, default 5

    Returns
    -------
    Folds
        By series, dealt round robin, where there are at least two for each fold; else by blocks of time (the same
        blocks for all series), with a horizon purged on both sides. Fewer folds where time is too short for
        `n_folds` blocks of a horizon each; a single fold learns from nothing.

    Raises
    ------
    InvalidInput
        Fewer than 2 folds.
    """
    if n_folds < 2:
        raise InvalidInput(f"n_folds must be 2 or more, got {n_folds}: a fold needs others to learn from")
    series = windows.series
    present, place = np.unique(series, return_inverse=True)
    if len(present) >= 2 * n_folds:
        of = (place % n_folds).astype(np.int64)
        return Folds(of, np.arange(n_folds)[:, None] != of)
    count = windows.sequences.count[windows.origin]
    low, high = (float(count.min()), float(count.max())) if len(count) else (0.0, 0.0)
    n_folds = max(1, min(n_folds, int((high - low + 1) // max(windows.horizon, 1))))
    edges = np.linspace(low, high + 1, n_folds + 1)
    of = np.clip(np.searchsorted(edges, count, side="right") - 1, 0, n_folds - 1)
    first, last = windows.future_span()
    learn = np.ones((n_folds, len(windows)), dtype=bool)
    for fold in range(n_folds):
        own = of == fold
        begin, end = first[own].min(initial=np.inf), last[own].max(initial=-np.inf)
        learn[fold] = (last < begin) | (first > end)
    return Folds(of.astype(np.int64), learn)
