"""The candidates of a forecast: baselines alone, each with calibrated quantiles, simplest first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from heldout.auditing.forecast_route import ATTENTION, FORECASTERS, names_of
from heldout.errors import InvalidInput
from heldout.sequence.baselines import BASELINES, RULES, Combination, FittedBaseline
from heldout.sequence.fitted import FittedForecast, Forecasts
from heldout.sequence.folds import Folds, fold_windows
from heldout.sequence.judging import calibrate
from heldout.sequence.learned_windows import learnable, least_context, most_windows, thinned
from heldout.sequence.sequences import Sequences
from heldout.sequence.stage_zero import spread_of_errors, window_losses
from heldout.sequence.tail import split_tail
from heldout.sequence.windows import Windows

__all__ = [
    "LABELS",
    "LEVELS",
    "FittedAlone",
    "ForecastScored",
    "LearningPart",
    "choose_forecasters",
    "fit_alone",
    "learning_part",
    "one_product_thread",
    "score_alone",
]

LEVELS: NDArray[np.float64] = np.array([0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975])
LABELS = {
    "last-value": "the last value",
    "seasonal-naive": "the seasonal naive forecast",
    "drift": "the drift",
    "theta": "the theta method",
    "ridge": "ridge on lags",
    "boosting": "boosting on lags",
    "theta-and-ridge": "the mean of theta and ridge",
    ATTENTION: "attention",
}


#: What others have to beat.
NAIVE = ("last-value", "seasonal-naive", "drift")


@dataclass(frozen=True, eq=False)
class LearningPart:
    """The windows of the rows before the border, and again without their own tail, on which quantiles are set right."""

    every: Windows
    every_folds: Folds
    inner: Windows
    inner_folds: Folds
    tail: Windows


@dataclass(frozen=True, eq=False)
class FittedAlone:
    """A baseline fitted before the tail and on all that is learned from.

    Parameters
    ----------
    inner : FittedBaseline
    tail_loss : float
        Mean scaled loss on the tail; infinite where there is none.
    forecast : FittedForecast
        Fitted on all windows, its quantiles set right on the tail.
    """

    inner: FittedBaseline
    tail_loss: float
    forecast: FittedForecast


@dataclass(frozen=True, eq=False)
class ForecastScored:
    """A candidate and its forecasts of the held-out windows.

    Parameters
    ----------
    name, label : str
    is_baseline : bool
        Whether it learns nothing: a model that is not shown to beat the best of these shows no signal.
    forecast : FittedForecast
        Fitted on what came before the border.
    found : Forecasts
        Of the tested windows.
    n_fits : int
    seconds : float
    """

    name: str
    label: str
    is_baseline: bool
    forecast: FittedForecast
    found: Forecasts
    n_fits: int
    seconds: float


def choose_forecasters(entries: Sequence[str] | None, season: int) -> tuple[list[str], list[str]]:
    """Return the names of the candidates, simplest first, and what there is to say of those left out.

    Parameters
    ----------
    entries : sequence of str, optional
        All by default. The naive ones are always among them: they are what the others have to beat.
    season : int
        Without one the seasonal naive forecast is the last value.

    Raises
    ------
    InvalidInput
        No such forecaster.
    """
    names = names_of(entries)
    for name in names or ():
        if name not in FORECASTERS:
            raise InvalidInput(f"unknown candidate {name!r} of a forecast: choose from {', '.join(FORECASTERS)}")
    chosen = [name for name in FORECASTERS if names is None or name in names or name in NAIVE]
    if season == 1:
        chosen.remove("seasonal-naive")
        return chosen, ["the seasonal naive forecast: no season was found, so it is the last value"]
    return chosen, []


def learning_part(learned: Sequences, horizon: int) -> LearningPart:
    """Cut the rows before the border into windows.

    Parameters
    ----------
    learned : Sequences
    horizon : int
    """
    every = learnable(learned, horizon)
    inner, tail = split_tail(learned, horizon, least_context(learned))
    inner = thinned(inner, most_windows(inner))
    return LearningPart(every, fold_windows(every), inner, fold_windows(inner), tail)


@contextmanager
def one_product_thread() -> Iterator[None]:
    """Multiply matrices with one thread: they are small, and another number of threads gives other last bits.

    On a machine with ten busy processes a team of two was seen to take 127 s for what one thread does in 6. The limit
    belongs to the whole process: of two audits in two threads one may leave the other's limit behind.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def fit_alone(name: str, part: LearningPart, point_loss: str, earlier: Mapping[str, FittedAlone]) -> FittedAlone | None:
    """Fit a baseline; None where it learns from windows and there are none.

    Parameters
    ----------
    name : str
    part : LearningPart
    point_loss : {"squared_error", "absolute_error"}
        That the baseline on the tail is measured by.
    earlier : mapping of str to FittedAlone
        Those fitted already, of which some are made.
    """
    if name not in RULES and not len(part.inner):
        return None
    inner = _fitted(name, part.inner, part.inner_folds, {key: one.inner for key, one in earlier.items()})
    spread = spread_of_errors(part.inner, inner.out_of_fold(), LEVELS)
    # Its point is what it says itself, not the median of its past errors: the last value is the last value.
    before = FittedForecast(inner, LEVELS, spread, np.zeros_like(spread), "squared_error")
    base = inner.predict(part.tail)
    lost = window_losses(part.tail, base, point_loss)
    fitted = _fitted(name, part.every, part.every_folds, {key: one.forecast.baseline for key, one in earlier.items()})
    # The spread stays what it was before the tail: the shifts set it right there, and would not a newer one.
    forecast = replace(before, baseline=fitted, shifts=calibrate(before, part.tail, base))
    loss = float(np.nanmean(lost)) if np.isfinite(lost).any() else np.inf
    return FittedAlone(inner, loss, forecast)


def _fitted(name: str, windows: Windows, folds: Folds, earlier: Mapping[str, FittedBaseline]) -> FittedBaseline:
    baseline = BASELINES[name]()
    if isinstance(baseline, Combination) and set(baseline.parts) <= set(earlier):
        return baseline.of(earlier)
    fitted: FittedBaseline = baseline.fit(windows, folds)
    return fitted


def score_alone(name: str, alone: FittedAlone, tested: Windows, began: float) -> ForecastScored:
    """Forecast the held-out windows."""
    found = alone.forecast.predict(tested)
    return ForecastScored(
        name,
        LABELS.get(name, name),
        name in NAIVE,
        alone.forecast,
        found,
        1 if name in RULES else 2,
        time.perf_counter() - began,
    )
