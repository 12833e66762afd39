"""Forecasts on the tail: what they lose there, whether one is better, and how their quantiles must move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream
from heldout.sequence.calibration import conformal_shifts
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.plan import FitPlan
from heldout.sequence.scaling import mean_of_known, scaling_of
from heldout.sequence.stage_zero import window_losses
from heldout.sequence.windows import Windows
from heldout.sequence.worth import Improvement, paired_improvement

__all__ = ["calibrate", "compare_on_tail", "quantile_losses", "tail_losses"]


def compare_on_tail(joined: FittedForecast, alone: FittedForecast, tail: Windows, plan: FitPlan) -> Improvement:
    """Return the paired improvement of the network over stage 0 on the tail.

    Parameters
    ----------
    joined, alone : FittedForecast
        Of the same stage 0, with the network and without it.
    tail : Windows
        From which neither learned.
    plan : FitPlan
    """
    base = alone.baseline.predict(tail)
    first, second = (tail_losses(one, tail, base, plan.loss) for one in (joined, alone))
    return paired_improvement(
        first,
        second,
        tail.sequences.count[tail.origin],
        tail.series,
        block=float(plan.horizon),
        rng=stream(plan.seed, "worth"),
        confidence_level=plan.confidence_level,
    )


def tail_losses(fitted: FittedForecast, windows: Windows, base: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """Return the mean scaled loss of each window, shape (n_windows,); of quantiles after calibration on these windows.

    Both forecasts that are compared get their own calibration, so that attention is not credited with a spread that
    stage 0 could have had too.
    """
    if loss != "quantile":
        return window_losses(windows, fitted.predict(windows, base=base).point, loss)
    _, scaled = fitted.scaled(windows, base=base)
    quantiles = scaled.mean(axis=0) + calibrate(fitted, windows, base)[:, None]
    return quantile_losses(windows, np.maximum.accumulate(quantiles, axis=-1), fitted.levels)


def quantile_losses(
    windows: Windows, quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return twice the pinball loss of scaled quantiles, averaged over levels and values, shape (n_windows,).

    Parameters
    ----------
    windows : Windows
    quantiles : array of float64, shape (n_windows, horizon, n_variables, n_levels)
    levels : array of float64, shape (n_levels,)
    """
    error = scaling_of(windows).down(windows.future())[..., None] - quantiles
    return mean_of_known(2 * np.maximum(levels * error, (levels - 1) * error).mean(axis=-1))


def calibrate(fitted: FittedForecast, tail: Windows, base: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the shifts that set the quantiles right on the tail, shape (horizon, n_levels)."""
    if not len(tail):
        return np.zeros_like(fitted.spread)
    _, scaled = fitted.scaled(tail, base=base)
    quantiles = np.moveaxis(scaled.mean(axis=0), 2, 1).reshape(-1, *fitted.spread.shape)
    target = np.moveaxis(scaling_of(tail).down(tail.future()), 2, 1).reshape(-1, len(fitted.spread))
    return conformal_shifts(quantiles, target, fitted.levels)
