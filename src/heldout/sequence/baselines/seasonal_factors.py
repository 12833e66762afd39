"""What each place of a season adds to a series or multiplies it by: classical decomposition, shrunk by James and Stein.

::

    values                 moving average        values less average, by place       shrunk
    5 9 1 6 10 2 7 11 3    . 5 5.3 5.7 6 ...     ( 0.2,  3.9, -4.1)                  ( 0.2, 3.8, -4.0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SeasonalFactors", "seasonal_factors"]

_LEAST_FACTOR = 1e-6


@dataclass(frozen=True, eq=False)
class SeasonalFactors:
    """Seasonal part of each series: value = (value without season + `added`) * `times`.

    Parameters
    ----------
    added : array of float64, shape (n_series, season)
        0 where the season multiplies.
    times : array of float64, shape (n_series, season)
        1 where the season is added.
    """

    added: NDArray[np.float64]
    times: NDArray[np.float64]

    def remove(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values without their season, shape (n_series, length); the first value is at place 0."""
        place = np.arange(values.shape[1]) % self.added.shape[1]
        return values / self.times[:, place] - self.added[:, place]

    def put_back(self, values: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
        """Undo `remove` for values that begin `first` steps after place 0, shape (n_series,)."""
        place = (first[:, None] + np.arange(values.shape[1])) % self.added.shape[1]
        return (values + np.take_along_axis(self.added, place, 1)) * np.take_along_axis(self.times, place, 1)


def seasonal_factors(values: NDArray[np.float64], length: NDArray[np.int64], season: int) -> SeasonalFactors:
    r"""Return the seasonal part of many series at once.

    The trend is a moving average over one season; factors are means, by place, of values less trend or of values over
    trend, whichever leaves the smaller squared remainder (multiplying only where all values are above 0). They are
    shrunk to no season by James and Stein's estimator, as Miller and Williams (2003) do: by

    .. math:: 1 - \frac{\max(m - 3, 1)}{m - 1} \cdot \frac{V}{S^2}, \text{ at least } 0,

    where :math:`V` is the sampling variance of a factor and :math:`S^2` the variance of the factors. A season that is
    nothing but noise so goes away by itself, and no test decides.

    Parameters
    ----------
    values : array of float64, shape (n_series, most)
        Finite. Each series begins at column 0.
    length : array of int64, shape (n_series,)
        Values of each series; what stands behind is not read.
    season : int
        Above 1.

    Returns
    -------
    SeasonalFactors
        None (0 and 1) for series of two seasons or less.

    References
    ----------
    Miller and Williams (2003). Shrinkage estimators of time series seasonal factors and their effect on forecasting
    accuracy. International Journal of Forecasting 19(4).

    Examples
    --------
    >>> wave = np.tile([1.0, 3.0, 2.0, 6.0], 5)[None]
    >>> factors = seasonal_factors(wave, np.array([20]), 4)
    >>> factors.remove(wave)[0, :4].round(6).tolist(), factors.put_back(np.full((1, 2), 3.0), np.array([22])).tolist()
    ([3.0, 3.0, 3.0, 3.0], [[2.0, 6.0]])
    """
    n, most = values.shape
    added, times = np.zeros((n, season)), np.ones((n, season))
    enough = np.flatnonzero(length > 2 * season)
    if len(enough):
        values, length = values[enough], length[enough]
        trend = _moving_average(values, length, season)
        inside = np.arange(most) < length[:, None]
        positive = np.where(inside, values, 1.0).min(axis=1) > 0
        unit = np.where(positive[:, None], trend, np.nan)
        plain, plain_left = _shrunk_means(values - trend, np.ones_like(trend), season)
        relative, relative_left = _shrunk_means(values / unit - 1, unit, season)
        multiplied = (positive & (relative_left <= plain_left))[:, None]
        added[enough] = np.where(multiplied, 0.0, plain)
        times[enough] = np.where(multiplied, np.maximum(1 + relative, _LEAST_FACTOR), 1.0)
    return SeasonalFactors(added, times)


def _moving_average(values: NDArray[np.float64], length: NDArray[np.int64], season: int) -> NDArray[np.float64]:
    """Return the centred mean over one season (half weight at both ends of an even one), NaN where it does not fit."""
    n, most = values.shape
    half = season // 2
    total = np.concatenate([np.zeros((n, 1)), np.cumsum(values, axis=1)], axis=1)
    mean = (total[:, season:] - total[:, :-season]) / season
    if season % 2 == 0:
        mean = (mean[:, 1:] + mean[:, :-1]) / 2
    result = np.full((n, most), np.nan)
    result[:, half : most - half] = mean
    result[np.arange(most) >= (length - half)[:, None]] = np.nan
    return result


def _shrunk_means(
    deviation: NDArray[np.float64], unit: NDArray[np.float64], season: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of deviations by place, shrunk to 0, and the squared remainder in units of the values."""
    known = np.isfinite(deviation)
    place = np.arange(deviation.shape[1]) % season
    total, number = np.empty((2, len(deviation), season))
    for own in range(season):
        total[:, own] = np.where(known, deviation, 0.0)[:, place == own].sum(axis=1)
        number[:, own] = known[:, place == own].sum(axis=1)
    mean = total / np.maximum(number, 1)
    mean -= mean.mean(axis=1, keepdims=True)
    left = np.where(known, deviation - mean[:, place], 0.0)
    variance = (left**2).sum(axis=1) / np.maximum(number.sum(axis=1) - season, 1)
    of_a_mean = (variance[:, None] / np.maximum(number, 1)).mean(axis=1)
    of_means = (mean**2).sum(axis=1) / (season - 1)
    share = max(season - 3, 1) / (season - 1)
    shrink = share * np.divide(of_a_mean, of_means, out=np.ones_like(of_means), where=of_means > 0)
    remainder = (np.where(known, left * unit, 0.0) ** 2).sum(axis=1)
    return np.clip(1 - shrink, 0.0, 1.0)[:, None] * mean, remainder
