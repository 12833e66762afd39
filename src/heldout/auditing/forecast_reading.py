"""From a table to series: rows with a target, the columns that play a part, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from heldout.auditing.request import Request
from heldout.errors import DataError, InvalidInput
from heldout.sequence.reading import read_sequences
from heldout.sequence.sequences import Sequences
from heldout.table import Schema, Table
from heldout.table.names import known_name
from heldout.table.target import make_target
from heldout.table.timing import is_calendar

__all__ = ["SeriesTable", "read_series", "with_target"]

# A static column with more levels than this is a name, not a kind.
_MOST_LEVELS = 50
_LEAST_KNOWN = 2


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """A table read as series.

    Parameters
    ----------
    sequences : Sequences
    schema : Schema
        Of the rows with a target.
    source : str
    sha256 : str or None
    n_rows : int
        With a target.
    n_columns : int
        Of the table as read.
    n_target_missing : int
    unused : tuple of str
        Columns that play no part.
    notes : tuple of str
    """

    sequences: Sequences
    schema: Schema
    source: str
    sha256: str | None
    n_rows: int
    n_columns: int
    n_target_missing: int
    unused: tuple[str, ...]
    notes: tuple[str, ...]


def read_series(table: Table, request: Request) -> SeriesTable:
    """Read a table as series of its target.

    Parameters
    ----------
    table : Table
    request : Request

    Raises
    ------
    DataError
        Unknown columns; a target that is constant, missing throughout or infinite; times that are missing, repeated or
        of several frequencies; every series shorter than the horizon.
    InvalidInput
        Row weights.
    """
    _check_roles(table, request)
    kept, n_missing = with_target(table, request.target)
    if not kept.n_rows:
        raise DataError(f"target {request.target!r} is missing in all {table.n_rows} rows: choose another target")
    column = kept.schema[request.target]
    make_target(kept.frame[request.target], column, kept.place, task="regression", positive=request.positive)
    _check_calendar(kept, request.time)
    free = _free_columns(table, request)
    static = _static_columns(kept, request.group, free)
    sequences = read_sequences(
        kept, target=request.target, time=request.time, group=request.group, known=request.known, static=static
    )
    _check_lengths(sequences, request.horizon)
    unused = tuple(name for name in free if name not in static)
    return SeriesTable(
        sequences=sequences,
        schema=kept.schema,
        source=table.source,
        sha256=table.sha256,
        n_rows=kept.n_rows,
        n_columns=table.frame.width,
        n_target_missing=n_missing,
        unused=unused,
        notes=_notes(table, sequences, request, n_missing, static, unused),
    )


def with_target(table: Table, target: str) -> tuple[Table, int]:
    """Return the rows with a target, and how many have none: the values of a series end with its last one."""
    known = table.frame[target].is_not_null()
    n_missing = table.n_rows - int(known.sum())
    if not n_missing:
        return table, 0
    place = table.place.take(np.flatnonzero(known.to_numpy()).astype(np.intp))
    return replace(table, frame=table.frame.filter(known), place=place, native=None), n_missing


def _check_roles(table: Table, request: Request) -> None:
    if request.weight is not None:
        raise InvalidInput(
            f"weight {request.weight!r}: forecasts take no row weights; leave it out, or name candidates for tables"
        )
    names = (*table.schema.names, *table.unread)
    roles = {"target": [request.target], "group": request.group, "time": request.time, "drop": request.drop}
    for role, columns in {**roles, "known": request.known}.items():
        for name in columns:
            known_name(name, names, role)
            if name in table.unread and role != "drop":
                raise DataError(table.unread[name])


def _check_calendar(table: Table, time: Sequence[str]) -> None:
    """Refuse columns that order rows but tell no distances: there is no next step after them."""
    if len(time) > 1 and not is_calendar(table.frame, [table.schema[name] for name in time]):
        raise DataError(
            f"time {' + '.join(time)!r} orders rows but is no calendar: forecasts need one column of dates or numbers, "
            "or columns of year, month, day, hour without a gap"
        )


def _free_columns(table: Table, request: Request) -> list[str]:
    taken = {request.target, *request.group, *request.time, *request.drop, *request.known}
    return [name for name in table.schema.names if name not in taken]


def _static_columns(table: Table, group: Sequence[str], free: Sequence[str]) -> list[str]:
    """Return the columns that are constant within every group and tell kinds of series apart."""
    if not group or not free:
        return []
    counts = table.frame.group_by(list(group)).agg(pl.col(list(free)).n_unique())
    found = []
    for name in free:
        values = table.frame[name]
        levels, kind = values.n_unique(), table.schema[name].kind
        tells = kind == "number" or (kind in ("category", "boolean") and levels <= min(_MOST_LEVELS, counts.height - 1))
        if tells and levels > 1 and not values.has_nulls() and counts[name].max() == 1:
            found.append(name)
    return found


def _check_lengths(sequences: Sequences, horizon: int) -> None:
    longest = int(sequences.lengths.max())
    if longest < horizon + _LEAST_KNOWN:
        which = "the series has" if sequences.n_series == 1 else "the longest series has"
        raise DataError(
            f"{which} {longest} rows, a horizon of {horizon} needs at least {horizon + _LEAST_KNOWN}: ask for a "
            "shorter horizon, or collect more"
        )


def _notes(
    table: Table,
    sequences: Sequences,
    request: Request,
    n_missing: int,
    static: Sequence[str],
    unused: Sequence[str],
) -> tuple[str, ...]:
    notes = list(sequences.notes)
    if n_missing:
        rows = "row" if n_missing == 1 else "rows"
        notes.append(f"{n_missing:,} {rows} with a missing {request.target!r} left out of {table.n_rows:,}")
    if not sequences.step.regular:
        notes.append(f"times are irregular: a step is one row, {sequences.step} apart")
    short = int((sequences.lengths < request.horizon + _LEAST_KNOWN).sum())
    if short:
        notes.append(f"{short:,} of {sequences.n_series:,} series are shorter than the horizon: learned from by none")
    if static:
        notes.append(f"constant within each series, given to attention: {_listed(static)}")
    if unused:
        notes.append(f"columns that are not used, since their future is not known: {_listed(unused)}")
    out = {*request.drop}
    return (*notes, *(note for note in table.notes if not any(note.startswith(f"column {name!r}") for name in out)))


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
