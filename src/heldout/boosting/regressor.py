"""Boosting for numbers, as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from heldout.boosting.boosted_trees import BoostedTrees
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
        Fewest training rows in a leaf, rounded up; at most 2^31. Whole-number weights count as copies (see `fit`),
        other weights as one row.
    l2 : float, default 0
        Added to the hessian of a leaf: shrinks the values of small leaves.
    max_features : float, default 1.0
        Share of the features, drawn anew for each tree, that the tree may split.
    replicas : int, default 1
        Models fitted to resampled rows, whose mean the prediction is (bagging [3]_). With several, the rows that each
        leaves out tell the error on unseen rows, at no further fit.
    resampling : str, scheme or array, default "bootstrap"
        How rows are drawn for each replica: "bootstrap", "poisson", "subsample", "kfold", "groups", a scheme of
        `heldout.resampling`, or an array of weights (n_rows, replicas). None gives all rows to each. With one replica
        it is used by `early_stopping="out_of_bag"` alone. It draws as if rows of weight 0 were not there.
    early_stopping : bool, int or "out_of_bag", default False
        Rounds without a better loss that end the fit; True and "out_of_bag" mean 20. The model then keeps the rounds up
        to the best one. A number judges by `X_val`, `y_val`; "out_of_bag" judges the ensemble by the rows that
        replicas left out, so that none is given up: several replicas share one number of rounds, and then the
        leaves of their trees are computed anew from all rows. With one replica eight others, drawn by `resampling` and
        not kept, choose the rounds by the loss of single ones, and then all rows are fitted. Rows that an array of
        weights puts into no bag are never fitted.
    warm_start : bool, default False
        Whether `fit` adds rounds to those there are, up to `n_trees`.
    n_jobs : int, optional
        Threads. None: all that are available, one inside a joblib worker.
    random_state : int, generator or None
        Decides the features that trees draw, and the rows of replicas; without effect where `max_features` is 1 and
        nothing is resampled.

    Attributes
    ----------
    ensemble_ : TreeEnsemble
        What predicts: all trees of all replicas.
    members_ : TreeEnsemble
        The replicas by themselves, where there are several.
    n_trees_ : int
        Rounds.
    feature_importances_ : array of float64, shape (n_features,)
    validation_losses_ : array of float64, shape (n_rounds,)
        Half the mean squared error on the validation rows after each round, NaN for rounds of a warm
        start that were not judged; empty without such rows.
    oob_prediction_ : array of float64, shape (n_rows,)
        Of each training row by the replicas that left it out; NaN where none did. This and all that follows is there
        where some row was left out.
    oob_members_ : array of int, shape (n_rows,)
        How many these were.
    oob_std_ : array of float64, shape (n_rows,)
        Standard deviation of their predictions, divisor `oob_members_` - 1; NaN where one replica left the row out.
    oob_curve_ : OutOfBagCurve
        Loss on these rows after each round; not there where `X_val` was passed.
    oob_error_ : ErrorEstimate
        Mean squared error on unseen rows of the replicas averaged, with an interval. That a row is judged by few of
        them is corrected for, unless no row was left out by two ("kfold") or the corrected mean is below 0, as it can
        be in small tables: its `estimand` says what it is. After `early_stopping="out_of_bag"` it is the error before
        the leaves were recomputed from all rows, which lowers it, and its rows have chosen the rounds, one number,
        which is not corrected for. With one replica it is the error of one fitted to resampled rows, above that of the
        model.
    error_if_bagged_, bagging_gain_ : float
        Mean squared error of infinitely many replicas averaged, and what a single one adds to that: the variance
        between replicas; NaN where no row was left out by two. `oob_error_` is the first plus the second divided by
        `replicas`, unless that is below 0. Replicas of one table do not tell bias and variance over tables.
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
    .. [3] Breiman (1996). Bagging Predictors. Machine Learning 24.

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

    def _usable_target(self, y: Any) -> Any:
        return target_unguessed(y, "y")

    def _lesson(self, target: NDArray[Any]) -> NumberLesson:
        return NumberLesson.of(target)

    def _predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return scores

    def _judging(self, target: NDArray[Any]) -> NumberLesson:
        return NumberLesson.of(target)

    @overload
    def predict(self, X: ArrayLike, *, return_std: Literal[False] = False) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self, X: ArrayLike, *, return_std: Literal[True]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    def predict(
        self, X: ArrayLike, *, return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
        return_std : bool, default False
            Whether to return, too, how much the predictions of single replicas differ. That is the spread of one fit to
            a resampled table, not the error of the prediction.

        Returns
        -------
        prediction : array of float64, shape (n_rows,)
            In units of the target. A row's prediction does not depend on the rows beside it.
        std : array of float64, shape (n_rows,)
            Standard deviation over replicas, divisor `replicas` - 1; only with `return_std`.

        Raises
        ------
        InvalidInput
            `return_std` of a model of one replica.
        """
        if return_std:
            return self._raw(X)[:, 0], self._std_of_members(X)[:, 0]
        return self._raw(X)[:, 0]

    def staged_predict(self, X: ArrayLike) -> Iterator[NDArray[np.float64]]:
        """Yield the predictions after each round."""
        for raw in self._staged_raw(X):
            yield raw[:, 0]
