"""A fit with replicas, and fits to many training sets: from checked arrays to attributes or predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.boosting.asked_sets import AskedSets
from heldout.boosting.bags import TrainingSet
from heldout.boosting.fitting import Round, check_columns, checked_validation, told_of_rounds
from heldout.boosting.lessons import Lesson
from heldout.boosting.members import Members, packed_rows, parts_of
from heldout.boosting.out_of_bag import curve_of, judged_out_of_bag, units_of
from heldout.boosting.parameters import FitPlan
from heldout.boosting.replication import Rows, TrainedSet, train_sets
from heldout.boosting.rows_in_every_bag import warn_of_rows_in_every_bag
from heldout.errors import InvalidInput
from heldout.trees import PREDICTED, STOPS, Binned, GrownEnsemble, TreeEnsemble

__all__ = ["fit_replicated", "forget_replicas", "predictions_of_sets"]


def fit_replicated(
    estimator: Any,
    plan: FitPlan,
    X: NDArray[np.floating[Any]],
    lesson: Lesson,
    weight: NDArray[np.float64] | None,
    X_val: Any,
    target_val: NDArray[np.float64] | None,
    groups: NDArray[Any] | None,
    callback: Callable[[Round], Any] | None,
) -> None:
    """Fit a model of replicas, or one whose rounds they choose, and put what came of it onto the estimator.

    Raises
    ------
    InvalidInput
        As `fit_rounds` and the resampling raise it; validation rows beside rows out of bag that already judge.
    """
    check_columns(X)
    if plan.out_of_bag and X_val is not None:
        raise InvalidInput(
            'early_stopping="out_of_bag" judges rounds by the rows out of bag, got X_val too: leave out X_val and '
            "y_val, or pass early_stopping=True to judge by them"
        )
    if plan.resampling is not None:
        lesson.check_out_of_bag()
    held = checked_validation(estimator, plan, X, X_val, target_val)
    binned = Binned.from_array(X, weight, plan.value_bins, n_threads=plan.n_threads)
    n_rows = len(X)
    role = np.zeros(n_rows, dtype=np.uint8)
    if held is not None:
        binned = Binned(np.concatenate([binned.codes, binned.transform(held)], axis=1), binned.cut_points)
        role = np.concatenate([role, np.full(len(held), STOPS, dtype=np.uint8)])
    rows = Rows(binned, lesson, np.empty(0) if target_val is None else target_val)
    training = TrainingSet(_there(n_rows, weight), weight, plan.growth.seed, groups)
    (trained,) = train_sets(
        rows,
        plan,
        [training],
        [role],
        keep=True,
        callback=told_of_rounds(callback),
    )
    forget_replicas(estimator)
    final = trained.final
    estimator.ensemble_ = final.averaged if final.refitted is None else final.refitted
    estimator.validation_losses_ = final.curve if held is not None else np.empty(0)
    if plan.n_replicas > 1:
        estimator._members = _members_of(trained, n_rows)
    _set_out_of_bag(estimator, plan, X, lesson, trained, training, judged=held is None)


_OF_REPLICAS = (
    "_members",
    "oob_prediction_",
    "oob_members_",
    "oob_std_",
    "oob_curve_",
    "oob_error_",
    "error_if_bagged_",
    "bagging_gain_",
)


def forget_replicas(estimator: Any) -> None:
    """Delete what a fit before has left of replicas."""
    for name in _OF_REPLICAS:
        estimator.__dict__.pop(name, None)


def _there(n_rows: int, weight: NDArray[np.float64] | None) -> NDArray[np.uint8]:
    return np.ones(n_rows, dtype=np.uint8) if weight is None else (weight > 0).astype(np.uint8)


def _members_of(trained: TrainedSet, n_rows: int) -> Members:
    members: TreeEnsemble = trained.evaluated.members  # type: ignore[assignment]  # trees were kept
    return Members(
        value=members.value,
        count=None if trained.final.refitted is None else members.count,
        base=members.base,
        n_replicas=trained.bags.weights.shape[1],
        left_out=packed_rows(trained.bags.left_out),
        n_rows=n_rows,
    )


def _set_out_of_bag(
    estimator: Any,
    plan: FitPlan,
    X: NDArray[np.floating[Any]],
    lesson: Lesson,
    trained: TrainedSet,
    training: TrainingSet,
    judged: bool,
) -> None:
    if plan.resampling is None:
        return
    grown, bags = trained.evaluated, trained.bags
    n_there = int(np.count_nonzero(bags.count))
    if plan.n_replicas > 1:  # replicas that only choose the rounds of another model need not judge every row
        warn_of_rows_in_every_bag(n_there - len(grown.rows), n_there, plan.n_replicas, plan.resampling)
    if not len(grown.rows):
        return

    def member_scores() -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.bool_]]]:
        trees: TreeEnsemble = grown.members  # type: ignore[assignment]  # trees were kept
        for part in parts_of(len(grown.rows), trees.n_outputs):
            rows = grown.rows[part]
            scores = trees.raw(X[rows], plan.n_threads).reshape(len(rows), bags.weights.shape[1], -1)
            yield part, scores, (bags.left_out[rows] & PREDICTED) != 0

    units = units_of(plan.resampling, training.groups, bags.count)
    found = judged_out_of_bag(
        lesson,
        grown,
        plan.n_replicas,
        member_scores,
        weight=bags.copies_times_weight,
        units=units,
        n_judged=bags.weights.shape[1],
        refitted=plan.out_of_bag,
    )
    estimator.oob_prediction_ = found.prediction
    estimator.oob_members_ = found.members
    estimator.oob_std_ = found.std
    estimator.oob_error_ = found.error
    estimator.error_if_bagged_ = found.error_if_bagged
    estimator.bagging_gain_ = found.bagging_gain
    if judged:
        whole = lesson.loss == "squared_error" or plan.n_replicas == 1
        estimator.oob_curve_ = curve_of(grown, plan.n_replicas if whole else None)


def predictions_of_sets(
    plan: FitPlan,
    X: NDArray[np.floating[Any]],
    lesson: Lesson,
    weight: NDArray[np.float64] | None,
    asked: AskedSets,
) -> NDArray[np.float64]:
    """Fit a model to each training set and return its predictions of the rows that roles name, NaN elsewhere.

    Returns
    -------
    predictions : array of float64, shape (n_ensembles, n_rows, ...)
    """
    check_columns(X)
    if plan.draws and plan.resampling is not None:
        lesson.check_out_of_bag()
    binned = Binned.from_array(X, weight, plan.value_bins, n_threads=plan.n_threads)
    trained = train_sets(Rows(binned, lesson, np.empty(0)), plan, asked.sets, asked.roles)
    found = []
    for ensemble in range(int(asked.ensemble_of.max()) + 1):
        own = [each.final for each, number in zip(trained, asked.ensemble_of, strict=True) if number == ensemble]
        predicted, scores = _mean_scores(own, len(X))
        values = lesson.predictions(scores.T)
        out = np.full((len(X), *values.shape[1:]), np.nan)
        out[predicted] = values
        found.append(out)
    return np.stack(found)


def _mean_scores(models: Sequence[GrownEnsemble], n_rows: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows that some model predicts, and their scores, shape (n_outputs, m): the mean over all members."""
    means = [each.mean if each.refit_mean is None else each.refit_mean for each in models]
    if len(models) == 1:
        return models[0].rows, means[0]
    total, n_members = np.zeros((len(means[0]), n_rows)), np.zeros(n_rows)
    for each, mean in zip(models, means, strict=True):
        total[:, each.rows] += each.n_members * mean
        n_members[each.rows] += each.n_members
    predicted = np.flatnonzero(n_members)
    return predicted, total[:, predicted] / n_members[predicted]
