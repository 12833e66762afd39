"""Boosted trees on the values before the origin: one model for all series, variables and steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream
from heldout._threads import n_threads
from heldout.errors import InvalidInput
from heldout.sequence.baselines.lag_features import LagFeatures, LagRows, features_of
from heldout.sequence.folds import Folds
from heldout.sequence.windows import Windows
from heldout.trees import STOPS, Binned, Growth, Objective, Replication, TreeEnsemble, grow_replicas

__all__ = ["BoostingOnLags", "FittedBoosting"]

_ROWS_AT_ONCE = 2**17
_MOST_ROUNDS, _PATIENCE = 200, 20
# As in ridge: errors of windows in which a series leaves all it has been before must not rule.
_LARGE = 7.0
_TREE_ARRAYS = ("starts", "feature", "threshold", "left", "missing_left", "value", "gain", "count", "base")


@dataclass(frozen=True)
class BoostingOnLags:
    """Gradient boosting of one row for each window, variable and step, told what came before (`LagRows`).

    Parameters
    ----------
    n_rounds : int, optional
        Rounds of boosting; by default chosen by the error out of fold, 200 at most.
    max_rows : int, default 200,000
        Rows learned from; where there are more, so many are drawn.
    random_state : int, default 0
        Of the draw.

    Raises
    ------
    InvalidInput
        A number below 1.

    Notes
    -----
    The target is the value in units of the window's scale, less an anchor that learns nothing: half way between the
    seasonal naive forecast and the last value moved as a season before. Squared error is minimised, with weights
    1 / (1 + largest^2 / 49) of the larger of target and value, so that a few wild rows do not rule. The models of all
    folds grow in one call over one binned table, so cut points of features (never targets) are shared between folds.
    Codes of categories are taken as numbers.
    """

    n_rounds: int | None = None
    max_rows: int = 200_000
    random_state: int = 0
    name: ClassVar[str] = "boosting"

    def __post_init__(self) -> None:
        if self.n_rounds is not None and self.n_rounds < 1:
            raise InvalidInput(f"n_rounds must be 1 or more, or None to choose it, got {self.n_rounds}")
        if self.max_rows < 1:
            raise InvalidInput(f"max_rows must be 1 or more, got {self.max_rows}: there is nothing to learn from less")

    def fit(self, windows: Windows, folds: Folds) -> FittedBoosting:
        """Grow a model of each fold's other windows, then one of all windows with as many rounds."""
        features = features_of(windows.sequences)
        of_folds: list[TreeEnsemble | None] = [None] * folds.n_folds
        lesson = _draw_lesson(features, windows, self.max_rows, self.random_state)
        if not len(lesson.target):
            return FittedBoosting(features, None, _Shown(windows, folds, tuple(of_folds)))
        learn = folds.learn[:, lesson.window].T
        taught = np.flatnonzero(learn.any(axis=0))
        binned = Binned.from_array(lesson.features, n_threads=n_threads(None))
        n_rounds = self.n_rounds or _MOST_ROUNDS
        if len(taught):
            held = folds.of[lesson.window][:, None] == taught
            together = Replication(
                learn[:, taught].astype(np.uint8),
                roles=np.where(held & ~learn[:, taught], STOPS, 0).astype(np.uint8),
                patience=_PATIENCE if self.n_rounds is None and held.any() else 0,
                ensemble_size=1,
            )
            members, n_rounds = lesson.grow(binned, together, n_rounds)
            for output, fold in enumerate(taught):
                of_folds[fold] = members.of_output(output)
        everything = Replication(np.ones((len(learn), 1), np.uint8), roles=np.zeros((len(learn), 1), np.uint8))
        trees, _ = lesson.grow(binned, everything, max(n_rounds, 1))
        return FittedBoosting(features, trees, _Shown(windows, folds, tuple(of_folds)))


