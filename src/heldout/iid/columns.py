"""A table as ranked series: what the order tests look at.

Numbers become midranks, categories an indicator for each of their most frequent levels, and every column with
missing values its mask. Nothing here depends on the order of the rows, so that a permutation of the rows is a
permutation of the series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from heldout._arrays import is_frame, n_rows
from heldout.errors import InvalidInput

__all__ = ["ColumnValues", "Series", "infer_task", "ranked_series", "read_columns", "read_target"]

MOST_LEVELS = 5  # indicators per category: more would dilute the correction for many tests
LEAST_ROWS = 10  # an indicator with fewer ones has a serial product that is nearly always 0

ColumnType = Literal["number", "category", "datetime"]


@dataclass(frozen=True)
class ColumnValues:
    """One column as floats: numbers as they are, categories as codes of their sorted levels, NaN where missing."""

    name: str
    kind: ColumnType
    values: NDArray[np.float64]
    levels: tuple[str, ...] = ()
    is_target: bool = False


@dataclass(frozen=True)
class Series:
    """Where one row of the series matrix comes from.

    `part` is "values", "missing", "order of levels" or "level 'a'"; `code` is the level's code.
    """

    column: int
    name: str
    part: str
    code: int | None = None


def _codes(values: NDArray[Any]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    missing = np.array([v is None or v != v for v in values.tolist()], dtype=bool)
    texts = np.array([str(v) for v in values[~missing].tolist()], dtype=object).astype(str)
    levels, inverse = np.unique(texts, return_inverse=True)
    codes = np.full(values.shape[0], np.nan)
    codes[~missing] = inverse
    return codes, tuple(str(level) for level in levels)


def _from_array(name: str, values: NDArray[Any]) -> ColumnValues:
    if values.dtype.kind == "b":
        return ColumnValues(name, "category", values.astype(float), ("False", "True"))
    if values.dtype.kind in "iuf":
        return ColumnValues(name, "number", values.astype(np.float64))
    if values.dtype.kind == "M":
        seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
        return ColumnValues(name, "datetime", np.where(np.isnat(values), np.nan, seconds))
    if values.dtype.kind == "O":
        kept = [v for v in values.tolist() if v is not None]
        if kept and all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in kept):
            return ColumnValues(
                name, "number", np.array([np.nan if v is None else v for v in values.tolist()], dtype=float)
            )
    codes, levels = _codes(values)
    return ColumnValues(name, "category", codes, levels)


def _from_frame(frame: Any) -> list[ColumnValues]:
    table = nw.from_native(frame, eager_only=True)
    columns = []
    for name in table.columns:
        column, kind = table[name], table.schema[name]
        if kind.is_numeric():
            columns.append(ColumnValues(str(name), "number", column.cast(nw.Float64).to_numpy().astype(np.float64)))
        elif kind.is_temporal() and kind != nw.Time:
            columns.append(_from_array(str(name), np.asarray(column.to_numpy(), dtype="datetime64[us]")))
        elif kind == nw.Boolean and not column.is_null().any():
            columns.append(_from_array(str(name), column.to_numpy().astype(bool)))
        else:
            values = np.empty(len(column), dtype=object)
            values[:] = column.to_list()
            codes, levels = _codes(values)
            columns.append(ColumnValues(str(name), "category", codes, levels))
    return columns


def read_columns(X: Any) -> list[ColumnValues]:
    """Read every column of an array or frame.

    Raises
    ------
    InvalidInput
        Not a table of two dimensions, or no rows.
    """
    if is_frame(X):
        columns = _from_frame(X)
    else:
        array = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise InvalidInput(f"X must have rows and columns, got shape {array.shape}: pass a table")
        columns = [_from_array(f"column {j}", array[:, j]) for j in range(array.shape[1])]
    if n_rows(X) == 0:
        raise InvalidInput("X must have rows, got none: pass a table that is not empty")
    return columns


def infer_task(values: NDArray[Any]) -> Literal["regression", "classification"]:
    """Say what a target asks for: texts and booleans are classes, few repeated whole numbers too."""
    if values.dtype.kind not in "iuf":
        return "classification"
    seen = np.unique(values[np.isfinite(values)]) if values.dtype.kind == "f" else np.unique(values)
    whole = bool(np.all(seen == np.round(seen)))
    few = seen.size <= 2 or (whole and seen.size <= 20 and values.size >= 10 * seen.size)
    return "classification" if few else "regression"


def read_target(y: ArrayLike, n: int, task: str | None, name: str) -> ColumnValues:
    """Read the target as numbers or as classes.

    Raises
    ------
    InvalidInput
        Another number of values than rows, or an unknown task.
    """
    native = nw.from_native(y, series_only=True, pass_through=True)
    values = np.asarray(native.to_numpy() if isinstance(native, nw.Series) else y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n,):
        raise InvalidInput(f"y must have shape ({n},), got {values.shape}: pass one target value per row")
    if task not in (None, "regression", "classification"):
        raise InvalidInput(f"task must be 'regression' or 'classification', got {task!r}: name one, or leave it out")
    if (task or infer_task(values)) == "classification":
        codes, levels = _codes(values.astype(object))
        return ColumnValues(name, "category", codes, levels, is_target=True)
    return ColumnValues(name, "number", values.astype(np.float64), is_target=True)


def is_counter(values: NDArray[np.float64]) -> bool:
    """Say whether a column merely numbers the rows: whole numbers, strictly rising or falling."""
    if values.size < 2 or not np.isfinite(values).all() or not bool(np.all(values == np.round(values))):
        return False
    steps = np.diff(values)
    return bool(np.all(steps > 0) or np.all(steps < 0))


def _standardised(series: NDArray[np.float64], least: int) -> NDArray[np.float32] | None:
    _, counts = np.unique(series, return_counts=True)
    if series.size - counts.max() < least:
        return None  # constant, or so nearly constant that no statistic of it has power
    centred = series - series.mean()
    return np.asarray(centred / np.sqrt(np.mean(centred**2)), dtype=np.float32)


def _parts(column: ColumnValues, values: NDArray[np.float64]) -> list[tuple[str, int | None, NDArray[np.float64]]]:
    missing = np.isnan(values)
    parts: list[tuple[str, int | None, NDArray[np.float64]]] = []
    seen = values[~missing]
    if column.kind == "category":
        codes, counts = np.unique(seen, return_counts=True)
        if codes.size == seen.size:  # an identifier: no level comes twice
            return parts
        frequent = sorted(range(codes.size), key=lambda k: (-counts[k], codes[k]))[:MOST_LEVELS]
        if codes.size == 2 and not missing.any():
            frequent = frequent[1:]  # the other indicator is its mirror image
        for k in frequent:
            code = int(codes[k])
            parts.append((f"level '{column.levels[code]}'", code, (values == codes[k]).astype(float)))
        part_name = "order of levels" if codes.size > MOST_LEVELS else None
    else:
        part_name = "values"
    if part_name is not None and seen.size:
        ranks = np.zeros(values.size)
        midranks = stats.rankdata(seen)
        ranks[~missing] = midranks - midranks.mean()
        parts.append((part_name, None, ranks))
    if missing.any():
        parts.append(("missing", None, missing.astype(float)))
    return parts


def ranked_series(
    columns: list[ColumnValues], rows: NDArray[np.intp]
) -> tuple[NDArray[np.float32], tuple[Series, ...]]:
    """Turn the given rows of every column into series of mean 0 and variance 1.

    Parameters
    ----------
    columns : list of ColumnValues
    rows : array of int
        The rows looked at; ranks and frequent levels are those among these rows.

    Returns
    -------
    matrix : array of float32, shape (n_series, n_rows)
        Missing values stand at the mean rank. Constant and nearly constant series are left out.
    series : tuple of Series
    """
    least = min(LEAST_ROWS, max(2, rows.size // 20))
    kept: list[NDArray[np.float32]] = []
    names: list[Series] = []
    for index, column in enumerate(columns):
        for part, code, values in _parts(column, column.values[rows]):
            standardised = _standardised(values, least)
            if standardised is not None:
                kept.append(standardised)
                names.append(Series(index, column.name, part, code))
    matrix = np.vstack(kept) if kept else np.zeros((0, rows.size), dtype=np.float32)
    return np.ascontiguousarray(matrix), tuple(names)
