from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from heldout.errors import DataError, SchemaMismatch
from heldout.table import Column, Schema, read_as, read_table, table_from_frame

SEEN = pl.DataFrame(
    {
        "age": [20.0, 30.0, 40.0],
        "colour": ["red", "blue", "red"],
        "smoker": ["yes", "no", "yes"],
        "day": ["01/02/2024", "31/01/2024", "15/03/2024"],
        "remark": [f"{word} came by and said nothing much" for word in ("ann", "bob", "cat")],
    }
)
SCHEMA = table_from_frame(SEEN).schema


def test_a_schema_survives_json_exactly():
    assert Schema.from_dict(json.loads(json.dumps(SCHEMA.to_dict()))) == SCHEMA


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d.pop("columns"), "the schema is damaged .'columns'"),
        (lambda d: d["columns"][0].update(kind="float"), "kind 'float'"),
        (lambda d: d["columns"][1].update(levels=[1, 2]), "levels of 'colour'"),
        (lambda d: d["columns"][2].update(levels=["yes"]), "1 levels of boolean 'smoker'"),
        (lambda d: d["columns"][0].update(minimum="low"), "could not convert string to float: 'low'"),
        (lambda d: d["columns"].append(d["columns"][0]), "a column name stands twice"),
    ],
)
def test_a_damaged_schema_is_refused(damage, message):
    document = SCHEMA.to_dict()
    damage(document)
    with pytest.raises(DataError, match=message):
        Schema.from_dict(document)


def test_a_column_is_found_by_name_and_a_wrong_name_lists_them():
    assert SCHEMA["age"].kind == "number"
    assert "age" in SCHEMA
    assert SCHEMA.select(["colour", "age"]).names == ("colour", "age")
    with pytest.raises(KeyError, match="no column 'agee': the schema has age, colour"):
        SCHEMA["agee"]


def test_the_data_a_schema_comes_from_passes_without_a_note():
    table = table_from_frame(SEEN)
    for given in (SEEN, SEEN.to_pandas(), SEEN.to_arrow(), table):
        frame, notes = SCHEMA.check(given)
        assert notes == ()
        assert frame.equals(table.frame)


def test_new_data_is_typed_by_the_schema_and_its_news_is_noted():
    new = pd.DataFrame(
        {
            "extra": [1, 2, 3],
            "remark": ["x", "y", None],
            "day": ["03/04/2024", "02/01/2023", "01/02/2024"],
            "smoker": [True, False, True],
            "colour": ["green", "red", "amber"],
            "age": ["25", "19.5", "50"],
        }
    )
    frame, notes = SCHEMA.check(new)
    assert frame.columns == list(SCHEMA.names)
    assert frame["day"][0] == dt.datetime(2024, 4, 3)
    assert frame["smoker"].to_list() == [True, False, True]
    assert frame["age"].to_list() == [25.0, 19.5, 50.0]
    assert [(note.column, note.what, note.n_rows, note.example) for note in notes] == [
        ("age", "outside range", 2, "50"),
        ("colour", "unseen level", 2, "amber"),
        ("day", "outside range", 2, "2024-04-03"),
        ("remark", "missing values not seen before", 1, "missing"),
        ("extra", "extra column", 3, "extra"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": ["25", "abc", "1"]}, "column 'age': expected a number, .* got 'abc' in row 2"),
        ({"age": [True, False, True]}, "column 'age': expected a number, .* got 'true' in row 1"),
        ({"age": [dt.date(2024, 1, 1)] * 3}, "column 'age': expected a number, .* got '2024-01-01' in row 1"),
        ({"smoker": ["yes", "perhaps", "no"]}, "column 'smoker': expected a boolean, .* got 'perhaps' in row 2"),
        ({"day": ["12/31/2024"] * 3}, "column 'day': expected a date, .* got '12/31/2024' in row 1"),
        ({"day": [True] * 3}, "column 'day': expected a date, .* got 'true' in row 1"),
        ({"colour": [dt.date(2024, 1, 1)] * 3}, "column 'colour': expected text, .* got '2024-01-01' in row 1"),
        ({"age": [[1], [2], [3]]}, r"column 'age' holds List"),
    ],
)
def test_another_type_is_refused_by_column_value_and_row(change, message):
    with pytest.raises(SchemaMismatch, match=message):
        SCHEMA.check(SEEN.with_columns(**{name: pl.Series(values) for name, values in change.items()}))


def test_a_missing_column_is_refused_with_the_nearest_name():
    with pytest.raises(SchemaMismatch, match="the data lacks column 'colour': did you mean to rename 'color'"):
        SCHEMA.check(SEEN.rename({"colour": "color"}))
    with pytest.raises(SchemaMismatch, match=r"the data lacks columns 'age', 'smoker': the data has colour"):
        SCHEMA.check(SEEN.drop("age", "smoker"))


def test_numbers_meet_levels_that_are_written_as_numbers():
    schema = Schema((Column("zip", "category", 0, ("007", "1.0", "12")),))
    frame, notes = schema.check(pl.DataFrame({"zip": [7, 1, 12, 3]}))
    assert frame["zip"].to_list() == ["007", "1.0", "12", "3"]
    assert [(note.what, note.example) for note in notes] == [("unseen level", "3")]


def test_a_column_of_gaps_fits_every_kind():
    frame, notes = SCHEMA.check(pl.DataFrame({name: [None, None] for name in SCHEMA.names}))
    assert frame.null_count().row(0) == (2,) * 5
    assert frame.schema == table_from_frame(SEEN).frame.schema
    assert {note.what for note in notes} == {"missing values not seen before"}


def test_infinite_numbers_are_noted_and_read_as_missing():
    frame, notes = SCHEMA.check(SEEN.with_columns(age=pl.Series([float("inf"), 25.0, 30.0])))
    assert frame["age"].to_list() == [None, 25.0, 30.0]
    assert [(note.column, note.what, note.example) for note in notes] == [("age", "outside range", "inf")]


def test_a_file_is_read_as_the_schema_says_even_where_its_rows_alone_would_tell_otherwise(tmp_path: Path):
    path = tmp_path / "new.csv"
    path.write_text("colour,age,smoker,day,remark\n12,31,no,04/05/2024,7\n")
    frame, notes = read_as(path, SCHEMA)
    assert frame.row(0) == (31.0, "12", False, dt.datetime(2024, 5, 4), "7")
    assert [note.what for note in notes] == ["unseen level", "outside range"]
    path.write_text("colour,age,smoker,day,remark\nred,31,no,04/05/2024,x\nred,old,no,04/05/2024,x\n")
    with pytest.raises(SchemaMismatch, match=r"column 'age': expected a number, .* got 'old' in line 3"):
        read_as(path, SCHEMA)
    with pytest.raises(SchemaMismatch, match="got 'old' in line 3"):
        SCHEMA.check(read_table(path))
