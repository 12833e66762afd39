"""The compiled module, built from `native/`; checked arguments only (the gate is in the rooms above)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BINS: int
MISSING: int

def find_cut_points(
    column: NDArray[np.floating[Any]], weight: NDArray[np.float64] | None = None, max_bins: int = 254
) -> NDArray[np.float64]: ...
def find_all_cut_points(
    matrix: NDArray[np.floating[Any]],
    weight: NDArray[np.float64] | None = None,
    max_bins: int = 254,
    n_threads: int = 1,
) -> list[NDArray[np.float64]]: ...
def bin_codes(
    matrix: NDArray[np.floating[Any]], cut_points: Sequence[NDArray[np.float64]], n_threads: int = 1
) -> NDArray[np.uint8]: ...
def best_constants(
    target: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    count: NDArray[np.uint8] | None,
    loss: int,
    n_outputs: int,
) -> list[float]: ...
def boost(
    codes: NDArray[np.uint8],
    n_bins: Sequence[int],
    target: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    count: NDArray[np.uint8] | None,
    scores: NDArray[np.float64],
    loss: int,
    settings: dict[str, Any],
    n_threads: int = 1,
    validation_codes: NDArray[np.uint8] | None = None,
    validation_target: NDArray[np.float64] | None = None,
    validation_weight: NDArray[np.float64] | None = None,
    validation_scores: NDArray[np.float64] | None = None,
    patience: int = 0,
    callback: Any = None,
) -> dict[str, Any]: ...
def boost_replicas(
    codes: NDArray[np.uint8],
    n_bins: Sequence[int],
    target: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    loss: int,
    n_outputs: int,
    settings: dict[str, Any],
    weights: NDArray[np.uint8],
    roles: NDArray[np.uint8] | None,
    ensemble_of: Sequence[int],
    seeds: Sequence[int],
    rounds: Sequence[int],
    sizes: Sequence[int],
    refit_counts: NDArray[np.uint8] | None = None,
    class_factors: NDArray[np.float64] | None = None,
    refit_class_factors: NDArray[np.float64] | None = None,
    curve_weight: NDArray[np.float64] | None = None,
    patience: int = 0,
    keep_trees: bool = True,
    n_threads: int = 1,
    callback: Any = None,
) -> list[dict[str, Any]]: ...

class Predictor:
    def __init__(
        self,
        starts: NDArray[np.int64],
        feature: NDArray[np.int32],
        threshold: NDArray[np.float64],
        left: NDArray[np.int32],
        missing_left: NDArray[np.bool_],
        value: NDArray[np.float64],
        n_features: int,
        base: Sequence[float],
    ) -> None: ...
    def predict(
        self,
        X: NDArray[np.floating[Any]],
        first: int,
        last: int,
        n_threads: int = 1,
        onto: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]: ...
    def apply(self, X: NDArray[np.floating[Any]], n_threads: int = 1) -> NDArray[np.int32]: ...

class stages:  # noqa: N801 - a submodule
    """The stages of the tree engine, each by itself, for tests."""

    class Table:
        def __init__(
            self,
            codes: NDArray[np.uint8],
            n_bins: Sequence[int],
            gradient: NDArray[np.float32],
            hessian: NDArray[np.float32] | None = None,
            count: NDArray[np.uint8] | None = None,
            forced: int = -1,
            narrow_limit: int | None = None,
            most_flushed_bits: int | None = None,
        ) -> None: ...
        def quantised(self) -> dict[str, Any]: ...
        def histogram(self, rows: NDArray[np.uint32]) -> list[NDArray[np.int64]]: ...
        def less_rows(self, rows: NDArray[np.uint32], taken: NDArray[np.uint32]) -> list[NDArray[np.int64]]: ...
        def combined(
            self, rows: NDArray[np.uint32], others: NDArray[np.uint32], sign: int
        ) -> list[NDArray[np.int64]]: ...
        def scan(
            self,
            rows: NDArray[np.uint32],
            path: str,
            l2: float = 0.0,
            least: int = 1,
            least_hessian: float = 0.0,
            taken: NDArray[np.uint32] | None = None,
        ) -> dict[str, Any]: ...
        def grow(
            self, growth: dict[str, Any], n_threads: int = 1, allowed: NDArray[np.bool_] | None = None
        ) -> dict[str, Any]: ...

    @staticmethod
    def quantise(
        gradient: NDArray[np.float32],
        hessian: NDArray[np.float32] | None = None,
        count: NDArray[np.uint8] | None = None,
        forced: int = -1,
        narrow_limit: int | None = None,
        most_flushed_bits: int | None = None,
        n_threads: int = 1,
    ) -> dict[str, Any]: ...
    @staticmethod
    def partition(
        codes: NDArray[np.uint8],
        bin: int,  # noqa: A002 - the engine's word for it
        missing_left: bool,
        rows: NDArray[np.uint32],
        n_threads: int = 0,
    ) -> tuple[NDArray[np.uint32], int]: ...
    @staticmethod
    def differentiate(
        loss: int,
        target: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        scores: NDArray[np.float64],
        exponent: int = 0,
        n_threads: int = 1,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
    @staticmethod
    def exponential(x: NDArray[np.float64]) -> NDArray[np.float64]: ...
    @staticmethod
    def natural_logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]: ...
    @staticmethod
    def choose_features(n_features: int, share: float, seed: int, tree: int) -> NDArray[np.bool_]: ...
    @staticmethod
    def column_offset(row_stride: int, feature_stride: int, feature: int, row: int) -> int: ...
    @staticmethod
    def code_offset(n_rows: int, feature: int) -> int: ...
    @staticmethod
    def path_counts() -> dict[str, int] | None: ...
    @staticmethod
    def reset_path_counts() -> None: ...
