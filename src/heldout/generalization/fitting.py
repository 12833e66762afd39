"""The folds of all repeats, fitted by one call of a learner that can, else one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._joint_fits import JointFits, TrainingSets, joint_fits
from heldout._threads import fitted_beside
from heldout.generalization.fold_fit import FoldResult, Task, fit_fold, judge_joint_fit

__all__ = ["FittedFolds", "fit_folds"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass
class FittedFolds:
    """The folds fitted in time; `n_calls` of `fit_replicas` made them, 0 if each was a fit of its own."""

    results: list[FoldResult] = field(default_factory=list)
    n_calls: int = 0


def fit_folds(
    task: Task,
    X: Any,
    folds: Sequence[Fold],
    repeat_of: NDArray[np.intp],
    *,
    together: bool,
    n_jobs: int | None,
    deadline: float | None,
) -> FittedFolds:
    """Fit the folds of one repeat after the other, up to the deadline.

    Parameters
    ----------
    task : Task
    X : array or frame
    folds : sequence of (training rows, test rows)
    repeat_of : array of int, shape (n_folds,)
        Never falls.
    together : bool
        Whether the models may share what is learned of `X` alone. They do where the estimator can fit many training
        sets at once: all repeats in one call, or each in one of its own where there is a deadline.
    n_jobs : int, optional
    deadline : float, optional
        No further repeat is begun after it.
    """
    joint = _joint(task, X, folds, n_jobs) if together else None
    done = FittedFolds()
    for first, last in _portions(repeat_of, all_at_once=joint is not None and deadline is None):
        if first and deadline is not None and time.monotonic() >= deadline:
            break
        if joint is None:
            done.results += fitted_beside(fit_fold, [(task, X, k, *folds[k]) for k in range(first, last)], n_jobs)
        else:
            came = joint.predictions(first, last)
            done.results += [judge_joint_fit(task, *folds[k], next(came)) for k in range(first, last)]
            done.n_calls += len(joint.calls(first, last))
    return done


def _portions(repeat_of: NDArray[np.intp], *, all_at_once: bool) -> list[tuple[int, int]]:
    starts = [0] if all_at_once else np.flatnonzero(np.diff(repeat_of, prepend=-1)).tolist()
    return list(zip(starts, [*starts[1:], len(repeat_of)], strict=True))


def _joint(task: Task, X: Any, folds: Sequence[Fold], n_jobs: int | None) -> JointFits | None:
    classification = task.labels is not None
    told = task.y if task.labels is None else np.asarray(task.labels[task.y])
    if task.labels is not None and len(np.unique(task.y)) < len(task.labels):
        return None
    sets = TrainingSets(
        rows=[train for train, _ in folds],
        asked=[np.concatenate([test, train]) for train, test in folds],
        purposes=[(task.seed, fold) for fold in range(len(folds))],
        groups=task.groups,
    )
    return joint_fits(task.estimator, X, told, sets, classification=classification, weight=task.weight, n_jobs=n_jobs)
