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
def bin_codes(matrix: NDArray[np.floating[Any]], cut_points: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]: ...
