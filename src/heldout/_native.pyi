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
