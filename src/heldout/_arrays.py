"""The gate where user arrays are checked once; below it code may rely on dtype, shape and order."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout.errors import InvalidInput

__all__ = ["as_codes", "as_target", "checked_weight", "is_frame", "mean_one", "n_rows", "take_rows", "whole_number"]


def is_frame(X: Any) -> bool:
    """Say whether `X` is a data frame (pandas, polars, Arrow) rather than an array."""
    return nw.dependencies.is_into_dataframe(X)


def n_rows(X: Any) -> int:
    """Return the number of rows of an array or frame."""
    if is_frame(X):
        return int(nw.from_native(X, eager_only=True).shape[0])
    shape = np.shape(X) if not hasattr(X, "shape") else X.shape
    if len(shape) == 0:
        raise InvalidInput(f"X must have rows, got a scalar {X!r}")
    return int(shape[0])


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return the given rows in the caller's own kind: frame stays frame, sparse stays sparse.

    Parameters
    ----------
    X : array, sparse matrix or frame, shape (n_rows, ...)
    rows : array of int, shape (n_taken,)
        Row positions, in the order wanted.
    """
    if is_frame(X):
        return nw.from_native(X, eager_only=True)[rows].to_native()
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    return X[rows]


def as_target(y: ArrayLike, n: int) -> NDArray[Any]:
    """Check the target: one dimension, as many values as rows, none missing.

    Raises
    ------
    InvalidInput
        Another number of dimensions or values; missing or infinite numbers.
    """
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise InvalidInput(f"y must have one dimension, got shape {values.shape}: pass one target column")
    if values.shape[0] != n:
        raise InvalidInput(f"X has {n} rows but y has {values.shape[0]}: pass one target value per row")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InvalidInput(f"y must be finite, got {values[bad]} in row {bad}: drop or mend that row")
    return values


def as_codes(labels: ArrayLike, n: int, what: str = "groups") -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Turn labels into codes 0 .. k-1 in sorted order of the labels, so codes never depend on row order.

    Returns
    -------
    codes : array of int, shape (n,)
    levels : array, shape (k,)
        `levels[codes]` gives the labels back.
    """
    values = np.asarray(labels)
    if values.ndim != 1 or values.shape[0] != n:
        raise InvalidInput(f"{what} must have shape ({n},), got {values.shape}: pass one value per row")
    if values.dtype.kind == "O":
        values = values.astype(str)
    levels, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.intp), levels


def checked_weight(sample_weight: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return row weights as float64.

    Raises
    ------
    InvalidInput
        No numbers, another shape, weights that are negative or not finite, or nothing but zeros.

    Examples
    --------
    >>> checked_weight([1, 3], 2)
    array([1., 3.])
    """
    if isinstance(sample_weight, np.ma.MaskedArray):
        raise InvalidInput("sample_weight is a masked array, whose mask would be lost: fill it with 0 or other weights")
    try:
        given = np.asarray(sample_weight)
        if given.dtype.kind not in "biufO":
            raise TypeError
        weight = given.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(f"sample_weight must be numbers, got {sample_weight!r:.60}: pass an array") from None
    if weight.shape != (n,):
        raise InvalidInput(f"sample_weight must have shape ({n},), got {weight.shape}: pass one weight per row")
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if bad.size:
        raise InvalidInput(
            f"sample_weight must be finite and at least 0, got {weight[bad[0]]} in row {bad[0]}: mend it"
        )
    if not weight.any():
        raise InvalidInput(f"sample_weight must be above 0 somewhere, got {n} zeros: leave it out or mend it")
    return weight


def mean_one(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Check row weights and divide them by their mean, so that a loss times its weight has the weighted mean.

    Raises
    ------
    InvalidInput
        Another shape, a negative or missing weight, or nothing but zeros.

    Examples
    --------
    >>> mean_one([1.0, 3.0], 2)
    array([0.5, 1.5])
    """
    if sample_weight is None:
        return None
    weight = checked_weight(sample_weight, n)
    return np.asarray(weight / weight.mean())


def whole_number(value: Any, name: str, least: int) -> int:
    """Return `value` as an int of at least `least`.

    Raises
    ------
    InvalidInput
        No whole number (True and False are none), or a smaller one.

    Examples
    --------
    >>> whole_number(np.int64(3), "k", 2)
    3
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInput(f"{name} must be a whole number of {least} or more, got {value!r:.60}: choose another")
    return int(value)
