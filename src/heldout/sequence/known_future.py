"""Columns known in advance, of the steps to come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.errors import DataError
from heldout.sequence.reading import check_finite, numbers_of, time_of_rows
from heldout.sequence.sequences import Sequences
from heldout.table import Table, table_from_frame

__all__ = ["with_known_future"]


def with_known_future(sequences: Sequences, future: Any, horizon: int) -> NDArray[np.float64]:
    """Return the known columns of the steps after each series, from a table that holds them.

    Parameters
    ----------
    sequences : Sequences
    future : Table or frame, or None
        Group, time and known columns of the rows to be forecast; rows of other series or times are ignored.
    horizon : int

    Returns
    -------
    array of float64, shape (n_series, horizon, n_known)

    Raises
    ------
    DataError
        There is no table, it lacks a column or a row to be forecast, or holds an infinite number.
    """
    layout = sequences.layout
    found = np.full((sequences.n_series, horizon, len(layout.known)), np.nan)
    if not layout.known:
        return found
    if future is None:
        raise DataError(
            f"the columns {', '.join(layout.known)} are known in advance: give their values for the next {horizon} "
            "times as `future`"
        )
    rows, count, values = _read_future(sequences, future)
    place = {label: k for k, label in enumerate(sequences.labels.rows())} if layout.group else {(): 0}
    end = sequences.count[sequences.offsets[1:] - 1]
    ahead = np.round(count - end[np.array([place.get(row, 0) for row in rows], dtype=np.intp)]).astype(int)
    taken = np.zeros((sequences.n_series, horizon), dtype=bool)
    for r, row in enumerate(rows):
        if row in place and 1 <= ahead[r] <= horizon:
            found[place[row], ahead[r] - 1] = values[r]
            taken[place[row], ahead[r] - 1] = True
    if not taken.all():
        series, step = np.argwhere(~taken)[0]
        when = sequences.time_of(sequences.future(horizon)[series, step : step + 1])[0]
        raise DataError(
            f"the future lacks {when} of {sequences.name(int(series))}: give the known columns of the next {horizon} "
            "times"
        )
    return found


def _read_future(
    sequences: Sequences, future: Any
) -> tuple[list[tuple[Any, ...]], NDArray[np.float64], NDArray[np.float64]]:
    """Return group, time in steps and known columns of each row."""
    layout = sequences.layout
    table = future if isinstance(future, Table) else table_from_frame(future)
    for column in (*layout.time, *layout.group, *layout.known):
        if column not in table.frame.columns:
            raise DataError(f"the future lacks the column {column!r}: it has {', '.join(table.frame.columns)[:300]}")
        if column in layout.known:
            check_finite("the future's", column, table)
    columns = [table.schema[name] for name in layout.time]
    count = sequences.step.count(time_of_rows(table.frame, columns, table)) if table.frame.height else np.zeros(0)
    rows = table.frame.select(layout.group).rows() if layout.group else [()] * len(count)
    values = np.stack([numbers_of(table.frame[c], layout.levels.get(c)) for c in layout.known], axis=1)
    return rows, count, values
