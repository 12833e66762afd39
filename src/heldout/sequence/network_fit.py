"""Sizes of a network from the data and the budget, and its training on what stage 0 gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from heldout._random import stream, stream_seed
from heldout.sequence.averaging import AveragedWeights
from heldout.sequence.calendar_features import cycles_of
from heldout.sequence.examples import Examples, Shape
from heldout.sequence.generators import torch_generator
from heldout.sequence.network import Design, ForecastNetwork
from heldout.sequence.network_optimizer import NetworkOptimizer
from heldout.sequence.objective import Objective
from heldout.sequence.plan import FitPlan
from heldout.sequence.replication import ReplicaWeights, draw_weights
from heldout.sequence.sharding import (
    Shard,
    ShardedObjective,
    ShardedOptimizer,
    devices_for,
    join_replicas,
    split_replicas,
)
from heldout.sequence.sizes import sizes_for
from heldout.sequence.standards import standards_of
from heldout.sequence.training import Course, Judge, Trained, train
from heldout.sequence.windows import Windows

__all__ = ["Apart", "FittedNetwork", "choose_design", "fit_network"]

Progress = Callable[[int, int | None], None]

_HEAD = 16
_LONGEST, _MOST_TOKENS = 512, 36
_MOST_EPOCHS = 12


@dataclass(frozen=True, eq=False)
class Apart:
    """Windows that are not trained on, to see when training is long enough.

    Parameters
    ----------
    windows : Windows
    base : array of float64, shape (n_windows, horizon, n_variables)
        Stage 0's forecasts of them, out of fold.
    """

    windows: Windows
    base: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A trained network, and how it was trained.

    Parameters
    ----------
    network : ForecastNetwork
    trained : Trained
    batch_size : int
        Windows of a step: fewer than asked for where memory ran out.
    weights : ReplicaWeights or None
        None for a single network, which counts every window once.
    notes : tuple of str
    """

    network: ForecastNetwork
    trained: Trained
    batch_size: int
    weights: ReplicaWeights | None
    notes: tuple[str, ...] = ()


