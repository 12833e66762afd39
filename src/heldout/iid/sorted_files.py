"""Files that are sorted by a column or lie in long runs of it: what is left of order within it.

Sorting leaves no mark among rows of equal value. So the order tests are repeated with rows permuted only among
rows of equal value of that column; when they reject nothing, the order is that of a sort, not of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.iid.columns import ColumnValues

__all__ = ["SortedBy", "explained_by_sorting", "is_full_enumeration", "sortedness"]

FEW = 0.1  # at most this share of the runs that a shuffle would have
MONOTONE_SHARE = 0.01  # monotone runs of a number, as a share of the rows: runs of 100 rows, where a shuffle has 2
MOST_COLUMNS = 6  # ORDER BY a, b, c, ...
TRIED = 2  # sorted columns tried at each level
LEAST_COMPARABLE = 50  # rows that share their value with another row; fewer test nothing
NEIGHBOURS = 10  # rows taken as exchangeable when values of a sort column do not repeat


@dataclass(frozen=True)
class SortedBy:
    """A way the file is sorted, and what the tests say within it.

    Attributes
    ----------
    columns : tuple of str
    n_runs : int
        Runs of the first of them.
    p_value : float or None
        Corrected p-value within equal values; None when every combination of values stands in the file once.
    harmless : bool
    by_target : bool
        Whether the first column is the target, a number. Blocks of such a file are ranges of the target, and no
        future is a range of the target: the order cannot stand for time whatever is left within equal values.
    """

    columns: tuple[str, ...]
    n_runs: int
    p_value: float | None
    harmless: bool
    by_target: bool = False


def sortedness(values: NDArray[np.float64], strata: NDArray[np.intp], kind: str) -> tuple[float, int] | None:
    """Return (runs as a share of those of a shuffle, runs) when a column is sorted or in long runs, else None.

    Parameters
    ----------
    values : array, shape (n,)
        In file order, or arranged by stratum; missing values count as one value.
    strata : array of int, shape (n,)
        A new stratum always begins a new run.
    kind : str
        Numbers may also be sorted without ties; drifting smoothly is not being sorted: monotone runs must be
        at most max(3, 1 % of the rows).

    Examples
    --------
    >>> import numpy as np
    >>> sortedness(np.repeat([0.0, 1.0], 50), np.zeros(100, dtype=int), "category")
    (0.0, 2)
    """
    values = np.unique(values, return_inverse=True, equal_nan=True)[1].astype(np.float64)
    n, new = values.size, np.diff(strata) != 0
    n_strata = int(new.sum()) + 1
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    unequal = 1 - np.sum(counts**2) / n**2
    changes = (np.diff(values) != 0) & ~new
    expected = unequal * (n - n_strata)
    if expected < 5:
        return None
    best: tuple[float, int] | None = None
    equal_runs = int(changes.sum())
    if equal_runs <= FEW * expected:
        best = (
            (equal_runs - (counts.size - 1)) / expected if n_strata == 1 else equal_runs / expected,
            equal_runs + n_strata,
        )
    if kind != "category":
        steps = np.sign(np.diff(values))[~new]
        for direction in (1, -1):
            breaks = int(np.sum(steps == -direction))
            few = breaks + 1 <= max(3, MONOTONE_SHARE * n)
            if few and breaks <= FEW * expected / 2 and (best is None or breaks / expected < best[0]):
                best = (breaks / expected, breaks + n_strata)
    if best is None:
        return None
    return max(0.0, float(best[0])), best[1]


def _joined(strata: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.intp]:
    codes = np.unique(values, return_inverse=True, equal_nan=True)[1]
    joined: NDArray[np.intp] = np.unique(strata * (int(codes.max()) + 1) + codes, return_inverse=True)[1].astype(
        np.intp
    )
    return joined


def _comparable(strata: NDArray[np.intp]) -> int:
    counts = np.bincount(strata)
    return int(counts[counts > 1].sum())


def is_full_enumeration(features: Sequence[ColumnValues], n: int) -> bool:
    """Say whether the rows are all combinations of the features' values, each once: nothing was drawn."""
    if len(features) < 2:
        return False
    product = 1
    strata = np.zeros(n, dtype=np.intp)
    for column in features:
        product *= np.unique(column.values, equal_nan=True).size
        if product > n:
            return False
        strata = _joined(strata, column.values)
    return product == n and int(strata.max()) + 1 == n


def _strata_of(strata: NDArray[np.intp], values: NDArray[np.float64]) -> tuple[NDArray[np.intp], bool]:
    """Equal values, or, where values hardly repeat, neighbours in the file."""
    joined = _joined(strata, values)
    n = values.size
    if _comparable(joined) >= n / 2:
        return joined, True
    blocks = np.arange(n) // NEIGHBOURS
    return _joined(strata, blocks.astype(np.float64)), False


def explained_by_sorting(
    columns: Sequence[ColumnValues], test: Callable[[NDArray[np.intp]], float | None], alpha: float
) -> SortedBy | None:
    """Look for columns the file is sorted by within which no order is left.

    Parameters
    ----------
    columns : sequence of ColumnValues
        In file order: target and features, without date-times and row counters.
    test : callable
        Takes strata (codes per row of the file) and returns the p-value of the order tests within them, None
        when nothing can be tested.
    alpha : float

    Returns
    -------
    found : SortedBy or None
        None when no column is sorted or in long runs.
    """
    n = columns[0].values.size
    if is_full_enumeration([c for c in columns if not c.is_target], n):
        return SortedBy(tuple(c.name for c in columns if not c.is_target), 1, None, True)
    strata = np.zeros(n, dtype=np.intp)
    chosen: list[str] = []
    found: SortedBy | None = None
    while len(chosen) < MOST_COLUMNS:
        file_order = np.argsort(strata, kind="stable")
        grades = [
            (grade[0], not column.is_target, k, grade[1])
            for k, column in enumerate(columns)
            if column.name not in chosen
            and (grade := sortedness(column.values[file_order], strata[file_order], column.kind)) is not None
        ]
        best = None
        for _, _, k, n_runs in sorted(grades)[:TRIED]:
            finer, _ = _strata_of(strata, columns[k].values)
            p_value = test(finer) if _comparable(finer) >= LEAST_COMPARABLE else None
            if p_value is None:
                continue
            names = (*chosen, columns[k].name)
            if found is None or p_value > alpha:
                found = SortedBy(names, found.n_runs if found and chosen else n_runs, p_value, p_value > alpha)
            if p_value > alpha:
                return found
            best = best or (columns[k], finer)
        if best is None:
            return found
        chosen.append(best[0].name)
        strata = best[1]
    return found
