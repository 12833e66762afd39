"""What each feature is worth on rows out of bag: by how much the loss rises when its values are shuffled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._arrays import whole_number
from heldout._random import stream
from heldout.boosting.lessons import Lesson
from heldout.boosting.members import Members
from heldout.errors import InvalidInput
from heldout.generalization.intervals import unit_t
from heldout.losses import LOSSES
from heldout.trees import TreeEnsemble

__all__ = ["OutOfBagImportances", "permuted_out_of_bag"]

_ROUNDING = 1e-10
"""By which share of the largest prediction sums of the same scores may differ, taken in another order."""

_VARIANCE_OF_PAIRS = 2.0
"""Variance of a sum over ordered pairs of rows, each equal to its reverse, per variance if all were independent."""


@dataclass(frozen=True)
class OutOfBagImportances:
    """By how much the mean loss on rows out of bag rises when a feature's values are shuffled among the rows.

    Rows count alike, whatever they weighed in the fit; rows of weight 0 are not there.

    Attributes
    ----------
    mean : array of float64, shape (n_features,)
        Rise of the mean squared error, or of the mean log loss; about 0, or below it, for a feature that does not help,
        and 0 for one that no tree splits.
    standard_error, ci_low, ci_high : arrays of float64, shape (n_features,)
        Of the rise, rows being independent. Two rows judge trees that the other one has shaped, so what chance makes of
        the pair counts in both: for a feature that means nothing the variance of the mean is up to twice that of
        independent losses. That bound is taken for every feature, so intervals of strong ones are too wide.
    confidence_level : float
    n_repeats : int
        Shuffles of each feature, averaged.
    n_rows : int
        Rows that some member has left out, which are judged.
    rises : array of float64, shape (n_features, n_rows)
        Of each judged row, mean over the shuffles.
    """

    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]
    confidence_level: float
    n_repeats: int
    n_rows: int
    rises: NDArray[np.float64] = field(repr=False)


def permuted_out_of_bag(
    lesson: Lesson,
    members: Members,
    ensemble: TreeEnsemble,
    X: NDArray[np.floating[Any]],
    known: NDArray[np.float64] | None,
    *,
    n_repeats: int,
    seed: int,
    n_threads: int,
    confidence_level: float = 0.95,
) -> OutOfBagImportances:
    """Shuffle one feature at a time and predict each row by the members that have left it out.

    Parameters
    ----------
    known : array of float64, shape (n_rows,) or (n_rows, n_classes), optional
        What these members predicted in the fit: by it other rows than those of the fit are found out.

    Raises
    ------
    InvalidInput
        `n_repeats` below 1, fewer than two rows out of bag, or rows that were predicted otherwise in the fit.
    """
    n_repeats = whole_number(n_repeats, "n_repeats", 1)
    left_out = members.has_left_out()
    rows = np.flatnonzero(left_out.any(axis=1))
    if len(rows) < 2 or known is None:
        raise InvalidInput(
            f"importances need two rows or more out of bag, got {len(rows)} of {len(left_out)}: "
            "fit with a resampling that leaves rows out"
        )
    judge = _Judge(lesson, members, ensemble, rows, left_out[rows], n_threads)
    predicted = judge.predictions(X[rows])
    _refuse_other_rows(predicted, known[rows], rows)
    before = judge.losses(predicted)
    rises = np.zeros((X.shape[1], len(rows)))
    for feature in np.unique(ensemble.feature[ensemble.feature >= 0]):
        rng = stream(seed, "importances", int(feature))  # by itself: a feature more or less changes no other's draws
        shuffled = np.array(X[rows])
        for _ in range(n_repeats):
            shuffled[:, feature] = X[rng.permutation(len(X))[rows], feature]
            rises[feature] += judge.losses(judge.predictions(shuffled)) - before
    return _summary(rises / n_repeats, n_repeats, confidence_level)


def _refuse_other_rows(predicted: NDArray[np.float64], known: NDArray[np.float64], rows: NDArray[np.intp]) -> None:
    """Raise InvalidInput where the members predict something else than they did in the fit."""
    differs = np.abs(predicted - known) > _ROUNDING * np.abs(known).max()
    if differs.any():
        first = int(np.argwhere(differs)[0][0])
        raise InvalidInput(
            "X must be the rows of the fit, in their order, got others: the replicas that left out row "
            f"{rows[first]} predict {np.ravel(predicted[first])[-1]:g} for it and predicted "
            f"{np.ravel(known[first])[-1]:g} in the fit. Others would be judged by replicas that have learned them"
        )


def _summary(rises: NDArray[np.float64], n_repeats: int, confidence_level: float) -> OutOfBagImportances:
    found = [unit_t(rise, None, confidence_level) for rise in rises]
    mean = np.array([each.mean for each in found])
    reach = np.sqrt(_VARIANCE_OF_PAIRS) * np.array([each.high - each.mean for each in found])
    return OutOfBagImportances(
        mean=mean,
        standard_error=np.sqrt(_VARIANCE_OF_PAIRS) * np.array([each.standard_error for each in found]),
        ci_low=mean - reach,
        ci_high=mean + reach,
        confidence_level=confidence_level,
        n_repeats=n_repeats,
        n_rows=rises.shape[1],
        rises=rises,
    )


@dataclass(frozen=True)
class _Judge:
    """Losses of rows by the mean score of the members that have left them out."""

    lesson: Lesson
    members: Members
    ensemble: TreeEnsemble
    rows: NDArray[np.intp]
    left_out: NDArray[np.bool_]
    n_threads: int

    def predictions(self, X: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the values (n_rows,) or probabilities (n_rows, n_classes) of the rows, with features as in `X`."""
        parts = []
        for part, scores in self.members.scores(self.ensemble, X, self.n_threads):
            counts = self.left_out[part][:, :, None]
            mean = np.where(counts, scores, 0.0).sum(axis=1) / counts.sum(axis=1)
            parts.append(self.lesson.predictions(mean))
        return np.concatenate(parts)

    def losses(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each row, shape (n_rows,)."""
        return LOSSES[self.lesson.loss].per_row(self.lesson.target[self.rows], predicted)
