"""A training set as the engine takes it: how often each row is in each replica, what multiplies it, who is out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream_seed
from heldout.boosting.parameters import FitPlan
from heldout.errors import InvalidInput
from heldout.learner import MOST_TIMES
from heldout.resampling import Disjoint, Given, KFold, Resampling, checked_draw
from heldout.trees import PREDICTED, STOPS

__all__ = ["Bags", "TrainingSet", "draw_bags", "whole_set"]

_EVALUATION_REPLICAS = 8
"""Replicas that choose the rounds of a single model."""

_MOST_COPIES = MOST_TIMES // 16
"""Copies of a row where replicas are drawn: so few that 17 draws of each fit a byte, for the luck of a draw must not
decide what is a copy. A bootstrap draws a row more often with probability 6e-17; all weights are then factors."""


@dataclass(frozen=True)
class TrainingSet:
    """Rows that one model is fitted to.

    Parameters
    ----------
    times : array of uint8, shape (n_rows,)
        How often each row is there; 0 leaves it out.
    weight : array of float64, shape (n_rows,), optional
        Weights of the rows, 0 only where `times` is.
    seed : int
        What the `random_state` of its model comes to.
    groups : array, shape (n_rows,), optional
    """

    times: NDArray[np.uint8]
    weight: NDArray[np.float64] | None
    seed: int
    groups: NDArray[Any] | None = None


@dataclass(frozen=True)
class Bags:
    """The replicas of one training set.

    Parameters
    ----------
    weights : array of uint8, shape (n_rows, n_replicas)
        How often each row is in each replica.
    left_out : array of uint8, shape (n_rows, n_replicas)
        Roles of the training rows that a replica left out; 0 elsewhere.
    count : array of uint8, shape (n_rows,)
        How often each row is in the training set.
    factor : array of float64, shape (n_rows,), optional
        What multiplies a row's loss.
    seeds : tuple of int
        Of the growth of each replica.
    refit : array of uint8, shape (n_rows,), optional
        How often each row is in what is fitted once the rounds are chosen; by default `count`. Rows that an array of
        the user's puts into no bag are not: whoever keeps rows out of all of them means to judge by them.
    """

    weights: NDArray[np.uint8]
    left_out: NDArray[np.uint8]
    count: NDArray[np.uint8]
    factor: NDArray[np.float64] | None
    seeds: tuple[int, ...]
    refit: NDArray[np.uint8] | None = None

    @property
    def refit_count(self) -> NDArray[np.uint8]:
        """How often each row is in what is fitted once the rounds are chosen."""
        return self.count if self.refit is None else self.refit

    @property
    def copies_times_weight(self) -> NDArray[np.float64]:
        """How much each row of the training set counts; 0 for others."""
        copies = self.count.astype(np.float64)
        return copies if self.factor is None else copies * self.factor

    def whole(self, seed: int) -> Bags:
        """Return what is fitted once the rounds are chosen, as one replica: rows count in it as in the others."""
        count = self.refit_count
        return Bags(count[:, None], np.zeros((len(count), 1), np.uint8), count, self.factor, (seed,))


def whole_set(training: TrainingSet) -> Bags:
    """Return a training set as one replica that has every row."""
    rows = np.flatnonzero(training.times)
    ones = np.ones((len(rows), 1), dtype=np.uint8)
    return _scattered(training, rows, ones, np.zeros_like(ones), (training.seed,), MOST_TIMES)


def draw_bags(training: TrainingSet, plan: FitPlan) -> Bags:
    """Draw the replicas of a training set: from its rows only, with its seed, as a fit to it alone draws them.

    Raises
    ------
    InvalidInput
        As the resampling raises it; rows out of bag are asked for and no replica leaves one out; an array of the user's
        gives a replica none of the training rows.
    """
    rows = np.flatnonzero(training.times)
    n_replicas = plan.n_replicas if plan.n_replicas > 1 else evaluation_replicas(plan.resampling, len(rows))
    seeds = tuple(stream_seed(training.seed, "replica", k) for k in range(n_replicas))
    if plan.resampling is None:
        ones = np.ones((len(rows), n_replicas), dtype=np.uint8)
        return _scattered(training, rows, ones, np.zeros_like(ones), seeds)
    if plan.out_of_bag and len(rows) == 1:
        raise InvalidInput('early_stopping="out_of_bag" needs two rows or more, got n_samples=1: pass more rows')
    draw = checked_draw(
        _scheme_for(plan.resampling, len(training.times), rows, n_replicas),
        len(rows),
        n_replicas,
        groups=None if training.groups is None else training.groups[rows],
        random_state=stream_seed(training.seed, "resampling"),
    )
    left_out = (draw.weights == 0).view(np.uint8)
    left_out *= np.uint8(STOPS | PREDICTED) if draw.roles is None else draw.roles
    if plan.out_of_bag and not (left_out & STOPS).any():
        raise InvalidInput(
            f'early_stopping="out_of_bag" needs rows out of bag, got {plan.resampling!r:.60} that leaves none of '
            f"{len(rows)} rows out of any replica: choose another resampling"
        )
    bags = _scattered(training, rows, draw.weights, left_out, seeds)
    if isinstance(plan.resampling, Given):
        bags = replace(bags, refit=np.where(bags.weights.any(axis=1), bags.count, np.uint8(0)))
    return bags


def _scheme_for(resampling: Resampling, n_rows: int, rows: NDArray[np.intp], n_replicas: int) -> Resampling:
    """Return what draws from the training rows: an array of the user's has a line for each row of the table."""
    if isinstance(resampling, Given) and len(rows) < n_rows:
        resampling.draw(n_rows, n_replicas)  # refuses an array that is not one of this table
        return resampling.of_rows(rows)
    return resampling


