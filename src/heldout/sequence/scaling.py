"""The level and the scale of a window: what makes series of all sizes one problem."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.running_sums import RunningMeans
from heldout.sequence.windows import Windows

__all__ = ["Scaling", "mean_of_known", "scaling_of"]

# Changes below this share of the largest value are rounding.
_ROUNDING = 1e-12


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
    Cumulative sums over the series of the windows make this O(their rows + windows).
    """
    values, offsets, origin, start = _rows_of_present(windows)
    noise = _largest_so_far(values, offsets)[origin] * _ROUNDING
    scale = np.zeros((len(windows), windows.sequences.n_variables))
    for lag in dict.fromkeys((windows.sequences.season, 1)):
        change = _changes(values, offsets, lag)
        scale = np.where(scale > noise, scale, _mean_up_to(change, offsets, origin, start))
    scale = np.where(scale > noise, scale, _mean_up_to(np.abs(values), offsets, origin, start))
    scale[~(scale > 0)] = 1.0
    return Scaling(_last_known(values, origin, start)[:, None, :], scale[:, None, :])


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


def _rows_of_present(
    windows: Windows,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the target of the series that windows lie in, where these begin, and origins and beginnings of windows."""
    sequences = windows.sequences
    present, place = np.unique(windows.series, return_inverse=True)
    if len(present) == sequences.n_series:
        return sequences.target, sequences.offsets, windows.origin, sequences.offsets[windows.series]
    lengths = sequences.lengths[present]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    moved = np.repeat(sequences.offsets[present] - offsets[:-1], lengths)
    values = sequences.target[np.arange(offsets[-1]) + moved]
    start = offsets[place]
    return values, offsets, windows.origin - sequences.offsets[windows.series] + start, start


def _largest_so_far(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest absolute value of each series up to each row: what comes later must not tell what is noise."""
    largest = np.abs(values)
    largest[np.isnan(largest)] = 0.0
    for start, end in pairwise(offsets):
        np.maximum.accumulate(largest[start:end], axis=0, out=largest[start:end])
    return largest


def _changes(values: NDArray[np.float64], offsets: NDArray[np.int64], lag: int) -> NDArray[np.float64]:
    """Return the absolute difference to the value `lag` rows before in the same series, NaN where there is none."""
    change = np.full_like(values, np.nan)
    if lag < len(values):
        change[lag:] = np.abs(values[lag:] - values[:-lag])
    place = np.arange(len(values)) - np.repeat(offsets[:-1], np.diff(offsets))
    change[place < lag] = np.nan
    return change


def _mean_up_to(
    values: NDArray[np.float64], offsets: NDArray[np.int64], origin: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean of known values from `start` to `origin`, 0 where there is none."""
    return np.nan_to_num(RunningMeans(values, offsets).between(start, origin))


def _last_known(
    values: NDArray[np.float64], origin: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.float64]:
    row = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1)
    latest = np.maximum.accumulate(row, axis=0)[origin]
    there = latest >= start[:, None]
    level = np.take_along_axis(values, np.maximum(latest, 0), axis=0)
    return np.where(there, level, 0.0)
