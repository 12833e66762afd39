"""Boosting for numbers, as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from heldout.boosting.boosted_trees import BoostedTrees, Callback
from heldout.boosting.lessons import NumberLesson
from heldout.boosting.targets import target_unguessed

__all__ = ["BoostingRegressor"]


class BoostingRegressor(RegressorMixin, BoostedTrees):
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
        Most leaves of a tree, up to 2^20; 1 gives the constant model.
    max_bins : int, default 255
        Most bins a feature is cut into, from 2 on. Missing values always have one of their own, so 254 and 255 both
        mean 254 bins of values.
    min_leaf_weight : float, default 20
        Fewest training rows in a leaf, rounded up; at most 2^31. Whole-number weights count as copies,
        other weights as one row.
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
        Half the mean squared error on the validation rows after each round, NaN for rounds of a warm
        start that were not judged; empty without such rows.
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
        self.replicas = replicas
        self.resampling = resampling
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
        groups: ArrayLike | None = None,
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
            Parameters out of range, columns, targets or weights that are no numbers, sparse `X`, `early_stopping`
            without validation rows.
        """
        self._fit(X, y, sample_weight, X_val, y_val, groups, callback)
        return self

    def _usable_target(self, y: Any) -> Any:
        return target_unguessed(y, "y")

    def _lesson(self, target: NDArray[Any]) -> NumberLesson:
        return NumberLesson.of(target)

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
