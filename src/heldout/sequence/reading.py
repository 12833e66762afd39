"""From a table to sequences: which column is what, rows in order, gaps filled with missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError, InvalidInput, SchemaMismatch
from heldout.sequence.season import find_season
from heldout.sequence.sequences import Layout, Sequences, codes_of
from heldout.sequence.time_step import TimeStep, find_time_step
from heldout.table import Table, table_from_frame
from heldout.table.timing import is_calendar, make_time

__all__ = [
    "check_finite",
    "count_of_time",
    "numbers_of",
    "read_sequences",
    "read_sequences_like",
    "time_of_rows",
]

_LEAST_GAPS = 5
_OWN_STEP = 0.9


def read_sequences(
    data: Any,
    *,
    target: str | Sequence[str],
    time: str | Sequence[str],
    group: str | Sequence[str] | None = None,
    known: Sequence[str] = (),
    static: Sequence[str] = (),
    season: int | str = "auto",
) -> Sequences:
    """Read a table of time series.

    Parameters
    ----------
    data : Table or frame
        One row per series and time, in any order.
    target : str or sequence of str
        Number columns to forecast.
    time : str or sequence of str
    group : str or sequence of str, optional
        Columns that name the series of a row; without them there is one series.
    known : sequence of str
        Columns known in advance.
    static : sequence of str
        Columns constant within a series.
    season : int or "auto"
        Steps of a season. "auto" takes the calendar's, and for plain numbers what autocorrelation shows.

    Returns
    -------
    Sequences

    Raises
    ------
    DataError
        No rows; a column is lacking; a target is no number or missing throughout; an infinite number; a time is missing
        or repeated within a series; series with different steps; a static column that changes.
    InvalidInput
        One column in two parts; a season that is neither "auto" nor a whole number from 1 on.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"shop": ["b", "a", "a", "b"], "day": [1, 2, 1, 2], "sold": [5.0, 7.0, 6.0, 4.0]})
    >>> sequences = read_sequences(frame, target="sold", time="day", group="shop")
    >>> sequences.target[:, 0].tolist(), sequences.offsets.tolist()
    ([6.0, 7.0, 5.0, 4.0], [0, 2, 4])
    """
    layout = Layout(_names(target), _names(time), _names(group), _names(known), _names(static))
    _check_parts(layout)
    if season != "auto" and (isinstance(season, bool | str) or not hasattr(season, "__index__") or season < 1):
        raise InvalidInput(f"season must be 'auto' or a whole number of steps from 1 on, got {season!r}: 1 means none")
    table = data if isinstance(data, Table) else table_from_frame(data)
    _check_columns(table, layout)
    layout = replace(layout, levels=_levels(table, layout))
    read = _in_order(table, layout)
    step = find_time_step(read.time, read.offsets, calendar=read.calendar)
    _check_one_frequency(read, step)
    sequences = _assemble(read, layout, step)
    if season == "auto":
        season = step.season or find_season(sequences)
    return replace(sequences, season=int(season))


def read_sequences_like(data: Any, fitted: Sequences) -> Sequences:
    """Read a table laid out as one read before: the same columns, levels, step and season; other series may come.

    Raises
    ------
    SchemaMismatch
        Times off the step that the model knows, dates where it knows numbers.
    DataError
        As `read_sequences`.
    """
    table = data if isinstance(data, Table) else table_from_frame(data)
    _check_columns(table, fitted.layout)
    read = _in_order(table, fitted.layout)
    if read.calendar != fitted.calendar:
        kinds = ("numbers", "dates")
        raise SchemaMismatch(
            f"time {fitted.layout.time[0]!r} held {kinds[fitted.calendar]} when the model was fitted and now holds "
            f"{kinds[read.calendar]}: give the same kind of time"
        )
    found = find_time_step(read.time, read.offsets, calendar=read.calendar)
    step = fitted.step
    if step.regular and len(read.time) > len(read.offsets) - 1:
        gaps = _gaps_in(step.count(read.time), read)
        if (np.abs(gaps - np.round(gaps)) > 0.01 * np.maximum(1, gaps)).any() or (np.round(gaps) < 1).any():
            raise SchemaMismatch(
                f"the model was fitted on steps of {step}, the table has steps of {found}: give the same frequency"
            )
    return replace(_assemble(read, fitted.layout, step), season=fitted.season)


def _names(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    if columns is None:
        return ()
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _check_parts(layout: Layout) -> None:
    parts = {"target": layout.target, "time": layout.time, "group": layout.group}
    parts |= {"known": layout.known, "static": layout.static}
    for name in ("target", "time"):
        if not parts[name]:
            raise InvalidInput(f"{name} must name a column, got {list(parts[name])}: a forecast needs one")
    seen: dict[str, str] = {}
    for part, columns in parts.items():
        for column in columns:
            if column in seen:
                raise InvalidInput(f"column {column!r} is named as {seen[column]} and as {part}: name it once")
            seen[column] = part


def _check_columns(table: Table, layout: Layout) -> None:
    if not table.frame.height:
        raise DataError("the table has no rows: give at least one time of one series")
    have = table.frame.columns
    for part in ("target", "time", "group", "known", "static"):
        for column in getattr(layout, part):
            if column not in have:
                raise DataError(f"{part} {column!r} is no column of {table.source}: it has {', '.join(have)[:300]}")
    for column in layout.target:
        kind = table.schema[column].kind
        values = table.frame[column]
        if kind not in ("number", "boolean"):
            raise DataError(f"target {column!r} holds {kind}, not numbers: forecasting needs a number column")
        if values.is_null().all() or values.cast(pl.Float64).is_nan().all():
            raise DataError(f"target {column!r} is missing in all {len(values)} rows: there is nothing to learn from")
    for part in ("target", "known", "static"):
        for column in getattr(layout, part):
            check_finite(part, column, table)


def check_finite(part: str, column: str, table: Table) -> None:
    """Raise DataError where a number column holds an infinite value."""
    if table.schema[column].kind == "number":
        infinite = table.frame[column].cast(pl.Float64).is_infinite().fill_null(False)
        if infinite.any():
            row = int(infinite.arg_max() or 0)
            raise DataError(f"{part} {column!r} is infinite in {table.place.of(row)}: mend or remove that value")


def _levels(table: Table, layout: Layout) -> dict[str, tuple[str, ...]]:
    """Return the levels of known and static columns that are no numbers."""
    found = {}
    for column in (*layout.known, *layout.static):
        values = table.frame[column]
        if table.schema[column].kind != "number":
            found[column] = tuple(sorted(str(value) for value in values.drop_nulls().unique().to_list()))
    return found


class _Read:
    """Rows in order of series and time, as they are in the table."""

    def __init__(self, frame: pl.DataFrame, time: NDArray[np.float64], calendar: bool, labels: pl.DataFrame) -> None:
        self.frame, self.time, self.calendar, self.labels = frame, time, calendar, labels
        self.offsets: NDArray[np.int64] = np.zeros(0, np.int64)
        self.notes: list[str] = []

    def name(self, series: int) -> str:
        return " / ".join(str(v) for v in self.labels.row(series)) if self.labels.width else "the series"


def _in_order(table: Table, layout: Layout) -> _Read:
    frame = table.frame
    columns = [table.schema[name] for name in layout.time]
    time = time_of_rows(frame, columns, table)
    if layout.group:
        missing = frame.select(pl.any_horizontal(pl.col(list(layout.group)).is_null())).to_series()
        if missing.any():
            place = table.place.of(int(missing.arg_max() or 0))
            raise DataError(f"group {' + '.join(layout.group)!r} is missing in {place}: name it or remove that row")
        labels = frame.select(layout.group).unique().sort(list(layout.group))
        number = frame.select(layout.group).join(
            labels.with_row_index("number"), on=list(layout.group), how="left", maintain_order="left"
        )["number"]
        series = number.to_numpy().astype(np.int64)
    else:
        labels, series = pl.DataFrame(), np.zeros(frame.height, dtype=np.int64)
    order = np.lexsort((time, series))
    n_series = max(labels.height, 1)
    read = _Read(frame[order], time[order], is_calendar(frame, columns), labels)
    read.offsets = np.concatenate([[0], np.cumsum(np.bincount(series, minlength=n_series))]).astype(np.int64)
    if not np.array_equal(order, np.sort(order)):
        read.notes.append("rows were put in order of series and time")
    repeated = np.flatnonzero((np.diff(read.time) == 0) & (np.diff(series[order]) == 0))
    if len(repeated):
        row, other = (table.place.of(int(order[repeated[0] + k])) for k in (0, 1))
        remedy = "add them up" if layout.group else "name the column that tells series apart as group, or add them up"
        raise DataError(
            f"{read.name(int(series[order[repeated[0]]]))} has {len(repeated)} times more than once "
            f"(first: {row} and {other}): {remedy}"
        )
    return read


def time_of_rows(frame: pl.DataFrame, columns: Sequence[Any], table: Table) -> NDArray[np.float64]:
    """Return the time of each row as `make_time` does, also where all rows have the same date or number."""
    try:
        return make_time(frame, columns, table.place)
    except DataError:
        # One time only is no order of rows, but it is a series of length one.
        if (
            frame.height
            and frame.select(c.name for c in columns).n_unique() == 1
            and not frame[columns[0].name][0:1].has_nulls()
        ):
            values = frame[columns[0].name]
            if values.dtype == pl.Datetime("us"):
                return np.asarray(values.dt.epoch("us").to_numpy() / 1e6)
            if values.dtype.is_numeric():
                return np.asarray(values.to_numpy(), dtype=np.float64)
        raise


def _gaps_in(count: NDArray[np.float64], read: _Read) -> NDArray[np.float64]:
    series = np.repeat(np.arange(len(read.offsets) - 1), np.diff(read.offsets))
    return np.asarray(np.diff(count)[np.diff(series) == 0])


def _check_one_frequency(read: _Read, step: TimeStep) -> None:
    """Refuse a table in which some series have another step than the rest."""
    own: dict[int, float] = {}
    count = step.count(read.time)
    for series, (start, end) in enumerate(zip(read.offsets[:-1], read.offsets[1:], strict=True)):
        gaps = np.diff(count[start:end])
        if len(gaps) >= _LEAST_GAPS:
            middle = float(np.median(gaps))
            if (np.abs(gaps - middle) < 0.01 * middle).mean() >= _OWN_STEP:
                own[series] = middle
    if len(own) < 2:
        return
    least, most = min(own, key=own.__getitem__), max(own, key=own.__getitem__)
    if own[most] > 1.5 * own[least]:
        # Their steps in the unit of the table's: a series a day apart among hourly ones is 24 of them.
        of_least, of_most = (replace(step, size=step.size * own[k], regular=True) for k in (least, most))
        raise DataError(
            f"series {read.name(least)!r} has steps of {of_least}, series {read.name(most)!r} of {of_most}: forecast "
            "them apart"
        )


def _assemble(read: _Read, layout: Layout, step: TimeStep) -> Sequences:
    count = step.count(read.time)
    row, offsets, count, n_filled = (
        _on_grid(count, read.offsets) if step.regular else (np.arange(len(count)), read.offsets, count, 0)
    )
    notes = list(read.notes)
    if n_filled:
        notes.append(f"{n_filled:,} missing times were filled with missing values (steps of {step})")

    def filled(columns: tuple[str, ...]) -> NDArray[np.float64]:
        values = np.full((len(row), len(columns)), np.nan)
        for k, column in enumerate(columns):
            values[row >= 0, k] = numbers_of(read.frame[column], layout.levels.get(column))[row[row >= 0]]
        return values

    known = filled(layout.known)
    static = _static(read, layout)
    return Sequences(
        filled(layout.target), known, static, count, offsets, read.labels, step, 1, read.calendar, layout, tuple(notes)
    )


def _on_grid(
    count: NDArray[np.float64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]:
    """Give every step between the first and the last time of a series a row.

    Returns
    -------
    row : array of int64
        Row in the table of each place on the grid, -1 where there is none.
    offsets, count : as in `Sequences`
    n_filled : int
    """
    first = count[offsets[:-1]]
    length = np.round(count[offsets[1:] - 1] - first).astype(np.int64) + 1
    new_offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    series = np.repeat(np.arange(len(length)), np.diff(offsets))
    place = new_offsets[series] + np.round(count - first[series]).astype(np.int64)
    row = np.full(new_offsets[-1], -1, dtype=np.int64)
    row[place] = np.arange(len(count))
    new_count = np.arange(new_offsets[-1]) - np.repeat(new_offsets[:-1], length) + np.repeat(first, length)
    return row, new_offsets, new_count, int((row < 0).sum())


def numbers_of(values: pl.Series, levels: tuple[str, ...] | None) -> NDArray[np.float64]:
    """Return numbers, NaN where missing, or codes of levels, 0 where missing or new."""
    if levels is not None:
        return codes_of([None if value is None else str(value) for value in values.to_list()], levels)
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)


def _static(read: _Read, layout: Layout) -> NDArray[np.float64]:
    table = np.full((len(read.offsets) - 1, len(layout.static)), np.nan)
    series = np.repeat(np.arange(len(table)), np.diff(read.offsets))
    for k, column in enumerate(layout.static):
        levels = layout.levels.get(column)
        values = numbers_of(read.frame[column], levels)
        known = np.flatnonzero(read.frame[column].is_not_null().to_numpy())
        # The first row that has a value; a missing one is no other value.
        own, first = np.unique(series[known], return_index=True)
        table[own, k] = values[known[first]]
        other = values[known] != table[series[known], k]
        if other.any():
            name = read.name(int(series[known[np.argmax(other)]]))
            raise DataError(
                f"static column {column!r} changes within {name}: a static column has one value per series; "
                "name it as known if its future is known"
            )
        if levels is not None:
            table[np.isnan(table[:, k]), k] = 0.0
    return table


def count_of_time(time: Any, sequences: Sequences) -> float:
    """Return a time as the user writes it, in steps.

    Parameters
    ----------
    time : date, datetime, text or number
    sequences : Sequences

    Raises
    ------
    InvalidInput
        A number where times are dates, or what is no time.
    """
    kind = "a date such as 2024-01-31 or 2024-01-31T13:05" if sequences.calendar else "a number"
    try:
        if sequences.calendar:
            if isinstance(time, int | float):
                raise ValueError  # NumPy would take it as a number of days or years
            moment = np.datetime64(time, "us")
            seconds = float(moment.astype(np.int64)) / 1e6
            if np.isnat(moment):
                raise ValueError
        else:
            seconds = float(time)
            if not np.isfinite(seconds):
                raise ValueError
    except (TypeError, ValueError):
        raise InvalidInput(f"start must be {kind}, as in the time column, got {time!r}") from None
    return float(sequences.step.count(np.array([seconds]))[0])
