"""The stages of fitting a forecaster, in order.

::

    windows -> tail apart -> stage 0 -> network on what stage 0 gets wrong -> worth it, on the tail?
            -> calibrate on the tail -> both again on all windows
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from heldout._random import stream, stream_seed
from heldout.sequence.calendar_features import cycles_of
from heldout.sequence.calibration import conformal_shifts
from heldout.sequence.examples import Examples, Shape
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.folds import fold_windows
from heldout.sequence.generators import torch_generator
from heldout.sequence.network import Design, ForecastNetwork
from heldout.sequence.network_optimizer import NetworkOptimizer
from heldout.sequence.objective import Objective
from heldout.sequence.quantiles import spread_of
from heldout.sequence.scaling import scaling_of
from heldout.sequence.sequences import Sequences
from heldout.sequence.stage_zero import StageZero, choose_stage_zero, window_losses
from heldout.sequence.tail import split_tail, thinned
from heldout.sequence.training import Course, Trained, train
from heldout.sequence.windows import Windows, all_origins
from heldout.sequence.worth import Improvement, paired_improvement

__all__ = ["FitPlan", "FitResult", "fit_forecast"]

# Elements of the futures of windows kept in memory; more windows are thinned evenly.
_MOST_ELEMENTS = 30_000_000
_MOST_STAGE_ZERO = 60_000
_SHARE_OF_TRAINING = 0.42


@dataclass(frozen=True)
class FitPlan:
    """What the user asked for; None where it is to be decided."""

    horizon: int
    levels: NDArray[np.float64]
    stage0: str | None
    loss: str
    time_budget: float
    replicas: int
    encoder: str
    cross: bool
    context: int | None
    width: int | None
    depth: int | None
    n_steps: int | None
    batch_size: int | None
    confidence_level: float
    seed: int
    dropout: float = 0.1


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted forecast and how it came about."""

    fitted: FittedForecast
    stage_zero: StageZero
    improvement: Improvement | None
    kept: bool
    trained: tuple[Trained, ...]
    design: Design | None
    batch_size: int
    tail_forecast: FittedForecast
    tail: Windows
    notes: tuple[str, ...]


def fit_forecast(sequences: Sequences, plan: FitPlan) -> FitResult:
    """Fit all stages."""
    began = time.perf_counter()
    least = least_context(sequences)
    learn, tail = split_tail(sequences, plan.horizon, least)
    learn = thinned(learn, most_windows(learn))
    point_loss = "squared_error" if plan.loss == "squared_error" else "absolute_error"
    zero = choose_stage_zero(plan.stage0 or "last-value", learn, tail, point_loss)
    levels = plan.levels
    spread = _spread(learn, zero.fitted.out_of_fold(), levels)
    no_shift = np.zeros_like(spread)
    alone = FittedForecast(zero.fitted, levels, spread, no_shift, plan.loss)
    improvement, kept, runs, design, batch_size = None, False, [], None, 0
    chosen = alone
    if len(learn):
        design, batch_size = choose_design(learn, plan)
        budget = (plan.time_budget - (time.perf_counter() - began)) * _SHARE_OF_TRAINING
        network, trained = fit_network(learn, zero.fitted.out_of_fold(), spread, design, batch_size, plan, budget)
        runs.append(trained)
        joined = replace(alone, network=network)
        improvement = compare_on_tail(joined, alone, tail, plan)
        kept = plan.stage0 is None or improvement.shown
        chosen = joined if kept else alone
    shifts = calibrate(chosen, tail)
    everything = thinned(all_origins(sequences, plan.horizon, least_context=least), most_windows(learn))
    final = fit_on_all(everything, zero, chosen, plan, runs, design, batch_size)
    return FitResult(
        replace(final, shifts=shifts),
        zero,
        improvement,
        kept,
        tuple(runs),
        design,
        batch_size,
        replace(chosen, shifts=shifts),
        tail,
        sequences.notes,
    )


