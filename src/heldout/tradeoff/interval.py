"""Standard errors of means over rows that may depend inside units, and t intervals that join two sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["Source", "join", "monte_carlo_error", "unit_error", "unit_sums"]


def unit_sums(
    values: NDArray[np.float64], units: NDArray[np.intp] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sum and number of the finite values of each unit that has any; by default a row is a unit."""
    tested = np.isfinite(values)
    if units is None:
        kept = values[tested]
        return kept, np.ones(len(kept))
    _, codes = np.unique(units[tested], return_inverse=True)
    sums = np.bincount(codes, weights=values[tested])
    return np.asarray(sums, np.float64), np.asarray(np.bincount(codes), np.float64)


def unit_error(values: NDArray[np.float64], units: NDArray[np.intp] | None) -> tuple[float, int]:
    r"""Return the standard error of the mean of the finite values, and the number of units it rests on.

    The mean is the ratio of two sums over units, :math:`\sum s_u / \sum n_u`, linearised:
    :math:`\mathrm{se}^2 = \frac{G}{G-1} \sum_u (s_u - n_u \bar v)^2 / (\sum_u n_u)^2`. With one row per
    unit this is the usual sd / sqrt(n).
    """
    sums, counts = unit_sums(values, units)
    n_units = len(sums)
    if n_units < 2:
        return float("nan"), n_units
    total = counts.sum()
    residual = sums - counts * (sums.sum() / total)
    return float(np.sqrt(n_units / (n_units - 1.0) * np.square(residual).sum()) / total), n_units


def monte_carlo_error(per_partition: NDArray[np.float64]) -> float:
    """Return the delete-one jackknife over partitions; of a mean it is sd / sqrt(n_partitions)."""
    n_partitions = len(per_partition)
    left_out = (per_partition.sum() - per_partition) / (n_partitions - 1.0)
    return float(np.sqrt((n_partitions - 1.0) / n_partitions * np.square(left_out - left_out.mean()).sum()))


@dataclass(frozen=True)
class Source:
    """One independent source of error of an estimate, and how well its size is known."""

    standard_error: float
    degrees_of_freedom: float


def join(
    estimate: float, sources: Sequence[Source], confidence_level: float, *, log_scale: bool = False
) -> tuple[float, float] | None:
    """Join independent sources of error into one t interval.

    Degrees of freedom by Welch and Satterthwaite, so that five partitions count as four degrees of freedom only
    as far as the Monte-Carlo part matters. None where the size of a source is unknown: a single unit.
    On the log scale (for an estimate that cannot be negative, such as a mean of squares) the ends are a factor
    exp(half width / estimate) below and above: its errors grow with it, and the lower end stays above 0.
    """
    if any(np.isnan(source.standard_error) for source in sources):
        return None
    present = [source for source in sources if source.standard_error > 0.0]
    if not present:
        return (estimate, estimate)
    total = sum(source.standard_error**2 for source in present)
    freedom = total**2 / sum(source.standard_error**4 / source.degrees_of_freedom for source in present)
    half = float(stats.t.ppf(0.5 + confidence_level / 2.0, freedom) * np.sqrt(total))
    if log_scale and estimate > 0.0:
        factor = float(np.exp(half / estimate))
        return (estimate / factor, estimate * factor)
    return (estimate - half, estimate + half)
