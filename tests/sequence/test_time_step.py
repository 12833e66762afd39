"""Steps of time: found in what users write, and counted there and back."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.time_step import TimeStep, find_time_step

DAY = 86_400.0


def seconds(*times):
    return np.array([np.datetime64(time, "s").astype(np.int64) for time in times], dtype=float)


def found_in(time, *, calendar=True, offsets=None):
    return find_time_step(np.asarray(time), np.array(offsets or [0, len(time)]), calendar=calendar)


def written(step, count):
    return [
        str(t.astype("datetime64[s]")) for t in step.time(np.asarray(count, float)).astype(np.int64).astype("M8[s]")
    ]


def month_starts(first, number, by=1):
    months = np.datetime64(first, "M") + np.arange(number) * by
    return months.astype("datetime64[s]").astype(float)


@pytest.mark.parametrize("by", [1, 3, 12])
def test_months_are_counted_as_months_whatever_their_length(by):
    step = found_in(month_starts("2019-11", 20, by))
    assert (step.unit, step.size, step.regular) == ("month", by, True)
    assert step.season == 12 // by
    np.testing.assert_allclose(np.diff(step.count(month_starts("2019-11", 20, by))), 1)


def test_the_last_days_of_months_stay_last_days():
    time = seconds("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30")
    step = found_in(time)
    assert step.unit == "month"
    assert written(step, step.count(time[-1:]) + np.array([1, 2, 3, 10])) == [
        "2024-05-31T00:00:00",
        "2024-06-30T00:00:00",
        "2024-07-31T00:00:00",
        "2025-02-28T00:00:00",
    ]


def test_last_days_that_happen_to_be_the_same_day_are_last_days_too():
    """Every other month from January on has 31 days, up to July."""
    time = seconds("2023-01-31", "2023-03-31", "2023-05-31", "2023-07-31")
    step = found_in(time)
    assert written(step, step.count(time[-1:]) + 1) == ["2023-09-30T00:00:00"]
    yearly = seconds("2021-12-31", "2022-12-31", "2023-12-31")
    step = found_in(yearly)
    assert (step.size, step.season) == (12, 1)
    assert written(step, step.count(yearly[-1:]) + 1) == ["2024-12-31T00:00:00"]


def test_the_same_day_and_hour_of_each_month_is_a_month():
    time = month_starts("2024-01", 9) + 14 * DAY + 6 * 3600
    step = found_in(time)
    assert step.unit == "month"
    assert written(step, step.count(time[-1:]) + 1) == ["2024-10-15T06:00:00"]


def test_working_days_skip_weekends():
    days = np.busday_offset("2024-01-01", np.arange(15), roll="forward").astype("datetime64[s]").astype(float)
    time = days + 17.5 * 3600
    step = found_in(time)
    assert (step.unit, step.regular, step.season) == ("working day", True, 5)
    assert np.diff(step.count(time)).tolist() == [1.0] * 14
    # 2024-01-19 was a Friday.
    assert written(step, step.count(time[-1:]) + np.array([0, 1])) == ["2024-01-19T17:30:00", "2024-01-22T17:30:00"]


def test_one_day_at_a_weekend_makes_them_days():
    time = seconds("2024-01-01") + np.delete(np.arange(22), [5, 12, 13, 19, 20]) * DAY
    step = found_in(time)
    assert (step.unit, step.size, step.season, step.regular) == ("second", DAY, 7, True)


@pytest.mark.parametrize(
    ("size", "season", "name"),
    [
        (1.0, 86_400, "1 second"),
        (300.0, 288, "5 minutes"),
        (1800.0, 48, "30 minutes"),
        (3600.0, 24, "1 hour"),
        (6 * 3600.0, 4, "6 hours"),
        (DAY, 7, "1 day"),
        (7 * DAY, 52, "1 week"),
        (14 * DAY, 26, "2 weeks"),
    ],
)
def test_lengths_have_the_season_and_the_name_that_people_give_them(size, season, name):
    step = found_in(1.7e9 + size * np.arange(30))
    assert (step.unit, step.size, step.regular, step.season) == ("second", size, True, season)
    assert str(step) == name


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (TimeStep("month", 1, True), "1 month"),
        (TimeStep("month", 3, True), "3 months"),
        (TimeStep("working day", 1, True), "1 working day"),
        (TimeStep("number", 2.5, True), "2.5"),
        (TimeStep("number", 2.5, False), "about 2.5"),
        (TimeStep("second", 7200.0, False), "about 2 hours"),
        (TimeStep("second", 0.5, True), "0.5 seconds"),
    ],
)
def test_a_step_is_written_as_people_say_it(step, name):
    assert str(step) == name


@pytest.mark.parametrize("digits", [3, 6])
@pytest.mark.parametrize("frequency", [4, 12])
def test_years_in_rounded_decimal_fractions_are_a_grid(frequency, digits):
    time = np.round(1949 + np.arange(30 * frequency) / frequency, digits)
    step = found_in(time, calendar=False)
    assert step.unit == "number"
    assert step.regular
    assert step.season is None
    assert np.round(step.count(time) - step.count(time[:1])).tolist() == list(range(30 * frequency))


def test_gaps_of_whole_steps_are_regular_and_half_steps_or_mostly_gaps_are_not():
    hours = np.array([0, 1, 2, 5, 6, 7, 8.0])
    assert found_in(hours * 3600).regular
    irregular = found_in(np.array([0, 1, 2, 3.5, 4.5, 5.5, 6.5]) * 3600)
    assert not irregular.regular
    assert irregular.season is None
    sparse = found_in(np.array([0, 1, 2, 30, 31, 90.0]) * 3600)
    assert not sparse.regular
    assert sparse.size == 3600.0


def test_gaps_between_series_do_not_count():
    time = np.array([0, 1, 2, 3, 100.5, 101.5, 102.5])
    step = found_in(time, calendar=False, offsets=[0, 4, 7])
    assert (step.size, step.regular) == (1.0, True)
    alone = found_in(np.array([5.0, 9.0, 2.0]), calendar=False, offsets=[0, 1, 2, 3])
    assert (alone.unit, alone.size, alone.regular) == ("number", 1.0, True)
    assert found_in(np.array([5.0, 9.0]), offsets=[0, 1, 2]).size == DAY


def steps():
    number = st.builds(lambda size: TimeStep("number", size, True), st.floats(1e-3, 1e3))
    second = st.builds(lambda size: TimeStep("second", float(size), True), st.integers(1, 10**6))
    month = st.builds(
        lambda size, phase: TimeStep("month", size, True, phase),
        st.integers(1, 24),
        st.floats(0, 27) | st.integers(0, 27) | st.just(32.0) | st.just(32.5),
    )
    month = month.map(lambda step: TimeStep("month", step.size, True, np.floor(step.phase * DAY)))
    day = st.builds(lambda phase: TimeStep("working day", 1, True, float(phase)), st.integers(0, 86_399))
    return number | second | month | day


@given(steps(), st.integers(-500, 2000))
def test_counts_are_what_times_are_made_from(step, count):
    back = step.count(step.time(np.array([float(count)])))
    np.testing.assert_allclose(back, [count], rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(steps(), st.integers(-500, 500), st.integers(12, 40))
def test_the_step_that_made_times_is_found_in_them(step, first, number):
    time = step.time(first + np.arange(float(number)))
    found = found_in(time, calendar=step.unit != "number")
    assert found.regular
    assert np.allclose(np.diff(found.count(time)), 1, rtol=1e-3)
    later = step.time(first + number + np.arange(5.0))
    if found.unit == step.unit and step.unit != "month":
        np.testing.assert_allclose(found.time(found.count(time[-1:]) + np.arange(1.0, 6)), later, rtol=1e-6)


def test_time_of_day_is_kept_over_working_days_before_1970():
    start = datetime(1969, 12, 22, 9)
    epoch = datetime(1970, 1, 1)
    days = [start + timedelta(days=k) for k in range(18) if (start + timedelta(days=k)).weekday() < 5]
    time = np.array([(day - epoch).total_seconds() for day in days])
    step = found_in(time)
    assert step.unit == "working day"
    np.testing.assert_array_equal(step.time(step.count(time)), time)