def least_context(sequences: Sequences) -> int:
    """Return how many rows a window must know to be learned from: a season, if series are that long."""
    return int(max(2, min(sequences.season, np.median(sequences.lengths) // 3)))


def most_windows(windows: Windows) -> int:
    """Return how many windows may be learned from."""
    per_window = max(1, windows.horizon * windows.sequences.n_variables)
    return max(200, min(_MOST_STAGE_ZERO, _MOST_ELEMENTS // per_window))


def _spread(windows: Windows, forecast: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    error = scaling_of(windows).down(windows.future()) - scaling_of(windows).down(forecast)
    return spread_of(np.moveaxis(error, 2, 1).reshape(-1, error.shape[1]), levels)


def choose_design(windows: Windows, plan: FitPlan) -> tuple[Design, int]:
    """Choose every size that the plan leaves open."""
    sequences, horizon = windows.sequences, plan.horizon
    room = int(np.quantile(sequences.lengths, 0.75)) - horizon
    length = plan.context or int(np.clip(max(3 * sequences.season, 7 * horizon // 2), 4, max(4, min(room, 512))))
    patch = _patch(length + horizon, sequences.season)
    shape = Shape(
        length,
        horizon,
        sequences.n_variables,
        cycles_of(sequences),
        tuple(len(sequences.layout.levels.get(column, ())) for column in sequences.layout.known),
        tuple(len(sequences.layout.levels.get(column, ())) for column in sequences.layout.static),
    )
    width = plan.width or 64
    design = Design(
        shape,
        patch,
        width,
        plan.depth or 2,
        max(1, width // 16),
        len(plan.levels),
        int(np.argmin(np.abs(plan.levels - 0.5))),
        plan.replicas,
        plan.cross and sequences.n_variables > 1,
        plan.encoder,
        plan.dropout,
    )
    rows = plan.batch_size or max(8, 256 // sequences.n_variables)
    return design, min(rows, len(windows))


def _patch(steps: int, season: int, most_tokens: int = 36) -> int:
    """Return the fewest steps a token that leave few tokens: a divisor of the season if one is near."""
    least = -(-steps // most_tokens)
    return next((p for p in range(least, 2 * least) if season % p == 0), least)


def fit_network(
    windows: Windows,
    base: NDArray[np.float64],
    spread: NDArray[np.float64],
    design: Design,
    batch_size: int,
    plan: FitPlan,
    budget: float,
    n_steps: int | None = None,
) -> tuple[ForecastNetwork, Trained]:
    """Train a network on what stage 0 gets wrong."""
    network = ForecastNetwork(design, torch_generator(stream_seed(plan.seed, "weights")))
    network.train()
    examples = Examples(windows, base, design.shape)
    objective = Objective(
        network,
        examples,
        np.ones((len(windows), design.replicas)),
        torch.from_numpy(spread).to(torch.float32),
        torch.from_numpy(plan.levels).to(torch.float32),
        loss=plan.loss,
        batch_size=batch_size,
        seed=stream_seed(plan.seed, "batches"),
    )
    most = max(100, 12 * len(windows) // batch_size)
    course = Course(n_steps or plan.n_steps, max(budget, 1.0), most, batch_size)
    return network, train(NetworkOptimizer(network, network.encoder), objective, course)


def compare_on_tail(joined: FittedForecast, alone: FittedForecast, tail: Windows, plan: FitPlan) -> Improvement:
    """Return the paired improvement of the network over stage 0 on the tail."""
    base = alone.baseline.predict(tail)
    losses = [tail_losses(one, tail, base, plan.loss) for one in (joined, alone)]
    return paired_improvement(
        losses[0],
        losses[1],
        tail.sequences.count[tail.origin],
        tail.series,
        block=float(plan.horizon),
        rng=stream(plan.seed, "worth"),
        confidence_level=plan.confidence_level,
    )


def tail_losses(fitted: FittedForecast, windows: Windows, base: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """Return the mean scaled loss of each window; of quantiles after calibration on these same windows.

    Both forecasts that are compared get their own calibration, so that attention is not credited with a spread that
    stage 0 could have had too.
    """
    if loss in ("squared_error", "absolute_error"):
        return window_losses(windows, fitted.predict(windows, base=base).point, loss)
    _, scaled = fitted.scaled(windows, base=base)
    target = scaling_of(windows).down(windows.future())
    quantiles = scaled.mean(axis=0) + calibrate(fitted, windows, base)[:, None]
    error = target[..., None] - np.maximum.accumulate(quantiles, axis=-1)
    lost = 2 * np.maximum(fitted.levels * error, (fitted.levels - 1) * error).mean(axis=-1)
    known = np.isfinite(lost)
    n = known.sum(axis=(1, 2))
    return np.divide(np.where(known, lost, 0).sum(axis=(1, 2)), n, out=np.full(len(n), np.nan), where=n > 0)


def calibrate(fitted: FittedForecast, tail: Windows, base: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the shifts that set the quantiles right on the tail."""
    if not len(tail):
        return np.zeros_like(fitted.spread)
    _, scaled = fitted.scaled(tail, base=base)
    quantiles = np.moveaxis(scaled.mean(axis=0), 2, 1).reshape(-1, *fitted.spread.shape)
    target = np.moveaxis(scaling_of(tail).down(tail.future()), 2, 1).reshape(-1, len(fitted.spread))
    return conformal_shifts(quantiles, target, fitted.levels)


def fit_on_all(
    windows: Windows,
    zero: StageZero,
    chosen: FittedForecast,
    plan: FitPlan,
    runs: list[Trained],
    design: Design | None,
    batch_size: int,
) -> FittedForecast:
    """Fit what was chosen again, on the windows of the tail too."""
    if not len(windows):
        return chosen
    fitted: Any = zero.baseline.fit(windows, fold_windows(windows))
    base = fitted.out_of_fold()
    spread = _spread(windows, base, plan.levels)
    final = replace(chosen, baseline=fitted, spread=spread, network=None)
    if chosen.network is None or design is None:
        return final
    network, trained = fit_network(windows, base, spread, design, batch_size, plan, 0.0, runs[0].n_steps)
    runs.append(trained)
    return replace(final, network=network)
