"""What both boosting estimators share: parameters, raw scores, leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from heldout._threads import n_threads
from heldout.boosting.features import native_floats, usable_features
from heldout.boosting.fitting import Round
from heldout.boosting.parameters import FitPlan, checked_plan
from heldout.errors import InvalidInput
from heldout.trees import TreeEnsemble

__all__ = ["BoostedTrees", "Callback"]

Callback = Callable[[Round], Any]

# Below, a second thread costs more to start than it saves.
_ROWS_WORTH_THREADS = 4096


class BoostedTrees(BaseEstimator):
    """What both estimators share: parameters, raw scores, leaves. An implementation detail, not an interface."""

    _losses: tuple[str, ...] = ()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        return tags

    def _plan(self, callback: Callback | None) -> FitPlan:
        if not isinstance(self.loss, str) or self.loss not in self._losses:
            raise InvalidInput(f"loss must be one of {', '.join(self._losses)}, got {self.loss!r}: choose one")
        if callback is not None and not callable(callback):
            raise InvalidInput(
                f"callback must be None or callable, got {callback!r:.60}: pass a function that takes a Round"
            )
        return checked_plan(self)

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

    def _begins_anew(self) -> bool:
        return not (self.warm_start and hasattr(self, "ensemble_"))

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
        for first in range(0, ensemble.n_trees, ensemble.n_outputs):
            ensemble.add_trees(X, scores, first, first + ensemble.n_outputs, self._threads_for(X.shape[0]))
            yield scores.copy()

    def apply(self, X: ArrayLike) -> NDArray[np.int32]:
        """Return the leaf of each row in each tree.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        leaves : array of int32, shape (n_rows, n_trees)
            The leaf's node number in its tree. Several classes have a tree each per round, side by side.
        """
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.leaves(X, self._threads_for(X.shape[0]))

    @property
    def n_trees_(self) -> int:
        """Rounds in the model: fewer than `n_trees` where the fit was stopped."""
        check_is_fitted(self, "ensemble_")
        return int(self.ensemble_.n_trees // self.ensemble_.n_outputs)

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each feature in the fall of the training loss by all splits, shape (n_features,).

        Computed on training rows, so features that fit noise get a share too; all zeros where nothing was split.
        """
        check_is_fitted(self, "ensemble_")
        trees: TreeEnsemble = self.ensemble_
        inner = trees.feature >= 0
        total = np.bincount(trees.feature[inner], weights=trees.gain[inner], minlength=trees.n_features)
        everything = total.sum()
        return np.asarray(total / everything if everything > 0 else total, dtype=np.float64)
