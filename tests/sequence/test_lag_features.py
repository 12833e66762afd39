"""What boosting is told: equal to plain loops, and nothing of what comes after the origin but what is known of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.baselines.lag_features import LagRows, features_of
from heldout.sequence.reading import read_sequences
from heldout.sequence.windows import Windows, last_origins

from reference import forecasts as twin
from reference.series import make_sequences, with_gaps


def all_rows(windows):
    shape = (len(windows), windows.sequences.n_variables, windows.horizon)
    window, variable, step = (index.ravel() for index in np.indices(shape))
    return window, variable, step + 1


@pytest.mark.parametrize("season", [1, 2, 5])
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
def test_every_row_is_as_by_plain_loops(season, seed, missing):
    rng = np.random.default_rng(seed)
    parts = [with_gaps(rng.normal(size=(n, 2)).cumsum(axis=0), missing, rng) for n in (1, 4, 9 * season + 3)]
    sequences = make_sequences(parts, season)
    windows = Windows(sequences, np.sort(rng.choice(sequences.n_rows, 5)), 2 * season + 1)
    window, variable, step = all_rows(windows)
    found, anchor = LagRows(features_of(sequences), windows).rows(window, variable, step)
    for row, (w, v, h) in enumerate(zip(window, variable, step, strict=True)):
        origin, series = windows.origin[w], windows.series[w]
        past = sequences.target[sequences.offsets[series] : origin + 1, v].tolist()
        expected, expected_anchor = twin.lag_features(past, season, h, int(sequences.lengths.max()))
        place = (sequences.count[origin] + h) % season
        np.testing.assert_allclose(found[row], [*expected, v, h, place], rtol=1e-5, atol=1e-5)
        assert anchor[row] == pytest.approx(expected_anchor, rel=1e-9, abs=1e-9)


def test_hour_weekday_and_day_of_the_target_are_told_for_dates():
    start = datetime(2024, 2, 26, 5)
    times = [start + timedelta(hours=k) for k in range(24 * 20)]
    frame = pl.DataFrame({"t": times, "y": np.arange(len(times), dtype=float)})
    sequences = read_sequences(frame, target="y", time="t")
    windows = Windows(sequences, np.array([10, 70, 300]), 90)
    features = features_of(sequences)
    assert features.cycles == (168,)
    assert features.calendar
    window, variable, step = all_rows(windows)
    found, _ = LagRows(features, windows).rows(window, variable, step)
    for row, (w, h) in enumerate(zip(window, step, strict=True)):
        time = start + timedelta(hours=int(windows.origin[w] + h))
        expected = [h, time.hour, time.weekday(), time.day - 1, time.month - 1, time.timetuple().tm_yday - 1]
        assert found[row, -6:].tolist() == expected
        past = sequences.target[: windows.origin[w] + 1, 0].tolist()
        told, _ = twin.lag_features(past, 24, h, sequences.n_rows, [168])
        np.testing.assert_allclose(found[row, : len(told)], told, rtol=1e-5, atol=1e-5)


def test_known_columns_come_from_the_table_or_else_from_what_is_given():
    sequences = make_sequences(
        [np.arange(6.0), np.arange(4.0)], known=[np.arange(6) * 10, np.arange(4) * 100], static=[7, 8]
    )
    windows = Windows(sequences, np.array([2, 5, 9]), 3)
    assert windows.known()[:, :, 0].tolist()[0] == [30, 40, 50]
    assert np.isnan(windows.known()[1:]).all()
    given = np.arange(9.0).reshape(3, 3, 1)
    told = Windows(sequences, windows.origin, 3, given)
    assert told.known()[:, :, 0].tolist() == [[30, 40, 50], [3, 4, 5], [6, 7, 8]]
    assert told.take(np.array([2])).known()[0, :, 0].tolist() == [6, 7, 8]
    window, variable, step = all_rows(told)
    found, _ = LagRows(features_of(sequences), told).rows(window, variable, step)
    assert found[:, -2].tolist() == [30, 40, 50, 3, 4, 5, 6, 7, 8]
    assert found[:, -1].tolist() == [7] * 6 + [8] * 3


@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_values_after_the_origin_are_not_told(poison, seed):
    values = np.random.default_rng(seed).normal(size=(60, 2)).cumsum(axis=0)
    poisoned = np.where(np.arange(60)[:, None] > 40, poison, values)
    made = []
    for own in (values, poisoned):
        windows = Windows(make_sequences([own], 5), np.array([3, 20, 40]), 7)
        made.append(LagRows(features_of(windows.sequences), windows).rows(*all_rows(windows)))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])


def test_wild_values_stay_finite_in_single_precision():
    windows = last_origins(make_sequences([[1e40, -1e40, 1.0, 1.0, 1.0 + 1e-9]]), 2)
    found, _ = LagRows(features_of(windows.sequences), windows).rows(*all_rows(windows))
    assert not np.isinf(found).any()
