"""The purged tail: the last part of time, kept from training, on which forecasts are compared and calibrated.

::

    one long series    . . . . . learn . . . . . . | t t t t t t t t t     futures of learned windows end at |
    many short ones    . . learn . . . . | t t t t                          the last horizon of each series
"""

from __future__ import annotations

import numpy as np

from heldout.sequence.learned_windows import thinned
from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows, all_origins

__all__ = ["split_tail"]

_SHARE = 0.2
_LEAST_HORIZONS = 6
_MOST_TAIL_WINDOWS = 4000


def split_tail(sequences: Sequences, horizon: int, least_context: int) -> tuple[Windows, Windows]:
    """Return the windows to learn from, and those of the tail.

    Parameters
    ----------
    sequences : Sequences
    horizon : int
    least_context : int
        Rows that a window to learn from must know.

    Returns
    -------
    learn, tail : Windows
        No future of the first reaches into a future of the second. A tail takes a fifth of a series, at least the last
        horizon, and of a series too short to spare that nothing at all; where windows are many, evenly spaced ones.
    """
    length = sequences.lengths
    wanted = np.maximum(np.round(_SHARE * length).astype(np.int64), horizon)
    if sequences.n_series < 5:
        # Few series are resampled by blocks of time, of which there should be enough.
        wanted = np.maximum(wanted, np.minimum(_LEAST_HORIZONS * horizon, length // 3))
    spared = np.where(length - wanted > least_context + horizon // 2, wanted, 0)
    spared = np.where((spared == 0) & (length - horizon > least_context), horizon, spared)
    border = sequences.offsets[1:] - spared
    learn = all_origins(sequences, horizon, least_context=least_context, ends_before=border)
    every = all_origins(sequences, horizon)
    tail = every.take((every.origin >= border[every.series] - 1) & (spared[every.series] > 0))
    return learn, thinned(tail, _MOST_TAIL_WINDOWS)
