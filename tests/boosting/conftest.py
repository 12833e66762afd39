"""Tables that the tests of boosting share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heldout import BoostingClassifier, BoostingRegressor


@dataclass(frozen=True)
class Table:
    """One matrix with a target of each kind."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    two: NDArray[Any]
    five: NDArray[Any]

    def target_of(self, kind: str) -> NDArray[Any]:
        return {"regression": self.y, "two": self.two, "five": self.five}[kind]


def table_of(n_rows: int, seed: int) -> Table:
    """Make features of every sort: smooth, coarse, binary, mostly missing, with infinities, constant, all missing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 11))
    X[:, 1] = rng.integers(0, 7, n_rows)
    X[:, 2] = rng.integers(0, 2, n_rows)
    X[rng.random(n_rows) < 0.7, 3] = np.nan
    X[rng.random(n_rows) < 0.1, 4] = np.inf
    X[rng.random(n_rows) < 0.1, 4] = -np.inf
    X[:, 5] = 3.0
    X[:, 6] = np.nan
    X[rng.random((n_rows, 11)) < 0.05] = np.nan
    signal = np.nan_to_num(X[:, 0]) * 2 + np.nan_to_num(X[:, 1]) * np.nan_to_num(X[:, 2])
    signal += 1.5 * np.isnan(X[:, 3]) - np.isnan(X[:, 0]) + np.sign(np.nan_to_num(X[:, 4], posinf=1, neginf=-1))
    y = signal + rng.normal(size=n_rows)
    two = np.where(y > np.median(y), "yes", "no")
    five = np.digitize(y, np.quantile(y, [0.1, 0.4, 0.7, 0.9])) * 10
    return Table(X, y, two, five)


@pytest.fixture
def table(seed: int) -> Table:
    return table_of(3000, seed)


def model_of(kind: str, **parameters: Any) -> Any:
    """Return an estimator that suits a kind of target."""
    return BoostingRegressor(**parameters) if kind == "regression" else BoostingClassifier(**parameters)


@pytest.fixture(scope="session")
def make_model() -> Any:
    return model_of


@pytest.fixture(scope="session")
def make_table() -> Any:
    return table_of
