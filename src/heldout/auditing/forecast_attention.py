"""Attention as a candidate: a network trained on what the best baseline gets wrong, always kept, and judged by others.

Everything of torch is imported when it is needed, so that an audit runs where torch is not installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from heldout.auditing.forecast_candidates import (
    LABELS,
    LEVELS,
    FittedAlone,
    ForecastScored,
    LearningPart,
    one_product_thread,
)
from heldout.auditing.forecast_plan import NetworkSizes
from heldout.auditing.forecast_route import ATTENTION
from heldout.errors import InvalidInput
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.folds import fold_windows
from heldout.sequence.judging import calibrate
from heldout.sequence.learned_windows import learnable
from heldout.sequence.plan import FitPlan
from heldout.sequence.sequences import Sequences
from heldout.sequence.stage_zero import spread_of_errors
from heldout.sequence.tail import set_apart
from heldout.sequence.torch_gate import require_torch
from heldout.sequence.windows import Windows

if TYPE_CHECKING:
    from heldout.sequence.network import Design
    from heldout.sequence.network_fit import FittedNetwork

__all__ = ["Attending", "best_baseline", "fit_again", "fit_attention", "why_not"]

Steps = Callable[[int, int | None], None]

# Of fewer steps of training nothing can be said.
_FEWEST_STEPS = 72


@dataclass(frozen=True, eq=False)
class Attending:
    """What training needs to know: threads, seed, seconds or sizes.

    Parameters
    ----------
    horizon : int
    loss : {"squared_error", "quantile"}
        That the point forecast is trained for.
    seed : int
    n_jobs : int or None
        The most threads; those of `sizes` count where it is given, since another number gives other bits.
    budget : float
        Seconds of one training run, where `sizes` does not say how many steps.
    sizes : NetworkSizes or None
        Of an audit to be repeated.
    steps : callable
        Takes the steps done, and all steps (None while the budget has not decided).
    """

    horizon: int
    loss: str
    seed: int
    n_jobs: int | None
    budget: float
    sizes: NetworkSizes | None
    steps: Steps

    def n_threads(self) -> int:
        """Return how many threads to train with."""
        if self.sizes is not None:
            return self.sizes.n_threads
        from heldout.sequence.thread_probe import quickest_threads

        return quickest_threads(self.n_jobs)

    def plan(self) -> FitPlan:
        """Return the plan of a fit."""
        sizes = self.sizes
        return FitPlan(
            horizon=self.horizon,
            levels=LEVELS,
            stage0=None,
            loss=self.loss,
            time_budget=self.budget,
            replicas=1,
            encoder="attention",
            cross=False,
            context=None if sizes is None else sizes.context,
            width=None if sizes is None else sizes.width,
            depth=None if sizes is None else sizes.depth,
            n_steps=None if sizes is None else sizes.n_steps,
            batch_size=None if sizes is None else sizes.batch_size,
            confidence_level=0.95,
            seed=self.seed,
        )


def why_not(part: LearningPart) -> str | None:
    """Say why attention cannot be a candidate, or return None."""
    try:
        require_torch()
    except InvalidInput as missing:
        return f"attention was left out: {missing}"
    return None if len(part.inner) and len(part.tail) else "attention was left out: no series is long enough for it"


def best_baseline(alone: Mapping[str, FittedAlone]) -> str:
    """Return the baseline with the least loss on the tail before the border; the simplest of equals."""
    return min(alone, key=lambda name: alone[name].tail_loss)


def fit_attention(
    part: LearningPart, stage0: str, alone: FittedAlone, tested: Windows, asked: Attending
) -> tuple[ForecastScored, NetworkSizes]:
    """Train before the tail, set the quantiles right on it, train again on all that is learned from, and forecast.

    Parameters
    ----------
    part : LearningPart
    stage0 : str
    alone : FittedAlone
        That baseline.
    tested : Windows
    asked : Attending
    """
    from heldout.sequence.network_fit import Apart, choose_design, fit_network
    from heldout.sequence.torch_state import torch_as_found

    began, plan, n_threads = time.perf_counter(), asked.plan(), asked.n_threads()
    base = alone.inner.out_of_fold()
    spread = spread_of_errors(part.inner, base, LEVELS)
    train, apart = set_apart(part.inner)
    with torch_as_found(n_threads):
        design, batch_size = choose_design(part.inner, plan, asked.budget)
        first = fit_network(
            part.inner.take(train), base[train], spread, design, plan,
            batch_size=batch_size, budget=asked.budget, n_steps=plan.n_steps,
            apart=Apart(part.inner.take(apart), base[apart]), progress=asked.steps,
        )  # fmt: skip
        before = FittedForecast(alone.inner, LEVELS, spread, np.zeros_like(spread), asked.loss, first.network)
        sizes = _sizes(stage0, design, first, n_threads) if asked.sizes is None else asked.sizes
        fitted = alone.forecast.baseline
        again = fit_network(
            part.every, fitted.out_of_fold(), spread, design, plan,
            batch_size=sizes.batch_size, budget=0.0, n_steps=sizes.n_steps, progress=asked.steps,
        )  # fmt: skip
        forecast = replace(before, baseline=fitted, network=again.network, shifts=calibrate(before, part.tail))
        found = forecast.predict(tested)
    scored = ForecastScored(ATTENTION, LABELS[ATTENTION], False, forecast, found, 2, time.perf_counter() - began)
    return scored, sizes


def _sizes(stage0: str, design: Design, fitted: FittedNetwork, n_threads: int) -> NetworkSizes:
    from heldout.sequence.training import length_from

    shape, rows, trained = design.shape, fitted.batch_size, fitted.trained
    # Training that windows set apart have ended took as long as was of use.
    ended_early = bool(trained.judged) and trained.n_steps < length_from(max(trained.judged))
    enough = ended_early or trained.n_steps >= _FEWEST_STEPS
    return NetworkSizes(stage0, shape.length, design.width, design.depth, rows, trained.n_steps, n_threads, enough)


def fit_again(chosen: ForecastScored, sequences: Sequences, tested: Windows, asked: Attending) -> FittedForecast:
    """Fit the chosen candidate on all rows; its quantiles are set right on the windows that were held out.

    Parameters
    ----------
    chosen : ForecastScored
    sequences : Sequences
        All rows.
    tested : Windows
    asked : Attending
        With the sizes of the network, where the candidate has one.
    """
    from heldout.sequence.baselines import BASELINES

    every = learnable(sequences, asked.horizon)
    evaluated = chosen.forecast
    with one_product_thread():
        baseline = BASELINES[evaluated.baseline.name]().fit(every, fold_windows(every))
    if evaluated.network is None or asked.sizes is None:
        return replace(evaluated, baseline=baseline, shifts=calibrate(evaluated, tested))
    from heldout.sequence.network_fit import fit_network
    from heldout.sequence.torch_state import torch_as_found

    with torch_as_found(asked.n_threads()):
        shifts = calibrate(evaluated, tested)
        trained = fit_network(
            every, baseline.out_of_fold(), evaluated.spread, evaluated.network.design, asked.plan(),
            batch_size=asked.sizes.batch_size, budget=0.0, n_steps=asked.sizes.n_steps, progress=asked.steps,
        )  # fmt: skip
    return replace(evaluated, baseline=baseline, network=trained.network, shifts=shifts)
