"""Boosting as scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from heldout._threads import n_threads
from heldout.boosting.fitting import Round, as_before_unless_done, fit_rounds, native_floats, refuse_unusable
from heldout.boosting.parameters import checked_plan
from heldout.boosting.targets import class_codes, class_objective, finite_target, judged_target
from heldout.boosting.weights import counts_and_factors, factors_of_classes
from heldout.errors import InvalidInput
from heldout.trees import Objective, TreeEnsemble

__all__ = ["BoostingClassifier", "BoostingRegressor"]

Callback = Callable[[Round], Any]

# Below, a second thread costs more to start than it saves.
_ROWS_WORTH_THREADS = 4096


class _Boosting(BaseEstimator):
    """What both estimators share: parameters, raw scores, leaves. An implementation detail, not an interface."""

    _losses: tuple[str, ...] = ()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        return tags

    def _check_loss(self) -> None:
        if self.loss not in self._losses:
            raise InvalidInput(f"loss must be one of {', '.join(self._losses)}, got {self.loss!r}: choose one")

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
        refuse_unusable(X)
        checked = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], ensure_all_finite=False)
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


class BoostingRegressor(RegressorMixin, _Boosting):
    r"""Gradient boosting of regression trees over binned features, for squared error.

    Each round fits a tree to the residuals that the rounds before have left and adds it, times the learning rate. The
    model is the same to the bit for any number of threads and any order of rows (given equal cut points).

    Parameters
    ----------
    loss : "squared_error"
    n_trees : int, default 100
        Rounds.
    learning_rate : float, default 0.1
        Above 0 and at most 2.
    max_leaves : int, default 31
        Most leaves of a tree; 1 gives the constant model.
    max_bins : int, default 255
        Most bins a feature is cut into, from 2 on. Missing values always have one of their own, so 254 and 255 both
        mean 254 bins of values.
    min_leaf_weight : float, default 20
        Fewest training rows in a leaf. Whole-number weights count as copies, other weights as one row.
    l2 : float, default 0
        Added to the hessian of a leaf: shrinks the values of small leaves.
    max_features : float, default 1.0
        Share of the features, drawn anew for each tree, that the tree may split.
    early_stopping : bool or int, default False
        Rounds without a better loss on `X_val`, `y_val` that end the fit; True means 20. The model then keeps the
        rounds up to the best one.
    warm_start : bool, default False
        Whether `fit` adds rounds to those there are, up to `n_trees`.
    n_jobs : int, optional
        Threads. None: all that are available, one inside a joblib worker.
    random_state : int, generator or None
        Decides the features that trees draw; without effect where `max_features` is 1.

    Attributes
    ----------
    ensemble_ : TreeEnsemble
    n_trees_ : int
    feature_importances_ : array of float64, shape (n_features,)
    validation_losses_ : array of float64, shape (n_rounds,)
        Half the mean squared error on the validation rows after each round; empty without such rows.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where `X` had column names.

    Notes
    -----
    With gradient :math:`g_i = F(x_i) - y_i` and hessian :math:`h_i` (1, or the weight) a leaf adds
    :math:`-\eta \sum g_i / (\sum h_i + \lambda)`, and a split is chosen by the fall of the loss to second order [1]_.
    Splits are found on histograms of bins [2]_ of integer sums, leaf by leaf, the largest gain first. Missing values
    go the way that lowers the loss more.

    References
    ----------
    .. [1] Chen and Guestrin (2016). XGBoost: A Scalable Tree Boosting System. KDD. Equations 5 to 7.
    .. [2] Ke et al. (2017). LightGBM: A Highly Efficient Gradient Boosting Decision Tree. NeurIPS 30.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(200.0)[:, None]
    >>> model = BoostingRegressor().fit(X, np.where(X[:, 0] < 100, 1.0, 5.0))
    >>> model.predict([[30.0], [170.0]]).round(3)
    array([1., 5.])
    """

    _losses = ("squared_error",)

    def __init__(
        self,
        *,
        loss: str = "squared_error",
        n_trees: int = 100,
        learning_rate: float = 0.1,
        max_leaves: int = 31,
        max_bins: int = 255,
        min_leaf_weight: float = 20,
        l2: float = 0.0,
        max_features: float = 1.0,
        early_stopping: bool | int = False,
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
        self.early_stopping = early_stopping
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        callback: Callback | None = None,
    ) -> BoostingRegressor:
        """Fit the model.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
            float32 and float64 are read in place; NaN is missing, infinities are values.
        y : array of numbers, shape (n_rows,)
        sample_weight : array of numbers, shape (n_rows,), optional
            A whole number up to 255 equals that many copies of the row; other weights multiply its loss.
        X_val, y_val : arrays, optional
            Rows to judge each round by; no tree is fitted to them.
        callback : callable, optional
            Called with a `Round` after each round; a true answer ends the fit.

        Returns
        -------
        self

        Raises
        ------
        InvalidInput
            Parameters out of range, targets or weights that are no finite numbers, sparse `X`, `early_stopping` without
            validation rows.
        """
        self._check_loss()
        plan = checked_plan(self)
        refuse_unusable(X)
        with as_before_unless_done(self):
            rows, target = validate_data(
                self,
                X,
                y,
                reset=self._begins_anew(),
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
                y_numeric=True,
                multi_output=False,
            )
            count, factor = counts_and_factors(sample_weight, rows.shape[0])
            objective = Objective("squared_error", finite_target(target, "y"), factor, count)
            target_val = None if y_val is None else judged_target(np.asarray(y_val))
            fit_rounds(self, plan, native_floats(rows), objective, X_val, target_val, callback)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        prediction : array of float64, shape (n_rows,)
            In units of the target. A row's prediction does not depend on the rows beside it.
        """
        return self._raw(X)[:, 0]

    def staged_predict(self, X: ArrayLike) -> Iterator[NDArray[np.float64]]:
        """Yield the predictions after each round."""
        for raw in self._staged_raw(X):
            yield raw[:, 0]


