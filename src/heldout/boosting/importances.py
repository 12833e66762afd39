"""What each feature is worth on rows out of bag: by how much the loss rises when its values are shuffled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream
from heldout.boosting.lessons import Lesson
from heldout.boosting.members import Members
from heldout.errors import InvalidInput
from heldout.generalization.intervals import unit_t
from heldout.losses import LOSSES
from heldout.trees import TreeEnsemble

__all__ = ["OutOfBagImportances", "permuted_out_of_bag"]

_VARIANCE_OF_PAIRS = 2.0
"""Variance of a sum over ordered pairs of rows, each equal to its reverse, per variance if all were independent."""


@dataclass(frozen=True)
class OutOfBagImportances:
    """By how much the mean loss on rows out of bag rises when a feature's values are shuffled among the rows.

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
    *,
    n_repeats: int,
    seed: int,
    n_threads: int,
    confidence_level: float = 0.95,
) -> OutOfBagImportances:
    """Shuffle one feature at a time and predict each row by the members that have left it out.

    Raises
    ------
    InvalidInput
        `n_repeats` below 1, or fewer than two rows out of bag.
    """
    if isinstance(n_repeats, bool) or not isinstance(n_repeats, int | np.integer) or n_repeats < 1:
        raise InvalidInput(f"n_repeats must be a whole number of 1 or more, got {n_repeats!r:.60}: 5 is usual")
    left_out = members.has_left_out()
    rows = np.flatnonzero(left_out.any(axis=1))
    if len(rows) < 2:
        raise InvalidInput(
            f"importances need two rows or more out of bag, got {len(rows)} of {len(left_out)}: "
            "fit with a resampling that leaves rows out"
        )
    judge = _Judge(lesson, members, ensemble, rows, left_out[rows], n_threads)
    before = judge.losses(X[rows])
    rises = np.zeros((X.shape[1], len(rows)))
    for feature in np.unique(ensemble.feature[ensemble.feature >= 0]):
        rng = stream(seed, "importances", int(feature))  # by itself: a feature more or less changes no other's draws
        shuffled = np.array(X[rows])
        for _ in range(n_repeats):
            shuffled[:, feature] = X[rng.permutation(len(X))[rows], feature]
            rises[feature] += judge.losses(shuffled) - before
    rises /= n_repeats
    found = [unit_t(rise, None, confidence_level) for rise in rises]
    mean = np.array([each.mean for each in found])
    reach = np.sqrt(_VARIANCE_OF_PAIRS) * np.array([each.high - each.mean for each in found])
    return OutOfBagImportances(
        mean=mean,
        standard_error=np.sqrt(_VARIANCE_OF_PAIRS) * np.array([each.standard_error for each in found]),
        ci_low=mean - reach,
        ci_high=mean + reach,
        confidence_level=confidence_level,
        n_repeats=int(n_repeats),
        n_rows=len(rows),
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

    def losses(self, X: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the loss of each row, shape (n_rows,), with features as in `X`."""
        per_row = LOSSES[self.lesson.loss].per_row
        target = self.lesson.target[self.rows]
        out = np.empty(len(X))
        for part, scores in self.members.scores(self.ensemble, X, self.n_threads):
            counts = self.left_out[part][:, :, None]
            mean = np.where(counts, scores, 0.0).sum(axis=1) / counts.sum(axis=1)
            out[part] = per_row(target[part], self.lesson.predictions(mean))
        return out
