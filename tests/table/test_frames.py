from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import heldout.table
from heldout.errors import DataError
from heldout.table import prepare, table_from_frame

N = 30


def of(frame):
    table = table_from_frame(frame)
    return {column.name: column.kind for column in table.schema.columns}, table.frame.to_dict(as_series=False)


PANDAS = {
    "categorical": (pd.Categorical(["b", "a", None]), "category", ["b", "a", None]),
    "categorical of ints": (pd.Categorical([2, 1, 2]), "category", ["2", "1", "2"]),
    "Int64": (pd.array([1, None, 3], dtype="Int64"), "number", [1.0, None, 3.0]),
    "Float64": (pd.array([1.5, None, 3], dtype="Float64"), "number", [1.5, None, 3.0]),
    "boolean": (pd.array([True, None, False], dtype="boolean"), "boolean", [True, None, False]),
    "bool": (np.array([True, False, True]), "boolean", [True, False, True]),
    "object of bools": (np.array([True, None, False], dtype=object), "boolean", [True, None, False]),
    "object of numbers": (np.array([1, 2.5, None], dtype=object), "number", [1.0, 2.5, None]),
    "object of both": (np.array([1, "a", None], dtype=object), "category", ["1", "a", None]),
    "text of numbers": (["1", "?", "2"], "number", [1.0, None, 2.0]),
    "dates": (
        [dt.date(2024, 1, 1), None, dt.date(2024, 1, 3)],
        "datetime",
        [dt.datetime(2024, 1, 1), None, dt.datetime(2024, 1, 3)],
    ),
    "datetime64": (
        pd.to_datetime(["2024-01-01T10", None, "2024-01-03"], format="ISO8601"),
        "datetime",
        [dt.datetime(2024, 1, 1, 10), None, dt.datetime(2024, 1, 3)],
    ),
    "time zone": (
        pd.to_datetime(["2024-07-01T02:00"] * 3).tz_localize("Europe/Berlin"),
        "datetime",
        [dt.datetime(2024, 7, 1)] * 3,
    ),
    "period": (
        pd.period_range("2024-01", periods=3, freq="M"),
        "datetime",
        [dt.datetime(2024, m, 1) for m in (1, 2, 3)],
    ),
    "timedelta": (pd.to_timedelta([1, 2, None], unit="h"), "number", [3600.0, 7200.0, None]),
    "sparse": (pd.arrays.SparseArray([0, 0, 1]), "number", [0.0, 0.0, 1.0]),
    "float32": (np.array([1, np.nan, 3], dtype="float32"), "number", [1.0, None, 3.0]),
    "arrow int": (pd.array([1, None, 2], dtype="int64[pyarrow]"), "number", [1.0, None, 2.0]),
    "arrow bool": (pd.array([True, None, False], dtype="bool[pyarrow]"), "boolean", [True, None, False]),
    "arrow text": (pd.array(["a", None, "b"], dtype="string[pyarrow]"), "category", ["a", None, "b"]),
    "decimal": ([Decimal("1.5"), None, Decimal("2")], "number", [1.5, None, 2.0]),
}


@pytest.mark.parametrize("name", PANDAS)
def test_every_pandas_type_has_a_kind(name):
    values, kind, expected = PANDAS[name]
    kinds, came = of(pd.DataFrame({name: values}, index=[7, 7, 3]))
    assert kinds == {name: kind}
    assert came == {name: expected}


def test_every_polars_type_has_a_kind():
    frame = pl.DataFrame(
        {
            "enum": pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])),
            "categorical": pl.Series(["2", "1"], dtype=pl.Categorical),
            "date": [dt.date(2024, 1, 1), None],
            "zone": pl.Series([dt.datetime(2024, 7, 1, 2), None]).dt.replace_time_zone("Europe/Berlin"),
            "decimal": pl.Series(["1.5", "2"]).cast(pl.Decimal(10, 2)),
            "duration": [dt.timedelta(hours=1), None],
            "time": [dt.time(1, 0, 0), None],
            "null": [None, None],
            "nan": [float("nan"), 1.0],
        }
    )
    kinds, came = of(frame)
    assert kinds == {
        "enum": "category",
        "categorical": "category",
        "date": "datetime",
        "zone": "datetime",
        "decimal": "number",
        "duration": "number",
        "time": "number",
        "null": "number",
        "nan": "number",
    }
    assert came["zone"] == [dt.datetime(2024, 7, 1), None]
    assert came["duration"] == came["time"] == [3600.0, None]
    assert came["nan"] == [None, 1.0]
    assert table_from_frame(frame).schema["enum"].levels == ("a", "b")