def choose_design(windows: Windows, plan: FitPlan, budget: float) -> tuple[Design, int]:
    """Choose every size that the plan leaves open.

    Parameters
    ----------
    windows : Windows
        To be learned from.
    plan : FitPlan
    budget : float
        Seconds of one training.

    Returns
    -------
    Design
    batch_size : int
    """
    sequences, horizon = windows.sequences, plan.horizon
    layout = sequences.layout
    room = int(np.quantile(sequences.lengths, 0.75)) - horizon
    wanted = max(3 * sequences.season, 7 * horizon // 2)
    length = plan.context or int(np.clip(wanted, 4, max(4, min(room, _LONGEST))))
    patch = _patch(length + horizon, sequences.season)
    known_levels = tuple(len(layout.levels.get(column, ())) for column in layout.known)
    static_levels = tuple(len(layout.levels.get(column, ())) for column in layout.static)
    known, static = standards_of(windows, known_levels, static_levels)
    shape = Shape(
        length,
        horizon,
        sequences.n_variables,
        cycles_of(sequences),
        known_levels,
        static_levels,
        *known,
        *static,
    )
    sizes = sizes_for(windows, plan, -(-length // patch) + -(-horizon // patch), budget)
    design = Design(
        shape,
        patch,
        sizes.width,
        sizes.depth,
        max(1, sizes.width // _HEAD),
        len(plan.levels),
        int(np.argmin(np.abs(plan.levels - 0.5))),
        plan.replicas,
        plan.cross and sequences.n_variables > 1,
        plan.encoder,
        plan.dropout,
    )
    return design, sizes.batch_size


def _patch(steps: int, season: int) -> int:
    """Return the fewest steps a token that leave few tokens: a divisor of the season if one is near."""
    least = -(-steps // _MOST_TOKENS)
    return next((p for p in range(least, 2 * least) if season % p == 0), least)


def fit_network(
    windows: Windows,
    base: NDArray[np.float64],
    spread: NDArray[np.float64],
    design: Design,
    plan: FitPlan,
    *,
    batch_size: int,
    budget: float,
    n_steps: int | None,
    apart: Apart | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> FittedNetwork:
    """Train a network on what stage 0 gets wrong; where memory runs out, again with smaller batches.

    Parameters
    ----------
    windows : Windows
    base : array of float64, shape (n_windows, horizon, n_variables)
        Stage 0's forecasts out of fold.
    spread : array of float64, shape (horizon, n_levels)
    design : Design
    plan : FitPlan
    batch_size : int
    budget : float
        Seconds, where `n_steps` is None.
    n_steps : int or None
    apart : Apart, optional
        Windows that say when training is long enough.
    checkpoint : Path, optional
    progress : callable, optional
        As `train` takes it.
    """
    weights = None
    if design.replicas > 1:
        weights = draw_weights(windows, design.replicas, stream(plan.seed, "replicas"))
    notes: list[str] = []
    while True:
        try:
            course = Course(n_steps, max(budget, 1.0), _most_steps(windows, batch_size), checkpoint)
            network, trained = _train(windows, base, spread, design, plan, batch_size, weights, course, apart, progress)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
            if batch_size == 1 or not _is_memory(problem):
                raise
            smaller = max(1, batch_size // 2)
            notes.append(f"memory ran out with {batch_size} windows a step: trained with {smaller}")
            batch_size = smaller
            continue
        if trained.stopped_at is not None:
            notes.append(
                f"the loss of step {trained.stopped_at + 1} was no number: training stopped there, and the network is "
                f"that of step {trained.kept_step}"
            )
        return FittedNetwork(network, trained, batch_size, weights, tuple(notes))


def _most_steps(windows: Windows, batch_size: int) -> int:
    return max(100, _MOST_EPOCHS * len(windows) // batch_size)


def _is_memory(problem: BaseException) -> bool:
    words = str(problem).lower()
    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or "not enough memory" in words


def _judge(objectives: list[Objective], shards: list[Shard], apart: Apart, design: Design) -> Judge:
    held = [Examples(apart.windows, apart.base, design.shape, device=shard.device) for shard in shards]

    def loss() -> float:
        pairs = zip(objectives, held, strict=True)
        return float(np.mean([objective.loss_on(examples) for objective, examples in pairs]))

    return Judge(AveragedWeights([shard.network for shard in shards]), loss)


def _train(
    windows: Windows,
    base: NDArray[np.float64],
    spread: NDArray[np.float64],
    design: Design,
    plan: FitPlan,
    batch_size: int,
    weights: ReplicaWeights | None,
    course: Course,
    apart: Apart | None,
    progress: Progress | None,
) -> tuple[ForecastNetwork, Trained]:
    network = ForecastNetwork(design, torch_generator(stream_seed(plan.seed, "weights")))
    counted = np.ones((len(windows), 1)) if weights is None else weights.weight
    shards = split_replicas(network, devices_for(plan.device, design.replicas))
    objectives = [
        Objective(
            shard.network,
            Examples(windows, base, design.shape, device=shard.device),
            counted[:, shard.first : shard.last],
            torch.from_numpy(spread).to(torch.float32).to(shard.device),
            torch.from_numpy(plan.levels).to(torch.float32).to(shard.device),
            loss=plan.loss,
            batch_size=batch_size,
            seed=stream_seed(plan.seed, "batches"),
        )
        for shard in shards
    ]
    optimizer = ShardedOptimizer([NetworkOptimizer(shard.network, shard.network.encoder) for shard in shards])
    judge = None if apart is None or not len(apart.windows) else _judge(objectives, shards, apart, design)
    trained = train(optimizer, ShardedObjective(objectives), course, judge=judge, progress=progress)
    if course.checkpoint is not None:
        course.checkpoint.unlink(missing_ok=True)
    return join_replicas(network, shards, plan.device).eval(), trained
