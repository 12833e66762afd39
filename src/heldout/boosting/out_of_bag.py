"""What the rows that replicas left out say about a model: predictions, the curve over rounds, the error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.boosting.lessons import ClassLesson, Lesson
from heldout.generalization.ensemble_losses import corrected_losses
from heldout.generalization.error_estimate import ErrorEstimate
from heldout.generalization.out_of_bag import Kind, out_of_bag_error
from heldout.losses import LOSSES
from heldout.resampling import Blocks, Resampling
from heldout.trees import GrownEnsemble

__all__ = [
    "MemberScores",
    "OutOfBag",
    "OutOfBagCurve",
    "curve_of",
    "judged_out_of_bag",
    "masked_std",
    "units_of",
]

_ENDLESS = 2**62
"""So many members that averaging more changes nothing that float64 holds."""

MemberScores = Callable[[], Iterator[tuple[slice, NDArray[np.float64], NDArray[np.bool_]]]]


@dataclass(frozen=True)
class OutOfBagCurve:
    """How the error on rows out of bag falls and rises over rounds.

    Attributes
    ----------
    loss : array of float64, shape (n_rounds,)
        After each round grown: half the mean squared error, or the mean log loss, weighted by `sample_weight`.
    members : float
        Members that a row's prediction averages, in the mean over rows.
    corrected_to : int or None
        Members of the ensemble whose error `loss` estimates; None where it is that of about `members` of them.
    best_round : int
        Rounds up to the lowest loss, from 1 on; 0 where no loss is finite.
    """

    loss: NDArray[np.float64]
    members: float
    corrected_to: int | None
    best_round: int


@dataclass(frozen=True)
class OutOfBag:
    """Predictions of training rows by the members that left them out, and what these come to.

    Attributes
    ----------
    prediction : array of float64, shape (n_rows,) or (n_rows, n_classes)
    std : array of float64, shape (n_rows,) or (n_rows, n_classes)
        Between the members' predictions, with divisor m - 1.
    members : array of int, shape (n_rows,)
    error : ErrorEstimate
    error_if_bagged, bagging_gain : float
    """

    prediction: NDArray[np.float64]
    std: NDArray[np.float64]
    members: NDArray[np.int32]
    error: ErrorEstimate
    error_if_bagged: float
    bagging_gain: float


def curve_of(grown: GrownEnsemble, corrected_to: int | None) -> OutOfBagCurve:
    """Return the curve of an ensemble judged by rows out of bag; where each has one member, nothing is corrected."""
    if grown.members_per_row == 1:
        corrected_to = 1
    return OutOfBagCurve(grown.curve, grown.members_per_row, corrected_to, grown.best_round + 1)


@dataclass(frozen=True)
class _RowLosses:
    """Of the rows that have a prediction out of bag: loss of the members' mean, mean loss of members, their spread."""

    of_mean: NDArray[np.float64]
    of_single: NDArray[np.float64]
    std: NDArray[np.float64]


