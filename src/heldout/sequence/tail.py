"""The purged tail: the last part of time, kept from training, on which forecasts are compared and calibrated.

::

    one long series    . . . . . learn . . . . . . | t t t t t t t t t     futures of learned windows end at |
    many short ones    . . learn . . . . | t t t t                          the last horizon of each series
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.learned_windows import thinned
from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows, all_origins

__all__ = ["set_apart", "split_tail"]

_SHARE = 0.2
_LEAST_HORIZONS = 6
_MOST_TAIL_WINDOWS = 4000
_ONE_IN, _MANY_SERIES = 7, 20
_LEAST_TO_SPARE, _MOST_APART = 50, 1000


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


def set_apart(windows: Windows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the windows to train on, and those that say when training is long enough.

    Parameters
    ----------
    windows : Windows
        Before the tail.

    Returns
    -------
    train, apart : array of int
        Numbers of windows. Of at least 20 series every seventh is set apart; else the last seventh of time, purged by a
        horizon. At most 1,000 are set apart; none where there are fewer than 50 windows or time is too short.
    """
    number = np.arange(len(windows))
    nothing = np.zeros(0, dtype=np.intp)
    present, place = np.unique(windows.series, return_inverse=True)
    if len(windows) < _LEAST_TO_SPARE:
        return number, nothing
    if len(present) >= _MANY_SERIES:
        is_apart = place % _ONE_IN == _ONE_IN // 2
        train, apart = number[~is_apart], number[is_apart]
    else:
        count = windows.sequences.count[windows.origin]
        border = np.quantile(count, 1 - 1 / _ONE_IN)
        first, last = windows.future_span()
        apart = number[count >= border]
        train = number[last < first[apart].min(initial=np.inf)]
        if len(train) < _LEAST_TO_SPARE // 2:
            return number, nothing
    spread = np.unique(np.round(np.linspace(0, len(apart) - 1, min(len(apart), _MOST_APART))).astype(np.intp))
    return train, apart[spread]
