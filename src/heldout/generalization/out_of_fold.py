"""Predictions for every row by models that never saw it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, as_target, mean_one, n_rows
from heldout._random import seed_of
from heldout.errors import InvalidInput
from heldout.generalization.fitting import FittedFolds, fit_folds
from heldout.generalization.fold_fit import Task
from heldout.learner import ONE_BY_ONE, TOGETHER, groups_for
from heldout.losses import Loss, find_loss
from heldout.splits import predicts_forward

__all__ = ["OutOfFold", "out_of_fold"]


@dataclass(frozen=True)
class OutOfFold:
    """What the models of all folds predicted for the rows they had not seen.

    Attributes
    ----------
    predictions : array, shape (n_rows,) or (n_rows, n_classes)
        Mean over repeats; for class codes the most frequent one. NaN (codes: -1) for rows never tested.
    losses : array, shape (n_rows,)
        Mean over repeats of each row's held-out loss; NaN for rows never tested.
    fold_losses : tuple of float
        Mean held-out loss of each fold, repeat after repeat.
    training_losses : tuple of float
        Mean loss of each fold's model on the very rows it was fitted on.
    fold_sizes : tuple of (n_train, n_test)
    test_rows : tuple of arrays of int
        Rows tested by each fold, in the order of `fold_losses`.
    repeat_of : tuple of int
        Repeat each fold belongs to.
    loss : Loss
    n_fits : int
    seconds : float
    n_classes : int or None
    n_folds_left_out : int
        Folds of whole repeats that the deadline left out.
    how_fitted : str
        "one by one", or "together, cut points shared": by calls of `ReplicatedLearner.fit_replicas`, whose models
        have learned nothing of the rows held out but where the values of their features lie.
    n_calls : int
        Calls of `fit_replicas`; 0 where the folds were fitted one by one.
    by_loss : mapping of str to OutOfFold
        The same predictions judged by the other losses asked for.
    """

    predictions: NDArray[Any]
    losses: NDArray[np.float64]
    fold_losses: tuple[float, ...]
    training_losses: tuple[float, ...]
    fold_sizes: tuple[tuple[int, int], ...]
    test_rows: tuple[NDArray[np.intp], ...] = field(repr=False)
    repeat_of: tuple[int, ...] = field(repr=False)
    loss: Loss
    n_fits: int
    seconds: float
    n_classes: int | None = None
    n_folds_left_out: int = 0
    how_fitted: str = ONE_BY_ONE
    n_calls: int = 0
    by_loss: Mapping[str, OutOfFold] = field(default_factory=dict, repr=False)

    @property
    def n_repeats(self) -> int:
        """Times each row was tested."""
        return 1 + max(self.repeat_of)

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which rows were tested at all."""
        return np.isfinite(self.losses)

    @property
    def mean_loss(self) -> float:
        """Mean held-out loss per tested row."""
        return float(self.losses[self.tested].mean())

    @property
    def mean_training_loss(self) -> float:
        """Mean loss on training rows, folds weighted by their training rows."""
        return float(np.average(self.training_losses, weights=[n_train for n_train, _ in self.fold_sizes]))


