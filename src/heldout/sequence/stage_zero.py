"""The choice of stage 0: the baseline with the least loss on the purged tail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput
from heldout.sequence.baselines import BASELINES, RULES, Baseline, Combination, FittedBaseline
from heldout.sequence.folds import Folds, fold_windows
from heldout.sequence.quantiles import spread_of
from heldout.sequence.scaling import mean_of_known, scaling_of
from heldout.sequence.windows import Windows

__all__ = ["StageZero", "choose_stage_zero", "fit_baselines", "spread_of_errors", "window_losses"]


@dataclass(frozen=True, eq=False)
class StageZero:
    """A baseline, and what each that was tried lost on the tail.

    Parameters
    ----------
    baseline : Baseline
    fitted : FittedBaseline
        On the windows before the tail.
    losses : mapping of str to float
        Mean scaled loss on the tail.
    """

    baseline: Baseline
    fitted: FittedBaseline
    losses: Mapping[str, float]


def window_losses(windows: Windows, forecast: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """Return the mean loss of each window in units of its scale, shape (n_windows,); NaN where nothing is known.

    Parameters
    ----------
    windows : Windows
    forecast : array of float64, shape (n_windows, horizon, n_variables)
    loss : {"squared_error", "absolute_error"}
    """
    scaling = scaling_of(windows)
    error = np.abs(windows.future() - forecast) / scaling.scale
    return mean_of_known(error**2 if loss == "squared_error" else error)


def fit_baselines(windows: Windows, folds: Folds, names: Iterable[str] = BASELINES) -> dict[str, FittedBaseline]:
    """Fit baselines on the same windows; without any windows only those that need none.

    Parameters
    ----------
    windows : Windows
    folds : Folds
    names : iterable of str
    """
    fitted: dict[str, FittedBaseline] = {}
    for name in names:
        baseline = BASELINES[name]()
        if not len(windows) and name not in RULES:
            continue
        if isinstance(baseline, Combination) and set(baseline.parts) <= set(fitted):
            fitted[name] = baseline.of(fitted)
        else:
            fitted[name] = baseline.fit(windows, folds)
    return fitted


def spread_of_errors(
    windows: Windows, forecast: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the quantiles of scaled errors at each step, over windows and variables, shape (horizon, n_levels).

    Parameters
    ----------
    windows : Windows
    forecast : array of float64, shape (n_windows, horizon, n_variables)
        Out of fold where it was learned from these windows.
    levels : array of float64, shape (n_levels,)
    """
    scaling = scaling_of(windows)
    error = scaling.down(windows.future()) - scaling.down(forecast)
    return spread_of(np.moveaxis(error, 2, 1).reshape(-1, error.shape[1]), levels)


def choose_stage_zero(asked: str, learn: Windows, tail: Windows, loss: str, n_folds: int = 5) -> StageZero:
    """Fit the baselines asked for on the windows before the tail, and take the one with the least loss on it.

    Parameters
    ----------
    asked : str
        The name of a baseline, or "auto" for all of them.
    learn, tail : Windows
    loss : {"squared_error", "absolute_error"}

    Raises
    ------
    InvalidInput
        A name that is none.
    """
    if asked != "auto" and asked not in BASELINES:
        raise InvalidInput(f"stage0 must be 'auto', None or one of {', '.join(BASELINES)}, got {asked!r}")
    folds = fold_windows(learn, n_folds)
    found: dict[str, tuple[float, Baseline, FittedBaseline]] = {}
    for name, fitted in fit_baselines(learn, folds, BASELINES if asked == "auto" else (asked,)).items():
        baseline = BASELINES[name]()
        losses = window_losses(tail, fitted.predict(tail), loss)
        found[name] = (float(np.nanmean(losses)) if np.isfinite(losses).any() else np.inf, baseline, fitted)
    best = min(found, key=lambda name: found[name][0])
    return StageZero(found[best][1], found[best][2], {name: one[0] for name, one in found.items()})
