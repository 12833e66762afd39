"""Frames of pandas, polars and Arrow, and whatever narwhals knows, turned into plain polars columns.

What comes out has one of few types: String (cleaned), numbers, Boolean, Datetime("us") in UTC without a zone. Missing
values are null in all of them, NaN included. The index of a pandas frame is no column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from heldout.errors import DataError
from heldout.table.kinds import clean, written

__all__ = ["Plain", "from_polars", "plain", "plain_columns", "refuse_duplicates"]

_YEARS = (-62_135_596_800, 253_402_300_800)  # the first instants of the years 1 and 10000, in seconds since 1970


@dataclass(frozen=True)
class Plain:
    """One column in a plain type."""

    values: pl.Series
    is_category: bool = False
    problem: str | None = None  # why it cannot be read; an error only where the column is not dropped


def plain_columns(frame: Any) -> list[Plain]:
    """Return the columns of any frame.

    Raises
    ------
    DataError
        Not a frame; two columns of one name.
    """
    if isinstance(frame, pl.LazyFrame):
        raise DataError("the frame is lazy: pass frame.collect()")
    if isinstance(frame, pl.DataFrame):
        return from_polars(frame)
    if nw.dependencies.is_pandas_dataframe(frame):
        return _from_pandas(frame)
    if nw.dependencies.is_pyarrow_table(frame):
        refuse_duplicates([str(name) for name in frame.column_names])
    try:
        native = nw.from_native(frame, eager_only=True)
    except TypeError:
        raise DataError(
            f"expected a table or a frame of pandas, polars or Arrow, got {type(frame).__name__}: "
            "read files with heldout.table.read_table"
        ) from None
    return from_polars(native.to_polars())


def from_polars(frame: pl.DataFrame) -> list[Plain]:
    """Return the columns of a polars frame; one that cannot be read says why."""
    return [_attempt(name, partial(plain, frame[name]), frame.height) for name in frame.columns]


def _attempt(name: str, read: Callable[[], Plain], n_rows: int) -> Plain:
    try:
        return read()
    except DataError as problem:
        return Plain(pl.Series(name, [None] * n_rows, dtype=pl.Float64), problem=str(problem))


def refuse_duplicates(names: Sequence[str]) -> None:
    """Raise where two columns have one name.

    Raises
    ------
    DataError
        Naming the first such column and its places.
    """
    if len(set(names)) == len(names):
        return
    name = next(name for place, name in enumerate(names) if name in names[:place])
    places = [str(place) for place, other in enumerate(names, 1) if other == name]
    raise DataError(
        f"column name {name!r} stands {len(places)} times (columns {', '.join(places)}): rename all but one"
    )


def plain(values: pl.Series) -> Plain:
    """Bring a polars column to a plain type.

    Raises
    ------
    DataError
        Lists, structs, binary data.
    """
    dtype = values.dtype
    if dtype == pl.String:
        return Plain(clean(values))
    if dtype in (pl.Categorical, pl.Enum):
        return Plain(clean(values.cast(pl.String)), is_category=True)
    if dtype.is_integer() or dtype == pl.Boolean:
        return Plain(values)
    if dtype.is_numeric():
        return Plain(values.cast(pl.Float64).fill_nan(None))
    if dtype == pl.Null:
        return Plain(values.cast(pl.Float64))
    if isinstance(dtype, pl.Datetime) or dtype == pl.Date:
        _refuse_far_dates(values)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is not None:
            values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Plain(values.cast(pl.Datetime("us")))
    if dtype == pl.Date:
        return Plain(values.cast(pl.Datetime("us")))
    if dtype == pl.Duration:
        return Plain(values.cast(pl.Duration("us")).cast(pl.Int64).cast(pl.Float64) / 1e6)
    if dtype == pl.Time:
        return Plain(values.cast(pl.Int64).cast(pl.Float64) / 1e9)
    raise DataError(
        f"column {values.name!r} holds {dtype}, expected numbers, text, booleans or dates: "
        f"leave it out (--drop {values.name}) or spread it over columns"
    )


def _refuse_far_dates(values: pl.Series) -> None:
    """Raise for days outside the years 1 to 9999, on which the calendar code below stops hard."""
    per_second = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}.get(getattr(values.dtype, "time_unit", ""), 0)
    low, high = (int(edge) * per_second if per_second else int(edge) // 86_400 for edge in _YEARS)
    physical = values.to_physical()
    if ((physical < low) | (physical >= high)).any():
        raise DataError(
            f"column {values.name!r} holds days outside the years 1 to 9999: mend them, or leave it out "
            f"(--drop {values.name})"
        )


def _from_pandas(frame: Any) -> list[Plain]:
    # By position, since names may repeat; without Arrow, which pandas users need not have.
    names = [str(name) for name in frame.columns]
    refuse_duplicates(names)
    return [
        _attempt(name, partial(_plain_pandas, name, frame.iloc[:, place]), len(frame))
        for place, name in enumerate(names)
    ]


def _plain_pandas(name: str, series: Any) -> Plain:
    dtype, missing = series.dtype, np.asarray(series.isna(), dtype=bool)
    kind = getattr(dtype, "kind", "O")
    type_name = type(dtype).__name__
    if type_name == "CategoricalDtype":
        return _from_codes(name, series)
    if type_name == "PeriodDtype":
        return _plain_pandas(name, series.dt.to_timestamp())
    if type_name == "SparseDtype":
        return _plain_pandas(name, series.sparse.to_dense())
    if kind == "M":
        if getattr(dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return Plain(pl.Series(name, series.to_numpy(dtype="datetime64[us]")).cast(pl.Datetime("us")))
    if kind == "m":
        seconds = series.dt.total_seconds().to_numpy(dtype=float, na_value=np.nan)
        return Plain(pl.Series(name, seconds).fill_nan(None))
    if kind in "iub":
        filled = series.fillna(dtype.type(0)) if missing.any() else series
        values = pl.Series(name, filled.to_numpy(dtype=np.dtype(getattr(dtype, "numpy_dtype", dtype))))
        return Plain(values.set(pl.Series(missing), None) if missing.any() else values)
    if kind == "f":
        return Plain(pl.Series(name, series.to_numpy(dtype=float, na_value=np.nan)).fill_nan(None))
    if kind == "c":
        raise DataError(f"column {name!r} holds complex numbers: leave it out (--drop {name}) or split it in two")
    return _from_objects(name, series.tolist(), missing)


def _from_codes(name: str, series: Any) -> Plain:
    levels = written(_from_objects(name, series.cat.categories.tolist(), None).values)
    codes = pl.Series(np.asarray(series.cat.codes, dtype=np.int64))
    codes = codes.set(codes < 0, None)
    return Plain(clean(levels.gather(codes).alias(name)), is_category=True)


def _from_objects(name: str, values: list[Any], missing: np.ndarray[Any, Any] | None) -> Plain:
    """Find the type of Python objects: one plain type, or text where they mix."""
    if missing is not None:
        values = [None if gap else value for value, gap in zip(values, missing, strict=True)]
    types = {type(value) for value in values if value is not None}
    if any(issubclass(kind, list | tuple | dict | set | np.ndarray) for kind in types):
        raise DataError(
            f"column {name!r} holds {sorted(kind.__name__ for kind in types)[0]} objects, expected one value per cell: "
            f"leave it out (--drop {name}) or spread it over columns"
        )
    if all(issubclass(kind, str) for kind in types):
        return Plain(clean(pl.Series(name, values, dtype=pl.String)))
    try:
        return plain(pl.Series(name, values, strict=len(types) > 1 and not _all_numbers(types)))
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        text = [None if value is None else str(value) for value in values]
        return Plain(clean(pl.Series(name, text, dtype=pl.String)))


def _all_numbers(types: set[type]) -> bool:
    return all(issubclass(kind, int | float | np.number) and kind is not bool for kind in types)
