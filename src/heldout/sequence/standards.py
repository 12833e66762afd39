"""Centre and scale of the columns that a network is shown, from the rows that it learns from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.windows import Windows

__all__ = ["standards_of"]

Standards = tuple[tuple[float, ...], tuple[float, ...]]


def standards_of(
    windows: Windows, known_levels: tuple[int, ...], static_levels: tuple[int, ...]
) -> tuple[Standards, Standards]:
    """Return the mean and standard deviation of the known and the static columns, 0 and 1 for categories.

    Parameters
    ----------
    windows : Windows
        Learned from: rows after the last of their futures, and series without a window, take no part.
    known_levels, static_levels : tuple of int
        Number of levels of each column; 0 for numbers.

    Returns
    -------
    known, static : pair of tuples
        Centres and scales.
    """
    sequences, series = windows.sequences, windows.series
    end = sequences.offsets[:-1].copy()
    np.maximum.at(end, series, windows.origin + windows.horizon + 1)
    seen = np.arange(sequences.n_rows) < end[sequences.series_of_row]
    return _of(sequences.known[seen], known_levels), _of(sequences.static[np.unique(series)], static_levels)


def _of(values: NDArray[np.float64], levels: tuple[int, ...]) -> Standards:
    centre, scale = [], []
    for column, n_levels in zip(values.T, levels, strict=True):
        known = column[np.isfinite(column)]
        is_number = n_levels == 0 and len(known) > 0
        centre.append(float(known.mean()) if is_number else 0.0)
        spread = float(known.std()) if is_number else 1.0
        # A column that is constant but for rounding tells nothing.
        scale.append(spread if spread > 1e-12 * abs(centre[-1]) else 1.0)
    return tuple(centre), tuple(scale)
