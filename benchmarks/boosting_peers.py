"""Ours and the peers at equal settings: 100 rounds, 31 leaves, 255 bins, 20 rows a leaf, no l2, learning rate 0.1.

What is not equal, and cannot be:

- XGBoost limits a leaf by its hessian, which counts rows for squared loss only; for the others it gets 0.001, which is
  LightGBM's and our limit beside that of rows.
- CatBoost grows symmetric trees unless told: "CatBoost" is its `Lossguide` policy with 31 leaves (depth at most 16, its
  limit), "CatBoost symmetric" its default policy at depth 5, 32 leaves. Its randomness (bootstrap, noise in scores) is
  off, and a leaf takes one Newton step, as everywhere.

Each is called in the way that costs it least: LightGBM and XGBoost by their own training functions. A fit begins with
the array and includes the construction of the peer's data set.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

ROUNDS, LEAVES, BINS, LEAF_ROWS, RATE = 100, 31, 255, 20, 0.1


@dataclass(frozen=True)
class Setting:
    """What a contender may choose: its threads, and LightGBM the order of its histograms."""

    threads: int | None = None
    order: str = ""

    def __str__(self) -> str:
        if self.threads is None:
            return "default threads"
        return f"{self.threads} thread{'s' * (self.threads > 1)}" + f", {self.order}-wise" * bool(self.order)


@dataclass(frozen=True)
class Fitted:
    """A model: predictions (numbers, or probabilities of every class), its trees and leaves, and what else it tells."""

    predict: Callable[[Any], Any]
    size: Callable[[], tuple[int, int]]
    more: Callable[[], dict[str, float]] = dict


Fit = Callable[[Any, Any, str, Setting], Fitted]


@dataclass(frozen=True)
class Contender:
    """A library: how it fits, which settings it may choose from, what must hold around a fit."""

    name: str
    package: str
    fit: Fit
    settings: tuple[Setting, ...]
    around: Callable[[Setting], AbstractContextManager[Any]] = lambda _: nullcontext()

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return find_spec(self.package) is not None


def fit_ours(X: Any, y: Any, loss: str, setting: Setting) -> Fitted:
    """Fit by the public estimators."""
    from heldout import BoostingClassifier, BoostingRegressor

    options = {"n_trees": ROUNDS, "max_leaves": LEAVES, "max_bins": BINS, "min_leaf_weight": LEAF_ROWS, "l2": 0.0}
    kind = BoostingRegressor if loss == "squared" else BoostingClassifier
    model = kind(**options, learning_rate=RATE, n_jobs=setting.threads).fit(X, y)
    trees = model.ensemble_
    predict = model.predict if loss == "squared" else model.predict_proba
    return Fitted(predict, lambda: (trees.n_trees, int((trees.feature < 0).sum())))


def of_two_classes(probability: Any) -> Any:
    """Return the probabilities of both classes from those of the second."""
    return np.column_stack([1 - probability, probability])


def fit_lightgbm(X: Any, y: Any, loss: str, setting: Setting) -> Fitted:
    """Fit by lightgbm.train."""
    import lightgbm

    options = {
        "objective": {"squared": "regression", "logistic": "binary", "softmax": "multiclass"}[loss],
        "num_leaves": LEAVES,
        "max_bin": BINS,
        "min_data_in_leaf": LEAF_ROWS,
        "lambda_l2": 0.0,
        "learning_rate": RATE,
        "num_threads": setting.threads,
        "verbosity": -1,
        f"force_{setting.order}_wise": True,
    }
    if loss == "softmax":
        options["num_class"] = int(y.max()) + 1
    booster = lightgbm.train(options, lightgbm.Dataset(X, y), num_boost_round=ROUNDS)
    predict = (lambda X: of_two_classes(booster.predict(X))) if loss == "logistic" else booster.predict
    leaves = lambda: sum(tree["num_leaves"] for tree in booster.dump_model()["tree_info"])  # noqa: E731
    return Fitted(predict, lambda: (booster.num_trees(), leaves()))


def fit_xgboost(X: Any, y: Any, loss: str, setting: Setting) -> Fitted:
    """Fit by xgboost.train, leaf by leaf as the others."""
    import xgboost

    options = {
        "objective": {"squared": "reg:squarederror", "logistic": "binary:logistic", "softmax": "multi:softprob"}[loss],
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": LEAVES,
        "max_depth": 0,
        "max_bin": BINS,
        "min_child_weight": LEAF_ROWS if loss == "squared" else 1e-3,
        "lambda": 0.0,
        "learning_rate": RATE,
        "nthread": setting.threads,
    }
    if loss == "softmax":
        options["num_class"] = int(y.max()) + 1
    rows = xgboost.QuantileDMatrix(X, y, max_bin=BINS, nthread=setting.threads)
    booster = xgboost.train(options, rows, num_boost_round=ROUNDS)
    predict = (lambda X: of_two_classes(booster.inplace_predict(X))) if loss == "logistic" else booster.inplace_predict

    def size() -> tuple[int, int]:
        trees = booster.get_dump()
        return len(trees), sum(tree.count("leaf=") for tree in trees)

    return Fitted(predict, size)


def fit_catboost(X: Any, y: Any, loss: str, setting: Setting, **growth: Any) -> Fitted:
    """Fit by CatBoost's estimators."""
    import catboost

    options = {
        "iterations": ROUNDS,
        "border_count": BINS - 1,
        "l2_leaf_reg": 0.0,
        "learning_rate": RATE,
        "boosting_type": "Plain",
        "bootstrap_type": "No",
        "random_strength": 0.0,
        "leaf_estimation_iterations": 1,
        "leaf_estimation_method": "Newton",
        "thread_count": setting.threads,
        "allow_writing_files": False,
        "verbose": False,
        **(growth or {"grow_policy": "Lossguide", "max_leaves": LEAVES, "depth": 16, "min_data_in_leaf": LEAF_ROWS}),
    }
    kind = catboost.CatBoostRegressor if loss == "squared" else catboost.CatBoostClassifier
    model = kind(**options, loss_function={"squared": "RMSE", "logistic": "Logloss", "softmax": "MultiClass"}[loss])
    model.fit(X, y)
    predict = model.predict if loss == "squared" else model.predict_proba
    return Fitted(predict, lambda: (int(model.tree_count_), int(np.sum(model.get_tree_leaf_counts()))))