class BoostingClassifier(ClassifierMixin, _Boosting):
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
    early_stopping, warm_start, n_jobs, random_state
        As in `BoostingRegressor`.
    class_weight : None, "balanced" or dict of class to weight, optional
        Multiplies the weights of a class's rows; "balanced" lets all classes weigh the same.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        Labels, sorted.
    ensemble_ : TreeEnsemble
    n_trees_ : int
        Rounds.
    feature_importances_ : array of float64, shape (n_features,)
    validation_losses_ : array of float64, shape (n_rounds,)
        Mean log loss on the validation rows after each round; empty without such rows.
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
        early_stopping: bool | int = False,
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
        self.early_stopping = early_stopping
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        callback: Callback | None = None,
    ) -> BoostingClassifier:
        """Fit the model.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
            float32 and float64 are read in place; NaN is missing, infinities are values.
        y : array of labels, shape (n_rows,)
        sample_weight : array of numbers, shape (n_rows,), optional
            A whole number up to 255 equals that many copies of the row; other weights multiply its loss.
        X_val, y_val : arrays, optional
            Rows to judge each round by; no tree is fitted to them.
        callback : callable, optional
            Called with a `Round` after each round; a true answer ends the fit.

        Returns
        -------
        self

        Raises
        ------
        InvalidInput
            Parameters out of range, targets that are no classes, bad weights, sparse `X`, `early_stopping` without
            validation rows, a validation row of a class that `y` lacks.
        """
        self._check_loss()
        plan = checked_plan(self)
        refuse_unusable(X)
        with as_before_unless_done(self):
            rows, target = validate_data(
                self,
                X,
                y,
                reset=self._begins_anew(),
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
                multi_output=False,
            )
            check_classification_targets(target)
            count, factor = counts_and_factors(sample_weight, rows.shape[0])
            classes, codes = np.unique(target, return_inverse=True)
            if not self._begins_anew() and not np.array_equal(classes, self.classes_):
                raise InvalidInput(
                    f"warm_start needs the classes it began with, {self.classes_.tolist()}, got {classes.tolist()}: "
                    "fit a new model"
                )
            self.classes_ = classes
            by_class = factors_of_classes(self.class_weight, classes, codes, count)
            if by_class is not None:
                factor = by_class if factor is None else np.ascontiguousarray(by_class * factor)
            target_val = None if y_val is None else class_codes(np.asarray(y_val), classes)
            objective = class_objective(codes, len(classes), factor, count)
            fit_rounds(self, plan, native_floats(rows), objective, X_val, target_val, callback)
        return self

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

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        probability : array of float64, shape (n_rows, n_classes)
            In the order of `classes_`.
        """
        return _probabilities(self._raw(X), len(self.classes_))

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
            yield _probabilities(raw, len(self.classes_))

    def _labels(self, raw: NDArray[np.float64]) -> NDArray[Any]:
        if len(self.classes_) == 1:
            return np.full(len(raw), self.classes_[0])
        best = np.argmax(raw, axis=1) if raw.shape[1] > 1 else (raw[:, 0] > 0).astype(np.intp)
        return np.asarray(self.classes_[best])


def _probabilities(raw: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    from scipy.special import expit
    from sklearn.utils.extmath import softmax

    if n_classes == 1:
        return np.ones((len(raw), 1))
    if n_classes > 2:
        # A row that is alone would lie contiguous, and its classes be added up in another order than beside other rows.
        beside = np.repeat(raw, 2, axis=0) if len(raw) == 1 else raw
        return np.asarray(softmax(np.asfortranarray(beside), copy=True))[: len(raw)]
    second = expit(raw[:, 0])
    return np.column_stack([1.0 - second, second])
