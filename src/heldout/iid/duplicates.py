"""Exact copies of rows, counted without a p-value: discrete data has equal rows by right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heldout.iid.columns import ColumnValues

__all__ = ["copies", "equal_row_codes", "joined_copies", "row_hashes"]

MOST_COPIES = 10  # equal rows; more of them are a mass point of discrete data

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words one to one (the finaliser of splitmix64, Steele et al. 2014)."""
    words = (words ^ (words >> np.uint64(30))) * _MIX[0]
    words = (words ^ (words >> np.uint64(27))) * _MIX[1]
    return words ^ (words >> np.uint64(31))


def row_hashes(columns: Sequence[ColumnValues], n: int) -> NDArray[np.uint64]:
    """Return 64 bits per row, equal for equal rows; missing equals missing, and 0 equals -0.

    Two unequal rows share their bits with probability 2^-64: for a million rows, once in 40 million tables.
    """
    state = np.full(n, _ODD, dtype=np.uint64)
    for column in columns:
        values = column.values + 0.0
        values = np.where(np.isnan(values), np.nan, values)
        state = _mixed(state * _ODD + _mixed(np.ascontiguousarray(values).view(np.uint64)))
    return state


def equal_row_codes(columns: Sequence[ColumnValues], n: int) -> NDArray[np.intp]:
    """Return codes 0 .. k-1 that are equal for equal rows."""
    return np.unique(row_hashes(columns, n), return_inverse=True)[1].astype(np.intp)


def copies(codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark rows that equal an earlier row.

    Examples
    --------
    >>> import numpy as np
    >>> copies(np.array([2, 0, 2, 2, 1])).tolist()
    [False, False, True, True, False]
    """
    copy = np.ones(codes.size, dtype=bool)
    copy[np.unique(codes, return_index=True)[1]] = False
    return copy


def joined_copies(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return codes that join equal rows where they may be copies, and leave a mass point's rows apart.

    Doubling a table, or joining a file with itself, makes sets of a few equal rows. A value combination that a tenth
    of all rows has is a mass point: future rows fall on it too, and to hold all of its rows out at once would ask
    for something that will never happen.

    Examples
    --------
    >>> import numpy as np
    >>> joined_copies(np.array([0, 1, 0] + [2] * 11))
    array([ 0,  1,  0,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12])
    """
    counts = np.bincount(codes)
    apart = counts[codes] > MOST_COPIES
    joined = codes.copy()
    joined[apart] = codes.size + np.arange(codes.size)[apart]
    return np.unique(joined, return_inverse=True)[1].astype(np.intp)
