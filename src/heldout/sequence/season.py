"""The season of series whose times are plain numbers, by their autocorrelation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.sequences import Sequences

__all__ = ["find_season"]

_CANDIDATES = (4, 5, 6, 7, 8, 10, 12, 13, 14, 24, 26, 28, 30, 36, 48, 52, 60, 72, 96, 144, 168, 288, 336)
_LEAST_AUTOCORRELATION = 0.3
_MOST_SERIES = 200


def find_season(sequences: Sequences) -> int:
    """Return the lag at which the steps from row to row repeat themselves most; 1 where none does.

    The autocorrelation of first differences, weighted by length, is taken over the longest series at the usual seasons
    (and up to a third of a series). A lag counts from .3 on; of lags within .02 of the best the shortest is taken, so
    that a week of hours is not preferred to the day that it is made of.

    Parameters
    ----------
    sequences : Sequences

    Returns
    -------
    int

    Examples
    --------
    >>> import polars as pl
    >>> from heldout.sequence.reading import read_sequences
    >>> frame = pl.DataFrame({"t": range(40), "y": [1.0, 5.0, 2.0, 8.0] * 10})
    >>> find_season(read_sequences(frame, target="y", time="t", season=1))
    4
    """
    if not sequences.step.regular:
        return 1
    longest = np.argsort(-sequences.lengths, kind="stable")[:_MOST_SERIES]
    total = np.zeros(len(_CANDIDATES))
    weight = np.zeros(len(_CANDIDATES))
    for series in longest:
        values = sequences.target[sequences.offsets[series] : sequences.offsets[series + 1]]
        for variable in range(values.shape[1]):
            correlation = _autocorrelations(np.diff(values[:, variable]))
            known = np.isfinite(correlation)
            total[known] += len(values) * correlation[known]
            weight[known] += len(values)
    mean = np.divide(total, weight, out=np.full(len(total), -1.0), where=weight > 0)
    if mean.max() < _LEAST_AUTOCORRELATION:
        return 1
    return _CANDIDATES[int(np.argmax(mean >= mean.max() - 0.02))]


def _autocorrelations(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocorrelation at each candidate lag; NaN where the series is shorter than three of them."""
    result = np.full(len(_CANDIDATES), np.nan)
    if np.isfinite(change).sum() < 8:
        return result
    centred = np.where(np.isfinite(change), change - np.nanmean(change), 0.0)
    variance = float(centred @ centred)
    if variance > 0:
        for k, lag in enumerate(_CANDIDATES):
            if len(centred) >= 3 * lag - 1:
                result[k] = float(centred[lag:] @ centred[:-lag]) / variance
    return result
