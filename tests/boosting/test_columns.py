"""Columns and cells that are no numbers are refused by name in frames of any library, and missing ones are NaN."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from heldout import BoostingClassifier, BoostingRegressor
from heldout.errors import InvalidInput

from reference.ensembles import assert_same_bits

N = 60
MODELS = (BoostingRegressor, BoostingClassifier)
DAY = datetime.date(2020, 1, 1)
NOON = datetime.datetime(2020, 1, 1, 12)
COLUMNS: dict[str, Any] = {
    "Date": [DAY, None],
    "Datetime": [NOON, None],
    "Duration": [datetime.timedelta(days=1), None],
    "Time": [datetime.time(12), None],
    "String": ["1.5", None],
    "Binary": [b"1", None],
    "Struct": [{"a": 1}, None],
    "List": [[1.0], None],
}


def polars_of(column: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({"size": np.arange(float(N)), "odd": column * (N // len(column))})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("to_frame", [lambda frame: frame, lambda frame: frame.to_arrow()], ids=["polars", "arrow"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_that_is_no_number_is_refused_by_name(kind: str, to_frame: Any, model: Any) -> None:
    frame, y = to_frame(polars_of(COLUMNS[kind])), np.arange(N) % 2
    message = f"the column 'odd' must hold numbers, got (?i:[a-z_]*{kind}).*: encode it as numbers of your choice"
    with pytest.raises(InvalidInput, match=f"X: {message}"):
        model().fit(frame, y)
    with pytest.raises(InvalidInput, match=f"X_val: {message}"):
        model().fit(np.zeros((N, 2)), y, X_val=frame, y_val=y)
    with pytest.raises(InvalidInput, match=f"X: {message}"):
        model(n_trees=1).fit(np.zeros((N, 2)), y).predict(frame)


def test_polars_categories_are_refused() -> None:
    for dtype in (pl.Categorical, pl.Enum(["a", "b"])):
        frame = polars_of(["a", "b"]).with_columns(pl.col("odd").cast(dtype))
        with pytest.raises(InvalidInput, match=r"the column 'odd' must hold numbers, got (Categorical|Enum)"):
            BoostingRegressor().fit(frame, np.arange(N))


@pytest.mark.parametrize(
    ("column", "came"),
    [
        (pd.period_range("2020", periods=N, freq="D"), r"period\[D\]"),
        (pd.date_range("2020", periods=N, tz="UTC"), "datetime64"),
        (pd.timedelta_range("1D", periods=N), "timedelta64"),
        (pd.array(["a"] * N, dtype="string"), "string"),
        (pd.Categorical([1, 2] * (N // 2)), "category"),
        (pd.Series([pd.NA, 1.0] * (N // 2), dtype=object), "<NA> in row 0"),
        (pd.Series([DAY] * N, dtype=object), r"datetime.date\(2020, 1, 1\) in row 0"),
        (pd.Series(["1.5"] * N, dtype=object), "'1.5' in row 0"),
    ],
)
def test_a_pandas_column_that_is_no_number_is_refused_by_name(column: Any, came: str) -> None:
    frame = pd.DataFrame({"size": np.arange(float(N)), "odd": column})
    with pytest.raises(
        InvalidInput,
        match=f"X: the column 'odd' must hold numbers, got {came}.*: (encode it as numbers|fill it with NaN)",
    ):
        BoostingRegressor().fit(frame, np.arange(N))


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_sparse_pandas_columns_are_refused_with_the_remedy(fill: float) -> None:
    frame = pd.DataFrame({"odd": pd.arrays.SparseArray(np.arange(float(N)), fill_value=fill)})
    with pytest.raises(InvalidInput, match=r"X: the column 'odd' is sparse, .*: pass X.sparse.to_dense\(\)"):
        BoostingRegressor().fit(frame, np.arange(N))
    BoostingRegressor(n_trees=1).fit(frame.sparse.to_dense(), np.arange(N))


@pytest.mark.parametrize(
    "cell",
    [
        DAY,
        NOON,
        datetime.timedelta(1),
        datetime.time(12),
        np.datetime64("2020-01-01"),
        np.timedelta64(1, "D"),
        pd.NaT,
        pd.NA,
        pd.Period("2020"),
        "1.5",
        b"1.5",
        {"a": 1},
        1j,
    ],
    ids=repr,
)
@pytest.mark.parametrize("model", MODELS)
def test_an_object_that_is_no_number_is_refused_with_its_row(cell: Any, model: Any) -> None:
    X = np.arange(2.0 * N).reshape(N, 2).astype(object)
    X[7, 1] = cell
    with pytest.raises(InvalidInput, match=r"X must hold numbers, got .* in row 7 \(.*\): (encode|fill) it"):
        model().fit(X, np.arange(N) % 2)


def test_what_is_no_matrix_yet_is_refused_with_the_remedy() -> None:
    matrix, y = np.arange(2.0 * N).reshape(N, 2), np.arange(N)
    records = np.zeros(N, dtype=[("age", float), ("size", float)])
    for X, message in (
        (pl.DataFrame(matrix).lazy(), r"X is a LazyFrame, whose rows are not there yet: collect\(\) it"),
        (records, r"got records with the fields age, size: pass numpy.*structured_to_unstructured\(X\)"),
        (records.view(np.recarray), "got records with the fields age, size"),
        (np.ma.masked_array(matrix, matrix > 9), r"X is a masked array, .*filled\(numpy.nan\)"),
        ([[1.0], [1.0, 2.0]] * (N // 2), "X must be a matrix of numbers, got a list that is none: pass rows of one"),
    ):
        with pytest.raises(InvalidInput, match=message):
            BoostingRegressor().fit(X, y)
        with pytest.raises(InvalidInput, match=message):
            BoostingRegressor(n_trees=1).fit(matrix, y).predict(X)


@pytest.mark.parametrize("to_frame", [lambda frame: frame, lambda frame: frame.to_arrow()], ids=["polars", "arrow"])
def test_nulls_of_numbers_are_missing(to_frame: Any) -> None:
    frame = pl.DataFrame(
        {
            "whole": [1, None, 3] * (N // 3),
            "short": pl.Series([1.5, 2.5, None] * (N // 3), dtype=pl.Float32),
            "truth": [None, True, False] * (N // 3),
            "nothing": [None] * N,
            "exact": [Decimal("1.25"), Decimal("2.50"), None] * (N // 3),
        }
    )
    matrix = np.tile(
        [[1, 1.5, np.nan, np.nan, 1.25], [np.nan, 2.5, 1, np.nan, 2.5], [3, np.nan, 0, np.nan, np.nan]], (N // 3, 1)
    )
    y = matrix[:, [0]].ravel()
    y = np.where(np.isnan(y), 7.0, y)
    model = BoostingRegressor(n_trees=5, min_leaf_weight=1).fit(to_frame(frame), y)
    assert_same_bits(model.ensemble_, BoostingRegressor(n_trees=5, min_leaf_weight=1).fit(matrix, y).ensemble_)
    assert model.feature_names_in_.tolist() == frame.columns
    assert np.array_equal(model.predict(to_frame(frame[:5])), model.predict(to_frame(frame))[:5])


def test_nullable_pandas_columns_and_arrow_tables_keep_their_names() -> None:
    table = pa.table({"a": pa.array([1, None, 3] * (N // 3)), "b": pa.array([None, True, False] * (N // 3))})
    frame = pd.DataFrame(
        {
            "a": pd.array([1, None, 3] * (N // 3), dtype="int64[pyarrow]"),
            "b": pd.array([None, True, False] * (N // 3), dtype="boolean"),
        }
    )
    models = [BoostingRegressor(n_trees=3, min_leaf_weight=1).fit(given, np.arange(N)) for given in (table, frame)]
    assert_same_bits(models[0].ensemble_, models[1].ensemble_)
    assert [model.feature_names_in_.tolist() for model in models] == [["a", "b"]] * 2
