"""Gradients as integers, slowly and plainly: shares neither code nor constants with `native/`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FORMATS = ("unit", "narrow", "flushed", "wide")


@dataclass
class Quantised:
    """Integer gradient, hessian and count of each row (each times the row's count), and how they are packed."""

    format: str
    gradient_exponent: int
    hessian_exponent: int
    count_bits: int
    rows_per_flush: int
    gradient: NDArray[np.int64]
    hessian: NDArray[np.int64]
    count: NDArray[np.int64]
    all_bits: bool = False
    fine_gradient_exponent: int = 0
    fine_hessian_exponent: int = 0

    @property
    def total(self) -> tuple[int, int, int]:
        return int(self.gradient.sum()), int(self.hessian.sum()), int(self.count.sum())

    @property
    def sums(self) -> NDArray[np.int64]:
        """Shape (n_rows, 3)."""
        return np.stack([self.gradient, self.hessian, self.count], axis=1)

    @property
    def words(self) -> NDArray[np.int64]:
        """What each row adds to a bin, packed: fields lie above each other and add up as whole numbers."""
        if self.format == "unit":
            return self.gradient * 2**24 + self.count
        if self.format in ("narrow", "flushed"):
            return self.gradient * 2**40 + self.hessian * 2**17 + self.count
        return np.stack([self.gradient, self.hessian * 2**self.count_bits + self.count], axis=1).ravel()


@dataclass
class Magnitude:
    largest: float
    sum: float


def magnitude(values: NDArray[np.float32], times: NDArray[np.int64]) -> Magnitude:
    """Return the largest value and a bound of the sum: each cut off at a unit for which all together fit 62 bits."""
    values, times = np.abs(values[times > 0].astype(np.float64)), times[times > 0]
    largest = float(values.max(initial=0.0))
    if largest <= 0:
        return Magnitude(0.0, 0.0)
    shift = 62 - math.frexp(largest)[1] - int(times.sum()).bit_length()
    whole = int((np.ldexp(values, shift).astype(np.int64) * times).sum()) + int(times.sum())
    return Magnitude(largest, math.ldexp(float(whole), -shift))


def exponent_below(value: float, limit: float, slack: float) -> int:
    """Return the largest e with value * 2^e + slack within the limit, a millionth of which is kept free."""
    return math.frexp((limit * (1 - 1e-6) - slack) / value)[1] - 1 if value > 0 else 0


def flushed_bits(value: Magnitude, count: int) -> int:
    """Return the bits of the largest row that make the mean row 7 bits long."""
    return math.ceil(math.log2(value.largest * count / value.sum)) + 7 if value.sum > 0 else 8


def quantise(
    gradient: NDArray[np.float32],
    hessian: NDArray[np.float32] | None = None,
    count: NDArray[np.uint8] | None = None,
    forced: str | None = None,
    narrow_limit: int = 131_071,
    most_flushed_bits: int = 12,
) -> Quantised:
    """Choose a format and exponents from all rows that count, then round each row by itself."""
    n = len(gradient)
    times = np.ones(n, dtype=np.int64) if count is None else count.astype(np.int64)
    g, total = magnitude(gradient, times), int(times.sum())
    most_often = max(1, int(times.max()))
    h = Magnitude(1.0, float(total)) if hessian is None else magnitude(hessian, times)
    bits = max(24, total.bit_length())

    def scaled(name: str) -> Quantised:
        e = f = flush = 0
        if name == "unit":
            e = exponent_below(g.sum, 2.0**39 - 1, total)
        elif name == "narrow":
            e, f = exponent_below(g.sum, 2.0**23 - 1, total), exponent_below(h.sum, 2.0**23 - 1, total)
        elif name == "wide":
            e, f = exponent_below(g.sum, 2.0**47, total), exponent_below(h.sum, 2.0 ** min(39, 63 - bits), total)
        else:
            row = min(max(flushed_bits(g, total), flushed_bits(h, total), 8), most_flushed_bits)
            e, f = exponent_below(g.largest, 2.0**row, 1), exponent_below(h.largest, 2.0**row, 1)
            flush = min((2**23 - 1) >> row, 2**17 - 1) // most_often
        # Rows that do not count may be of any size: the scale is not made for them.
        counted = np.where(times > 0, gradient.astype(np.float64), 0.0)
        whole_g = np.rint(np.ldexp(counted, e)).astype(np.int64) * times
        ones = np.ones(n) if hessian is None else np.where(times > 0, hessian.astype(np.float64), 0.0)
        whole_h = np.rint(np.ldexp(ones, f)).astype(np.int64) * times
        width = bits if name in ("flushed", "wide") else 24
        return Quantised(name, e, f, width, flush, whole_g, whole_h, times)

    if forced is not None and forced != "unit":
        made = scaled(forced)
    elif hessian is None and total < 2**24:
        made = scaled("unit")
    elif total <= narrow_limit:
        made = scaled("narrow")
    else:
        resolved = max(flushed_bits(g, total), flushed_bits(h, total)) <= most_flushed_bits + 2
        made = scaled("flushed" if resolved else "wide")
    lost = times[(made.gradient == 0) & (gradient != 0)].sum()
    if forced is None and made.format != "wide" and 8 * lost > total:
        made = scaled("wide")
    small = times[(made.gradient != 0) & (np.abs(made.gradient) < 4096 * times)].sum()
    made.all_bits = made.format == "unit" and 8 * small > total
    made.fine_gradient_exponent = exponent_below(g.sum, 2.0**62, total)
    made.fine_hessian_exponent = exponent_below(h.sum, 2.0**62, total)
    return made
