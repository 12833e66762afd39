from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from heldout.errors import DataError, InvalidInput
from heldout.table import prepare, read_table, table_from_frame

N = 40


def frame(**columns) -> pl.DataFrame:
    plain = {
        "y": np.arange(N) * 0.5,
        "x": np.arange(N) % 7,
        "who": [f"p{row % 4}" for row in range(N)],
        "w": np.ones(N),
    }
    return pl.DataFrame({**plain, **columns})


def changed(values, row: int, value):
    values = list(values)
    values[row] = value
    return values


def test_features_leave_out_target_group_time_weight_and_dropped_columns():
    data = prepare(frame(t=np.arange(N), z=np.arange(N) % 3), "y", group="who", time="t", weight="w", drop="z")
    assert data.schema.names == ("x",)
    assert data.features.columns == ["x"]
    assert data.groups is not None
    assert [data.group_labels[code] for code in data.groups] == [f"p{row % 4}" for row in range(N)]
    assert data.time is not None
    assert data.time.tolist() == list(range(N))
    assert data.weight is not None
    assert data.weight.tolist() == [1.0] * N
    assert any("group column 'who': left out of the features" in note for note in data.notes)
    assert any("time column 't': left out of the features" in note for note in data.notes)


def test_rows_with_a_missing_target_are_left_out_counted_and_noted():
    table = frame(y=[None if row % 5 == 0 else row * 0.5 for row in range(N)])
    data = prepare(table, "y", group="who", weight="w")
    kept = [row for row in range(N) if row % 5]
    assert data.row_of.tolist() == kept
    assert data.target.values.tolist() == [row * 0.5 for row in kept]
    assert (data.n_rows_read, data.n_target_missing, data.n_rows) == (N, 8, 32)
    assert "8 rows with a missing 'y' left out of 40" in data.notes
    assert data.groups is not None
    assert data.groups.tolist() == [row % 4 for row in kept]
    assert data.original.equals(table.select("x", "w")[kept].drop("w"))


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_the_original_keeps_the_callers_kind_and_values(kind):
    table = frame(code=[f"{row % 3:03}" for row in range(N)], y=changed(np.arange(N) * 0.5, 3, None))
    own = {"pandas": table.to_pandas(), "polars": table, "arrow": table.to_arrow()}[kind]
    original = prepare(own, "y", group="who", drop=["w"]).original
    assert isinstance(original, {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table}[kind])
    expected = table.filter(pl.col("y").is_not_null()).select("x", "code")
    if kind == "pandas":
        assert original.index.tolist() == [row for row in range(N) if row != 3]
        original = original.reset_index(drop=True)
    assert pl.DataFrame(original).equals(expected)


def test_the_original_of_a_file_is_a_polars_frame(tmp_path: Path):
    frame().write_csv(tmp_path / "t.csv")
    assert isinstance(prepare(read_table(tmp_path / "t.csv"), "y").original, pl.DataFrame)


def test_columns_that_tell_nothing_are_left_out_with_a_note():
    table = frame(
        empty=[None] * N,
        constant=["same"] * N,
        name=[f"n{row}" for row in range(N)],
        remark=[f"{row} was seen here once and never again" for row in range(N)],
        gaps=[1.0 if row % 2 else None for row in range(N)],
    )
    data = prepare(table, "y", drop="w")
    assert data.schema.names == ("x", "who", "gaps")
    notes = "\n".join(data.notes)
    assert "column 'empty' has no values: left out of the features" in notes
    assert "column 'constant' is constant ('same'): left out of the features" in notes
    assert "column 'name' names each row differently (--type name=category keeps it)" in notes
    assert "column 'remark' names each row differently (--type remark=text keeps it)" in notes
    kept = prepare(table_from_frame(table, types={"remark": "text"}), "y", types={"name": "category"})
    assert {"name", "remark"} <= set(kept.schema.names)


def test_infinite_features_become_missing_with_a_note():
    data = prepare(frame(x=changed(np.arange(N) * 0.25, 2, float("-inf"))), "y")
    assert data.features["x"].null_count() == 1
    assert data.schema["x"].n_missing == 1
    assert "column 'x' is infinite in 1 rows: read as missing there" in data.notes