def out_of_fold(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    splitter: Any,
    loss: str | Loss,
    groups: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    other_losses: Sequence[str | Loss] = (),
    sample_weight: ArrayLike | None = None,
    random_state: Any = 0,
    n_jobs: int | None = None,
    deadline: float | None = None,
) -> OutOfFold:
    """Fit a clone on the training part of every fold and judge it on the part held out.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Cloned for every fold. Each `random_state` among its parameters that is None gets a seed of its own
        per fold, so that the result does not hang on `n_jobs`. One that has `fit_replicas` (`heldout.learner`), by
        itself or at the end of a pipeline that treats each row by itself, fits all folds in one call (more where their
        predictions would take more than 256 MB), if rows are not predicted forward in time and every
        training part holds every class.
    X : array, sparse matrix or frame, shape (n_rows, ...)
        Handed to the estimator in the caller's own kind.
    y : array, shape (n_rows,)
    splitter : Splitter or scikit-learn splitter
    loss : str or Loss
        Losses of probabilities ask for `predict_proba`, the others for `predict`.
    groups : array, shape (n_rows,), optional
        Passed to the splitter, and to fits that need them (`heldout.learner.group_parameter`).
    classes : sequence, optional
        Names of all classes when `y` holds codes 0 .. k-1; else the classes are the distinct values of `y`. A
        class missing from a training part gets probability 0; where only one class is left, it is predicted
        without a fit.
    other_losses : sequence of str or Loss, default ()
        Judge the same predictions by these as well (`by_loss`). Class codes are read off probabilities as the
        most probable class.
    sample_weight : array, shape (n_rows,), optional
        How much each row counts, 0 or more: handed to fits that take it, and multiplied (divided by its mean over the
        tested rows) into the losses, so that their mean is the weighted mean.
    random_state : None, int or numpy generator, default 0
    n_jobs : int, optional
        Folds fitted at a time, by joblib; OpenMP then gets one thread per fold. Threads of the call, where all folds
        are fitted in one and the estimator leaves its own `n_jobs` open.
    deadline : float, optional
        Value of ``time.monotonic()`` after which no further repeat is begun; the first is always finished.

    Returns
    -------
    OutOfFold

    Raises
    ------
    InvalidInput
        `y` of another length or not codes of `classes`, a splitter that tests nothing, trains on nothing or
        on rows it tests, an estimator without `predict_proba` where probabilities are judged, or
        predictions that are not finite or of another shape; weights that are none.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from heldout.splits import RandomFolds
    >>> result = out_of_fold(DummyRegressor(), [[0]] * 4, [1.0, 1, 1, 1], splitter=RandomFolds(2), loss="squared_error")
    >>> result.losses, result.n_fits
    (array([0., 0., 0., 0.]), 2)
    """
    started = time.monotonic()
    n = n_rows(X)
    losses = _wanted(loss, other_losses)
    task = _task(estimator, as_target(y, n), classes, losses, seed_of(random_state))
    folds = _checked(list(splitter.split(X, task.y, groups)), n)
    weight = mean_one(sample_weight, n)
    task = replace(
        task,
        weight=weight,
        loss_weight=_mean_one_where_tested(weight, folds),
        groups=groups_for(estimator, groups, n),
    )
    repeat_of = _repeats(folds, n)
    together = not predicts_forward(splitter, folds)
    fitted = fit_folds(task, X, folds, repeat_of, together=together, n_jobs=n_jobs, deadline=deadline)
    n_done = len(fitted.results)
    done = _Done(task, folds[:n_done], repeat_of[:n_done], fitted, n)
    left_out, seconds = len(folds) - n_done, time.monotonic() - started
    by_loss = {other.name: done.judged_by(i, seconds, left_out, {}) for i, other in enumerate(losses) if i}
    return done.judged_by(0, seconds, left_out, by_loss)


def _mean_one_where_tested(
    weight: NDArray[np.float64] | None, folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]]
) -> NDArray[np.float64] | None:
    """Divide weights by their mean over the tested rows: the first block of a forward chain is never tested."""
    if weight is None:
        return None
    mean = weight[np.concatenate([test for _, test in folds])].mean()
    if mean == 0:
        raise InvalidInput("sample_weight is 0 in every tested row: weigh some row that a fold tests")
    return np.asarray(weight / mean)


def _wanted(loss: str | Loss, other_losses: Sequence[str | Loss]) -> tuple[Loss, ...]:
    losses = (find_loss(loss), *(find_loss(other) for other in other_losses))
    for other in losses[1:]:
        if other.task != losses[0].task or (other.prediction == "probability" and losses[0].prediction == "value"):
            raise InvalidInput(
                f"{other.name} cannot judge what {losses[0].name} is asked of: make {other.name} the first loss"
            )
    return losses


def _task(estimator: Any, y: NDArray[Any], classes: Sequence[Any] | None, losses: tuple[Loss, ...], seed: int) -> Task:
    wants = losses[0].prediction == "probability"
    asked = "predict_proba" if wants else "predict"
    if not hasattr(estimator, asked):
        raise InvalidInput(f"{losses[0].name} needs {asked}, which {type(estimator).__name__} does not have")
    if losses[0].task == "regression":
        if y.dtype.kind not in "fiub":
            raise InvalidInput(f"{losses[0].name} needs numbers, got y of {y.dtype}: choose a classification loss")
        return Task(estimator, y.astype(float), None, losses, seed)
    if classes is None:
        codes, labels = as_codes(y, len(y), "y")
        return Task(estimator, codes, labels, losses, seed)
    outside = np.array([True]) if y.dtype.kind not in "iub" else (y < 0) | (y >= len(classes))
    if outside.any():
        came = y[outside][0] if y.dtype.kind in "iub" else y.dtype
        raise InvalidInput(f"y must hold codes 0 .. {len(classes) - 1} of the classes, got {came}")
    return Task(estimator, y.astype(np.intp), np.arange(len(classes)), losses, seed)


