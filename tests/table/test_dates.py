from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from heldout.errors import DataError
from heldout.table import table_from_frame


def typed(values, types=None):
    table = table_from_frame(pl.DataFrame({"d": values}), types=None if types is None else {"d": types})
    return table.schema["d"], table.frame["d"].to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31", dt.datetime(2024, 1, 31)),
        ("2024/1/31", dt.datetime(2024, 1, 31)),
        ("2024.01.31", dt.datetime(2024, 1, 31)),
        ("2024-01-31T13:05", dt.datetime(2024, 1, 31, 13, 5)),
        ("2024-01-31 13:05:09", dt.datetime(2024, 1, 31, 13, 5, 9)),
        ("2024-01-31T13:05:09.123456789", dt.datetime(2024, 1, 31, 13, 5, 9, 123456)),
        ("2024-01-31T13:05:09Z", dt.datetime(2024, 1, 31, 13, 5, 9)),
        ("2024-01-31T13:05:09+02:00", dt.datetime(2024, 1, 31, 11, 5, 9)),
        ("2024-01-31T23:05:09.5-0130", dt.datetime(2024, 2, 1, 0, 35, 9, 500000)),
        ("2024-01-31T23:05+14", dt.datetime(2024, 1, 31, 9, 5)),
        ("2024-01-31 24:00", dt.datetime(2024, 2, 1)),
        ("31/01/2024", dt.datetime(2024, 1, 31)),
        ("01/31/2024", dt.datetime(2024, 1, 31)),
        ("31.01.2024 08:15", dt.datetime(2024, 1, 31, 8, 15)),
        ("31-1-2024", dt.datetime(2024, 1, 31)),
        ("1/31/2024 1:05 PM", dt.datetime(2024, 1, 31, 13, 5)),
        ("1/31/2024 12:05 am", dt.datetime(2024, 1, 31, 0, 5)),
        ("31 Jan 2024", dt.datetime(2024, 1, 31)),
        ("31-January-2024", dt.datetime(2024, 1, 31)),
        ("Jan 31, 2024", dt.datetime(2024, 1, 31)),
        ("1066-10-14", dt.datetime(1066, 10, 14)),
    ],
)
def test_each_way_to_write_a_time_is_understood(text, expected):
    column, values = typed([text, None])
    assert (column.kind, values) == ("datetime", [expected, None])
    assert column.minimum == pytest.approx((expected - dt.datetime(1970, 1, 1)).total_seconds(), abs=1e-6)


def test_iso_times_agree_with_numpy_on_many_random_instants(seed):
    seconds = np.random.default_rng(seed).integers(-5_000_000_000, 5_000_000_000, size=2_000)
    instants = seconds.astype("datetime64[s]")
    _, values = typed([str(instant) for instant in instants])
    assert np.array_equal(np.array(values, dtype="datetime64[s]"), instants)


def test_day_and_month_are_told_apart_by_the_whole_column():
    assert typed(["03/04/2024", "31/12/2024"])[1][0] == dt.datetime(2024, 4, 3)
    assert typed(["03/04/2024", "12/31/2024"])[1][0] == dt.datetime(2024, 3, 4)
    assert typed(["03/04/2024", "05/06/2024"])[0].kind == "category"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["2024-01-31", "31.01.2024"], r"mixes date formats: '2024-01-31' \(row 1\) and '31.01.2024' \(row 2\)"),
        (["13/01/2024", "01/13/2024"], r"mixes date formats: '13/01/2024' \(row 1\) and '01/13/2024' \(row 2\)"),
        (["2024-01-31", "2024/02/01"], r"'2024-01-31' \(row 1\) and '2024/02/01' \(row 2\)"),
        (
            ["2024-01-31T10:00", "2024-01-31T10:00Z"],
            r"mixes date formats.*'2024-01-31T10:00Z' \(row 2\).*--type d=text",
        ),
        ([*(f"2024-01-{day:02}" for day in range(1, 29)), "2024-02-30"], r"'2024-02-30' \(row 29\) is no day there is"),
    ],
)
def test_mixed_formats_and_days_there_are_not_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        typed(values)
    assert typed(values, "category")[0].kind == "category"


@pytest.mark.parametrize("values", [["5551-12-34", "1234-56-78"], ["2024-01-31", "later"], ["20240131", "20240201"]])
def test_what_only_looks_like_dates_is_none(values):
    assert typed(values)[0].kind != "datetime"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20240131", dt.datetime(2024, 1, 31)), ("2024-02", dt.datetime(2024, 2, 1)), ("1998", dt.datetime(1998, 1, 1))],
)
def test_short_dates_are_understood_when_a_date_is_asked_for(text, expected):
    assert typed([text], "datetime")[1] == [expected]
    if "-" not in text:
        assert typed([int(text)], "datetime")[1] == [expected]


@pytest.mark.parametrize("text", ["2024-01-31 25:00", "2024-01-31 12:61", "2024-01-31 13:00 PM", "2024-13-01"])
def test_a_clock_or_calendar_that_cannot_be_is_no_date(text):
    with pytest.raises(DataError, match="cannot be read as datetime"):
        typed([text], "datetime")
