"""Sequences up to a time, or up to a row of each series: what was known then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.sequences import Sequences

__all__ = ["known_before", "rows_kept"]


def known_before(sequences: Sequences, count: float) -> tuple[Sequences, NDArray[np.int64]]:
    """Return the rows before a time, without series that had not begun.

    Parameters
    ----------
    sequences : Sequences
    count : float
        Time in steps; rows at it and after it are left out.

    Returns
    -------
    Sequences
    series : array of int64
        Number in the whole of each series that is left.
    """
    return rows_kept(sequences, sequences.count < count)


def rows_kept(sequences: Sequences, kept: NDArray[np.bool_]) -> tuple[Sequences, NDArray[np.int64]]:
    """Return some of the rows, without series that have none.

    Parameters
    ----------
    sequences : Sequences
    kept : array of bool, shape (n_rows,)
        One stretch of each series, since neighbouring rows are one step apart.

    Returns
    -------
    Sequences
    series : array of int64
        Number in the whole of each series that is left.
    """
    length = np.bincount(sequences.series_of_row[kept], minlength=sequences.n_series)
    series = np.flatnonzero(length)
    offsets = np.concatenate([[0], np.cumsum(length[series])]).astype(np.int64)
    labels = sequences.labels[series] if sequences.labels.width else sequences.labels
    cut = replace(
        sequences,
        target=sequences.target[kept],
        known=sequences.known[kept],
        static=sequences.static[series],
        count=sequences.count[kept],
        offsets=offsets,
        labels=labels,
    )
    return cut, series.astype(np.int64)
