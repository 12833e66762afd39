"""Dependence of rows of one group: intraclass correlation, and which rows of a grouped table are tested.

A small or negative intraclass correlation never shows that groups do not matter: features can identify groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

__all__ = ["IntraclassCorrelation", "IntraclassStatistic", "intraclass_correlation", "is_contiguous", "rows_by_group"]

FEWEST_FOR_INTERVAL = 6


@dataclass(frozen=True)
class IntraclassCorrelation:
    """Estimate of the share of variance between groups, with a 95 % interval where groups allow one."""

    value: float
    ci_low: float | None
    ci_high: float | None
    n_groups: int
    reason: str | None


def rows_by_group(
    codes: NDArray[np.intp], sequence: NDArray[np.intp], most_rows: int, n_windows: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Arrange rows group by group, groups in order of their first row, rows of a group in sequence.

    Returns
    -------
    rows : array of int
        With more than `most_rows` rows, `n_windows` evenly spaced windows of consecutive whole groups, a group
        giving at most its first `most_rows / n_windows` rows. Which rows these are depends on the groups alone.
    starts : array of int
        Where each group begins in `rows`.
    window : array of int
        Window of each group.
    """
    in_sequence = codes[sequence]
    _, first, rank = np.unique(in_sequence, return_index=True, return_inverse=True)
    by_first = np.argsort(np.argsort(first))[rank]
    rows = sequence[np.argsort(by_first, kind="stable")]
    lengths = np.bincount(by_first)
    window = np.zeros(lengths.size, dtype=np.intp)
    if rows.size > most_rows:
        share = most_rows // n_windows
        starts = np.cumsum(lengths) - lengths
        capped = np.minimum(lengths, share)
        begin = np.cumsum(capped) - capped
        width = max(capped.sum() / n_windows, 1.0)
        taken = (begin % width < share) if capped.sum() > most_rows else np.ones(lengths.size, dtype=bool)
        rows = np.concatenate([rows[s : s + k] for s, k in zip(starts[taken], capped[taken], strict=True)])
        lengths, window = capped[taken], (begin[taken] // width).astype(np.intp)
    return rows, np.cumsum(lengths) - lengths, window


def is_contiguous(codes: NDArray[np.intp]) -> bool:
    """Say whether every group stands in one piece.

    Examples
    --------
    >>> import numpy as np
    >>> is_contiguous(np.array([1, 1, 0, 2])), is_contiguous(np.array([1, 0, 1]))
    (True, False)
    """
    return int(np.sum(np.diff(codes) != 0)) + 1 == np.unique(codes).size


def _squares(values: NDArray[np.float64], codes: NDArray[np.intp]) -> tuple[NDArray[np.float64], ...]:
    """Rows, sums and sums of squares of each group; values have shape (k, n)."""
    size = np.bincount(codes).astype(np.float64)
    sums = np.array([np.bincount(codes, weights=row) for row in values])
    squares = np.array([np.bincount(codes, weights=row**2) for row in values])
    return size, sums, squares


def _log_f(
    n: NDArray[np.float64],
    g: NDArray[np.float64],
    total: NDArray[np.float64],
    between: NDArray[np.float64],
    inner: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log of the ratio of mean squares, pooled over the indicators of a class target (first axis)."""
    among = np.sum(between - total**2 / n, axis=0) / (g - 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # no degrees of freedom within: all groups hold one row
        within = np.sum(inner - between, axis=0) / (n - g)
        return np.asarray(np.log(among / within))


def intraclass_correlation(values: NDArray[np.float64], codes: NDArray[np.intp]) -> IntraclassCorrelation:
    """Estimate the intraclass correlation by the one-way analysis of variance.

    Parameters
    ----------
    values : array, shape (k, n)
        The target (k = 1), or one indicator per class, whose mean squares are summed.
    codes : array of int, shape (n,)
        Groups, coded 0 .. g-1.

    Returns
    -------
    result : IntraclassCorrelation
        (MSB - MSW) / (MSB + (n0 - 1) MSW), n0 = (n - sum n_i^2 / n) / (g - 1), not clipped at 0. Interval: jackknife
        over groups of log(MSB / MSW), Student's t (Arvesen 1969; Arvesen and Layard 1975, unbalanced groups).

    Examples
    --------
    >>> import numpy as np
    >>> intraclass_correlation(np.array([[1.0, 1.2, 5.0, 5.2]]), np.array([0, 0, 1, 1])).value > 0.99
    True
    """
    n, g = values.shape[1], int(codes.max()) + 1
    if g < 2 or n <= g:
        return IntraclassCorrelation(float("nan"), None, None, g, "every group has one row, or there is one group")
    values = values - values.mean(axis=1, keepdims=True)
    size, sums, squares = _squares(values, codes)
    between_g, total, inner = sums**2 / size, sums.sum(axis=1), squares.sum(axis=1)
    among = float(np.sum(between_g.sum(axis=1) - total**2 / n)) / (g - 1)
    within = float(np.sum(inner - between_g.sum(axis=1))) / (n - g)
    n0 = (n - float(np.sum(size**2)) / n) / (g - 1)
    if among + (n0 - 1) * within <= 0:
        return IntraclassCorrelation(float("nan"), None, None, g, "the target does not vary")
    value = (among - within) / (among + (n0 - 1) * within)
    if g < FEWEST_FOR_INTERVAL:
        return IntraclassCorrelation(value, None, None, g, f"{g} groups are too few for an interval")
    log_f = float(np.log(among / within)) if within > 0 and among > 0 else float("inf")
    left_out = _log_f(
        n - size,
        np.full(g, float(g - 1)),
        total[:, None] - sums,
        between_g.sum(axis=1)[:, None] - between_g,
        inner[:, None] - squares,
    )
    if not (np.isfinite(log_f) and np.isfinite(left_out).all()):
        return IntraclassCorrelation(
            value, None, None, g, "one group alone makes the variance within or between groups"
        )
    pseudo = g * log_f - (g - 1) * left_out
    reach = stats.t.ppf(0.975, g - 1) * pseudo.std(ddof=1) / np.sqrt(g)
    low, high = (float((np.exp(e) - 1) / (np.exp(e) - 1 + n0)) for e in (pseudo.mean() - reach, pseudo.mean() + reach))
    return IntraclassCorrelation(value, low, high, g, None)


class IntraclassStatistic:
    """Score of the between-group mean square of every series: minus the log tail of its F ratio.

    Parameters
    ----------
    matrix : array of float32, shape (n_series, n)
        Series of mean 0 and variance 1, rows of a group together.
    starts : array of int
        Where groups begin.
    """

    def __init__(self, matrix: NDArray[np.float32], starts: NDArray[np.intp]) -> None:
        self.matrix, self.starts = matrix, starts
        self.n = matrix.shape[1]
        self.lengths = np.diff(np.append(starts, self.n)).astype(np.float64)

    def scores(self, order: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return one score per series (only more likeness than by chance scores high)."""
        z = self.matrix if order is None else np.take(self.matrix, order, axis=1, mode="clip")
        sums = np.add.reduceat(z, self.starts, axis=1, dtype=np.float64)
        among = np.sum(sums**2 / self.lengths, axis=1)
        g = self.lengths.size
        d1, d2 = g - 1, max(self.n - g, 1)
        ratio = (among / d1) / (np.maximum(self.n - among, 1e-9 * self.n) / d2)
        spread1, spread2 = 2 / (9 * d1), 2 / (9 * d2)
        root = np.cbrt(ratio)  # Paulson (1942): nearly normal
        normal = ((1 - spread2) * root - (1 - spread1)) / np.sqrt(spread1 + root**2 * spread2)
        return np.asarray(-special.log_ndtr(-normal), dtype=np.float64)

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Permute the rows over the groups."""
        return rng.permutation(self.n)
