"""The errors that forecasts are judged by, one number for each window."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput
from heldout.sequence.fitted import Forecasts
from heldout.sequence.measures import naive_scale
from heldout.sequence.scaling import mean_of_known
from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows

__all__ = ["FORECAST_METRICS", "ForecastMetric", "find_forecast_metric", "losses_by_window", "scales_before"]


@dataclass(frozen=True)
class ForecastMetric:
    """What the user reads: a monotone function of the mean loss over windows.

    Parameters
    ----------
    name, label : str
    loss : {"squared_error", "absolute_error", "absolute_scaled_error", "quantile"}
    from_mean_loss : callable float -> float
    """

    name: str
    label: str
    loss: str
    from_mean_loss: Callable[[float], float]

    @property
    def of_point(self) -> str:
        """The loss that a point forecast is trained for."""
        return "squared_error" if self.loss == "squared_error" else "quantile"


def _root(mean_loss: float) -> float:
    return math.sqrt(max(mean_loss, 0.0))


FORECAST_METRICS = {
    metric.name: metric
    for metric in (
        ForecastMetric("rmse", "RMSE", "squared_error", _root),
        ForecastMetric("mse", "MSE", "squared_error", float),
        ForecastMetric("mae", "MAE", "absolute_error", float),
        ForecastMetric("mase", "MASE", "absolute_scaled_error", float),
        ForecastMetric("wql", "WQL", "quantile", float),
    )
}


def find_forecast_metric(name: str | None) -> ForecastMetric:
    """Return the metric of that name; RMSE without one.

    Raises
    ------
    InvalidInput
        No metric of forecasts has that name.

    Examples
    --------
    >>> find_forecast_metric(None).label
    'RMSE'
    """
    if name is None:
        return FORECAST_METRICS["rmse"]
    if name not in FORECAST_METRICS:
        raise InvalidInput(f"unknown metric {name!r} of forecasts: choose one of {', '.join(FORECAST_METRICS)}")
    return FORECAST_METRICS[name]


def scales_before(learned: Sequences, scale_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the scale of each series for MASE, from the rows learned from, shape (n_series, 1); NaN where unknown.

    Parameters
    ----------
    learned : Sequences
    scale_of : array of int64, shape (n_series,)
        Number in `learned` of each series, -1 where it has none.
    """
    scale = np.full((len(scale_of), learned.n_variables), np.nan)
    for series, number in enumerate(scale_of):
        if number >= 0 and learned.lengths[number] > learned.season:
            rows = slice(learned.offsets[number], learned.offsets[number + 1])
            scale[series] = naive_scale(learned.target[rows], learned.season)
    return scale


def losses_by_window(
    windows: Windows, found: Forecasts, levels: NDArray[np.float64], scale: NDArray[np.float64], loss: str
) -> NDArray[np.float64]:
    """Return the mean loss of each window over its known values, shape (n_windows,); NaN where nothing is known.

    Parameters
    ----------
    windows : Windows
    found : Forecasts
    levels : array of float64, shape (n_levels,)
    scale : array of float64, shape (n_series, 1)
        As `scales_before` returns it.
    loss : str
        As `ForecastMetric.loss`. The quantile loss is twice the pinball loss over the mean absolute value of all
        windows, so that its mean over windows is the weighted quantile loss.
    """
    truth = windows.future()
    error = truth - found.point
    if loss == "squared_error":
        return mean_of_known(error**2)
    if loss == "absolute_error":
        return mean_of_known(np.abs(error))
    if loss == "absolute_scaled_error":
        return mean_of_known(np.abs(error) / scale[windows.series][:, None, :])
    gap = truth[..., None] - found.quantiles
    size = float(np.nanmean(np.abs(truth)))
    return mean_of_known(2 * np.maximum(levels * gap, (levels - 1) * gap).mean(axis=-1)) / (size or 1.0)
