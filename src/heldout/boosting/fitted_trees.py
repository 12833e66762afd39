"""What a fitted boosting model tells: raw scores, leaves, rounds, members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from heldout._threads import n_threads
from heldout.boosting.features import native_floats, usable_features
from heldout.boosting.members import Members
from heldout.errors import InvalidInput
from heldout.trees import TreeEnsemble

__all__ = ["FittedTrees"]

# Below, a second thread costs more to start than it saves.
_ROWS_WORTH_THREADS = 4096


class FittedTrees(BaseEstimator):
    """What both estimators tell once they are fitted. An implementation detail, not an interface."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        return tags

    def _predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores, shape (n, n_outputs), into values or probabilities."""
        raise NotImplementedError

    @property
    def members_(self) -> TreeEnsemble:
        """The replicas' own trees, of which `ensemble_` is the mean; only there with several replicas.

        Output k * n_outputs + o is score o of replica k. They are as they were judged: before leaf values were
        recomputed from all rows, where the fit was stopped by rows out of bag.
        """
        check_is_fitted(self, "ensemble_")
        if "_members" not in self.__dict__:
            raise AttributeError(
                f"members_ is there with replicas=2 or more, got a {type(self).__name__} of one replica"
            )
        members: Members = self._members
        return members.trees(self.ensemble_)

    def _kept_members(self, what: str) -> Members:
        members: Members | None = self.__dict__.get("_members")
        if members is None:
            raise InvalidInput(f"{what} needs several replicas, got a model of one: fit with replicas=10, say")
        return members

    def _std_of_members(self, X: Any) -> NDArray[np.float64]:
        """Return the standard deviation of the replicas' predictions, shape (n_rows, 1) or (n_rows, n_classes)."""
        X = self._features(X)
        members = self._kept_members("return_std")
        found = []
        for _, scores in members.scores(self.ensemble_, X, self._threads_for(X.shape[0])):
            n_rows, n_replicas, n_outputs = scores.shape
            values = self._predictions(scores.reshape(-1, n_outputs)).reshape(n_rows, n_replicas, -1)
            found.append(values.std(axis=1, ddof=1))
        return np.concatenate(found)

    def _features(self, X: Any) -> NDArray[np.floating[Any]]:
        """Check X for a prediction. A plain array of the right width takes the short way."""
        state = self.__dict__
        ensemble = state.get("ensemble_")
        if (
            ensemble is not None
            and type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.char in "fd"
            and X.dtype.isnative
            and X.flags.c_contiguous
            and X.flags.aligned
            and X.shape[1] == ensemble.n_features
            and X.shape[0] > 0
            and "feature_names_in_" not in state
        ):
            return X
        check_is_fitted(self, "ensemble_")
        checked = validate_data(
            self, usable_features(X), reset=False, dtype=[np.float64, np.float32], ensure_all_finite=False
        )
        return native_floats(checked)

    def _threads_for(self, n_rows: int) -> int:
        return n_threads(self.n_jobs) if n_rows >= _ROWS_WORTH_THREADS else 1

    def _raw(self, X: Any) -> NDArray[np.float64]:
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.raw(X, self._threads_for(X.shape[0]))

    def _staged_raw(self, X: Any) -> Iterator[NDArray[np.float64]]:
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        scores = np.tile(ensemble.base, (X.shape[0], 1))
        for first in range(0, ensemble.n_trees, self._trees_of_a_round):
            ensemble.add_trees(X, scores, first, first + self._trees_of_a_round, self._threads_for(X.shape[0]))
            yield scores.copy()

    @property
    def _trees_of_a_round(self) -> int:
        members: Members | None = self.__dict__.get("_members")
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.n_outputs * (1 if members is None else members.n_replicas)

    def apply(self, X: ArrayLike) -> NDArray[np.int32]:
        """Return the leaf of each row in each tree.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        leaves : array of int32, shape (n_rows, n_trees)
            The leaf's node number in its tree. Trees stand round by round, of each round replica by replica, of each
            replica class by class.
        """
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.leaves(X, self._threads_for(X.shape[0]))

    @property
    def n_trees_(self) -> int:
        """Rounds in the model: fewer than `n_trees` where the fit was stopped."""
        check_is_fitted(self, "ensemble_")
        return int(self.ensemble_.n_trees // self._trees_of_a_round)

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each feature in the fall of the training loss by all splits of all replicas, shape (n_features,).

        Computed on training rows, so features that fit noise get a share too; all zeros where nothing was split.
        """
        check_is_fitted(self, "ensemble_")
        trees: TreeEnsemble = self.ensemble_
        inner = trees.feature >= 0
        total = np.bincount(trees.feature[inner], weights=trees.gain[inner], minlength=trees.n_features)
        everything = total.sum()
        return np.asarray(total / everything if everything > 0 else total, dtype=np.float64)
