"""Level and scale of windows: equal to plain loops, and blind to what comes later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.running_sums import RunningMeans
from heldout.sequence.scaling import mean_of_known, scaling_of
from heldout.sequence.windows import Windows

from reference import forecasts as twin
from reference.series import make_sequences, with_gaps


def every_row(sequences, horizon=1):
    return Windows(sequences, np.arange(sequences.n_rows), horizon)


@pytest.mark.parametrize("season", [1, 4])
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_every_window_is_scaled_as_by_plain_loops(season, seed, missing):
    rng = np.random.default_rng(seed)
    parts = [
        with_gaps(rng.choice([0.0, 1.0, 5.0], size=(n, 2)) * 10.0 ** rng.integers(-9, 9), missing, rng)
        for n in (1, 3, 12)
    ]
    sequences = make_sequences([*parts, np.full((6, 2), 7.0), np.zeros((5, 2))], season)
    windows = every_row(sequences)
    found = scaling_of(windows)
    for row, series in enumerate(windows.series):
        for variable in range(2):
            past = sequences.target[sequences.offsets[series] : row + 1, variable].tolist()
            level, scale = twin.scaling(past, season)
            assert found.level[row, 0, variable] == level
            assert found.scale[row, 0, variable] == pytest.approx(scale, rel=1e-9)


@pytest.mark.parametrize("poison", [1e15, np.nan])
def test_later_values_and_other_series_change_nothing(poison, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, 40)) * 1e-6
    poisoned = values.copy()
    poisoned[1, 20:] = poison
    poisoned[0] = 1e15 * rng.normal(size=40)
    windows = [Windows(make_sequences(list(v[..., None]), 4), np.arange(40, 60), 3) for v in (values, poisoned)]
    clean, dirty = (scaling_of(w) for w in windows)
    assert np.array_equal(clean.level, dirty.level)
    assert np.array_equal(clean.scale, dirty.scale)


def test_some_windows_are_scaled_as_among_all(seed):
    sequences = make_sequences([np.random.default_rng(seed).normal(size=(n, 2)) for n in (9, 5, 30, 7)], 4)
    windows = every_row(sequences)
    chosen = np.array([40, 3, 10, 50])
    some, among = scaling_of(windows.take(chosen)), scaling_of(windows).take(chosen)
    assert np.array_equal(some.scale, among.scale)
    assert np.array_equal(some.level, among.level)
    values = np.random.default_rng(seed).normal(size=(4, 5, 2))
    np.testing.assert_allclose(some.up(some.down(values)), values, rtol=1e-12, atol=1e-12)


def test_means_of_stretches_are_those_of_their_known_values(seed):
    rng = np.random.default_rng(seed)
    values = with_gaps(rng.normal(size=(50, 2)), 0.5, rng)
    offsets = np.array([0, 20, 21, 50])
    running = RunningMeans(values, offsets)
    for series in range(3):
        for _ in range(30):
            first, last = np.sort(rng.integers(offsets[series], offsets[series + 1], 2))
            found = running.between(np.array([first]), np.array([last]))[0]
            for variable in range(2):
                known = [v for v in values[first : last + 1, variable] if not np.isnan(v)]
                expected = sum(known) / len(known) if known else np.nan
                assert found[variable] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_the_mean_of_a_window_leaves_missing_values_out():
    values = np.array([[[1.0, np.nan], [3.0, 5.0]], [[np.nan, np.nan], [np.nan, np.nan]]])
    assert mean_of_known(values).tolist() == [3.0, pytest.approx(np.nan, nan_ok=True)]
