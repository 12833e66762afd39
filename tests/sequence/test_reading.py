"""From a table to sequences: order does not matter, gaps are filled with missing values, and what is wrong is named."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.errors import DataError, InvalidInput, SchemaMismatch
from heldout.sequence.reading import count_of_time, read_sequences, read_sequences_like

DAYS = [datetime(2024, 1, 1) + timedelta(days=k) for k in range(20)]
HOURS = [DAYS[0] + timedelta(hours=k) for k in range(20)]


def frame(**columns):
    return pl.DataFrame({"t": DAYS, "y": np.arange(20.0), **columns})


def numbers(**columns):
    return pl.DataFrame({"t": [1, 2, 3, 1, 2], "y": [1.0, 2, 3, 4, 5], "shop": ["a", "a", "a", "b", "b"], **columns})


def read(data, **parts):
    return read_sequences(data, **{"target": "y", "time": "t", **parts})


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rows_in_any_order_give_the_same_sequences(seed):
    rng = np.random.default_rng(seed)
    rows = [(s, t) for s in ("north", "south", "east") for t in range(rng.integers(1, 9))]
    table = pl.DataFrame({"shop": [s for s, _ in rows], "t": [t for _, t in rows], "y": rng.normal(size=len(rows))})
    table = table.with_columns(kind=pl.col("shop").str.head(1), k=pl.col("t") * 2.0)
    parts = {"group": "shop", "known": ["k"], "static": ["kind"]}
    one, other = (read(own, **parts) for own in (table, table[rng.permutation(len(rows))]))
    for name in ("target", "known", "static", "count", "offsets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.labels.equals(other.labels)
    assert one.labels["shop"].to_list() == sorted({s for s, _ in rows})
    assert one.step == other.step


def test_missing_times_become_missing_values_and_are_noted():
    sequences = read(frame()[[0, 1, 2, 3, 6, 7]])
    np.testing.assert_array_equal(sequences.target[:, 0], [0, 1, 2, 3, np.nan, np.nan, 6, 7])
    assert np.diff(sequences.count).tolist() == [1.0] * 7
    assert sequences.notes == ("2 missing times were filled with missing values (steps of 1 day)",)
    shuffled = read(frame()[::-1])
    assert shuffled.notes == ("rows were put in order of series and time",)


def test_irregular_times_keep_their_rows_and_are_counted_in_median_steps():
    hours = [0, 1, 2.5, 4, 4.2, 9]
    data = pl.DataFrame({"t": [DAYS[0] + timedelta(hours=h) for h in hours], "y": np.arange(6.0)})
    sequences = read(data)
    assert not sequences.step.regular
    assert sequences.season == 1
    np.testing.assert_allclose(np.diff(sequences.count), np.diff(hours) / 1.5)
    assert sequences.target[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_several_targets_and_columns_of_all_kinds():
    data = numbers(
        z=[5.0, None, 7, 8, 9],
        promo=[True, False, None, True, True],
        weather=["sun", "rain", "sun", None, "fog"],
        price=[1.5, 2, None, 1, 1],
        region=["x", "x", "x", "y", "y"],
        size=[10, 10, 10, 20, 20],
    )
    sequences = read(
        data, target=["y", "z"], group="shop", known=["promo", "weather", "price"], static=["region", "size"]
    )
    np.testing.assert_array_equal(sequences.target[:, 1], [5, np.nan, 7, 8, 9])
    np.testing.assert_array_equal(sequences.known, [[2, 3, 1.5], [1, 2, 2], [0, 3, np.nan], [2, 0, 1], [2, 1, 1]])
    assert sequences.layout.levels["weather"] == ("fog", "rain", "sun")
    assert sequences.static.tolist() == [[1, 10], [2, 20]]
    assert (sequences.n_series, sequences.n_rows, sequences.n_variables) == (2, 5, 2)
    assert sequences.series_of_row.tolist() == [0, 0, 0, 1, 1]
    assert [sequences.name(k) for k in (0, 1)] == ["a", "b"]


def test_times_of_counts_are_the_users_own():
    sequences = read(frame())
    ahead = sequences.future(2)
    assert sequences.time_of(ahead[0]).to_list() == [datetime(2024, 1, 21), datetime(2024, 1, 22)]
    assert sequences.time_of(sequences.count).to_list() == DAYS
    plain = read(numbers(), group="shop")
    assert plain.time_of(plain.future(2)[1]).to_list() == [3.0, 4.0]


@pytest.mark.parametrize(("height", "season"), [(1, 7), (2, 7)])
def test_short_tables_are_read(height, season):
    sequences = read(frame()[:height])
    assert (sequences.n_rows, sequences.season) == (height, season)


def test_one_time_of_many_series_is_read():
    data = pl.DataFrame({"t": [DAYS[0]] * 3, "y": [1.0, 2, 3], "g": ["a", "b", "c"]})
    for own in (data, data.with_columns(t=pl.lit("2024-01-01")), data.with_columns(t=pl.lit(4))):
        sequences = read(own, group="g")
        assert sequences.offsets.tolist() == [0, 1, 2, 3]


def test_a_missing_static_value_is_no_other_value():
    data = numbers(size=[None, 7.0, None, None, None], kind=[None, "x", "x", None, None])
    sequences = read(data, group="shop", static=["size", "kind"])
    np.testing.assert_array_equal(sequences.static, [[7, 1], [np.nan, 0]])


def test_a_season_can_be_given():
    assert read(frame(), season=5).season == 5
    assert read(frame(), season=np.int64(3)).season == 3
    assert read(frame()).season == 7


@pytest.mark.parametrize("season", [0, -4, 2.5, True, "yearly", None])
def test_a_season_that_is_none_is_refused(season):
    with pytest.raises(
        InvalidInput, match=re.escape(f"season must be 'auto' or a whole number of steps from 1 on, got {season!r}")
    ):
        read(frame(), season=season)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"target": ()}, "target must name a column, got []"),
        ({"time": []}, "time must name a column, got []"),
        ({"known": ["y"]}, "column 'y' is named as target and as known: name it once"),
        ({"group": "t"}, "column 't' is named as time and as group: name it once"),
        ({"target": ["y", "y"]}, "column 'y' is named as target and as target"),
    ],
)
def test_parts_that_are_none_or_twice_are_refused(parts, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        read(frame(), **parts)


hours_too = pl.concat(
    [
        frame(g=["a"] * 20),
        pl.DataFrame({"t": [DAYS[0] + timedelta(hours=k) for k in range(9)], "y": np.arange(9.0), "g": ["b"] * 9}),
    ]
)


@pytest.mark.parametrize(
    ("data", "parts", "message"),
    [
        (frame()[:0], {}, "the table has no rows: give at least one time"),
        (frame(), {"target": "sold"}, "target 'sold' is no column of frame: it has t, y"),
        (frame(), {"time": "when"}, "time 'when' is no column"),
        (frame(), {"group": "shop"}, "group 'shop' is no column"),
        (frame(), {"known": ["price"]}, "known 'price' is no column"),
        (frame(), {"static": ["size"]}, "static 'size' is no column"),
        (frame(w=["a", "b"] * 10), {"target": "w"}, "target 'w' holds category, not numbers"),
        (frame(w=[None] * 20), {"target": "w"}, "target 'w' is missing in all 20 rows"),
        (frame(w=[float("nan")] * 20), {"target": "w"}, "target 'w' is missing in all 20 rows"),
        (frame(w=[1.0] * 19 + [float("inf")]), {"target": "w"}, "target 'w' is infinite in row 20"),
        (frame(w=[-float("inf")] + [1.0] * 19), {"known": ["w"]}, "known 'w' is infinite in row 1:"),
        (frame(w=[1.0, float("inf")] + [1.0] * 18), {"static": ["w"]}, "static 'w' is infinite in row 2:"),
        (frame().with_columns(t=pl.Series([None, *DAYS[1:]])), {}, "time 't' is missing in 1 of 20 rows"),
        (
            numbers().with_columns(t=pl.Series([1, 2, 2, 1, 2])),
            {"group": "shop"},
            "a has 1 times more than once (first: row 2 and row 3)",
        ),
        (numbers(), {}, "(first: row 1 and row 4): name the column that tells series apart as group"),
        (numbers(g=["a", None, "b", "b", "b"]), {"group": "g"}, "group 'g' is missing in row 2"),
        (
            numbers(k=[1, 1, 2, 5, 5]),
            {"group": "shop", "static": ["k"]},
            "static column 'k' changes within a: a static column has one value",
        ),
        (frame(k=["x"] * 10 + ["y"] * 10), {"static": ["k"]}, "static column 'k' changes within the series"),
        (hours_too, {"group": "g"}, "series 'b' has steps of 1 hour, series 'a' of 1 day: forecast them apart"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(data, parts, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read(data, **parts)


def test_other_series_are_read_like_those_fitted():
    fitted = read(numbers(k=["u", "v", "u", "v", "u"]), group="shop", known=["k"], season=2)
    later = pl.DataFrame({"t": [7, 6, 4], "y": [1.0, 2, 3], "shop": ["new"] * 3, "k": ["v", "unseen", None]})
    sequences = read_sequences_like(later, fitted)
    np.testing.assert_array_equal(sequences.target[:, 0], [3, np.nan, 2, 1])
    np.testing.assert_array_equal(sequences.known[:, 0], [0, np.nan, 0, 2])
    assert (sequences.season, sequences.step, sequences.layout) == (2, fitted.step, fitted.layout)
    assert sequences.labels["shop"].to_list() == ["new"]
    assert read_sequences_like(later[:1], fitted).n_rows == 1


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            numbers().drop("shop")[:3],
            SchemaMismatch,
            "time 't' held dates when the model was fitted and now holds numbers",
        ),
        (
            frame().with_columns(t=pl.Series(HOURS)),
            SchemaMismatch,
            "steps of 1 day, the table has steps of 1 hour: give the same",
        ),
        (frame().drop("y"), DataError, "target 'y' is no column of frame: it has t"),
    ],
)
def test_a_table_unlike_that_fitted_is_refused(data, error, message):
    with pytest.raises(error, match=re.escape(message)):
        read_sequences_like(data, read(frame()))


def test_a_time_is_counted_as_it_is_written():
    days = read(frame())
    assert count_of_time("2024-01-05", days) == count_of_time(datetime(2024, 1, 5), days) == days.count[4]
    assert count_of_time(2.5, read(numbers(), group="shop")) == 2.5


@pytest.mark.parametrize("start", ["soon", 3, None, np.datetime64("NaT")])
def test_what_is_no_date_is_refused(start):
    with pytest.raises(
        InvalidInput,
        match=re.escape(
            f"start must be a date such as 2024-01-31 or 2024-01-31T13:05, as in the time column, got {start!r}"
        ),
    ):
        count_of_time(start, read(frame()))


@pytest.mark.parametrize("start", ["soon", None, float("nan"), float("inf")])
def test_what_is_no_number_is_refused(start):
    with pytest.raises(InvalidInput, match=f"start must be a number, as in the time column, got {start!r}"):
        count_of_time(start, read(numbers(), group="shop"))
