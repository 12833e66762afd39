"""A forecast that has been fitted: stage 0, the network where it was kept, and calibrated quantiles.

Importing this loads no torch; forecasting with a network does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.baselines import FittedBaseline
from heldout.sequence.scaling import scaling_of
from heldout.sequence.windows import Windows

if TYPE_CHECKING:
    from heldout.sequence.network import ForecastNetwork

__all__ = ["FittedForecast", "Forecasts"]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of windows, in the user's units.

    Parameters
    ----------
    point : array of float64, shape (n_windows, horizon, n_variables)
    quantiles : array of float64, shape (n_windows, horizon, n_variables, n_levels)
        Ascending along the last axis.
    """

    point: NDArray[np.float64]
    quantiles: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedForecast:
    """All that forecasting windows takes.

    Parameters
    ----------
    baseline : FittedBaseline
    levels : array of float64, shape (n_levels,)
    spread : array of float64, shape (horizon, n_levels)
        Quantiles of stage 0's errors out of fold, in units of the scale.
    shifts : array of float64, shape (horizon, n_levels)
        By which calibration moves them; 0 before it.
    loss : str
        With "squared_error" the point is what the network trained for; else it is the median.
    network : ForecastNetwork or None
        None where stage 0 stands alone.
    """

    baseline: FittedBaseline
    levels: NDArray[np.float64]
    spread: NDArray[np.float64]
    shifts: NDArray[np.float64]
    loss: str
    network: ForecastNetwork | None = None

    @property
    def middle(self) -> int:
        """Which of the levels is the median."""
        return int(np.argmin(np.abs(self.levels - 0.5)))

    def predict(
        self,
        windows: Windows,
        known_future: NDArray[np.float64] | None = None,
        *,
        base: NDArray[np.float64] | None = None,
    ) -> Forecasts:
        """Forecast windows: the mean over replicas where the network has several.

        Parameters
        ----------
        windows : Windows
        known_future : array of float64, shape (n_windows, horizon, n_known), optional
        base : array of float64, shape (n_windows, horizon, n_variables), optional
            Stage 0's forecasts if they are known already.
        """
        base = self._stage_zero(windows, known_future) if base is None else base
        point, quantiles = self.scaled(windows, known_future, base=base)
        scaling = scaling_of(windows)
        quantiles = np.maximum.accumulate(quantiles.mean(axis=0) + self.shifts[:, None], axis=-1)
        up = quantiles * scaling.scale[..., None] + scaling.level[..., None]
        if self.loss != "squared_error":
            return Forecasts(up[..., self.middle], up)
        # What was added, not the sum: stage 0 that is not moved keeps its bits.
        return Forecasts(base + (point - scaling.down(base)).mean(axis=0) * scaling.scale, up)

    def scaled(
        self,
        windows: Windows,
        known_future: NDArray[np.float64] | None = None,
        *,
        base: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scaled points and quantiles of each replica, before calibration.

        Returns
        -------
        point : array of float64, shape (replicas, n_windows, horizon, n_variables)
        quantiles : array of float64, shape (replicas, n_windows, horizon, n_variables, n_levels)
        """
        base = self._stage_zero(windows, known_future) if base is None else base
        down = scaling_of(windows).down(base)
        if self.network is None:
            return down[None], (down[..., None] + self.spread[:, None])[None]
        # Here, so that stage 0 alone forecasts where torch is not installed.
        from heldout.sequence.network_moves import moves_of

        point, quantiles = moves_of(self.network, windows, base, self.spread, known_future)
        return down + point, down[..., None] + quantiles

    def _stage_zero(self, windows: Windows, known_future: NDArray[np.float64] | None) -> NDArray[np.float64]:
        told = windows if known_future is None else replace(windows, known_future=known_future)
        return self.baseline.predict(told)
