"""New data checked against the schema of a table seen before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from heldout.errors import SchemaMismatch
from heldout.table.frames import Plain, plain_columns
from heldout.table.kinds import Place, convert, epoch_seconds, written
from heldout.table.names import nearest
from heldout.table.reading import read_raw
from heldout.table.schema import Column, Schema, SchemaNote
from heldout.table.tables import Table

__all__ = ["check_frame", "read_as"]

_PLAIN_NAMES = {"number": "a number", "category": "text", "boolean": "a boolean", "datetime": "a date", "text": "text"}


def read_as(path: str | Path, schema: Schema) -> tuple[pl.DataFrame, tuple[SchemaNote, ...]]:
    """Read a file whose columns are to be those of a schema, and check it.

    Better than `read_table` for data to predict on: no kind is guessed, so few rows, or rows of one kind only, are
    read as the table was that the schema comes from.

    Parameters
    ----------
    path : str or Path
        A file as `read_table` takes it.
    schema : Schema

    Returns
    -------
    frame : polars.DataFrame
    notes : tuple of SchemaNote
        As `Schema.check`.

    Raises
    ------
    DataError
        The file cannot be read.
    SchemaMismatch
        A column is missing or holds another type; the message names column, value and line.
    """
    raw = read_raw(Path(path))
    return _check(schema, {column.values.name: column for column in raw.columns}, raw.place)


def check_frame(schema: Schema, frame: Any) -> tuple[pl.DataFrame, tuple[SchemaNote, ...]]:
    """Type a frame or table as the schema says (see `Schema.check`)."""
    if isinstance(frame, Table):
        columns = [Plain(_as_written(frame, column)) for column in frame.schema.columns]
        return _check(schema, {column.values.name: column for column in columns}, frame.place)
    return _check(schema, {column.values.name: column for column in plain_columns(frame)}, Place())


def _as_written(table: Table, column: Column) -> pl.Series:
    """Return a boolean column of a table as the words it was written in, which another schema may call levels."""
    values = table.frame[column.name]
    return label_booleans(values, column.levels) if column.kind == "boolean" else values


def label_booleans(values: pl.Series, levels: tuple[str, ...]) -> pl.Series:
    """Return "no" and "yes" for False and True, or however the levels are written."""
    labels = pl.when(pl.col("value")).then(pl.lit(levels[1])).when(~pl.col("value")).then(pl.lit(levels[0]))
    return values.alias("value").to_frame().select(labels.alias(values.name)).to_series()


def _check(schema: Schema, columns: dict[str, Plain], place: Place) -> tuple[pl.DataFrame, tuple[SchemaNote, ...]]:
    absent = [name for name in schema.names if name not in columns]
    if absent:
        raise SchemaMismatch(_absent(absent, list(columns)))
    series: list[pl.Series] = []
    notes: list[SchemaNote] = []
    for column in schema.columns:
        if columns[column.name].problem:
            raise SchemaMismatch(str(columns[column.name].problem))
        values = _typed(column, columns[column.name].values, place)
        notes += _news(column, values)
        if column.kind == "number":  # infinite features are read as missing, as `prepare` does
            values = values.set(values.is_infinite().fill_null(False), None)
        series.append(values)
    extra = [name for name in columns if name not in schema]
    n_rows = len(series[0]) if series else 0
    notes += [SchemaNote(name, "extra column", n_rows, name) for name in extra]
    return pl.DataFrame(series), tuple(notes)


def _absent(absent: list[str], names: list[str]) -> str:
    near = nearest(absent[0], [name for name in names if name not in absent])
    hint = f"did you mean to rename {near!r}?" if near else f"the data has {', '.join(names[:8]) or 'no columns'}"
    listed = ", ".join(repr(name) for name in absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
    return f"the data lacks {'column' if len(absent) == 1 else 'columns'} {listed}: {hint}"


def _typed(column: Column, values: pl.Series, place: Place) -> pl.Series:
    if column.kind == "category" and values.dtype.is_numeric():
        return _numbers_as_levels(column, values)
    is_other = (values.dtype == pl.Datetime and column.kind not in ("datetime", "text")) or (
        values.dtype == pl.Boolean and column.kind in ("number", "datetime")
    )
    result, unfit = convert(values, column.kind, column.layout)
    if is_other:
        unfit = values.is_not_null()
    if unfit.any():
        row = int(unfit.arg_max() or 0)
        came = f"{written(values.slice(row, 1))[0]!r}"
        raise SchemaMismatch(
            f"column {column.name!r}: expected {_PLAIN_NAMES[column.kind]}, as in the table the model was fitted on, "
            f"got {came} in {place.of(row)}; mend the value, or write NA for a missing one"
        )
    return result


def _numbers_as_levels(column: Column, values: pl.Series) -> pl.Series:
    """Match numbers to levels that are written as numbers: 1.0 is the level "1", 7 the level "007" if only it is 7."""
    text = written(values)
    by_number: dict[float, list[str]] = {}
    for level in column.levels:
        try:
            by_number.setdefault(float(level), []).append(level)
        except ValueError:
            continue
    renamed = {
        written(pl.Series([number]))[0]: levels[0]
        for number, levels in by_number.items()
        if len(levels) == 1 and written(pl.Series([number]))[0] not in column.levels
    }
    return text.replace(renamed) if renamed else text


def _news(column: Column, values: pl.Series) -> list[SchemaNote]:
    notes: list[SchemaNote] = []
    if column.kind == "category":
        unseen = values.filter(values.is_not_null() & ~values.is_in(list(column.levels)))
        if len(unseen):
            notes.append(SchemaNote(column.name, "unseen level", len(unseen), str(unseen.min())))
    elif column.kind in ("number", "datetime") and column.minimum is not None and column.maximum is not None:
        number = epoch_seconds(values) if column.kind == "datetime" else values
        outside = ((number < column.minimum) | (number > column.maximum)).fill_null(False)
        if outside.any():
            farthest = values.filter(outside).sort()
            example = farthest[-1] if number.filter(outside).max() > column.maximum else farthest[0]  # type: ignore[operator]
            text = written(pl.Series("example", [example], dtype=values.dtype))[0]
            notes.append(SchemaNote(column.name, "outside range", int(outside.sum()), str(text)))
    if values.null_count() and not column.n_missing:
        notes.append(SchemaNote(column.name, "missing values not seen before", values.null_count(), "missing"))
    return notes
