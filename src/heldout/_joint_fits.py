"""Many training sets over one table, fitted by few calls of a learner that has `fit_replicas`.

Nothing is copied per training set but one column of weights. Predictions come back set by set, so that a caller can
judge and drop them: of a thousand sets, those of one call are held at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream_seed
from heldout.errors import InvalidInput
from heldout.learner import MOST_TIMES, PREDICTED, group_parameter, parameter_of, weight_parameter

__all__ = ["JointFits", "TrainingSets", "joint_fits"]

BYTES_AT_ONCE = 256 * 2**20  # of predictions, by every member of every set, in one call


@dataclass(frozen=True)
class TrainingSets:
    """Training sets over the rows of one table.

    Parameters
    ----------
    rows : sequence of arrays of int
        Rows of each set; a row that is named twice counts twice.
    asked : sequence of arrays of int
        Rows whose predictions are wanted from the fit on each set, training rows too.
    purposes : sequence of tuples
        Seed and names that `seeded_clone` would be given for a separate fit on each set.
    groups : array, shape (n_rows,), optional
        Label of each row's group, for a learner that needs it.
    """

    rows: Sequence[NDArray[np.intp]]
    asked: Sequence[NDArray[np.intp]]
    purposes: Sequence[tuple[int, *tuple[str | int, ...]]]
    groups: NDArray[Any] | None = None


@dataclass(frozen=True)
class JointFits:
    """Fits that can be made by few calls; made by `joint_fits`."""

    learner: Any
    X: Any
    y: NDArray[Any]
    sets: TrainingSets
    seed_name: str | None
    weight: NDArray[np.float64] | None
    groups: NDArray[Any] | None
    n_outputs: int

    def calls(self, first: int, last: int) -> list[range]:
        """Return which of the sets `first` .. `last` - 1 each call fits: as many as `BYTES_AT_ONCE` allows."""
        # Members of a bagged learner have scores of their own before they are averaged.
        replicas = getattr(self.learner, "replicas_per_set", 1)
        at_once = max(1, BYTES_AT_ONCE // (8 * max(1, len(self.y)) * self.n_outputs * replicas))
        return [range(start, min(start + at_once, last)) for start in range(first, last, at_once)]

    def predictions(self, first: int, last: int) -> Iterator[NDArray[np.float64]]:
        """Fit the sets `first` .. `last` - 1 and yield what each predicts for the rows it was asked about.

        Yields
        ------
        predictions : array of float64, shape (n_asked,) or (n_asked, n_classes)

        Raises
        ------
        InvalidInput
            `fit_replicas` returned something else than one prediction per row and set.
        """
        for call in self.calls(first, last):
            came = self._one_call(call)
            for place, k in enumerate(call):
                yield came[place, self.sets.asked[k]]

    def _one_call(self, call: range) -> NDArray[np.float64]:
        n = len(self.y)
        weights = np.zeros((n, len(call)), np.uint8, order="F")
        roles = np.zeros_like(weights)
        for column, k in enumerate(call):
            weights[:, column] = np.bincount(self.sets.rows[k], minlength=n)
            roles[self.sets.asked[k], column] = PREDICTED
        seeds = None if self.seed_name is None else [self._seed(k, self.seed_name) for k in call]
        needed = {} if self.groups is None else {"groups": self.groups}
        came = np.asarray(
            self.learner.fit_replicas(self.X, self.y, weights, roles, sample_weight=self.weight, seeds=seeds, **needed)
        )
        shape = (len(call), n) if self.n_outputs == 1 else (len(call), n, self.n_outputs)
        if came.shape != shape:
            raise InvalidInput(
                f"fit_replicas of {type(self.learner).__name__} must return shape {shape}, got {came.shape}: mend it"
            )
        return came

    def _seed(self, k: int, name: str) -> int:
        seed, *names = self.sets.purposes[k]
        return stream_seed(seed, "estimator", *names, name)


def joint_fits(
    estimator: Any,
    X: Any,
    y: NDArray[Any],
    sets: TrainingSets,
    *,
    classification: bool,
    weight: NDArray[np.float64] | None = None,
    n_jobs: int | None = None,
) -> JointFits | None:
    """Return the fits of an estimator on training sets as few calls, or None where it must be fitted one by one.

    Parameters
    ----------
    estimator : scikit-learn estimator
        A `ReplicatedLearner`, or a pipeline that ends in one and begins with `RowwiseTransformer`.
    X : array or frame, shape (n_rows, ...)
    y : array, shape (n_rows,)
        As `fit` would be told.
    sets : TrainingSets
    classification : bool
        Whether the predictions wanted are classes. Then every set must hold every class, of which there are two at
        least: else what a separate fit would be told differs from set to set.
    weight : array of float64, shape (n_rows,), optional
    n_jobs : int, optional
        Threads of a call, for a learner that has a parameter `n_jobs` and leaves it open.

    Returns
    -------
    JointFits or None
    """
    prefix, learner = _last_step(estimator)
    if not _answers_for_its_own_fit(learner) or hasattr(learner, "predict_proba") != classification:
        return None
    open_seeds = _open_seeds(learner)
    if open_seeds - {"random_state"} or max(int(np.bincount(rows).max()) for rows in sets.rows) > MOST_TIMES:
        return None
    groups = None if group_parameter(learner) is None else sets.groups
    if groups is not None and parameter_of(learner, "fit_replicas", "groups") is None:
        return None
    classes = np.unique(y) if classification else None
    if classes is not None and (len(classes) < 2 or any(len(np.unique(y[rows])) < len(classes) for rows in sets.rows)):
        return None
    encoded = _row_by_row(estimator, X, sets.rows)
    if encoded is None:
        return None
    return JointFits(
        learner=_with_threads(learner, n_jobs),
        X=encoded,
        y=y,
        sets=sets,
        seed_name=f"{prefix}random_state" if open_seeds else None,
        weight=None if weight_parameter(learner) is None else weight,
        groups=groups,
        n_outputs=1 if classes is None else len(classes),
    )


def _last_step(estimator: Any) -> tuple[str, Any]:
    """Return the model, out of its pipeline where it stands in one, and what its parameters' names begin with there."""
    if not hasattr(estimator, "steps"):
        return "", estimator
    name, last = estimator.steps[-1]
    return f"{name}__", last