def fit_catboost_symmetric(X: Any, y: Any, loss: str, setting: Setting) -> Fitted:
    """Fit by CatBoost's own policy."""
    return fit_catboost(X, y, loss, setting, grow_policy="SymmetricTree", depth=5)


def fit_scikit_learn(X: Any, y: Any, loss: str, _: Setting) -> Fitted:
    """Fit by scikit-learn's histogram boosting; its threads are limited from outside."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    options: dict[str, Any] = {"max_iter": ROUNDS, "max_leaf_nodes": LEAVES, "max_bins": BINS, "early_stopping": False}
    kind = HistGradientBoostingRegressor if loss == "squared" else HistGradientBoostingClassifier
    model = kind(**options, min_samples_leaf=LEAF_ROWS, l2_regularization=0.0, learning_rate=RATE).fit(X, y)
    trees = [tree for of_round in model._predictors for tree in of_round]
    predict = model.predict if loss == "squared" else model.predict_proba
    return Fitted(predict, lambda: (len(trees), sum(tree.get_n_leaf_nodes() for tree in trees)))


def limited_openmp(setting: Setting) -> AbstractContextManager[Any]:
    """Limit the threads of libraries that read them from OpenMP."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(setting.threads, user_api="openmp")


ONE_OR_TWO = (Setting(1), Setting(2))
OURS = Contender("heldout", "heldout", fit_ours, (Setting(),))
LIGHTGBM = Contender(
    "LightGBM", "lightgbm", fit_lightgbm, tuple(Setting(n, order) for n in (1, 2) for order in ("row", "col"))
)
XGBOOST = Contender("XGBoost", "xgboost", fit_xgboost, ONE_OR_TWO)
CATBOOST = Contender("CatBoost", "catboost", fit_catboost, ONE_OR_TWO)
CATBOOST_SYMMETRIC = Contender("CatBoost symmetric", "catboost", fit_catboost_symmetric, ONE_OR_TWO)
SCIKIT_LEARN = Contender("scikit-learn", "sklearn", fit_scikit_learn, ONE_OR_TWO, limited_openmp)
PEERS = (LIGHTGBM, XGBOOST, CATBOOST, CATBOOST_SYMMETRIC, SCIKIT_LEARN)
