"""Frames handed in by the user, as polars, without guessing at types."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from heldout.errors import InvalidInput

__all__ = ["column_kind", "refuse_lazy", "to_polars"]

FEWEST_WORDS_OF_TEXT = 3.0


def refuse_lazy(X: Any) -> None:
    """Raise InvalidInput if `X` is a frame whose rows are not at hand."""
    if nw.dependencies.is_polars_lazyframe(X):
        raise InvalidInput(f"X must be a frame with its rows at hand, got a lazy {type(X).__name__}: collect it first")


def to_polars(X: Any) -> pl.DataFrame:
    """Return any frame as a polars frame of the same types; object columns become strings."""
    if isinstance(X, pl.DataFrame):
        return X
    frame = nw.from_native(X, eager_only=True)
    return pl.DataFrame([_to_series(frame[name]) for name in frame.columns])


def _to_series(series: nw.Series[Any]) -> pl.Series:
    # Through NumPy or plain lists, because polars.from_pandas needs pyarrow, which is optional.
    name, dtype = series.name, series.dtype
    missing = series.is_null().to_numpy()
    if dtype.is_numeric():
        numbers = np.array(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
        numbers[missing] = np.nan
        return pl.Series(name, numbers)
    if isinstance(dtype, nw.Datetime):
        if dtype.time_zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        stamps = np.array(series.to_numpy(), dtype="datetime64[us]")
        stamps[missing] = np.datetime64("NaT")
        return pl.Series(name, stamps)
    seen = [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]
    if isinstance(dtype, nw.Boolean | nw.Date | nw.Duration | nw.Time):
        return pl.Series(name, seen)
    kinds = {type(value) for value in seen if value is not None}
    if kinds == {bool}:
        return pl.Series(name, seen, dtype=pl.Boolean)
    if kinds and kinds <= {int, float}:
        return pl.Series(name, seen, dtype=pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in seen], dtype=pl.String)


def column_kind(series: pl.Series, max_levels: int) -> str:
    """Return the kind of a typed column: strings that are mostly distinct sentences are text, else levels."""
    dtype = series.dtype
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric() or dtype in (pl.Duration, pl.Time, pl.Null):
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "datetime"
    if dtype == pl.String:
        seen = series.drop_nulls()
        if seen.n_unique() > max(max_levels, len(seen) // 2):
            words = seen.str.strip_chars().str.count_matches(r"\s+").mean()
            if float(words or 0.0) + 1 >= FEWEST_WORDS_OF_TEXT:  # type: ignore[arg-type]
                return "text"
    return "category"
