"""A table of time series as one flat array per kind of column, with the row where each series starts.

::

    group  time  y          offsets   0        3     5
    a      1     5          target   [5 7 6 | 1 2]
    a      2     7          count    [1 2 3 | 1 2]      (times in steps)
    a      3     6
    b      1     1          A window is a row number; what lies before and after it is index arithmetic.
    b      2     2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.sequence.time_step import TimeStep

__all__ = ["Layout", "Sequences"]


@dataclass(frozen=True)
class Layout:
    """Which columns play which part, by name.

    Parameters
    ----------
    target : tuple of str
        One or more number columns to be forecast; more than one are variables of the same series.
    time : tuple of str
    group : tuple of str
        Columns that together name a series; none for a single series.
    known : tuple of str
        Columns whose future values are known in advance.
    static : tuple of str
        Columns that do not change within a series.
    levels : mapping of column name to tuple of str
        For each known or static column that is no number, the levels seen; level k has code k + 1, and 0 stands for
        a level not seen, or none.
    """

    target: tuple[str, ...]
    time: tuple[str, ...]
    group: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Time series of one or many entities.

    Parameters
    ----------
    target : array of float64, shape (n_rows, n_variables)
        NaN where missing. On a regular grid every step of a series has a row.
    known : array of float64, shape (n_rows, n_known)
        Columns known in advance; codes for categories.
    static : array of float64, shape (n_series, n_static)
    count : array of float64, shape (n_rows,)
        Time in steps (see `TimeStep.count`): whole steps apart on a regular grid.
    offsets : array of int64, shape (n_series + 1,)
    labels : polars.DataFrame, n_series rows
        The values of the group columns; no columns for a single series without a group.
    step : TimeStep
    season : int
        Steps of a season; 1 where there is none.
    calendar : bool
        Whether times are dates (seconds since 1970) or plain numbers.
    layout : Layout
    notes : tuple of str
        What was mended in reading: order, gaps.
    """

    target: NDArray[np.float64]
    known: NDArray[np.float64]
    static: NDArray[np.float64]
    count: NDArray[np.float64]
    offsets: NDArray[np.int64]
    labels: pl.DataFrame
    step: TimeStep
    season: int
    calendar: bool
    layout: Layout
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows of all series together."""
        return len(self.count)

    @property
    def n_series(self) -> int:
        """Series."""
        return len(self.offsets) - 1

    @property
    def n_variables(self) -> int:
        """Target columns."""
        return int(self.target.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Rows of each series, shape (n_series,)."""
        return np.diff(self.offsets)

    @property
    def series_of_row(self) -> NDArray[np.int64]:
        """Number of the series of each row, shape (n_rows,)."""
        return np.repeat(np.arange(self.n_series), self.lengths)

    def name(self, series: int) -> str:
        """Return what the user calls a series."""
        return " / ".join(str(value) for value in self.labels.row(series)) if self.labels.width else "the series"

    def time_of(self, count: NDArray[np.float64]) -> pl.Series:
        """Return times as the user writes them, from counts of steps."""
        time = self.step.time(count)
        name = self.layout.time[0] if len(self.layout.time) == 1 else "time"
        if not self.calendar:
            return pl.Series(name, time)
        return pl.Series(name, np.round(time * 1e6).astype(np.int64)).cast(pl.Datetime("us"))

    def future(self, horizon: int) -> NDArray[np.float64]:
        """Return the counts of the next steps after the end of each series, shape (n_series, horizon)."""
        return self.count[self.offsets[1:] - 1][:, None] + np.arange(1, horizon + 1)


def codes_of(values: Sequence[str | None], levels: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 + the place of each value among the levels; 0 for others and for missing ones."""
    place = {level: code for code, level in enumerate(levels, 1)}
    return np.array([0 if value is None else place.get(value, 0) for value in values], dtype=np.float64)
