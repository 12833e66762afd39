"""Sums over windows in resamples of blocks of time, or of series.

Errors of windows that overlap in time are dependent, and so are those of different series at one time. So what is drawn
with replacement are stretches of time, the same for all series::

    origins of all series   1 2 3 4 5 6 7 8 9 ...     drawn:  4 5 6 | 9 10 11 | 4 5 6 | 1 2 3 ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_UNITS", "ResampledSums", "block_means", "interval_ends", "resampled_sums"]

#: With fewer blocks or series than this nothing can be said of the spread.
LEAST_UNITS = 5
_RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class ResampledSums:
    """What came of resampling.

    Parameters
    ----------
    sums : array of float64, shape (n_values, n_resamples)
    n_units : int
        Blocks of time that fit into the time of the windows, or series.
    unit : {"block of time", "series"}
    """

    sums: NDArray[np.float64]
    n_units: int
    unit: str


def resampled_sums(
    values: NDArray[np.float64],
    time: NDArray[np.float64],
    series: NDArray[np.int64],
    *,
    block: float,
    rng: np.random.Generator,
) -> ResampledSums:
    """Return the sums of values of windows in resamples.

    Parameters
    ----------
    values : array of float64, shape (n_values, n_windows)
        Finite.
    time : array of float64, shape (n_windows,)
        Origins, in steps.
    series : array of int64, shape (n_windows,)
    block : float
        Steps of a block; at least the horizon, since futures that overlap share their errors.
    rng : numpy Generator

    Returns
    -------
    ResampledSums

    Notes
    -----
    Moving blocks of time (Kuensch 1989), the same for all series, where the origins span at least 5 of them; else
    whole series. Blocks of time keep what series have in common at one time together. All rows of `values` are summed
    over the same draws.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> drawn = resampled_sums(np.ones((1, 60)), np.arange(60.0), np.zeros(60, np.int64), block=6, rng=rng)
    >>> drawn.n_units, drawn.unit, drawn.sums[0, :2].tolist()
    (10, 'block of time', [60.0, 60.0])
    """
    place = np.round(time - time.min()).astype(np.int64)
    n_blocks = int((place.max() + 1) // max(block, 1))
    in_time = n_blocks >= LEAST_UNITS
    unit = place if in_time else np.unique(series, return_inverse=True)[1]
    sums: NDArray[np.float64] = np.stack([np.bincount(unit, one) for one in values]).astype(np.float64)
    if in_time:
        return ResampledSums(_moving_blocks(sums, max(1, round(block)), rng), n_blocks, "block of time")
    n_series = sums.shape[1]
    # One resample at a time, so that a hundred thousand series do not fill memory.
    drawn = np.stack([sums @ rng.multinomial(n_series, np.full(n_series, 1 / n_series)) for _ in range(_RESAMPLES)])
    return ResampledSums(drawn.T, n_series, "series")


def interval_ends(values: NDArray[np.float64], n_units: int, confidence_level: float) -> tuple[float, float]:
    """Return the ends of the percentile interval of resampled values; infinite where the units are too few."""
    if n_units < LEAST_UNITS:
        return -np.inf, np.inf
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def block_means(
    values: NDArray[np.float64],
    time: NDArray[np.float64],
    series: NDArray[np.int64],
    *,
    block: float,
    rng: np.random.Generator,
    confidence_level: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return means over windows and the ends of their intervals, one of each for every row of values.

    Parameters
    ----------
    values : array of float64, shape (n_means, n_windows)
        Windows with a NaN in any row take no part.
    time, series, block, rng
        As `resampled_sums` takes them.
    confidence_level : float
    """
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        nothing = np.full(len(values), np.nan)
        return nothing, nothing - np.inf, nothing + np.inf
    values, time, series = values[:, known], time[known], series[known]
    counted = np.concatenate([values, np.ones((1, values.shape[1]))])
    drawn = resampled_sums(counted, time, series, block=block, rng=rng)
    number = np.maximum(drawn.sums[-1], 1.0)
    ends = np.array([interval_ends(row / number, drawn.n_units, confidence_level) for row in drawn.sums[:-1]])
    return values.mean(axis=1), ends[:, 0], ends[:, 1]


def _moving_blocks(sums: NDArray[np.float64], length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sums of resamples made of blocks, shape (n_values, n_resamples); blocks go round the end."""
    n = sums.shape[1]
    around = np.concatenate([sums, sums[:, : length - 1]], axis=1)
    total = np.cumsum(np.concatenate([np.zeros((len(sums), 1)), around], axis=1), axis=1)
    of_block = total[:, length:] - total[:, :-length]
    starts = rng.integers(0, n, (_RESAMPLES, max(1, round(n / length))))
    return np.asarray(of_block[:, starts].sum(axis=2))
