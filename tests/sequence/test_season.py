"""The season of plain numbers: found where values repeat, and none where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from heldout.sequence.season import find_season
from heldout.sequence.time_step import TimeStep

from reference.series import make_sequences, with_gaps


@pytest.mark.parametrize("season", [4, 7, 12, 24, 52, 168])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_a_repeating_pattern_is_found_beneath_trend_and_noise(season, missing, seed):
    rng = np.random.default_rng(seed)
    pattern = rng.normal(size=season)
    parts = []
    for length in (6 * season, 5 * season):
        t = np.arange(length)
        parts.append(with_gaps(pattern[t % season] + 0.05 * t + 0.1 * rng.normal(size=length), missing, rng))
    assert find_season(make_sequences(parts)) == season


def test_the_day_is_preferred_to_the_week_that_is_made_of_days():
    t = np.arange(24 * 40)
    day = np.sin(2 * np.pi * t / 24) + 0.3 * np.cos(4 * np.pi * t / 24)
    assert find_season(make_sequences([day])) == 24
    assert find_season(make_sequences([day * np.where(t // 24 % 7 >= 5, 0.9, 1.0)])) == 24


def test_noise_walks_constants_and_short_or_irregular_series_have_none(seed):
    rng = np.random.default_rng(seed)
    assert find_season(make_sequences([rng.normal(size=500).cumsum()])) == 1
    assert find_season(make_sequences([np.full(100, 3.0)])) == 1
    assert find_season(make_sequences([[1.0, 2.0, 1.0]])) == 1
    assert find_season(make_sequences([np.full(100, np.nan)])) == 1
    wave = np.tile([1.0, 5.0, 2.0, 8.0], 30)
    assert find_season(make_sequences([wave])) == 4
    assert find_season(make_sequences([wave], step=TimeStep("number", 1.0, False))) == 1