def _answers_for_its_own_fit(learner: Any) -> bool:
    """Say whether `fit_replicas` is there and speaks for the `fit` and the predictions that the learner has.

    Somebody's own subclass that changes `fit` or `predict` inherits a `fit_replicas` that knows nothing of it.
    """
    if not hasattr(learner, "fit_replicas"):
        return False
    place, package = _definer(type(learner), "fit_replicas")
    changed = [_definer(type(learner), name) for name in ("fit", "predict", "predict_proba")]
    return all(changed_at >= place or owner == package for changed_at, owner in changed)


def _definer(kind: type, method: str) -> tuple[int, str]:
    """Return how near a method is defined, 0 in the class itself, and in which package."""
    order = kind.__mro__
    place = next((place for place, base in enumerate(order) if method in vars(base)), len(order) - 1)
    return place, order[place].__module__.partition(".")[0]


def _open_seeds(learner: Any) -> set[str]:
    return {
        name
        for name, value in learner.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }


def _row_by_row(estimator: Any, X: Any, training_sets: Sequence[NDArray[np.intp]]) -> Any:
    """Return the rows as the model of a pipeline is given them, or None where that differs from set to set."""
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    for _, step in getattr(estimator, "steps", [])[:-1]:
        if step is None or isinstance(step, str):  # "passthrough"
            continue
        X = step.row_by_row(X, training_sets) if hasattr(step, "row_by_row") else None
        if X is None:
            return None
    return X


def _with_threads(learner: Any, n_jobs: int | None) -> Any:
    from sklearn.base import clone

    copy = clone(learner)
    if n_jobs is not None and copy.get_params(deep=False).get("n_jobs", 1) is None:
        copy.set_params(n_jobs=n_jobs)
    return copy
