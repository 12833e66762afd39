"""What forecasts of windows lost: squared, absolute, scaled and quantile error, and how often intervals held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.fitted import Forecasts
from heldout.sequence.windows import Windows

__all__ = ["Measures", "measure", "naive_scale"]


@dataclass(frozen=True)
class Measures:
    """Errors over windows; a value that is not known takes no part.

    Parameters
    ----------
    mse, mae : float
        Mean squared and absolute error of the point forecast, over all values, in the user's units.
    mase : float
        Mean absolute scaled error (Hyndman and Koehler 2006, equation 2): the absolute error over the mean absolute
        seasonal difference of the series before the first origin; mean over values. NaN where no series has one.
    wql : float
        Weighted quantile loss: twice the pinball loss summed over values, over the sum of absolute values; mean over
        levels.
    coverage : dict of float to float
        For each pair of levels (t, 1 - t), by its width 1 - 2 t: the share of values between the two quantiles.
    n_windows, n_values : int
    """

    mse: float
    mae: float
    mase: float
    wql: float
    coverage: dict[float, float]
    n_windows: int
    n_values: int


def naive_scale(values: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return the mean absolute difference of values a season apart, shape (n_variables,); NaN where it is 0 or unknown.

    Parameters
    ----------
    values : array of float64, shape (n_rows, n_variables)
        Of one series.
    season : int

    Examples
    --------
    >>> naive_scale(np.array([[1.0], [3.0], [2.0]]), 1).tolist()
    [1.5]
    """
    change = np.abs(values[season:] - values[:-season])
    known = np.isfinite(change)
    n = known.sum(axis=0)
    mean = np.divide(np.where(known, change, 0.0).sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    return np.where(mean > 0, mean, np.nan)


def measure(windows: Windows, found: Forecasts, levels: NDArray[np.float64], scale: NDArray[np.float64]) -> Measures:
    """Return the errors of forecasts.

    Parameters
    ----------
    windows : Windows
        With known futures.
    found : Forecasts
    levels : array of float64, shape (n_levels,)
    scale : array of float64, shape (n_series, n_variables)
        As `naive_scale` gives it for each series.
    """
    truth = windows.future()
    known = np.isfinite(truth)
    error = np.where(known, found.point - np.nan_to_num(truth), 0.0)
    n = max(int(known.sum()), 1)
    scaled = np.abs(error) / scale[windows.series][:, None, :]
    counted = known & np.isfinite(scaled)
    gap = np.where(known, np.nan_to_num(truth), 0.0)[..., None] - found.quantiles
    lost = np.where(known[..., None], np.maximum(levels * gap, (levels - 1) * gap), 0.0)
    size = float(np.abs(np.nan_to_num(truth)).sum())
    return Measures(
        mse=float((error**2).sum() / n),
        mae=float(np.abs(error).sum() / n),
        mase=float(scaled[counted].mean()) if counted.any() else float("nan"),
        wql=float(2 * lost.sum(axis=(0, 1, 2)).mean() / size) if size > 0 else float("nan"),
        coverage=_coverage(truth, known, found.quantiles, levels),
        n_windows=len(windows),
        n_values=int(known.sum()),
    )


def _coverage(
    truth: NDArray[np.float64], known: NDArray[np.bool_], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> dict[float, float]:
    result = {}
    for low in range(len(levels) // 2):
        high = int(np.argmin(np.abs(levels - (1 - levels[low]))))
        if abs(levels[high] - (1 - levels[low])) < 1e-9 and known.any():
            held = (truth >= quantiles[..., low]) & (truth <= quantiles[..., high])
            result[round(float(1 - 2 * levels[low]), 10)] = float(held[known].mean())
    return result
