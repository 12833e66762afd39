"""Learners that fit many training sets in one call, by a loop of separate fits that is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heldout.learner import PREDICTED

__all__ = ["CALLS", "LoopedClassifier", "LoopedRegressor", "LoopedRidge", "WithoutReplicas", "few_values"]

CALLS: list[dict[str, Any]] = []  # what each call of fit_replicas was given; a test empties it


def few_values(seed: int, n: int = 90, n_classes: int = 0) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Make features of so few values that each training set has them all."""
    rng = np.random.default_rng(seed)
    X = rng.integers(5, size=(n, 4)).astype(float)
    y = X[:, 0] - X[:, 1] + rng.normal(size=n)
    return X, np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes)) if n_classes else y


class _Looped(BaseEstimator):
    def fit_replicas(
        self,
        X: Any,
        y: Any,
        weights: NDArray[np.uint8],
        roles: NDArray[np.uint8] | None = None,
        ensemble_of: NDArray[np.intp] | None = None,
        *,
        sample_weight: Any = None,
        seeds: Any = None,
    ) -> NDArray[np.float64]:
        assert ensemble_of is None
        assert weights.dtype == np.uint8
        assert roles is not None
        assert roles.shape == weights.shape
        CALLS.append({"weights": weights, "roles": roles, "seeds": seeds, "n_jobs": getattr(self, "n_jobs", None)})
        X = np.asarray(X)
        return np.stack(
            [
                self._one(X, y, weights[:, k], roles[:, k], sample_weight, None if seeds is None else seeds[k])
                for k in range(weights.shape[1])
            ]
        )

    def _one(self, X: Any, y: Any, times: Any, role: Any, sample_weight: Any, seed: Any) -> Any:
        rows = np.repeat(np.arange(len(y)), times)
        model = clone(self) if seed is None else clone(self).set_params(random_state=seed)
        model.fit(X[rows], y[rows], sample_weight=None if sample_weight is None else sample_weight[rows])
        asked = (role & PREDICTED) > 0
        came = np.asarray(model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X), float)
        came[~asked] = np.nan
        return came


class LoopedRegressor(_Looped, DecisionTreeRegressor):
    """A tree whose splits are drawn, so that seeds matter."""


class LoopedClassifier(_Looped, DecisionTreeClassifier):
    """The same for classes."""


class LoopedRidge(_Looped, Ridge):
    """A linear model, which has weights but learns no seed."""


class WithoutReplicas:
    """Hides `fit_replicas`: the generic path of the same learner."""

    fit_replicas = property()  # raises AttributeError: it is not there


class PlainRegressor(WithoutReplicas, LoopedRegressor):
    """The regressor, fitted one by one."""


class PlainClassifier(WithoutReplicas, LoopedClassifier):
    """The classifier, fitted one by one."""


class PlainRidge(WithoutReplicas, LoopedRidge):
    """The linear model, fitted one by one."""
