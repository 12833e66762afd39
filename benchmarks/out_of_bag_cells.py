"""Tables for the study of out-of-bag error: drawn ones whose error is known but for 10,000 rows, and open ones.

The cells named DEVELOPMENT are those that the interval was chosen on; QUOTED ones have other signals and were written
down, with all their settings, before any of them was run. OVERFITTED ones were added later, when the correction for
members turned out to fail where members have learned their bags by heart; the correction was mended on them, and the
interval was not chosen on any.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from heldout.resampling import Bootstrap, Groups, Subsample

FRESH_ROWS = 10_000
DATA = Path(os.environ.get("HELDOUT_DATA", Path(__file__).parents[2] / "shared" / "data"))


def friedman_1(X: Any) -> Any:
    return 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]


def friedman_2(X: Any) -> Any:
    a, b, c, d = 100 * X[:, 0], 40 * np.pi + 520 * np.pi * X[:, 1], X[:, 2], 1 + 10 * X[:, 3]
    return np.sqrt(a**2 + (b * c - 1 / (b * d)) ** 2) / 375


def linear(X: Any) -> Any:
    return (X - 0.5) @ np.linspace(0.5, 3.0, X.shape[1])


def step(X: Any) -> Any:
    return 3.0 * (X[:, 0] > 0.5) + 2.0 * (X[:, 1] > 0.3) * (X[:, 2] > 0.6)


def sines(X: Any) -> Any:
    return np.sin(6 * X[:, 0]) + np.sin(9 * X[:, 1]) + X[:, 2]


def product(X: Any) -> Any:
    return 16 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5) + 2 * np.abs(X[:, 2] - 0.5)


def ring(X: Any) -> Any:
    return 4 - 48 * ((X[:, 0] - 0.5) ** 2 + (X[:, 1] - 0.5) ** 2)


SIGNALS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f for f in (friedman_1, friedman_2, linear, step, sines, product, ring)
}
# What is drawn, and its variance at scale 1.
NOISES: dict[str, tuple[Callable[[Any, int], Any], float]] = {
    "normal": (lambda rng, n: rng.normal(size=n), 1.0),
    "t5": (lambda rng, n: rng.standard_t(5, size=n), 5 / 3),
    "laplace": (lambda rng, n: rng.laplace(size=n), 2.0),
}


@dataclass(frozen=True)
class Table:
    """Rows, and what is known of them: `centre` is the expected target, or the probability of each class."""

    X: Any
    y: Any
    centre: Any = None
    noise_variance: float = 0.0
    groups: Any = None

    def of(self, rows: Any) -> Table:
        """Return some of the rows."""
        centre, groups = (None if given is None else given[rows] for given in (self.centre, self.groups))
        return Table(self.X[rows], self.y[rows], centre, self.noise_variance, groups)


@dataclass(frozen=True)
class Cell:
    """One setting of the study.

    Parameters
    ----------
    signal : str
        Name of a signal, of an open table as "open:adult", or "groups".
    n_rows, replicas : int
    scheme : "bootstrap" or "subsample"
        Of rows, or of whole groups.
    noise, scale : str, float
        Of regression.
    slope, shift : float
        Of the scores of class 1 in the signal.
    n_classes : int
        0 for regression.
    n_features : int
    rounds, leaves, least_count : int
        Rounds, most leaves of a tree, fewest rows of a leaf.
    stops : bool
        Whether the rounds are chosen on out-of-bag rows, of 300 at most.
    """

    signal: str
    n_rows: int
    replicas: int
    scheme: str = "bootstrap"
    noise: str = "normal"
    scale: float = 1.0
    slope: float = 1.0
    shift: float = 0.0
    n_classes: int = 0
    n_features: int = 8
    rounds: int = 50
    leaves: int = 31
    least_count: int = 20
    stops: bool = False

    @property
    def name(self) -> str:
        """The settings that tell the cell from others."""
        kind = f"{self.n_classes} classes" if self.n_classes else f"{self.noise} {self.scale:g}"
        kind = "" if self.signal.startswith("open:") else f", {kind}"
        ending = ", leaves of one row" if self.least_count == 1 else ""
        ending += ", stops" if self.stops else ""
        return f"{self.signal}{kind}, {self.n_rows} rows, {self.scheme}, {self.replicas} replicas{ending}"

    @property
    def resampling(self) -> Any:
        """The scheme that bags are drawn by."""
        if self.signal == "groups":
            return Groups() if self.scheme == "bootstrap" else Groups(0.8)
        return Bootstrap() if self.scheme == "bootstrap" else Subsample(0.8)

    def draw(self, rng: Any) -> tuple[Table, Table]:
        """Return rows to learn from and fresh rows."""
        if self.signal.startswith("open:"):
            return parts_of(open_table(self.signal.removeprefix("open:")), self.n_rows, rng)
        if self.signal == "groups":
            return self._of_groups(rng, self.n_rows), self._of_groups(rng, FRESH_ROWS)
        return self._rows(rng, self.n_rows), self._rows(rng, FRESH_ROWS)

    def _rows(self, rng: Any, n: int) -> Table:
        X = rng.random((n, self.n_features))
        signal = SIGNALS[self.signal](X)
        if not self.n_classes:
            noise, variance = NOISES[self.noise]
            return Table(X, signal + self.scale * noise(rng, n), signal, variance * self.scale**2)
        score = self.slope * signal + self.shift
        if self.n_classes == 2:
            probability = np.stack([expit(-score), expit(score)], axis=1)
        else:
            others = [2 * self.slope * X[:, -1 - c] for c in range(self.n_classes - 2)]
            probability = softmax(np.stack([np.zeros(n), score, *others], axis=1), axis=1)
        above = rng.random(n)[:, None] > np.cumsum(probability, axis=1)[:, :-1]
        return Table(X, above.sum(axis=1).astype(float), probability)

    def _of_groups(self, rng: Any, n: int) -> Table:
        """Draw groups of 8 with an intercept of their own, and features that tell the groups apart."""
        groups = np.repeat(np.arange(n // 8), 8)
        X = 0.8 * rng.normal(size=(n // 8, 3))[groups] + 0.6 * rng.normal(size=(len(groups), 3))
        centre = X @ np.array([1.0, 0.5, 0.0])
        y = centre + self.scale * rng.normal(size=n // 8)[groups] + rng.normal(size=len(groups))
        return Table(X, y, centre, 1.0 + self.scale**2, groups)


@cache
def open_table(name: str) -> Table:
    """Read an open table; names become their place in the alphabet."""
    import polars as pl

    about = json.loads((DATA / "tabular" / f"{name}.json").read_text(encoding="utf-8"))
    frame = pl.read_parquet(DATA / "tabular" / f"{name}.parquet").drop_nulls(about["target"])
    frame = frame.drop([column for column in about.get("drop_or_leak") or [] if column in frame.columns])
    numbers = {column: _as_numbers(frame[column]) for column in frame.columns}
    y = numbers.pop(about["target"])
    if about["task"] != "regression":
        y = np.unique(y, return_inverse=True)[1].astype(float)
    return Table(np.column_stack(list(numbers.values())), y)


def _as_numbers(column: Any) -> Any:
    if column.dtype.is_numeric():
        return column.cast(float).fill_null(float("nan")).to_numpy()
    names = column.cast(str)
    codes = names.rank("dense").cast(float) - 1
    return codes.fill_null(float("nan")).to_numpy()


def parts_of(table: Table, n_rows: int, rng: Any) -> tuple[Table, Table]:
    """Return a random part of the table, and up to 10,000 of its other rows."""
    order = rng.permutation(len(table.y))[: n_rows + FRESH_ROWS]
    first, second = order[:n_rows], order[n_rows:]
    return table.of(first), table.of(second)


DEVELOPMENT = (
    Cell("sines", 200, 50, scale=0.5),
    Cell("sines", 3000, 20, scale=0.5),
    Cell("sines", 400, 10, "subsample", scale=0.5),
    Cell("sines", 400, 10, "subsample", scale=0.5, stops=True),
    Cell("sines", 1000, 8, noise="t5", scale=0.7),
    Cell("sines", 2000, 10, "subsample", scale=0.1, stops=True),
    Cell("friedman_2", 500, 10, scale=0.05, rounds=100),
    Cell("product", 300, 20, noise="t5", scale=0.7),
    Cell("product", 500, 8, "subsample", scale=3.0),
    Cell("product", 1000, 20, noise="laplace", scale=0.5, stops=True),
    Cell("ring", 400, 20, n_classes=2),
    Cell("sines", 300, 10, "subsample", slope=2.0, shift=-1.0, n_classes=2),
    Cell("sines", 1000, 8, slope=3.0, shift=-6.0, n_classes=2, stops=True),
    Cell("ring", 500, 20, n_classes=3),
    Cell("sines", 2000, 8, "subsample", slope=2.0, n_classes=3, stops=True),
    Cell("groups", 160, 20),
    Cell("groups", 240, 10, "subsample"),
    Cell("groups", 480, 10),
)

QUOTED = (
    Cell("friedman_1", 300, 20, n_features=10),
    Cell("friedman_1", 1000, 10, "subsample", n_features=10),
    Cell("friedman_1", 5000, 8, n_features=10),
    Cell("friedman_1", 500, 20, n_features=10, stops=True),
    Cell("friedman_1", 1000, 20, scale=0.1, n_features=10),
    Cell("friedman_1", 500, 20, noise="t5", scale=3.0, n_features=10),
    Cell("linear", 200, 50, n_features=10),
    Cell("linear", 500, 8, "subsample", n_features=10),
    Cell("linear", 2000, 10, noise="t5", n_features=10, stops=True),
    Cell("step", 400, 20),
    Cell("step", 300, 10, scale=4.0),
    Cell("step", 1000, 8, "subsample", scale=0.3, stops=True),
    Cell("linear", 300, 20, n_features=10, n_classes=2),
    Cell("step", 500, 8, slope=1.0, shift=-2.0, n_classes=2, stops=True),
    Cell("friedman_1", 1000, 10, "subsample", slope=0.4, shift=-5.8, n_features=10, n_classes=2),
    Cell("linear", 5000, 8, n_features=10, n_classes=2, stops=True),
    Cell("linear", 500, 20, n_features=10, n_classes=3),
    Cell("step", 1000, 10, "subsample", slope=0.7, n_classes=4, stops=True),
    Cell("groups", 200, 50, scale=1.5),
    Cell("groups", 400, 20, "subsample", scale=0.5),
)

# Members that have learned their bags by heart: scores of many units, and errors that bagging changes most.
OVERFITTED = tuple(
    Cell(signal, n_rows, 10, scheme, n_classes=n_classes, rounds=100, least_count=1)
    for signal, n_rows, n_classes in (("linear", 100, 2), ("step", 200, 2), ("step", 300, 4), ("friedman_1", 200, 0))
    for scheme in ("subsample", "bootstrap")
)

OPEN = (
    Cell("open:california_housing_na", 2000, 10),
    Cell("open:casp", 2000, 10, "subsample"),
    Cell("open:ccpp", 1500, 20, stops=True),
    Cell("open:diamonds", 2000, 8),
    Cell("open:puma32h", 1500, 10, "subsample", stops=True),
    Cell("open:adult", 2000, 10, n_classes=2),
    Cell("open:magic", 2000, 10, "subsample", n_classes=2, stops=True),
    Cell("open:taiwan_default", 2000, 20, n_classes=2, stops=True),
    Cell("open:satimage", 1500, 8, "subsample", n_classes=6),
)
