"""A forecaster as a backtest uses it: fitted on what was known at an origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from heldout.sequence.fitted import Forecasts
from heldout.sequence.fitting import recipe_for_half
from heldout.sequence.plan import FitPlan
from heldout.sequence.torch_state import torch_as_found
from heldout.sequence.windows import Windows

if TYPE_CHECKING:
    from heldout.sequence.forecaster import Forecaster

__all__ = ["FittedAt"]


class FittedAt:
    """Forecast windows, and fit again what was chosen to half of the windows.

    Parameters
    ----------
    forecaster : Forecaster
        Fitted.
    plan : FitPlan
    """

    def __init__(self, forecaster: Forecaster, plan: FitPlan) -> None:
        self.forecaster, self.plan = forecaster, plan

    def forecast(self, windows: Windows) -> Forecasts:
        """Return the forecasts of windows."""
        return self.forecaster.predict_windows(windows)

    def fit_on_half(self, windows: Windows) -> Callable[[Windows], Forecasts]:
        """Return what forecasts after a fit to these windows."""
        with torch_as_found(self.forecaster.n_jobs):
            fitted, _ = recipe_for_half(self.forecaster.result_, self.plan).fit(windows)
        return fitted.predict
