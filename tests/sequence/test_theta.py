"""The Theta method: equal to plain loops for every window, and what is known about it in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.sequence.baselines.seasonal_factors import seasonal_factors
from heldout.sequence.baselines.theta import FittedTheta, Theta
from heldout.sequence.windows import Windows, last_origins

from reference import forecasts as twin
from reference.series import make_sequences, with_gaps


def every_row(sequences, horizon):
    return Windows(sequences, np.arange(sequences.n_rows), horizon)


@pytest.mark.parametrize("trend_share", [None, 0.5, 0.0])
@pytest.mark.parametrize("season", [1, 2, 3, 4, 7])
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 20.0]))
def test_every_window_is_forecast_as_by_plain_loops(season, trend_share, seed, missing, shift):
    rng = np.random.default_rng(seed)
    parts = []
    for length in (1, 2, 3, 2 * season + 1, 9 * season + 5):
        wave = np.sin(2 * np.pi * np.arange(length) / season)[:, None] * rng.uniform(0, 5)
        walk = rng.normal(size=(length, 2)).cumsum(axis=0)
        parts.append(with_gaps(wave + walk + shift, missing * rng.random(), rng))
    sequences = make_sequences(parts, season)
    windows = every_row(sequences, 2 * season + 1)
    found = FittedTheta(trend_share).predict(windows)
    assert np.isfinite(found).all()
    for row, series in enumerate(windows.series):
        for variable in range(2):
            past = sequences.target[sequences.offsets[series] : row + 1, variable].tolist()
            expected = twin.theta(past, season, windows.horizon, trend_share)
            np.testing.assert_allclose(found[row, :, variable], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("slope", [-3.0, 0.0, 2.5])
def test_a_line_goes_on_at_the_share_of_its_slope_that_is_continued(slope):
    n = 25
    windows = last_origins(make_sequences([7 + slope * np.arange(n)]), 5)
    classical = FittedTheta(0.5).predict(windows)[0, :, 0]
    np.testing.assert_allclose(np.diff(classical), slope / 2, atol=1e-9)
    whole = FittedTheta(1.0).predict(windows)[0, :, 0]
    np.testing.assert_allclose(whole, 7 + slope * np.arange(n, n + 5), atol=1e-8)
    # n - 1 errors say 1 and one says 1/2.
    best = FittedTheta().predict(windows)[0, :, 0]
    np.testing.assert_allclose(np.diff(best), slope * (n - 0.5) / n, atol=1e-9)


def test_a_constant_stays_and_an_unknown_series_is_0():
    windows = last_origins(make_sequences([np.full(40, 3.25), np.full(40, np.nan), [5.0]], 4), 6)
    found = FittedTheta().predict(windows)[:, :, 0]
    np.testing.assert_allclose(found, np.array([3.25, 0.0, 5.0])[:, None] * np.ones(6), atol=1e-12)


@pytest.mark.parametrize("season", [2, 3, 4, 12])
def test_a_season_that_is_added_or_multiplies_is_found_exactly(season):
    pattern = np.linspace(0.5, 1.5, season)
    t = np.arange(6 * season)
    added, multiplied = 10 * pattern[t % season] - 20, (50 + t) * (pattern / pattern.mean())[t % season]
    values = np.stack([added, multiplied])
    factors = seasonal_factors(values, np.full(2, len(t)), season)
    np.testing.assert_allclose(factors.added[0], 10 * (pattern - pattern.mean()), atol=1e-9)
    assert (factors.times[0] == 1).all()
    if season % 2 == 0 or season == 3:  # the moving average of a line times a season is not quite the line
        np.testing.assert_allclose(factors.times[1], pattern / pattern.mean(), rtol=0.05)
    rest = factors.remove(values)
    np.testing.assert_allclose(factors.put_back(rest[:, 5:], np.full(2, 5)), values[:, 5:], rtol=1e-12)


def test_a_season_of_noise_is_shrunk_away(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(400, 48))
    factors = seasonal_factors(noise, np.full(400, 48), 12)
    wide = seasonal_factors(noise + 3 * np.sin(np.arange(48) * np.pi / 6), np.full(400, 48), 12)
    # Four values a place: unshrunk factors of noise have variance 1/4 or so, that of the sine is 4.5.
    assert (factors.added**2).mean() < 0.1
    assert (wide.added**2).mean() == pytest.approx(4.5 + 1 / 4, rel=0.1)


def test_missing_values_at_the_end_are_steps_of_the_forecast():
    line = 2.0 * np.arange(30.0)
    cut = np.where(np.arange(30) >= 26, np.nan, line)
    found = FittedTheta(1.0).predict(last_origins(make_sequences([cut]), 3))
    np.testing.assert_allclose(found[0, :, 0], [60.0, 62.0, 64.0], atol=1e-8)


@pytest.mark.parametrize("size", [1e-300, 1e-9, 1e9, 1e150])
def test_units_do_not_matter(size, seed):
    values = np.random.default_rng(seed).normal(size=60).cumsum()
    one, other = (FittedTheta().predict(last_origins(make_sequences([values * unit], 4), 8)) for unit in (1.0, size))
    np.testing.assert_allclose(other, one * size, rtol=1e-7)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InvalidInput, match=f"trend_share must be from 0 to 1 or None, got {share}"):
        Theta(share)
