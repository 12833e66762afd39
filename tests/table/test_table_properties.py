"""What must hold for every table: no rule looks at the order of rows, the names of columns or the kind of frame."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.errors import DataError
from heldout.table import Schema, delimited, prepare, read_as, read_table, table_from_frame

WORDS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"), min_size=0, max_size=12
)
CELLS = {
    "any text": WORDS,
    "awkward text": st.sampled_from(
        ['a"b', "a,b", "a;b", "x\ny", "x\r\ny", "\t", '""', "é", "-", "+", "007", "1,5", "yes", "NA"]
    ),
    "levels": st.sampled_from(["red", "green", "blue"]),
    "booleans": st.booleans(),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(0, 5),
    "real": st.floats(allow_nan=True, allow_infinity=False),
    "instants": st.datetimes(min_value=dt.datetime(1000, 1, 1), max_value=dt.datetime(2999, 1, 1)),
    "written days": st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)).map(lambda day: day.strftime("%d/%m/%Y")),
    "written numbers": st.sampled_from(["1", "2.5", " 3 ", "1e3", "?"]),
}


@st.composite
def frames(draw, max_rows: int = 12, min_columns: int = 1) -> pl.DataFrame:
    n = draw(st.integers(2, max_rows))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=min_columns, max_size=4))
    columns = []
    for place, kind in enumerate(kinds):
        cells = draw(st.lists(st.none() | CELLS[kind], min_size=n, max_size=n))
        columns.append(pl.Series(f"{kind} {place}", cells, strict=False))
    return pl.DataFrame(columns)


def typed(frame):
    try:
        return table_from_frame(frame)
    except DataError as problem:
        return str(problem).split("'")[1]  # the column; which rows show it depends on their order


@given(frames(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_shuffled_rows_have_the_same_schema_and_the_same_values(frame, random):
    order = list(range(frame.height))
    random.shuffle(order)
    whole, shuffled = typed(frame), typed(frame[order])
    if isinstance(whole, str):
        assert shuffled == whole
        return
    assert shuffled.schema == whole.schema
    assert shuffled.frame.equals(whole.frame[order])


@given(frames())
@settings(max_examples=40, deadline=None)
def test_renamed_columns_have_the_same_kinds_and_values(frame):
    new = {name: f"renamed {place}" for place, name in enumerate(frame.columns)}
    table, renamed = typed(frame), typed(frame.rename(new))
    if isinstance(table, str):
        assert renamed == new[table]
        return
    assert renamed.frame.equals(table.frame.rename(new))
    assert [column.kind for column in renamed.schema.columns] == [column.kind for column in table.schema.columns]


# One column alone is tested elsewhere: a missing value at its end is a blank line, which no reader can tell.
@given(
    frames(min_columns=2),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["necessary", "always", "non_numeric"]),
)
@settings(max_examples=80, deadline=None)
def test_a_csv_round_trip_gives_what_the_frame_gives(frame, separator, quote_style):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        frame.write_csv(path, separator=separator, quote_style=quote_style)
        expected = typed(frame)
        if isinstance(expected, str):
            with pytest.raises(DataError, match="line"):
                read_table(path)
            return
        _same(read_table(path), expected)
        checked, notes = read_as(path, expected.schema)
        assert checked.equals(expected.frame)
        assert not notes


@given(
    st.lists(st.sampled_from(["a", "1", ",", '"', '"', "\n", "\r\n", " ", '","', '"\n', '""']), max_size=30),
    st.sampled_from([1, 3, 1 << 18]),
)
@settings(max_examples=150, deadline=None)
def test_any_file_is_read_as_pythons_csv_module_reads_it_or_refused(pieces, block):
    body = "".join(pieces)
    rows = [row for row in csv.reader(io.StringIO(body, newline="")) if row]
    try:
        with patch.object(delimited, "_BLOCK", block):  # small blocks, so that quotes span them
            came = delimited.read_delimited(("x,y\n" + body).encode(), "t.csv")
    except DataError:
        try:
            strict = [row for row in csv.reader(io.StringIO(body, newline=""), strict=True) if row]
        except csv.Error:
            return  # a quote that is never closed, or closes before the end of its field
        assert not strict or any(len(row) != 2 for row in strict)
        return
    assert [[cell or "" for cell in row] for row in zip(*came.columns, strict=True)] == rows


def _same(came, expected):
    for name in expected.schema.names:
        column, other = expected.schema[name], came.schema[name]
        if column.n_missing == expected.n_rows:  # a file cannot say which kind has no value
            assert other.n_missing == came.n_rows
            continue
        assert (other.kind, other.levels) == (column.kind, column.levels)
        assert came.frame[name].equals(expected.frame[name])


@given(frames())
@settings(max_examples=40, deadline=None)
def test_a_table_fits_its_own_schema_without_a_note(frame):
    table = typed(frame)
    if isinstance(table, str):
        return
    for given_data in (frame, table, table.frame):
        checked, notes = table.schema.check(given_data)
        assert checked.equals(table.frame)
        assert not notes
    assert Schema.from_dict(table.schema.to_dict()) == table.schema


@given(st.integers(0, 2**32).map(Random))
@settings(max_examples=15, deadline=None)
def test_shuffled_rows_give_the_same_dataset_shuffled(random):
    n = 60
    frame = pl.DataFrame(
        {
            "y": [random.choice(["b", "a", None, "c"]) for _ in range(n)],
            "x": [random.choice([1.0, 2.0, None]) for _ in range(n)],
            "who": [random.choice(["p", "q", "r", None]) for _ in range(n)],
            "when": [dt.datetime(2024, 1, 1) + dt.timedelta(hours=random.randrange(500)) for _ in range(n)],
        }
    )
    order = np.array(random.sample(range(n), n))
    data = prepare(frame, "y", group="who", time="when")
    other = prepare(frame[order], "y", group="who", time="when")
    back = np.argsort(order[other.row_of])  # kept rows in the order of the first table
    assert other.schema == data.schema
    assert other.target.classes == data.target.classes
    assert other.group_labels == data.group_labels
    assert np.array_equal(other.target.values[back], data.target.values)
    assert np.array_equal(other.groups[back], data.groups)
    assert np.array_equal(other.time[back], data.time)
    assert other.features[back].equals(data.features)
