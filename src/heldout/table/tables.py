"""A typed table, from a file or from a frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError, InvalidInput
from heldout.table.frames import Plain, plain_columns
from heldout.table.kinds import Place, Typed, as_asked, infer
from heldout.table.names import known_name
from heldout.table.schema import KINDS, ColumnKind, Schema

__all__ = ["Raw", "Table", "build", "table_from_frame"]


@dataclass(frozen=True, eq=False)
class Table:
    """A table whose columns are typed.

    Parameters
    ----------
    frame : polars.DataFrame
        Number as Float64, category and text as String, boolean as Boolean, date-time as Datetime("us") in UTC.
        Missing values are null.
    schema : Schema
    source : str
        File name, or "frame".
    sha256 : str or None
        Of the file as it lies on disk; None for a frame.
    notes : tuple of str
        How a column was read where one might have read it otherwise.
    place : Place
        Finds the line of a row in the file.
    native : frame or None
        The caller's own frame.
    asked : mapping of str to kind
        The kinds that the user asked for.
    unread : mapping of str to str
        Columns of lists, structs and the like, which no frame of typed columns holds, with the reason: `prepare`
        raises it unless the column is dropped.
    """

    frame: pl.DataFrame = field(repr=False)
    schema: Schema = field(repr=False)
    source: str
    sha256: str | None
    notes: tuple[str, ...] = field(default=(), repr=False)
    place: Place = field(default_factory=Place, repr=False)
    native: Any = field(default=None, repr=False)
    asked: Mapping[str, ColumnKind] = field(default_factory=dict, repr=False)
    unread: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.frame.height


@dataclass(frozen=True, eq=False)
class Raw:
    """Columns in plain types, before kinds are found."""

    columns: Sequence[Plain]
    source: str
    sha256: str | None = None
    place: Place = field(default_factory=Place)
    native: Any = None
    notes: tuple[str, ...] = ()


def table_from_frame(frame: Any, *, types: Mapping[str, ColumnKind] | None = None) -> Table:
    """Type the columns of a frame of pandas, polars or Arrow.

    Parameters
    ----------
    frame : frame
        Names that are no text become text (column 3 is "3"); an index is no column.
    types : mapping of column name to kind, optional
        Overrules what would be found.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        Not a frame; duplicate column names; nothing but nested columns; mixed date formats; a value that does not
        fit the kind asked for.

    Examples
    --------
    >>> import polars as pl
    >>> table = table_from_frame(pl.DataFrame({"age": [41, 29], "smoker": ["yes", "no"], "zip": ["01067", "80331"]}))
    >>> [column.kind for column in table.schema.columns]
    ['number', 'boolean', 'category']
    """
    return build(Raw(plain_columns(frame), "frame", native=frame), types)


def build(raw: Raw, types: Mapping[str, ColumnKind] | None = None) -> Table:
    """Find the kind of every column.

    Raises
    ------
    DataError
        As `table_from_frame`.
    InvalidInput
        A kind in `types` that is none.
    """
    asked = dict(types or {})
    names = [column.values.name for column in raw.columns]
    for name, kind in asked.items():
        known_name(name, names, "--type")
        if kind not in KINDS:
            raise InvalidInput(f"unknown kind {kind!r} for column {name!r}: choose one of {', '.join(KINDS)}")
    notes = list(raw.notes)
    typed: list[Typed] = []
    unread: dict[str, str] = {}
    for column in raw.columns:
        values = column.values
        if column.problem:
            unread[values.name] = column.problem
            continue
        if values.name not in asked and _is_written_index(values):
            notes.append(f"column {values.name!r} without a name of its own counts the rows: left out")
            continue
        if values.name in asked:
            found = as_asked(values, asked[values.name], raw.place)
        else:
            found = infer(values, raw.place, is_category=column.is_category)
        typed.append(found)
        notes += found.notes
    if not typed:
        empty = f"{raw.source} has no columns: give a table with a target and features"
        raise DataError(next(iter(unread.values()), empty))
    return Table(
        frame=pl.DataFrame([each.values for each in typed]),
        schema=Schema(tuple(each.column for each in typed)),
        source=raw.source,
        sha256=raw.sha256,
        notes=tuple(notes),
        place=raw.place,
        native=raw.native,
        asked=asked,
        unread=unread,
    )


def _is_written_index(values: pl.Series) -> bool:
    """Say whether this is the row numbers that pandas and R write into the first, nameless column."""
    if not re.fullmatch(r"(Unnamed: \d+|column \d+|)", values.name) or len(values) < 2:
        return False
    number = (
        values.cast(pl.Float64, strict=False) if values.dtype in (pl.String,) or values.dtype.is_numeric() else None
    )
    if number is None or number.null_count():
        return False
    counted: NDArray[np.float64] = np.arange(len(values)) + (number[0] if number[0] in (0, 1) else 0)
    return bool((number.to_numpy() == counted).all())
