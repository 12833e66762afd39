"""Fits to many training sets in one call equal a loop of fits, whatever the fits are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from heldout import BoostingClassifier, BoostingRegressor
from heldout.errors import InvalidInput
from heldout.learner import PREDICTED, STOPS, ReplicatedLearner
from heldout.resampling import Groups, KFold, Subsample

KINDS = ("regression", "two", "five")
N = 600

# Rounds, leaves and draws of features small enough to be quick and large enough that fits differ.
SMALL: dict[str, Any] = {"n_trees": 6, "max_leaves": 8, "min_leaf_weight": 5, "random_state": 3, "max_features": 0.7}
FITS: dict[str, dict[str, Any]] = {
    "one": {},
    "bagged": {"replicas": 3},
    "subsampled": {"replicas": 5, "resampling": Subsample(0.6)},
    "all rows": {"replicas": 2, "resampling": None},
    "one, out of bag": {"early_stopping": "out_of_bag", "n_trees": 60, "learning_rate": 0.7},
    "one, folds": {"early_stopping": "out_of_bag", "resampling": KFold(5), "n_trees": 60, "learning_rate": 0.7},
    "bagged, out of bag": {"replicas": 3, "early_stopping": "out_of_bag", "n_trees": 60, "learning_rate": 0.7},
}
WEIGHTS = ("none", "whole", "large", "fractional")

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning")


def coarse(seed: int, n_rows: int = N) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """Make features of so few values that each training set has them all, and so the same cut points as the table."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n_rows, 4)).astype(float)
    X[rng.random((n_rows, 4)) < 0.05] = np.nan
    y = np.nan_to_num(X[:, 0]) * np.nan_to_num(X[:, 1]) + np.isnan(X[:, 2]) + rng.normal(size=n_rows)
    two = np.where(y > np.median(y), "yes", "no")
    five = np.digitize(y, np.quantile(y, [0.1, 0.4, 0.7, 0.9]))
    return X, {"regression": y, "two": two, "five": five}


def weight_of(kind: str, rng: np.random.Generator) -> NDArray[np.float64] | None:
    whole = rng.integers(0, 4, N).astype(float)
    return {
        "none": None,
        "whole": whole,
        "large": np.where(np.arange(N) % 50 == 0, 120.0, whole),  # times 2 and more draws: above 255
        "fractional": rng.gamma(2.0, size=N) * (rng.random(N) < 0.9),
    }[kind]


def predicted(model: Any, X: Any) -> NDArray[np.float64]:
    return np.asarray(model.predict(X) if isinstance(model, BoostingRegressor) else model.predict_proba(X))


def loop(model: Any, X: Any, y: Any, weights: Any, sample_weight: Any, wanted: Any, seeds: Any = None) -> Any:
    """Fit the training sets one after the other, each to its rows alone."""
    out = []
    for c, times in enumerate(weights.T):
        rows = np.flatnonzero((times > 0) & (1 if sample_weight is None else sample_weight > 0))
        own = clone(model) if seeds is None else clone(model).set_params(random_state=seeds[c])
        weight = times[rows] * (1.0 if sample_weight is None else sample_weight[rows])
        values = predicted(own.fit(X[rows], y[rows], sample_weight=weight), X)
        values[~wanted[:, c]] = np.nan
        out.append(values)
    return np.stack(out)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_folds_in_one_call_equal_a_loop_of_fits(kind: str, weighted: str, fit: str, make_model: Any, seed: int) -> None:
    X, targets = coarse(seed)
    rng = np.random.default_rng(seed)
    sample_weight = weight_of(weighted, rng)
    folds = rng.integers(0, 4, N)[:, None] != np.arange(4)
    model = make_model(kind, **{**SMALL, **FITS[fit]})
    together = model.fit_replicas(X, targets[kind], folds, sample_weight=sample_weight)
    apart = loop(model, X, targets[kind], folds.astype(float), sample_weight, ~folds)
    exact = model.replicas == 1
    np.testing.assert_allclose(together, apart, rtol=0 if exact else 1e-10, atol=0 if exact else 1e-12)
    assert isinstance(model, ReplicatedLearner)
    assert not [name for name in vars(model) if name.endswith("_") or name.startswith("_")]
