"""Tables drawn from a known law: what boosting is timed on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

LOSSES = ("squared", "logistic", "softmax")
N_CLASSES = 5


@dataclass(frozen=True)
class Drawn:
    """Training rows, and fresh rows of the same law."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    loss: str


def signal(X: Any) -> Any:
    """Return what the target depends on: steps, waves, products, in seven of the features.

    A product of centred features would have no main effect. Greedy trees then find it by the chance of where a cut lies
    in the tails, and training losses of equal engines differ by 10 % either way (benchmarks/LOG.md), so they could not
    be compared. These factors are not centred.
    """
    return (
        np.sin(2 * X[:, 0])
        + 0.5 * (X[:, 1] + 1.5) * (X[:, 2] + 1.5)
        + np.abs(X[:, 3])
        + 0.5 * np.where(X[:, 4] > 0.3, X[:, 5], -X[:, 5])
        + 0.3 * X[:, 6]
    )


def features(n_rows: int, n_features: int, rng: np.random.Generator) -> Any:
    """Draw normal features, every third rounded to one decimal, float32, rows in C order."""
    X = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    X[:, 1::3] = np.round(X[:, 1::3], 1)
    return X


def target(X: Any, loss: str, rng: np.random.Generator) -> Any:
    """Draw targets: numbers with noise, one of two classes, or one of five."""
    if loss == "squared":
        return signal(X) + rng.standard_normal(len(X))
    if loss == "logistic":
        return (rng.random(len(X)) < 1 / (1 + np.exp(-signal(X)))).astype(np.int64)
    # Every class has the same law in features of its own.
    scores = np.stack([signal(np.roll(X, -2 * k, axis=1)) for k in range(N_CLASSES)], axis=1)
    return np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)


def draw(n_rows: int, n_features: int, loss: str, seed: int, n_test: int | None = None) -> Drawn:
    """Draw a table; as many fresh rows as training rows, from 10,000 to 100,000, unless told."""
    rng = np.random.default_rng(seed)
    n_test = min(100_000, max(10_000, n_rows)) if n_test is None else n_test
    X = features(n_rows + n_test, n_features, rng)
    y = target(X, loss, rng)
    return Drawn(X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:], loss)


def with_missing(drawn: Drawn, share: float, seed: int) -> Drawn:
    """Return the table with a share of its training cells missing; its targets stay."""
    X = drawn.X.copy()
    rng = np.random.default_rng([seed, 1])
    for column in range(X.shape[1]):
        X[rng.random(len(X)) < share, column] = np.nan
    return replace(drawn, X=X)


def loss_of(loss: str, y: Any, prediction: Any) -> float:
    """Return the mean squared error, or the mean log loss of probabilities of shape (n_rows, n_classes)."""
    if loss == "squared":
        return float(np.mean(np.square(y - prediction)))
    of_truth = np.asarray(prediction)[np.arange(len(y)), y]
    return float(-np.mean(np.log(np.clip(of_truth, 1e-15, 1))))
