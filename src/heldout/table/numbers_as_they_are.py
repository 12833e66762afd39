"""Tables of which an encoder learns nothing: every column a number or a boolean, with values in every training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.table.encoded_columns import NumberColumn
from heldout.table.encoder_input import column_kind

__all__ = ["numbers_as_they_are"]


def numbers_as_they_are(
    frame: pl.DataFrame, kinds: Mapping[str, str], max_levels: int, training_sets: Sequence[NDArray[np.intp]]
) -> NDArray[np.float64] | None:
    """Return the columns as numbers if each training set would read them alike, else None.

    Parameters
    ----------
    frame : polars frame, shape (n_rows, n_columns)
    kinds : mapping of column name to kind
        For columns whose type does not tell.
    max_levels : int
        Most levels of a category, to tell it from text.
    training_sets : sequence of arrays of int

    Returns
    -------
    array of float64, shape (n_rows, n_columns), or None
        None where a column is of another kind, or where some training sets know values of a column and others none:
        a column without any value is all zeros.

    Examples
    --------
    >>> halves = [np.array([0, 1]), np.array([2, 3])]
    >>> numbers_as_they_are(pl.DataFrame({"size": [1.0, None, None, 4.0]}), {}, 20, halves).T
    array([[ 1., nan, nan,  4.]])
    >>> numbers_as_they_are(pl.DataFrame({"size": [1.0, 2.0, None, None]}), {}, 20, halves) is None
    True
    """
    # A type that says "number" says so for every part of the rows; only strings are looked into.
    if {kinds.get(series.name) or column_kind(series, max_levels) for series in frame} - {"number", "boolean"}:
        return None
    columns = [NumberColumn.fit(series) for series in frame]
    matrix = np.hstack([column.transform(series) for column, series in zip(columns, frame, strict=True)])
    missing = np.isnan(matrix)
    known_in_part = matrix[:, missing.any(axis=0)]
    if any(np.isnan(known_in_part[rows]).all(axis=0).any() for rows in training_sets):
        return None
    return np.asarray(matrix, np.float64)