def _checked(folds: list[tuple[Any, Any]], n: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Check the folds of a splitter that need not be ours."""
    if not folds:
        raise InvalidInput("the splitter makes no folds: give it more rows or fewer conditions")
    checked = []
    for k, (train, test) in enumerate(folds):
        train, test = np.asarray(train, dtype=np.intp), np.asarray(test, dtype=np.intp)
        if not len(train) or not len(test):
            raise InvalidInput(f"fold {k} has {len(train)} training and {len(test)} test rows: both must have some")
        both = np.zeros(n, dtype=bool)
        both[train] = True
        if both[test].any():
            raise InvalidInput(f"fold {k} tests row {test[both[test]][0]}, which it is trained on: mend the splitter")
        checked.append((train, test))
    return checked


def _repeats(folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]], n: int) -> NDArray[np.intp]:
    """Number the repeats: another one begins where a row is tested again."""
    repeat, tested = 0, np.zeros(n, dtype=bool)
    repeat_of = np.zeros(len(folds), dtype=np.intp)
    for k, (_, test) in enumerate(folds):
        if tested[test].any():
            repeat += 1
            tested[:] = False
        tested[test] = True
        repeat_of[k] = repeat
    return repeat_of


@dataclass(frozen=True)
class _Done:
    """All folds fitted; what is left is arithmetic."""

    task: Task
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]]
    repeat_of: NDArray[np.intp]
    fitted: FittedFolds
    n_rows: int

    def judged_by(self, i: int, seconds: float, left_out: int, by_loss: Mapping[str, OutOfFold]) -> OutOfFold:
        n_tested = self._n_tested()
        losses = np.zeros(self.n_rows)
        for (_, test), result in zip(self.folds, self.fitted.results, strict=True):
            losses[test] += result.test_losses[i]
        return OutOfFold(
            predictions=self._predictions(self.task.losses[i], n_tested),
            losses=_divided(losses, n_tested),
            fold_losses=tuple(float(result.test_losses[i].mean()) for result in self.fitted.results),
            training_losses=tuple(result.training_losses[i] for result in self.fitted.results),
            fold_sizes=tuple((len(train), len(test)) for train, test in self.folds),
            test_rows=tuple(test for _, test in self.folds),
            repeat_of=tuple(self.repeat_of.tolist()),
            loss=self.task.losses[i],
            n_fits=sum(result.n_fits for result in self.fitted.results),
            seconds=seconds,
            n_classes=None if self.task.labels is None else len(self.task.labels),
            n_folds_left_out=left_out,
            how_fitted=TOGETHER if self.fitted.n_calls else ONE_BY_ONE,
            n_calls=self.fitted.n_calls,
            by_loss=by_loss,
        )

    def _n_tested(self) -> NDArray[np.intp]:
        return np.bincount(np.concatenate([test for _, test in self.folds]), minlength=self.n_rows)

    def _predictions(self, loss: Loss, n_tested: NDArray[np.intp]) -> NDArray[Any]:
        votes = self.task.labels is not None and not self.task.wants_probability
        columns = () if self.task.labels is None else (len(self.task.labels),)
        total = np.zeros((self.n_rows, *columns))
        for (_, test), result in zip(self.folds, self.fitted.results, strict=True):
            if votes:
                total[test, result.prediction] += 1
            else:
                total[test] += result.prediction
        if columns and loss.prediction == "value":
            return np.where(n_tested > 0, total.argmax(axis=1), -1)
        return _divided(total, n_tested)


def _divided(total: NDArray[np.float64], n_tested: NDArray[np.intp]) -> NDArray[np.float64]:
    times = n_tested.astype(float).reshape(-1, *[1] * (total.ndim - 1))
    return np.asarray(np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0))
