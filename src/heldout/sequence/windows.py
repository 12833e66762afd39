"""Windows on sequences: origins as row numbers, context and future by index arithmetic.

A window is one origin, the last row that is known::

    rows of one series      . . . . . c c c c o f f f . . .
                                      context | future
                                      (length)  (horizon)

Rows before the first or after the last of the series are missing (NaN): short series are padded, never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.sequences import Sequences

__all__ = ["Windows", "all_origins", "last_origins"]


@dataclass(frozen=True, eq=False)
class Windows:
    """Origins in sequences.

    Parameters
    ----------
    sequences : Sequences
    origin : array of int64, shape (n_windows,)
        Row of the last known time step of each window.
    horizon : int
        Steps to be forecast.
    known_future : array of float64, shape (n_windows, horizon, n_known), optional
        Columns known in advance, for futures that the table does not reach.
    """

    sequences: Sequences
    origin: NDArray[np.int64]
    horizon: int
    known_future: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.origin)

    @property
    def series(self) -> NDArray[np.int64]:
        """Number of the series of each window, shape (n_windows,)."""
        return np.searchsorted(self.sequences.offsets, self.origin, side="right") - 1

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Windows:
        """Return some of the windows."""
        known_future = None if self.known_future is None else self.known_future[chosen]
        return Windows(self.sequences, self.origin[chosen], self.horizon, known_future)

    def rows(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the rows at steps `first` .. `last` after the origin (0 is the origin itself).

        Returns
        -------
        rows : array of int64, shape (n_windows, last - first + 1)
            Clipped into the table where the series does not reach.
        inside : array of bool, same shape
            Whether the step belongs to the window's series.
        """
        rows = self.origin[:, None] + np.arange(first, last + 1)
        series = self.series
        start, end = self.sequences.offsets[series], self.sequences.offsets[series + 1]
        inside = (rows >= start[:, None]) & (rows < end[:, None])
        return np.clip(rows, 0, max(self.sequences.n_rows - 1, 0)), inside

    def values(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the target at steps `first` .. `last` after the origin, NaN where there is none.

        Returns
        -------
        array of float64, shape (n_windows, last - first + 1, n_variables)
        """
        rows, inside = self.rows(first, last)
        values = self.sequences.target[rows]
        values[~inside] = np.nan
        return values

    def context(self, length: int) -> NDArray[np.float64]:
        """Return the last `length` known values, shape (n_windows, length, n_variables)."""
        return self.values(1 - length, 0)

    def future(self) -> NDArray[np.float64]:
        """Return the values to be forecast, shape (n_windows, horizon, n_variables)."""
        return self.values(1, self.horizon)

    def future_span(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the times, in counts of steps, of the first and the last row to be forecast, shape (n_windows,) each.

        Beyond the end of a series each row is taken to come a step after the one before. On an irregular grid a future
        lasts as long as its rows lie apart, which no number of steps tells.
        """
        last_row = self.sequences.offsets[1:][self.series] - 1
        first, last = (
            self.sequences.count[np.minimum(self.origin + ahead, last_row)]
            + np.maximum(self.origin + ahead - last_row, 0)
            for ahead in (1, self.horizon)
        )
        return first, last

    def known(self) -> NDArray[np.float64]:
        """Return the columns known in advance of the steps to be forecast, shape (n_windows, horizon, n_known).

        From the table where it reaches so far, else as given by `known_future`; NaN where neither has them.
        """
        rows, inside = self.rows(1, self.horizon)
        values = self.sequences.known[rows]
        values[~inside] = np.nan if self.known_future is None else self.known_future[~inside]
        return values


def all_origins(
    sequences: Sequences, horizon: int, *, least_context: int = 1, ends_before: NDArray[np.int64] | None = None
) -> Windows:
    """Return every origin whose whole future is in the table.

    Parameters
    ----------
    sequences : Sequences
    horizon : int
    least_context : int, default 1
        Rows that must be known, the origin included.
    ends_before : array of int64, shape (n_series,), optional
        Row of each series that no future may reach; by default its end.

    Returns
    -------
    Windows
        In order of series and time.
    """
    end = sequences.offsets[1:] if ends_before is None else ends_before
    first = sequences.offsets[:-1] + least_context - 1
    n = np.maximum(0, end - horizon - first)
    starts = np.concatenate([[0], np.cumsum(n)])
    origin = np.arange(starts[-1]) - np.repeat(starts[:-1], n) + np.repeat(first, n)
    return Windows(sequences, origin.astype(np.int64), horizon)


def last_origins(sequences: Sequences, horizon: int) -> Windows:
    """Return the last row of each series as origin: what comes after it is to be forecast."""
    return Windows(sequences, sequences.offsets[1:] - 1, horizon)