def evaluation_replicas(resampling: Any, n_rows: int) -> int:
    """Return how many replicas choose the rounds of a single model: 8, or as many as the resampling is made for.

    Folds whose number the user left open are at most as many as rows.
    """
    if isinstance(resampling, Given):
        return int(np.shape(resampling.weights)[1])
    if isinstance(resampling, Disjoint) and isinstance(resampling.sizes, tuple):
        return len(resampling.sizes)
    if isinstance(resampling, KFold):
        repeats = resampling.repeats or 1
        return repeats * (resampling.k or max(2, min(n_rows, -(-_EVALUATION_REPLICAS // repeats))))
    return _EVALUATION_REPLICAS


def _scattered(
    training: TrainingSet,
    rows: NDArray[np.intp],
    drawn: NDArray[np.uint8],
    left_out: NDArray[np.uint8],
    seeds: tuple[int, ...],
    most_copies: int = _MOST_COPIES,
) -> Bags:
    times, factor = _times_and_factor(training, rows, drawn.max(axis=1, initial=0), most_copies)
    n_rows, n_replicas = len(training.times), drawn.shape[1]
    if len(rows) == n_rows and (times == 1).all():
        return Bags(drawn, left_out, times, factor, seeds)
    weights = np.zeros((n_rows, n_replicas), dtype=np.uint8, order="F")
    roles = np.zeros((n_rows, n_replicas), dtype=np.uint8, order="F")
    for k in range(n_replicas):
        weights[rows, k] = drawn[:, k] * times
        roles[rows, k] = left_out[:, k]
    count = np.zeros(n_rows, dtype=np.uint8)
    count[rows] = times
    return Bags(weights, roles, count, factor, seeds)


def _times_and_factor(
    training: TrainingSet, rows: NDArray[np.intp], most_drawn: NDArray[np.uint8], most_copies: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64] | None]:
    """Return how often each training row is there before any draw, and what multiplies its loss.

    Whole-number weights are copies where none passes `most_copies`, nor any product of copies and draws one byte.
    """

    def fit(times: NDArray[Any]) -> bool:
        copies = times.astype(np.float64)
        return bool(copies.max(initial=0.0) <= most_copies and (copies * most_drawn).max(initial=0.0) <= MOST_TIMES)

    times = training.times[rows]
    if training.weight is None:
        if fit(times):
            return times, None
        return np.ones_like(times), training.times.astype(np.float64)
    weight = training.weight[rows]
    copies = times * weight
    if (weight == np.floor(weight)).all() and fit(copies):
        return copies.astype(np.uint8), None
    if fit(times):
        return times, training.weight
    return np.ones_like(times), training.weight * training.times
