"""Test error against LightGBM's where few rows dwarf all others: Cauchy noise, one target of 1e9, 99.9 % one class.

Run `python benchmarks/heavy_tails.py [draws]`; it needs the extra `bench`. Both are fitted with the same rounds,
leaves, rows a leaf and learning rate to features of few distinct values, so they choose among the same cut points. A
line shows the geometric mean, over draws, of our error divided by theirs, and the draws in which ours was lower.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from heldout import BoostingClassifier, BoostingRegressor

N_TRAIN, N_TEST = 20_000, 50_000
ROUNDS, LEAVES, RATE = 100, 31, 0.1

Draw = tuple[Any, Any, Any, Callable[[Any, Any], float]]


def smooth_table(seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, (N_TRAIN + N_TEST, 8)).astype(np.float32)
    return X, 3 * np.sin(X[:, 0] / 10) + X[:, 1] / 20 + (X[:, 2] > X[:, 3]), rng


def distance(truth: Any, prediction: Any) -> float:
    return float(np.mean(np.abs(prediction - truth)))


def log_loss(y: Any, probability: Any) -> float:
    return float(-np.mean(np.log(np.clip(probability[np.arange(len(y)), y], 1e-15, 1))))


def cauchy(seed: int) -> Draw:
    X, signal, rng = smooth_table(seed)
    return X, signal + rng.standard_cauchy(len(X)), signal, distance


def one_huge_target(seed: int) -> Draw:
    X, signal, rng = smooth_table(seed)
    y = signal + 0.1 * rng.normal(size=len(X))
    y[rng.integers(N_TRAIN)] = 1e9
    return X, y, signal, distance


def one_class(seed: int, n_classes: int = 2) -> Draw:
    X, signal, rng = smooth_table(seed)
    drawn = rng.random(len(X))
    y = (drawn < 0.002 / (1 + np.exp(-3 * (signal - np.quantile(signal, 0.8))))).astype(int)
    if n_classes == 3:
        y[drawn > 0.999] = 2
    return X, y, y, log_loss


TABLES: dict[str, Callable[[int], Draw]] = {
    "Cauchy noise, distance to the truth": cauchy,
    "one target of 1e9, distance to the truth": one_huge_target,
    "99.9 % one of 2 classes, log loss": one_class,
    "99.8 % one of 3 classes, log loss": lambda seed: one_class(seed, 3),
}


def errors(draw: Draw, leaves: int, rate: float) -> Iterator[float]:
    """Yield our error and LightGBM's on the rows after the first N_TRAIN."""
    import lightgbm

    X, y, truth, error_of = draw
    ours: Any
    theirs: Any
    if error_of is log_loss:
        ours, theirs = BoostingClassifier(), lightgbm.LGBMClassifier()
    else:
        ours, theirs = BoostingRegressor(), lightgbm.LGBMRegressor()
    ours.set_params(n_trees=ROUNDS, max_leaves=leaves, learning_rate=rate)
    theirs.set_params(n_estimators=ROUNDS, num_leaves=leaves, learning_rate=rate, min_child_samples=20, verbose=-1)
    for model in (ours, theirs):
        model.fit(X[:N_TRAIN], y[:N_TRAIN])
        prediction = model.predict_proba(X[N_TRAIN:]) if error_of is log_loss else model.predict(X[N_TRAIN:])
        yield error_of(truth[N_TRAIN:], prediction)


def compare_with_lightgbm(n_draws: int = 5) -> None:
    """Print one line per table and setting."""
    import warnings

    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    print(f"{'table':<42} {'leaves':>6} {'rate':>5} {'ours/theirs':>12} {'ours lower':>11}")
    for name, table in TABLES.items():
        for leaves, rate in ((LEAVES, RATE), (8, 0.05)):
            found = np.array([list(errors(table(seed), leaves, rate)) for seed in range(n_draws)])
            ratio = np.exp(np.mean(np.log(found[:, 0] / found[:, 1])))
            lower = int((found[:, 0] < found[:, 1]).sum())
            print(f"{name:<42} {leaves:>6} {rate:>5} {ratio:>12.4f} {lower:>6} of {n_draws}", flush=True)


if __name__ == "__main__":
    compare_with_lightgbm(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
