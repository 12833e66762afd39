from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import rankdata

from heldout.errors import DataError
from heldout.table import prepare

N = 24
START = dt.datetime(2023, 12, 28, 3)
INSTANTS = [START + dt.timedelta(hours=7 * row) for row in range(N)]
SECONDS = [(instant - dt.datetime(1970, 1, 1)).total_seconds() for instant in INSTANTS]


def time_of(columns: dict, names=None):
    frame = pl.DataFrame({"y": np.arange(N) * 0.5, "x": np.arange(N) % 5, **columns})
    return prepare(frame, "y", time=names or list(columns)).time


def part(name: str):
    return [getattr(instant, name) for instant in INSTANTS]


@pytest.mark.parametrize(
    "columns",
    [
        {"when": INSTANTS},
        {"when": [instant.isoformat() for instant in INSTANTS]},
        {"dteday": [instant.date() for instant in INSTANTS], "hr": part("hour")},
        {"year": part("year"), "month": part("month"), "day": part("day"), "hour": part("hour")},
        {"hour": part("hour"), "day": part("day"), "Month": part("month"), "YEAR": part("year")},
        {
            "year": part("year"),
            "mon": [instant.strftime("%b") for instant in INSTANTS],
            "day": part("day"),
            "hh": part("hour"),
        },
        {
            "year": part("year"),
            "mm": [f"{instant.month:02}" for instant in INSTANTS],
            "dd": part("day"),
            "hour": part("hour"),
        },
    ],
)
def test_dates_and_their_parts_give_the_same_seconds_since_1970(columns):
    assert time_of(columns).tolist() == SECONDS


def test_the_calendar_agrees_with_pandas_on_random_days(seed):
    draw = np.random.default_rng(seed)
    days = pd.to_datetime(draw.integers(-80_000, 80_000, size=N), unit="D", origin="1970-01-01")
    came = time_of({"year": days.year.to_numpy(), "month": days.month.to_numpy(), "day": days.day.to_numpy()})
    assert came.tolist() == (days - pd.Timestamp("1970-01-01")).total_seconds().tolist()


def test_one_number_column_is_taken_as_it_is():
    assert time_of({"t": np.arange(N) * 0.25}).tolist() == (np.arange(N) * 0.25).tolist()
    assert time_of({"t": [f"{row % 3:02}" for row in range(N)]}).tolist() == [row % 3 for row in range(N)]


def test_short_dates_are_understood_in_a_time_column():
    months = [f"20{10 + row % 8}-0{1 + row % 9}" for row in range(N)]
    assert rankdata(time_of({"month": months}), "dense").tolist() == rankdata(months, "dense").tolist()


def test_other_combinations_are_ranked_by_the_first_column_then_the_next(seed):
    draw = np.random.default_rng(seed)
    wave, step = draw.integers(4, size=N), draw.normal(size=N).round(1)
    came = time_of({"wave": wave, "step": step})
    order = sorted(range(N), key=lambda row: (wave[row], step[row]))
    assert np.all(np.diff(came[order]) >= 0)
    expected = [sorted({*zip(wave, step, strict=True)}).index((wave[row], step[row])) for row in range(N)]
    assert (came - came.min()).tolist() == expected


def test_year_and_hour_without_the_parts_between_are_only_ranked():
    came = time_of({"year": part("year"), "hour": part("hour")})
    assert came.max() < 2 * N


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"t": [None, *range(N - 1)]}, r"time 't' is missing in 1 of 24 rows \(first: row 1\): remove those rows"),
        ({"t": [*map(float, range(N - 1)), float("inf")]}, "time 't' is infinite in row 24"),
        ({"t": ["soon", *["2024-01-31"] * (N - 1)]}, "time 't': 'soon' in row 1 is no time"),
        ({"t": ["03/04/2024", "05/06/2024"] * (N // 2)}, "time 't': '03/04/2024' in row 1 is no time"),
        ({"t": [True, False] * (N // 2)}, "time 't': 'true' in row 1 is no time"),
        ({"t": [5] * N}, r"time 't' is the same in all 24 rows \(5\)"),
        (
            {"year": [2023] * N, "month": [2] * N, "day": [27 + row % 4 for row in range(N)]},
            r"there is no day 29 in 2023-02 \(row 3\)",
        ),
        ({"year": [2023] * N, "month": list(range(N))}, "time 'month': 0 in row 1 is no month"),
        ({"year": [2023.5] * N, "month": [1, 2] * (N // 2)}, "time 'year': 2023.5 in row 1 is no year"),
        (
            {"date": [dt.date(2024, 1, 1)] * N, "hour": [100 * row for row in range(N)]},
            "time 'hour': 100 in row 2 is no hour",
        ),
        ({"wave": [1, 2] * (N // 2), "name": ["a", "b"] * (N // 2)}, "time 'name': 'a' in row 1 is no time"),
    ],
)
def test_times_that_cannot_be_read_are_refused(columns, message):
    with pytest.raises(DataError, match=message):
        time_of(columns)
