"""The stages of fitting a forecaster, in order.

::

    windows -> tail apart -> stage 0 -> network on what stage 0 gets wrong -> worth it, on the tail?
            -> calibrate on the tail -> both again on all windows
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from heldout.errors import InvalidInput
from heldout.sequence.baselines import Baseline
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.folds import fold_windows
from heldout.sequence.judging import calibrate, compare_on_tail
from heldout.sequence.learned_windows import learnable, least_context, most_windows, thinned
from heldout.sequence.network import Design
from heldout.sequence.network_fit import Apart, FittedNetwork, choose_design, fit_network
from heldout.sequence.out_of_bag import OutOfBag, judge_out_of_bag
from heldout.sequence.plan import FitPlan
from heldout.sequence.sequences import Sequences
from heldout.sequence.stage_zero import StageZero, choose_stage_zero, spread_of_errors
from heldout.sequence.tail import set_apart, split_tail
from heldout.sequence.windows import Windows
from heldout.sequence.worth import Improvement

__all__ = ["FitResult", "Recipe", "fit_forecast", "recipe_for_half"]

# Training is done twice, before the tail is looked at and again with it; stage 0 too, and needs some of the rest.
_SHARE_OF_TRAINING = 0.42


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted forecast and how it came about.

    Parameters
    ----------
    fitted : FittedForecast
        Of all windows.
    before_tail : FittedForecast
        Of the windows before the tail.
    tail : Windows
    stage_zero : StageZero
    networks : tuple of FittedNetwork
        Trained before the tail, and, where it was kept, on all windows.
    improvement : Improvement or None
        None where there was nothing to train on.
    kept : bool
    out_of_bag : OutOfBag or None
        Of several replicas.
    notes : tuple of str
    """

    fitted: FittedForecast
    before_tail: FittedForecast
    tail: Windows
    stage_zero: StageZero
    networks: tuple[FittedNetwork, ...]
    improvement: Improvement | None
    kept: bool
    out_of_bag: OutOfBag | None
    notes: tuple[str, ...]


def fit_forecast(sequences: Sequences, plan: FitPlan) -> FitResult:
    """Fit all stages."""
    began = time.perf_counter()
    learn, tail = split_tail(sequences, plan.horizon, least_context(sequences))
    learn = thinned(learn, most_windows(learn))
    point_loss = "squared_error" if plan.loss == "squared_error" else "absolute_error"
    zero = choose_stage_zero(plan.stage0 or "last-value", learn, tail, point_loss)
    base = zero.fitted.out_of_fold()
    spread = spread_of_errors(learn, base, plan.levels)
    alone = FittedForecast(zero.fitted, plan.levels, spread, np.zeros_like(spread), plan.loss)
    if not len(learn):
        note = "no series is long enough to learn from: stage 0 stands alone, uncalibrated"
        return FitResult(alone, alone, tail, zero, (), None, False, None, (*sequences.notes, note))
    budget = (plan.time_budget - (time.perf_counter() - began)) * _SHARE_OF_TRAINING
    design, batch_size = choose_design(learn, plan, budget)
    train, apart = set_apart(learn)
    network = fit_network(
        learn.take(train),
        base[train],
        spread,
        design,
        plan,
        batch_size=batch_size,
        budget=budget,
        n_steps=plan.n_steps,
        apart=Apart(learn.take(apart), base[apart]),
        checkpoint=plan.checkpoint,
    )
    joined = replace(alone, network=network.network)
    improvement = compare_on_tail(joined, alone, tail, plan)
    kept = plan.stage0 is None or improvement.shown
    chosen = joined if kept else alone
    chosen = replace(chosen, shifts=calibrate(chosen, tail))
    bag = judge_out_of_bag(joined, learn.take(train), base[train], network.weights)
    final, again = _fit_on_all(sequences, zero, chosen, plan, design, network)
    networks = (network,) if again is None else (network, again)
    notes = (*sequences.notes, *(note for one in networks for note in one.notes))
    return FitResult(final, chosen, tail, zero, networks, improvement, kept, bag, notes)


def _fit_on_all(
    sequences: Sequences,
    zero: StageZero,
    chosen: FittedForecast,
    plan: FitPlan,
    design: Design,
    network: FittedNetwork,
) -> tuple[FittedForecast, FittedNetwork | None]:
    """Fit what was chosen again, on the windows of the tail too, with as many steps."""
    checkpoint = None if plan.checkpoint is None else plan.checkpoint.with_suffix(".again")
    recipe = Recipe(zero.baseline, chosen, plan, design, network.batch_size, network.trained.n_steps, checkpoint)
    return recipe.fit(learnable(sequences, plan.horizon))


@dataclass(frozen=True, eq=False)
class Recipe:
    """What was chosen in a fit, to be fitted to other windows without choosing again.

    Parameters
    ----------
    baseline : Baseline
    chosen : FittedForecast
        With a network where one was kept, and its calibration.
    plan : FitPlan
    design : Design
    batch_size, n_steps : int
    checkpoint : Path or None
    """

    baseline: Baseline
    chosen: FittedForecast
    plan: FitPlan
    design: Design
    batch_size: int
    n_steps: int
    checkpoint: Path | None = None

    def fit(self, windows: Windows) -> tuple[FittedForecast, FittedNetwork | None]:
        """Fit stage 0, and the network where one was kept."""
        fitted = self.baseline.fit(windows, fold_windows(windows))
        base = fitted.out_of_fold()
        # The spread stays what it was before the tail: the shifts set it right there, and would not a newer one.
        spread = self.chosen.spread
        final = replace(self.chosen, baseline=fitted, network=None)
        if self.chosen.network is None:
            return final, None
        again = fit_network(
            windows,
            base,
            spread,
            self.design,
            self.plan,
            batch_size=min(self.batch_size, len(windows)),
            budget=0.0,
            n_steps=self.n_steps,
            checkpoint=self.checkpoint,
        )
        return replace(final, network=again.network), again


def recipe_for_half(result: FitResult, plan: FitPlan) -> Recipe:
    """Return how to fit what a fit has chosen to half of the windows: with half the steps.

    Parameters
    ----------
    result : FitResult
    plan : FitPlan
    """
    if not result.networks:
        raise InvalidInput(
            "the series are too short to take the error apart, got no window to learn from: give more rows"
        )
    first = result.networks[0]
    n_steps = max(1, first.trained.n_steps // 2)
    return Recipe(result.stage_zero.baseline, result.before_tail, plan, first.network.design, first.batch_size, n_steps)
