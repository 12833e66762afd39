"""One fold: fit a clone on its training part, judge it on both parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._arrays import take_rows
from heldout.errors import InvalidInput
from heldout.learner import fit_with_weight, seeded_clone
from heldout.losses import Loss

__all__ = ["FoldResult", "Task", "fit_fold", "judge_joint_fit"]

TOLERATED = 1e-3  # what rounding to float32, or to a few decimals, makes of probabilities


@dataclass(frozen=True)
class Task:
    """What every fold has in common.

    Parameters
    ----------
    estimator : scikit-learn estimator
    y : array, shape (n_rows,)
        Values, or class codes 0 .. n_classes-1.
    labels : array, shape (n_classes,), or None
        What the estimator is told instead of the codes; None for regression.
    losses : tuple of Loss
        The first one decides what is asked of the estimator.
    seed : int
    weight : array, shape (n_rows,), or None
        How much each row counts in the fit, with mean 1.
    loss_weight : array, shape (n_rows,), or None
        The same as a factor of its held-out loss, with mean 1 over the rows that are tested.
    groups : array, shape (n_rows,), or None
        Labels of groups, for an estimator that needs them.
    """

    estimator: Any
    y: NDArray[Any]
    labels: NDArray[Any] | None
    losses: tuple[Loss, ...]
    seed: int
    weight: NDArray[np.float64] | None = None
    loss_weight: NDArray[np.float64] | None = None
    groups: NDArray[Any] | None = None

    @property
    def wants_probability(self) -> bool:
        """Whether the first loss judges probabilities."""
        return self.losses[0].prediction == "probability"


@dataclass(frozen=True)
class FoldResult:
    """Predictions for the test rows, and the losses by each loss of the task."""

    prediction: NDArray[Any]
    test_losses: tuple[NDArray[np.float64], ...]
    training_losses: tuple[float, ...]
    n_fits: int


def fit_fold(task: Task, X: Any, fold: int, train: NDArray[np.intp], test: NDArray[np.intp]) -> FoldResult:
    """Fit fold number `fold` and judge it. The targets of the test rows are read only after predicting them."""
    present = None if task.labels is None else np.unique(task.y[train])
    X_train = take_rows(X, train)
    if present is not None and len(present) == 1:
        model, n_fits = None, 0
    else:
        model = seeded_clone(task.estimator, task.seed, fold)
        weight = None if task.weight is None else task.weight[train]
        groups = None if task.groups is None else task.groups[train]
        fit_with_weight(model, X_train, _told(task, train, present), weight, groups)
        n_fits = 1
    prediction = _predict(task, model, take_rows(X, test), len(test), present)
    return _judged(task, train, test, prediction, _predict(task, model, X_train, len(train), present), n_fits)


def judge_joint_fit(
    task: Task, train: NDArray[np.intp], test: NDArray[np.intp], came: NDArray[np.float64]
) -> FoldResult:
    """Judge a fold whose model was fitted beside those of other folds.

    Parameters
    ----------
    came : array, shape (n_test + n_train,) or (n_test + n_train, n_classes)
        What that model predicts for the test rows and then the training rows.
    """
    if task.labels is None:
        checked: NDArray[Any] = _finite(came, (len(test) + len(train),), task)
    else:
        shape = (len(test) + len(train), len(task.labels))
        checked = _probable(_finite(came, shape, task), task)
        if not task.wants_probability:
            checked = checked.argmax(axis=1)
    return _judged(task, train, test, checked[: len(test)], checked[len(test) :], n_fits=1)


def _judged(
    task: Task,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    prediction: NDArray[Any],
    fitted: NDArray[Any],
    n_fits: int,
) -> FoldResult:
    return FoldResult(
        prediction,
        tuple(_weighted(_judge(task, loss, test, prediction), task.loss_weight, test) for loss in task.losses),
        tuple(_mean(_judge(task, loss, train, fitted), task.weight, train) for loss in task.losses),
        n_fits,
    )


def _told(task: Task, train: NDArray[np.intp], present: NDArray[Any] | None) -> NDArray[Any]:
    """Return the targets as the estimator is told them."""
    y = task.y[train]
    if task.labels is None or present is None:
        return y
    if len(present) < len(task.labels) and task.labels.dtype.kind in "iu":
        # Some classifiers take only codes without holes, and a missing class makes one.
        return np.searchsorted(present, y)
    return np.asarray(task.labels[y])


def _predict(task: Task, model: Any, X: Any, n: int, present: NDArray[Any] | None) -> NDArray[Any]:
    if task.labels is None or present is None:
        return _finite(np.asarray(model.predict(X), dtype=float), (n,), task)
    known = task.labels[present]
    if len(present) < len(task.labels) and task.labels.dtype.kind in "iu":
        known = np.arange(len(present))
    if not task.wants_probability:
        if model is None:
            return np.full(n, present[0], dtype=np.intp)
        return np.asarray(present[_positions(np.ravel(model.predict(X)), known, task)], dtype=np.intp)
    probability = np.zeros((n, len(task.labels)))
    if model is None:
        probability[:, present[0]] = 1.0
        return probability
    columns = present[_positions(np.asarray(getattr(model, "classes_", known)), known, task)]
    came = _finite(np.asarray(model.predict_proba(X), dtype=float), (n, len(columns)), task)
    probability[:, columns] = _probable(came, task)
    return probability


def _probable(came: NDArray[np.float64], task: Task) -> NDArray[np.float64]:
    wrong = (came < -TOLERATED).any(axis=1) | (np.abs(came.sum(axis=1) - 1) > TOLERATED)
    if wrong.any():
        row = ", ".join(f"{share:.3g}" for share in came[wrong][0][:4])
        raise InvalidInput(
            f"{type(task.estimator).__name__} must predict probabilities of 0 or more that sum to 1 in each row, "
            f"got {row}: mend its predict_proba"
        )
    return came


def _positions(came: NDArray[Any], known: NDArray[Any], task: Task) -> NDArray[np.intp]:
    """Return where each label stands among the (sorted) known ones."""
    if known.dtype.kind == "U":
        came = came.astype(str)
    position = np.minimum(np.searchsorted(known, came), len(known) - 1)
    strange = known[position] != came
    if strange.any():
        raise InvalidInput(
            f"{type(task.estimator).__name__} predicted {came[strange].tolist()[0]!r}, "
            f"expected one of the {len(known)} classes it was fitted on"
        )
    return np.asarray(position, dtype=np.intp)


def _finite(prediction: NDArray[np.float64], shape: tuple[int, ...], task: Task) -> NDArray[np.float64]:
    name = type(task.estimator).__name__
    if prediction.shape == (*shape, 1):
        prediction = prediction[..., 0]
    if prediction.shape != shape:
        raise InvalidInput(f"{name} must predict shape {shape}, got {prediction.shape}")
    if not np.isfinite(prediction).all():
        bad = prediction[~np.isfinite(prediction)].flat[0]
        raise InvalidInput(f"{name} must predict finite numbers, got {bad}: scale or impute its inputs")
    return prediction


def _judge(task: Task, loss: Loss, rows: NDArray[np.intp], prediction: NDArray[Any]) -> NDArray[np.float64]:
    if loss.prediction == "value" and prediction.ndim == 2:
        prediction = prediction.argmax(axis=1)
    return loss.per_row(task.y[rows], prediction)


def _weighted(
    losses: NDArray[np.float64], weight: NDArray[np.float64] | None, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    # A factor with mean 1 makes the mean over all tested rows a weighted mean.
    return losses if weight is None else losses * weight[rows]


def _mean(losses: NDArray[np.float64], weight: NDArray[np.float64] | None, rows: NDArray[np.intp]) -> float:
    # The mean weight of a training part is its own, not that of the table. Where no row counts, all count alike.
    counted = weight is not None and weight[rows].any()
    return float(np.average(losses, weights=weight[rows] if weight is not None and counted else None))
