"""Which windows are learned from: how much each must know, and how many there may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows, all_origins

__all__ = ["learnable", "least_context", "most_windows", "thinned"]

# Numbers in the futures of the windows learned from; more windows than that are thinned evenly.
_MOST_NUMBERS = 30_000_000
_MOST_WINDOWS = 60_000


def learnable(sequences: Sequences, horizon: int) -> Windows:
    """Return every window that may be learned from, thinned evenly where they are too many."""
    every = all_origins(sequences, horizon, least_context=least_context(sequences))
    return thinned(every, most_windows(every))


def least_context(sequences: Sequences) -> int:
    """Return how many rows a window must know to be learned from: a season, if series are that long."""
    return int(max(2, min(sequences.season, np.median(sequences.lengths) // 3)))


def most_windows(windows: Windows) -> int:
    """Return how many windows may be learned from."""
    per_window = max(1, windows.horizon * windows.sequences.n_variables)
    return max(200, min(_MOST_WINDOWS, _MOST_NUMBERS // per_window))


def thinned(windows: Windows, most: int) -> Windows:
    """Return at most so many windows, evenly spaced; always the last of all."""
    if len(windows) <= most:
        return windows
    chosen: NDArray[np.intp] = np.unique(np.round(np.linspace(len(windows) - 1, 0, most)).astype(np.intp))
    return windows.take(chosen)
