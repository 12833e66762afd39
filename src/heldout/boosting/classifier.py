"""Boosting for classes, as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from heldout.boosting.boosted_trees import BoostedTrees
from heldout.boosting.lessons import ClassLesson, probabilities
from heldout.boosting.targets import class_codes
from heldout.errors import InvalidInput

__all__ = ["BoostingClassifier"]


class BoostingClassifier(ClassifierMixin, BoostedTrees):
    r"""Gradient boosting of classification trees over binned features, for log loss.

    Two classes have one tree per round; more have one tree per class and round, joined by a softmax. The model is the
    same to the bit for any number of threads and any order of rows (given equal cut points).

    Parameters
    ----------
    loss : "log_loss"
    n_trees : int, default 100
        Rounds.
    learning_rate, max_leaves, max_bins, min_leaf_weight, l2, max_features
        As in `BoostingRegressor`.
    replicas, resampling, early_stopping, warm_start, n_jobs, random_state
        As in `BoostingRegressor`; replicas are averaged by score, before the link.
    class_weight : None, "balanced" or dict of class to weight, optional
        Multiplies the weights of a class's rows; "balanced" lets all classes weigh the same.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        Labels, sorted.
    ensemble_, members_ : TreeEnsemble
    n_trees_ : int
        Rounds.
    feature_importances_ : array of float64, shape (n_features,)
    validation_losses_ : array of float64, shape (n_rounds,)
        Mean log loss on the validation rows after each round, NaN for rounds of a warm
        start that were not judged; empty without such rows.
    oob_prediction_, oob_std_ : arrays of float64, shape (n_rows, n_classes)
        Probabilities by the replicas that left a row out, and the standard deviation of theirs; as in
        `BoostingRegressor`, like all that follows.
    oob_members_ : array of int, shape (n_rows,)
    oob_curve_ : OutOfBagCurve
    oob_error_ : ErrorEstimate
        Log loss on unseen rows, carried from the replicas that left a row out to all of them, which is approximate
        (`heldout.generalization.corrected_losses`); for the rest as in `BoostingRegressor`.
    error_if_bagged_, bagging_gain_ : float
        Log loss of infinitely many replicas averaged, by the same correction, and by how much the mean loss of single
        replicas exceeds it; NaN where no row was left out by two.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where `X` had column names.

    Notes
    -----
    With :math:`p = 1 / (1 + e^{-F})`, or the softmax of the scores, a row has gradient :math:`p - [y = k]` and hessian
    :math:`p (1 - p)`; see `BoostingRegressor` for the rest. A leaf's hessian is at least 0.001 times the largest
    weight, and its step, before the learning rate, at most 8.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(300.0)[:, None]
    >>> model = BoostingClassifier(n_trees=50).fit(X, np.repeat(["low", "middle", "high"], 100))
    >>> model.predict([[20.0], [150.0], [290.0]]).tolist()
    ['low', 'middle', 'high']
    """

    _losses = ("log_loss",)
    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        loss: str = "log_loss",
        n_trees: int = 100,
        learning_rate: float = 0.1,
        max_leaves: int = 31,
        max_bins: int = 255,
        min_leaf_weight: float = 20,
        l2: float = 0.0,
        max_features: float = 1.0,
        class_weight: Any = None,
        replicas: int = 1,
        resampling: Any = "bootstrap",
        early_stopping: bool | int | str = False,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.max_bins = max_bins
        self.min_leaf_weight = min_leaf_weight
        self.l2 = l2
        self.max_features = max_features
        self.class_weight = class_weight
        self.replicas = replicas
        self.resampling = resampling
        self.early_stopping = early_stopping
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, NDArray[Any]]:
        rows, target = super()._checked(X, y, reset=reset)
        check_classification_targets(target)
        return rows, target

    def _lesson(self, target: NDArray[Any]) -> ClassLesson:
        lesson = ClassLesson.of(target, self.class_weight)
        if not self._begins_anew() and not np.array_equal(lesson.classes, self.classes_):
            raise InvalidInput(
                f"warm_start needs the classes it began with, {self.classes_.tolist()}, got {lesson.classes.tolist()}: "
                "fit a new model"
            )
        self.classes_ = lesson.classes
        return lesson

    def _predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return probabilities(scores, len(self.classes_))

    def _judging(self, target: NDArray[Any]) -> ClassLesson:
        return ClassLesson(self.classes_, class_codes(target, self.classes_, "y").astype(np.intp))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the scores before the link.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        scores : array of float64, shape (n_rows,) for two classes, else (n_rows, n_classes)
            Log odds of the second class, or one score per class.
        """
        raw = self._raw(X)
        return raw if len(self.classes_) > 2 else raw[:, 0]

    @overload
    def predict_proba(self, X: ArrayLike, *, return_std: Literal[False] = False) -> NDArray[np.float64]: ...

    @overload
    def predict_proba(
        self, X: ArrayLike, *, return_std: Literal[True]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    def predict_proba(
        self, X: ArrayLike, *, return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
        return_std : bool, default False
            As in `BoostingRegressor.predict`.

        Returns
        -------
        probability : array of float64, shape (n_rows, n_classes)
            In the order of `classes_`; by the mean score of the replicas.
        std : array of float64, shape (n_rows, n_classes)
            Standard deviation of the replicas' probabilities, divisor `replicas` - 1; only with `return_std`.

        Raises
        ------
        InvalidInput
            `return_std` of a model of one replica.
        """
        if return_std:
            return probabilities(self._raw(X), len(self.classes_)), self._std_of_members(X)
        return probabilities(self._raw(X), len(self.classes_))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        prediction : array of labels, shape (n_rows,)
            Of equally probable classes the first.
        """
        return self._labels(self._raw(X))

    def staged_predict(self, X: ArrayLike) -> Iterator[NDArray[Any]]:
        """Yield the predicted classes after each round."""
        for raw in self._staged_raw(X):
            yield self._labels(raw)

    def staged_predict_proba(self, X: ArrayLike) -> Iterator[NDArray[np.float64]]:
        """Yield the probability of each class after each round."""
        for raw in self._staged_raw(X):
            yield probabilities(raw, len(self.classes_))

    def _labels(self, raw: NDArray[np.float64]) -> NDArray[Any]:
        if len(self.classes_) == 1:
            return np.full(len(raw), self.classes_[0])
        best = np.argmax(raw, axis=1) if raw.shape[1] > 1 else (raw[:, 0] > 0).astype(np.intp)
        return np.asarray(self.classes_[best])
