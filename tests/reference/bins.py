"""What bins are, in exact arithmetic: slow, plain, and sharing neither code nor constants with `native/`."""

from __future__ import annotations

import bisect
import itertools
import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

LARGEST = Fraction(np.finfo(np.float64).max)


def whole_weights(weights: list[float]) -> list[int]:
    """Round positive weights to whole numbers that together need at most 54 bits, none to 0."""
    if not weights:
        return []
    unit = Fraction(2) ** (math.frexp(max(weights))[1] + len(weights).bit_length() - 54)
    return [max(1, round(Fraction(weight) / unit)) for weight in weights]


def exact(value: float) -> Fraction:
    """Return a value as a fraction; an infinity as the largest double."""
    return Fraction(value) if math.isfinite(value) else LARGEST * (1 if value > 0 else -1)


def cut_between(lower: float, upper: float) -> float:
    """Round the true midpoint to the nearest double; the lower value where that is not below the upper one."""
    middle = float((exact(lower) + exact(upper)) / 2)
    return middle if lower <= middle < upper else lower


def level(weights: list[int], n_bins: int) -> Fraction:
    """Solve sum(min(w, level)) = n_bins * level by trying how many of the heaviest weights are cut off."""
    falling = sorted(weights, reverse=True)
    for n_heavy in range(n_bins):
        value = Fraction(sum(falling[n_heavy:]), n_bins - n_heavy)
        if falling[n_heavy] <= value:
            return value
    raise AssertionError("more bins than values")


def find_cut_points(
    column: NDArray[np.floating], weight: NDArray[np.float64] | None = None, max_bins: int = 254
) -> NDArray[np.float64]:
    """Return the cut points of one feature."""
    weights = [1.0] * len(column) if weight is None else [float(w) for w in weight]
    shaping = [(float(x), w) for x, w in zip(column, weights, strict=True) if w > 0 and not math.isnan(x)]
    whole = whole_weights([w for _, w in shaping])
    total: dict[float, int] = {}
    for (x, _), w in zip(shaping, whole, strict=True):
        total[x] = total.get(x, 0) + w  # -0.0 and 0.0 are one key
    values = sorted(total)
    if len(values) <= max_bins:
        ends = range(len(values) - 1)
    else:
        cap = level(list(total.values()), max_bins)
        reached = list(itertools.accumulate(min(Fraction(total[x]), cap) for x in values))
        ends = [bisect.bisect_left(reached, i * cap) for i in range(1, max_bins)]
    return np.array([cut_between(values[j], values[j + 1]) + 0.0 for j in ends], dtype=np.float64)


def bin_codes(column: NDArray[np.floating], cut_points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return how many cut points lie below each value; 255 for NaN."""
    codes = np.searchsorted(cut_points, column.astype(np.float64), side="left")
    return np.where(np.isnan(column), 255, codes).astype(np.uint8)