def test_a_column_that_counts_the_rows_is_kept_with_a_warning():
    data = prepare(frame(number=np.arange(N) + 17), "y")
    assert "number" in data.schema.names
    assert any("column 'number' counts the rows" in note for note in data.notes)


def test_several_group_columns_are_one_unit_sorted_numbers_as_numbers():
    table = frame(site=["b", "a"] * (N // 2), number=[10, 2, 10, 10] * (N // 4))
    data = prepare(table, "y", group=["site", "number"])
    assert data.group_labels == ("a | 2", "a | 10", "b | 10")
    assert data.groups is not None
    assert data.groups[:4].tolist() == [2, 0, 2, 1]


def test_units_that_look_alike_when_joined_stay_apart():
    data = prepare(frame(a=["x | y", "x"] * (N // 2), b=["z", "y | z"] * (N // 2)), "y", group=["a", "b"])
    assert len(data.group_labels) == 2


def test_rows_without_a_group_are_one_unit_and_noted():
    data = prepare(frame(who=[None if row % 4 == 0 else f"p{row % 4}" for row in range(N)]), "y", group="who")
    assert data.group_labels == ("p1", "p2", "p3", "missing")
    assert data.groups is not None
    assert (data.groups == 3).sum() == 10
    assert any("10 rows have no 'who'" in note for note in data.notes)


@pytest.mark.parametrize("name", ["unit", "code", "index", "literal"])
def test_a_group_column_may_have_any_name(name: str):
    data = prepare(frame().rename({"who": name}), "y", group=name)
    assert data.groups is not None
    assert data.groups.tolist() == [row % 4 for row in range(N)]


def test_rows_that_weigh_nothing_are_left_out_counted_and_noted():
    table = frame(w=[0.0 if row % 4 == 1 else 2.0 for row in range(N)])
    data = prepare(table, "y", group="who", weight="w")
    assert data.row_of.tolist() == [row for row in range(N) if row % 4 != 1]
    assert data.weight is not None
    assert data.weight.tolist() == [2.0] * 30
    assert data.group_labels == ("p0", "p2", "p3")
    assert "10 rows with a weight 'w' of 0 left out of 40" in data.notes
    assert len(data.original) == data.n_rows == 30


def test_boolean_groups_keep_their_words():
    assert prepare(frame(who=["yes", "no"] * (N // 2)), "y", group="who").group_labels == ("no", "yes")


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"target": "yy"}, "no target column 'yy': did you mean 'y'"),
        ({}, {"target": "price"}, "no target column 'price': the columns are y, x, who, w"),
        ({}, {"group": "whoo"}, "no group column 'whoo': did you mean 'who'"),
        ({}, {"time": "T"}, "no time column 'T'"),
        ({}, {"drop": ["X1"]}, "no drop column 'X1': did you mean 'x'"),
        ({}, {"weight": "ww"}, "no weight column 'ww': did you mean 'w'"),
        ({}, {"types": {"z": "text"}}, "--type: no column 'z'"),
        ({}, {"group": 3}, "the group column is 3, expected a name as text"),
        ({}, {"target": 3}, "the target column is 3, expected a name as text"),
        ({}, {"target": None}, "the target column is None, expected a name as text"),
        ({}, {"group": "y"}, "column 'y' is the target and cannot be the group as well"),
        (
            {"w": changed(np.zeros(N), 3, 1.0)},
            {"weight": "w"},
            "^1 row with a known 'y' and a 'w' above 0, expected at least 20",
        ),
        ({}, {"drop": "y"}, "column 'y' is the target and cannot be dropped as well"),
        ({"y": [None] * N}, {}, "target 'y' is missing in all 40 rows"),
        ({"y": [1.5] * N}, {}, r"target 'y' is constant \('1.5' in all 40 rows\)"),
        ({"y": ["yes"] * N}, {}, r"target 'y' is constant \('yes' in all 40 rows\)"),
        ({"y": changed(np.arange(N) * 0.5, 6, float("inf"))}, {}, r"target 'y' is infinite \(inf\) in row 7"),
        ({"y": [None] * 21 + [1.0, 2.0] * 9 + [3.0]}, {}, "19 rows with a known 'y', expected at least 20"),
        ({"y": [f"n{row}" for row in range(N)]}, {}, "target 'y' has 40 classes in 40 rows"),
        ({"y": [dt.date(2024, 1, 1 + row % 9) for row in range(N)]}, {}, r"target 'y' holds dates \(2024-01-01\)"),
        ({"y": ["a", "b"] * (N // 2)}, {"task": "regression"}, r"target 'y' holds labels \('a'\)"),
        ({"y": [True, False] * (N // 2)}, {"task": "regression"}, "target 'y' holds true and false"),
        ({}, {"task": "classification"}, "target 'y' has 40 classes in 40 rows, .*--task regression"),
        ({}, {"positive": "1"}, "--positive '1' needs classes, but target 'y' is a number"),
        (
            {"y": ["a", "b"] * (N // 2)},
            {"positive": "c"},
            "--positive 'c' is no class of target 'y': choose one of a, b",
        ),
        (
            {"y": ["a", "b", "c", "a"] * (N // 4)},
            {"positive": "a"},
            "--positive 'a' needs two classes, target 'y' has 3",
        ),
        ({"who": ["one"] * N}, {"group": "who"}, r"group 'who' has one group only \('one'\)"),
        ({"w": changed(np.ones(N), 4, None)}, {"weight": "w"}, "weight 'w' is missing in row 5, expected 0 or more"),
        ({"w": changed(np.ones(N), 4, -2.0)}, {"weight": "w"}, "weight 'w' is -2 in row 5"),
        ({"w": changed(np.ones(N), 4, float("inf"))}, {"weight": "w"}, "weight 'w' is inf in row 5"),
        ({"w": ["heavy", "light"] * (N // 2)}, {"weight": "w"}, "weight 'w' holds 'heavy', expected numbers"),
        ({"w": np.zeros(N)}, {"weight": "w"}, "weight 'w' is 0 in all 40 rows"),
        ({"w": [None] * N}, {"weight": "w"}, "weight 'w' is missing in row 1"),
        ({}, {"drop": ["x", "w", "who"]}, "no feature is left beside target 'y'"),
        ({"x": [None] * N}, {"drop": ["w", "who"]}, r"no feature is left beside target 'y' \(column 'x' has no values"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, arguments, message):
    with pytest.raises(DataError, match=message) as caught:
        prepare(frame(**change), **{"target": "y", **arguments})
    assert "\n" not in str(caught.value)


def test_messages_name_the_line_of_the_file_though_rows_before_it_were_left_out(tmp_path: Path):
    table = frame(y=changed(np.arange(N) * 0.5, 2, None), w=changed(np.ones(N), 4, -2.0))
    table.write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match="weight 'w' is -2 in line 6"):
        prepare(read_table(tmp_path / "t.csv"), "y", weight="w")
    with pytest.raises(DataError, match="weight 'w' is -2 in row 5"):
        prepare(table, "y", weight="w")


def test_a_task_or_kind_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="unknown task 'ranking': choose regression or classification"):
        prepare(frame(), "y", task="ranking")
    with pytest.raises(InvalidInput, match="unknown kind 'int'"):
        prepare(frame(), "y", types={"x": "int"})  # type: ignore[dict-item]


def test_types_given_to_prepare_retype_a_table():
    table = table_from_frame(frame(flag=["yes", "no"] * (N // 2)))
    data = prepare(table, "y", types={"x": "category", "flag": "category"})
    assert data.schema["x"].levels == tuple(str(number) for number in range(7))
    assert data.schema["flag"].levels == ("no", "yes")
    with pytest.raises(DataError, match="column 'who' cannot be read as number: 'p0' in row 1"):
        prepare(table, "y", types={"who": "number"})
    with pytest.raises(DataError, match="--type: no column 'nobody'"):
        prepare(table, "y", types={"nobody": "number"})


def test_the_schema_describes_the_kept_rows_only():
    y = changed(np.arange(N) * 0.5, 5, None)
    data = prepare(frame(y=y, x=changed([1.0, 2.0] * 20, 5, 99.0), who=changed(["a", "b"] * 20, 5, "gone")), "y")
    assert data.schema["x"].maximum == 2.0
    assert data.schema["who"].levels == ("a", "b")