def judged_out_of_bag(
    lesson: Lesson,
    grown: GrownEnsemble,
    ensemble_size: int,
    member_scores: MemberScores,
    *,
    weight: NDArray[np.float64],
    units: tuple[NDArray[Any], Kind] | None,
    n_judged: int,
    refitted: bool,
) -> OutOfBag:
    """Judge a model by the rows that its replicas left out.

    Parameters
    ----------
    lesson : Lesson
    grown : GrownEnsemble
        Replicas that predicted the rows they left out.
    ensemble_size : int
        Members of the model: 1 where replicas only chose its rounds.
    member_scores : callable
        Returns, part by part, scores of `grown.rows` by all members (rows, n_replicas, n_outputs), and which of these
        count.
    weight : array of float64, shape (n_rows,)
        How much each training row counts.
    units : (labels, kind), optional
        What is independent where single rows are not.
    n_judged : int
        Replicas in all.
    refitted : bool
        Whether the model was fitted anew to all rows since.
    """
    n_rows, rows, m = len(weight), grown.rows, grown.n_members
    if isinstance(lesson, ClassLesson):
        losses = _class_losses(lesson, grown, member_scores)
    else:
        losses = _squared_losses(lesson.target[grown.rows], grown)
    carried, bagged = (
        corrected_losses(losses.of_mean, losses.of_single, m, size, sample_weight=weight[rows])
        for size in (ensemble_size, _ENDLESS)
    )
    # Where no row has two members nothing is known of what more would change, and a mean below 0 is no error: then the
    # members that there are must do.
    corrected = ensemble_size == 1 or bool(np.average(carried, weights=weight[rows]) >= 0.0)
    members = np.zeros(n_rows, dtype=np.int32)
    members[rows] = m
    labels, kind = units or (None, "groups")
    error = out_of_bag_error(
        _of_all_rows(carried if corrected else losses.of_mean, rows, n_rows),
        metric="log_loss" if lesson.loss == "log_loss" else "mse",
        n_members=members,
        ensemble_size=ensemble_size,
        corrected=corrected,
        refitted=refitted,
        n_judged=n_judged,
        units=labels,
        kind=kind,
        sample_weight=weight,
    )
    if_bagged, single = (float(np.average(each, weights=weight[rows])) for each in (bagged, losses.of_single))
    return OutOfBag(
        prediction=_of_all_rows(lesson.predictions(grown.mean.T), rows, n_rows),
        std=_of_all_rows(losses.std, rows, n_rows),
        members=members,
        error=error,
        error_if_bagged=if_bagged,
        bagging_gain=single - if_bagged,
    )


def _squared_losses(target: NDArray[np.float64], grown: GrownEnsemble) -> _RowLosses:
    of_mean = np.square(grown.mean[0] - target)
    variance, m = grown.variance[0], grown.n_members
    return _RowLosses(of_mean, of_mean + np.where(m > 1, variance * (m - 1) / m, 0.0), np.sqrt(variance))


def _class_losses(lesson: ClassLesson, grown: GrownEnsemble, member_scores: MemberScores) -> _RowLosses:
    codes = lesson.codes[grown.rows]
    per_row = LOSSES["log_loss"].per_row
    single, std = np.empty(len(codes)), np.empty((len(codes), len(lesson.classes)))
    for part, scores, counts in member_scores():
        n, n_replicas, n_outputs = scores.shape
        probability = lesson.predictions(scores.reshape(-1, n_outputs))
        losses = per_row(np.repeat(codes[part], n_replicas), probability).reshape(n, n_replicas)
        single[part] = np.where(counts, losses, 0.0).sum(axis=1) / counts.sum(axis=1)
        std[part] = masked_std(probability.reshape(n, n_replicas, -1), counts)
    return _RowLosses(per_row(codes, lesson.predictions(grown.mean.T)), single, std)


def masked_std(values: NDArray[np.float64], counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the standard deviation over axis 1 where `counts` says so, divisor m - 1; NaN where m is below 2.

    Examples
    --------
    >>> masked_std(np.array([[[1.0], [3.0], [9.0]]]), np.array([[True, True, False]]))
    array([[1.41421356]])
    """
    m = counts.sum(axis=1)[:, None].astype(np.float64)
    there = counts[:, :, None]
    mean = np.where(there, values, 0.0).sum(axis=1) / np.maximum(m, 1.0)
    squares = np.where(there, np.square(values - mean[:, None]), 0.0).sum(axis=1)
    return np.asarray(np.where(m > 1, np.sqrt(squares / np.maximum(m - 1.0, 1.0)), np.nan))


def _of_all_rows(values: NDArray[np.float64], rows: NDArray[np.intp], n_rows: int) -> NDArray[np.float64]:
    """Return values of some rows as values of all, NaN elsewhere."""
    out = np.full((n_rows, *values.shape[1:]), np.nan)
    out[rows] = values
    return out


def units_of(
    resampling: Resampling, groups: NDArray[Any] | None, count: NDArray[np.uint8]
) -> tuple[NDArray[Any], Kind] | None:
    """Return labels of what a resampling draws whole, and what they are: groups, blocks of time, or None for rows."""
    if groups is not None:
        return groups, "groups"
    if isinstance(resampling, Blocks):
        return (np.cumsum(count > 0) - 1) // resampling.length, "blocks"
    return None
