"""The level and the scale of a window: what makes series of all sizes one problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.windows import Windows

__all__ = ["Scaling", "mean_of_known", "scaling_of"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Level and scale of each window and variable, shape (n_windows, 1, n_variables) each.

    Parameters
    ----------
    level : array of float64
        The last known value.
    scale : array of float64
        Mean absolute change over a season, up to the origin. Always above 0.
    """

    level: NDArray[np.float64]
    scale: NDArray[np.float64]

    def down(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values (n_windows, steps, n_variables) in units of the scale, from the level."""
        return (values - self.level) / self.scale

    def up(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo `down`."""
        return values * self.scale + self.level

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Scaling:
        """Return the scaling of some of the windows."""
        return Scaling(self.level[chosen], self.scale[chosen])


def scaling_of(windows: Windows) -> Scaling:
    """Return the level and scale of windows, from what is known at their origins only.

    The scale is the mean absolute difference of values one season apart over all rows of the series up to the origin,
    the denominator of the mean absolute scaled error (Hyndman and Koehler 2006) if the series ended there. Where no
    two values lie a season apart, or they are all equal, it is that of neighbouring rows, then the mean absolute value,
    then 1. Missing values take no part. The level of a window in which nothing is known is 0.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    Scaling

    Notes
    -----
    Cumulative sums over the table make this O(rows + windows).
    """
    sequences = windows.sequences
    start = sequences.offsets[windows.series]
    scale = np.zeros((len(windows), sequences.n_variables))
    for lag in dict.fromkeys((sequences.season, 1)):
        empty = scale <= _noise(windows)
        scale[empty] = _mean_change(windows, start, lag)[empty]
    values = sequences.target
    known = np.isfinite(values)
    mean = _mean_up_to(np.abs(np.where(known, values, 0.0)), known, windows.origin, start)
    empty = scale <= _noise(windows)
    scale[empty] = mean[empty]
    scale[~(scale > 0)] = 1.0
    return Scaling(_last_known(windows, start)[:, None, :], scale[:, None, :])


def mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the finite values of each window, shape (n_windows,); NaN where there is none.

    Parameters
    ----------
    values : array of float64, shape (n_windows, ...)
    """
    known = np.isfinite(values)
    axes = tuple(range(1, values.ndim))
    n = known.sum(axis=axes)
    result: NDArray[np.float64] = np.full(len(values), np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=axes), n, out=result, where=n > 0)
    return result


def _noise(windows: Windows) -> float:
    """Return what is rounding rather than change."""
    largest = np.nanmax(np.abs(windows.sequences.target), initial=0.0)
    return float(largest) * 1e-12


def _mean_change(windows: Windows, start: NDArray[np.int64], lag: int) -> NDArray[np.float64]:
    values = windows.sequences.target
    change = np.full_like(values, np.nan)
    change[lag:] = np.abs(values[lag:] - values[:-lag]) if lag < len(values) else np.nan
    known = np.isfinite(change)
    # The first `lag` rows of a series differ from another series.
    row_start = np.repeat(windows.sequences.offsets[:-1], windows.sequences.lengths)
    known &= (np.arange(len(values)) - row_start >= lag)[:, None]
    return _mean_up_to(np.where(known, change, 0.0), known, windows.origin, start)


def _mean_up_to(
    values: NDArray[np.float64], known: NDArray[np.bool_], origin: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean of known values from `start` to `origin`, 0 where there is none."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    number = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(known, axis=0)])
    n = number[origin + 1] - number[start]
    result: NDArray[np.float64] = np.zeros((len(origin), values.shape[1]))
    np.divide(total[origin + 1] - total[start], n, out=result, where=n > 0)
    return result


def _last_known(windows: Windows, start: NDArray[np.int64]) -> NDArray[np.float64]:
    values = windows.sequences.target
    row = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1)
    latest = np.maximum.accumulate(row, axis=0)[windows.origin]
    there = latest >= start[:, None]
    level = np.take_along_axis(values, np.maximum(latest, 0), axis=0)
    return np.where(there, level, 0.0)