@dataclass(frozen=True, eq=False)
class _Lesson:
    """Rows to learn from: features, what is left of the target, weight, and window of each."""

    features: NDArray[np.float32]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    window: NDArray[np.intp]

    def grow(self, binned: Binned, replication: Replication, n_rounds: int) -> tuple[TreeEnsemble, int]:
        least = int(np.clip(len(self.target) // 200, 20, 100))
        growth = Growth(n_rounds, learning_rate=0.1, max_leaves=63, least_count=least, l2=10.0, max_features=0.5)
        objective = Objective("squared_error", self.target, weight=self.weight)
        (grown,) = grow_replicas(binned, objective, growth, replication, n_threads=n_threads(None))
        assert grown.members is not None  # noqa: S101 - trees are kept by default
        return grown.members, grown.n_rounds


def _draw_lesson(features: LagFeatures, windows: Windows, max_rows: int, seed: int) -> _Lesson:
    n_variables = windows.sequences.n_variables
    shape = (len(windows), n_variables, windows.horizon)
    n = int(np.prod(shape))
    chosen = np.arange(n)
    if n > max_rows:
        chosen = np.sort(stream(seed, "boosting on lags").choice(n, max_rows, replace=False))
    window, variable, step = np.unravel_index(chosen, shape)
    values = windows.sequences.target
    row = windows.origin[window] + step + 1
    end = windows.sequences.offsets[1:][windows.series[window]]
    future = np.where(row < end, values[np.minimum(row, len(values) - 1), variable], np.nan)
    known = np.isfinite(future)
    window, variable, step, future = window[known], variable[known], step[known] + 1, future[known]
    maker = LagRows(features, windows)
    table, anchor = maker.rows(window, variable, step)
    scaled = (future - maker.scaling.level[window, 0, variable]) / maker.scaling.scale[window, 0, variable]
    largest = np.maximum(np.abs(scaled), np.abs(scaled - anchor))
    return _Lesson(table, scaled - anchor, 1 / (1 + (largest / _LARGE) ** 2), window)


@dataclass(frozen=True, eq=False)
class _Shown:
    """The windows that were learned from, and the models of their folds, None where there was nothing to learn from."""

    windows: Windows
    folds: Folds
    trees: tuple[TreeEnsemble | None, ...]


@dataclass(frozen=True, eq=False)
class FittedBoosting:
    """Trees, None where there was nothing to learn from, and the windows that were shown."""

    features: LagFeatures
    trees: TreeEnsemble | None
    shown: _Shown | None = None
    name: str = "boosting"

    @property
    def n_rounds(self) -> int:
        """Trees."""
        return 0 if self.trees is None else self.trees.n_trees

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return the forecasts of windows, shape (n_windows, horizon, n_variables)."""
        return _predict(self.features, self.trees, windows)

    def out_of_fold(self) -> NDArray[np.float64]:
        """Return what models without a window's fold say of it."""
        assert self.shown is not None, "trees read from a file have no training windows"  # noqa: S101
        windows, folds = self.shown.windows, self.shown.folds
        result = np.empty((len(windows), windows.horizon, windows.sequences.n_variables))
        for fold, trees in enumerate(self.shown.trees):
            rows = np.flatnonzero(folds.of == fold)
            result[rows] = _predict(self.features, trees, windows.take(rows))
        return result

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the features and the trees."""
        meta = {"name": self.name, "features": asdict(self.features)}
        if self.trees is None:
            return {**meta, "n_features": 0}, {}
        arrays = {name: getattr(self.trees, name) for name in _TREE_ARRAYS}
        return {**meta, "n_features": self.trees.n_features}, arrays

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FittedBoosting:
        """Return the model with these trees."""
        told: dict[str, Any] = meta["features"]
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        parts: dict[str, Any] = {**arrays, "n_features": int(meta["n_features"])}
        trees = TreeEnsemble(**parts) if arrays else None
        return cls(LagFeatures(**plain), trees)


def _predict(features: LagFeatures, trees: TreeEnsemble | None, windows: Windows) -> NDArray[np.float64]:
    maker = LagRows(features, windows)
    result = np.empty((len(windows), windows.horizon, windows.sequences.n_variables))
    for part in _parts(windows):
        shape = result[part].shape
        window, step, variable = (index.ravel() for index in np.indices(shape))
        table, anchor = maker.rows(window + part.start, variable, step + 1)
        moved = anchor if trees is None else anchor + trees.raw(table, n_threads(None))[:, 0]
        result[part] = moved.reshape(shape)
    return maker.scaling.up(result)


def _parts(windows: Windows) -> Iterator[slice]:
    at_once = max(1, _ROWS_AT_ONCE // (windows.horizon * windows.sequences.n_variables))
    for start in range(0, len(windows), at_once):
        yield slice(start, min(start + at_once, len(windows)))