def test_pandas_polars_and_arrow_give_the_same_table():
    polars = pl.DataFrame(
        {"x": [1, None, 3], "c": ["b", "a", None], "d": [dt.datetime(2024, 1, day) for day in (1, 2, 3)]}
    )
    frames = [polars, polars.to_pandas(), polars.to_arrow()]
    tables = [table_from_frame(frame) for frame in frames]
    assert all(table.schema == tables[0].schema and table.frame.equals(tables[0].frame) for table in tables)


def test_names_that_are_numbers_become_text():
    assert list(of(pd.DataFrame([[1, 2]], columns=[0, 1]))[0]) == ["0", "1"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"column name 'a' stands 2 times \(columns 1, 2\)"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "column name '1' stands 2 times"),
        (pa.table([pa.array([1]), pa.array([2])], names=["b", "b"]), "column name 'b' stands 2 times"),
        (pl.DataFrame({"a": [[1]]}), r"column 'a' holds List\(Int64\)"),
        (pl.DataFrame({"a": [{"x": 1}]}), r"column 'a' holds Struct"),
        (pl.DataFrame({"a": [b"x"]}), "column 'a' holds Binary"),
        (pd.DataFrame({"a": [[1, 2]]}), "column 'a' holds list objects"),
        (pd.DataFrame({"a": [1j]}), "column 'a' holds complex numbers"),
        (pl.DataFrame({"a": [1]}).lazy(), r"the frame is lazy: pass frame.collect\(\)"),
        (pl.DataFrame(), "frame has no columns"),
        (
            pl.DataFrame({"d": pl.Series([10**9], dtype=pl.Int32).cast(pl.Date)}),
            "column 'd' holds days outside the years 1",
        ),
        (pl.DataFrame({"d": pl.Series([2**60]).cast(pl.Datetime("ms"))}), "column 'd' holds days outside the years 1"),
        ([[1, 2]], "expected a table or a frame of pandas, polars or Arrow, got list"),
        (np.zeros((2, 2)), "got ndarray"),
    ],
)
def test_what_is_no_table_is_refused(frame, message):
    with pytest.raises(DataError, match=message):
        table_from_frame(frame)


def test_a_nested_column_is_an_error_unless_it_is_dropped():
    frame = pl.DataFrame({"y": np.arange(N) * 0.5, "x": np.arange(N) % 7, "nested": [[1]] * N})
    with pytest.raises(DataError, match=r"column 'nested' holds List.*--drop nested"):
        prepare(frame, "y")
    assert prepare(frame, "y", drop=["nested"]).schema.names == ("x",)
    with pytest.raises(DataError, match="column 'nested' holds List"):
        prepare(frame, "nested", drop=["nested"])
    with pytest.raises(DataError, match="column 'nested' holds List"):
        prepare(frame, "y", group="nested", drop=["nested"])


def test_row_numbers_that_pandas_wrote_are_left_out_and_other_nameless_columns_stay():
    table = table_from_frame(pd.DataFrame({"Unnamed: 0": [0, 1, 2], "x": [5, 7, 5]}))
    assert table.schema.names == ("x",)
    assert table_from_frame(pd.DataFrame({"Unnamed: 0": [0, 2, 1]})).schema.names == ("Unnamed: 0",)


def test_reading_tables_imports_no_scikit_learn_and_names_are_found_late():
    code = "import sys, heldout.table as t; assert 'sklearn' not in sys.modules; t.OrdinalEncoder; t.ScaledEncoder"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match=r"module 'heldout.table' has no attribute 'Frame': it has Column"):
        heldout.table.Frame  # noqa: B018
