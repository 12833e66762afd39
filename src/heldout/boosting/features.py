"""Feature matrices as boosting takes them: numbers in every column, NaN where one is missing, nothing guessed at."""

from __future__ import annotations

import datetime
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from heldout._arrays import is_frame
from heldout.errors import InvalidInput

__all__ = ["float_cells", "native_floats", "usable_features"]

# NumPy turns these into numbers of its own choice, or into none.
_NOT_GUESSED = (
    str,
    bytes,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    np.datetime64,
    np.timedelta64,
)
_ENCODE = "encode it as numbers of your choice"


class _NoNumber(InvalidInput, TypeError):  # noqa: N818 - named for what happened
    """A cell that is no number: a TypeError too, as scikit-learn promises its users."""


def usable_features(X: Any, name: str = "X") -> Any:
    """Return X with numbers in every column, a frame still as a frame; raise InvalidInput, with the remedy, for others.

    Dates would become numbers silently, and a missing one a very small number.
    """
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise InvalidInput(
            f"{name} is a sparse matrix ({type(X).__name__}), which is not taken: pass {name}.toarray(), "
            "one byte per cell is kept"
        )
    if nw.dependencies.is_pandas_like_dataframe(X):
        _check_pandas(X, name)
        return X
    if is_frame(X):
        return _frame_of_floats(nw.from_native(X, eager_only=True), name)
    if isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
        raise InvalidInput(f"{name} is a {type(X).__name__}, whose rows are not there yet: collect() it first")
    return _usable_array(X, name)


def _check_pandas(X: Any, name: str) -> None:
    # By position: pandas allows several columns of one name.
    for position, (column, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True)):
        what = f"{name}: the column {column!r}"
        if str(dtype).startswith("Sparse"):
            raise InvalidInput(f"{what} is sparse, which is not taken: pass {name}.sparse.to_dense()")
        if dtype == np.dtype(object):
            float_cells(X.iloc[:, position].to_numpy(), what, _ENCODE)
        elif getattr(dtype, "kind", "O") not in "biufc":
            raise InvalidInput(f"{what} must hold numbers, got {dtype}: {_ENCODE}")


def _frame_of_floats(frame: nw.DataFrame[Any], name: str) -> Any:
    """Make floats of the other numbers: of these, a null would arrive as an object or a number, not as NaN."""
    others = []
    for column, dtype in frame.schema.items():
        came = _native_dtype(frame, column) if dtype == nw.Unknown else str(dtype)
        if not (dtype.is_numeric() or dtype == nw.Boolean or came.lower() == "null"):
            raise InvalidInput(f"{name}: the column {column!r} must hold numbers, got {came}: {_ENCODE}")
        if not dtype.is_float():
            others.append(column)
    return frame.with_columns(nw.col(*others).cast(nw.Float64)).to_native() if others else frame.to_native()


def _native_dtype(frame: nw.DataFrame[Any], column: str) -> str:
    values = frame.get_column(column).to_native()
    return str(values.type if hasattr(values, "type") else values.dtype)


def _usable_array(X: Any, name: str) -> Any:
    if isinstance(X, np.ma.MaskedArray):
        raise InvalidInput(
            f"{name} is a masked array, whose mask would be lost: pass {name}.astype(float).filled(numpy.nan)"
        )
    try:
        array = np.asarray(X)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"{name} must be a matrix of numbers, got a {type(X).__name__} that is none: pass rows of one length"
        ) from None
    if array.dtype.names is not None:
        raise InvalidInput(
            f"{name} must be a matrix of numbers, got records with the fields {', '.join(array.dtype.names)}: pass "
            f"numpy.lib.recfunctions.structured_to_unstructured({name})"
        )
    if array.dtype.kind == "O":
        return float_cells(array, name, _ENCODE)
    if array.dtype.kind not in "biufc":
        raise InvalidInput(f"{name} must hold numbers, got {array.dtype}: {_ENCODE}")
    return array if isinstance(X, list | tuple) else X


def float_cells(cells: NDArray[Any], what: str, remedy: str) -> NDArray[np.float64]:
    """Return objects as float64, None as NaN; raise InvalidInput for words, dates and all that is no number."""
    if not any(issubclass(kind, _NOT_GUESSED) for kind in set(map(type, cells.flat))):
        try:
            return cells.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    for position, cell in enumerate(cells.flat):
        why = _why_no_number(cell)
        if why:
            row = f" in row {np.unravel_index(position, cells.shape)[0]}" if cells.ndim else ""
            if type(cell).__name__ == "NAType":
                remedy = "fill it with NaN"
            raise _NoNumber(f"{what} must hold numbers, got {cell!r:.60}{row} ({why}): {remedy}")
    raise InvalidInput(f"{what} must hold numbers, got objects: {remedy}")


def _why_no_number(cell: Any) -> str:
    if isinstance(cell, _NOT_GUESSED):
        return type(cell).__name__
    if cell is None:
        return ""
    try:
        float(cell)
    except (TypeError, ValueError, OverflowError) as error:
        return str(error)
    return ""


def native_floats(X: Any) -> NDArray[np.floating[Any]]:
    """Return a float array as the engine reads it in place: of this machine's byte order, and aligned."""
    array = np.asarray(X)
    whole_steps = all(step % array.itemsize == 0 for step in array.strides)
    if array.dtype.isnative and array.flags.aligned and whole_steps:
        return array
    return np.array(array, dtype=array.dtype.newbyteorder("="))
