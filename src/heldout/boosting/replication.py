"""The stages of a fit of replicas: draw, grow, choose the rounds, refit; for one training set or many in one call.

A fit is the case of one training set whose trees are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.boosting.bags import Bags, TrainingSet, draw_bags, whole_set
from heldout.boosting.calls import Call, calls_of
from heldout.boosting.fitting import with_weights_below_1
from heldout.boosting.lessons import Lesson
from heldout.boosting.parameters import FitPlan
from heldout.trees import PREDICTED, STOPS, Binned, GrownEnsemble, Replication, grow_replicas

__all__ = ["Rows", "TrainedSet", "train_sets"]


@dataclass(frozen=True)
class Rows:
    """The rows that all training sets are made of, and behind them those that only judge.

    Parameters
    ----------
    binned : Binned
    lesson : Lesson
        Of the first rows.
    target_val : array of float64, shape (n_validation_rows,)
        Of the last rows; empty without such rows.
    """

    binned: Binned
    lesson: Lesson
    target_val: NDArray[np.float64]


@dataclass(frozen=True)
class TrainedSet:
    """What one training set came to.

    Parameters
    ----------
    bags : Bags
        Of the replicas that were judged.
    evaluated : GrownEnsemble
        Replicas and what they predict for rows they were not fitted to.
    final : GrownEnsemble
        The model: the same, or one fit to all rows.
    """

    bags: Bags
    evaluated: GrownEnsemble
    final: GrownEnsemble


@dataclass(frozen=True)
class _Stage:
    """What one call of the engine is for."""

    left_out: int = 0  # roles that training rows have in replicas that left them out
    patience: int = 0
    size: int = 0
    rounds: tuple[int, ...] | None = None
    refit: bool = False
    keep_trees: bool = False
    callback: Callable[[int, Any], Any] | None = None


def train_sets(
    rows: Rows,
    plan: FitPlan,
    sets: Sequence[TrainingSet],
    roles: Sequence[NDArray[np.uint8]],
    *,
    keep: bool = False,
    callback: Callable[[int, Any], Any] | None = None,
) -> list[TrainedSet]:
    """Fit one model to each training set.

    Parameters
    ----------
    rows : Rows
    plan : FitPlan
    sets : sequence of TrainingSet
    roles : sequence of arrays of uint8, shape (n_rows + n_validation_rows,)
        PREDICTED where the set's model shall predict a row, STOPS where a row that is in no training set judges it.
    keep : bool
        Whether trees are kept, and rows that replicas left out are predicted by them.
    callback : callable, optional
        Told of each round of the model.

    Raises
    ------
    InvalidInput
        As `draw_bags` raises it.
    """
    validated = any((role & STOPS).any() for role in roles)
    if not plan.draws:
        bags = [whole_set(each) for each in sets]
        stage = _Stage(patience=plan.patience if validated else 0, keep_trees=keep, callback=callback)
        return [TrainedSet(b, g, g) for b, g in zip(bags, _grow(rows, plan, bags, roles, stage), strict=True)]
    bags = [draw_bags(each, plan) for each in sets]
    if plan.n_replicas == 1:
        return _choose_then_fit(rows, plan, sets, bags, roles, keep, callback)
    judged = STOPS if plan.out_of_bag or (keep and not validated) else 0
    stage = _Stage(
        left_out=judged | (PREDICTED if keep else 0),
        patience=plan.patience if plan.out_of_bag or validated else 0,
        refit=plan.out_of_bag,
        keep_trees=keep,
        callback=callback,
    )
    grown = _grow(rows, plan, bags, roles, stage)
    return [TrainedSet(b, g, g) for b, g in zip(bags, grown, strict=True)]


def _choose_then_fit(
    rows: Rows,
    plan: FitPlan,
    sets: Sequence[TrainingSet],
    bags: list[Bags],
    roles: Sequence[NDArray[np.uint8]],
    keep: bool,
    callback: Callable[[int, Any], Any] | None,
) -> list[TrainedSet]:
    """Let replicas choose the rounds of a single model by the error of single members, then fit that to all rows."""
    silent = [np.zeros_like(role) for role in roles]
    stage = _Stage(left_out=STOPS | (PREDICTED if keep else 0), patience=plan.patience, size=1, keep_trees=keep)
    judged = _grow(rows, plan, bags, silent, stage)
    stage = _Stage(rounds=tuple(each.n_rounds for each in judged), keep_trees=keep, callback=callback)
    wholes = [own.whole(each.seed) for each, own in zip(sets, bags, strict=True)]
    final = _grow(rows, plan, wholes, roles, stage)
    return [TrainedSet(b, e, f) for b, e, f in zip(bags, judged, final, strict=True)]


def _grow(
    rows: Rows, plan: FitPlan, bags: Sequence[Bags], roles: Sequence[NDArray[np.uint8]], stage: _Stage
) -> list[GrownEnsemble]:
    """Grow all sets, as many in one call of the engine as weigh their rows alike."""
    judged = bool(stage.left_out & STOPS)
    grown: dict[int, GrownEnsemble] = {}
    for call in calls_of([rows.lesson.unbalanced(each.factor) for each in bags], bags, judged):
        own = replace(stage, rounds=None if stage.rounds is None else tuple(stage.rounds[c] for c in call.sets))
        found = _grow_together(rows, plan, call, [bags[c] for c in call.sets], [roles[c] for c in call.sets], own)
        grown.update(zip(call.sets, found, strict=True))
    return [grown[c] for c in range(len(bags))]


def _grow_together(
    rows: Rows,
    plan: FitPlan,
    call: Call,
    bags: Sequence[Bags],
    roles: Sequence[NDArray[np.uint8]],
    stage: _Stage,
) -> tuple[GrownEnsemble, ...]:
    n_val = len(rows.target_val)
    sizes = [each.weights.shape[1] for each in bags]
    objective = call.objective
    if n_val:
        objective = replace(objective, target=np.concatenate([objective.target, rows.target_val]))
    if n_val and objective.weight is not None:
        objective = replace(objective, weight=np.concatenate([objective.weight, np.zeros(n_val)]))
    objective, plan = with_weights_below_1(objective, plan)
    counts = [_and_rows_below(each.refit_count[:, None], n_val) for each in bags] if stage.refit else []
    replication = Replication(
        weights=_side_by_side([_and_rows_below(each.weights, n_val) for each in bags]),
        roles=_side_by_side([_roles_of_replicas(b, role, stage.left_out) for b, role in zip(bags, roles, strict=True)]),
        ensemble_of=np.repeat(np.arange(len(bags)), sizes),
        seeds=tuple(seed for each in bags for seed in each.seeds),
        rounds=stage.rounds,
        patience=stage.patience,
        ensemble_size=stage.size,
        refit_counts=_side_by_side(counts) if stage.refit else None,
        class_factors=_balances(
            rows.lesson, [each.weights[:, k] for each in bags for k in range(each.weights.shape[1])]
        ),
        refit_class_factors=_balances(rows.lesson, [each.refit_count for each in bags]),
        curve_weight=call.curve_weight,
    )
    return grow_replicas(
        rows.binned,
        objective,
        plan.growth,
        replication,
        keep_trees=stage.keep_trees,
        callback=stage.callback,
        n_threads=plan.n_threads,
    )


def _balances(lesson: Lesson, times: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64] | None:
    found = [factors for factors in map(lesson.balance, times) if factors is not None]
    return np.stack(found) if found else None


def _and_rows_below(columns: NDArray[np.uint8], n_below: int) -> NDArray[np.uint8]:
    """Append rows of zeros."""
    if not n_below:
        return columns
    out = np.zeros((len(columns) + n_below, columns.shape[1]), dtype=np.uint8, order="F")
    out[: len(columns)] = columns
    return out


def _roles_of_replicas(bags: Bags, role: NDArray[np.uint8], left_out: int) -> NDArray[np.uint8]:
    roles = _and_rows_below(bags.left_out & np.uint8(left_out), len(role) - len(bags.count))
    roles |= role[:, None]
    return roles


def _side_by_side(parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if len(parts) == 1:
        return np.asfortranarray(parts[0])
    out = np.empty((len(parts[0]), sum(part.shape[1] for part in parts)), dtype=np.uint8, order="F")
    return np.concatenate(parts, axis=1, out=out)
