"""Location and scale of a column, without overflow and for any order of its rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["centre_and_spread"]


def centre_and_spread(seen: NDArray[np.float64], n_missing: int) -> tuple[float, float, float]:
    """Return median, mean and standard deviation of sorted values, after filling in the median.

    Examples
    --------
    >>> centre_and_spread(np.array([1.0, 2.0, 6.0]), n_missing=0)
    (2.0, 3.0, 2.160246899469287)
    """
    middle = len(seen) // 2
    largest = max(abs(float(seen[0])), abs(float(seen[-1])))
    if largest == 0.0 or seen[0] == seen[-1]:
        return float(seen[0]), float(seen[0]), 1.0
    # In units of a power of two near the largest value, squares neither overflow nor vanish.
    unit = float(2.0 ** np.floor(np.log2(largest)))
    values = seen / unit
    median = values[middle] if len(seen) % 2 else (values[middle - 1] + values[middle]) / 2
    n = len(seen) + n_missing
    mean = (values.sum() + n_missing * median) / n
    variance = (np.square(values - mean).sum() + n_missing * np.square(median - mean)) / n
    return float(median * unit), float(mean * unit), float(np.sqrt(variance) * unit) or 1.0
