"""The lag profile is a mean of what was looked at: no registers, no gaps, no future, in the user's units."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from heldout.sequence.lag_profile import LagProfile, lag_profile
from heldout.sequence.lag_unit import LagUnit, lag_unit
from heldout.sequence.reading import read_sequences
from heldout.sequence.stability import rank_stability
from heldout.sequence.token_times import TokenTimes, token_times
from heldout.sequence.variable_weights import variable_weights

HOUR = LagUnit("hour", 1.0)


def times(n_windows: int, n_past: int, n_future: int, patch: int = 1) -> TokenTimes:
    length, horizon = n_past * patch, n_future * patch
    time = np.arange(1.0 - length, horizon + 1)
    return token_times(np.broadcast_to(time, (n_windows, len(time))), length, horizon, patch, HOUR)


def drawn(seed: int, *shape: int) -> tuple[Any, Any]:
    """Return random weights and the share of two registers."""
    scores = np.random.default_rng(seed).normal(size=(*shape[:-1], shape[-1] + 2))
    whole = (np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)).astype(np.float32)
    return whole[..., 2:], whole[..., :2].sum(-1)


def naive(weights: Any, share: Any, present: Any, rows: Any, n_past: int) -> dict[int, float]:
    """Return the mean by lag in loops."""
    found: dict[int, list[float]] = {}
    layers, replicas, windows, variables, heads, n_rows, _ = weights.shape
    for index in np.ndindex(layers, replicas, windows, variables, heads, n_rows):
        window, variable, row = index[2], index[3], index[5]
        for key in range(n_past):
            if present[window, variable, key]:
                weight = float(weights[index][key]) / (1 - float(share[index]))
                found.setdefault(int(rows[row]) - key, []).append(weight)
    return {lag: sum(values) / len(values) for lag, values in found.items()}


def test_the_profile_is_the_mean_over_all_rows_that_have_a_lag(seed: int) -> None:
    weights, share = drawn(seed, 2, 3, 4, 2, 2, 3, 8)
    present = np.ones((4, 2, 8), bool)
    present[1, 0, :3] = False
    weights[:, :, 1, 0, :, :, :3] = 0.0
    share = 1 - weights.sum(-1)
    rows = np.array([5, 6, 7])
    profile = lag_profile(weights, share, present, rows, times(4, 5, 3), 1)
    wanted = naive(weights, share, present, rows, 5)
    assert profile.lag.tolist() == sorted(wanted) == list(range(1, 8))
    np.testing.assert_allclose(profile.weight, [wanted[lag] for lag in profile.lag], rtol=1e-5)
    rest = 1 - share
    np.testing.assert_allclose(profile.register_share, share.mean(), rtol=1e-5)
    np.testing.assert_allclose(profile.future_share, (weights[..., 5:].sum(-1) / rest).mean(), rtol=1e-5)
    np.testing.assert_allclose(profile.weight, profile.by_replica.mean(axis=0))


def test_even_attention_gives_the_even_profile() -> None:
    present = np.ones((2, 1, 6), bool)
    present[1, 0, :2] = False
    weights = (0.6 * present / present.sum(-1, keepdims=True)).astype(np.float32)[None, None, :, :, None, None]
    share = np.full((1, 1, 2, 1, 1, 1), 0.4, np.float32)
    profile = lag_profile(weights, share, present, np.array([4]), times(2, 4, 2), 1)
    np.testing.assert_allclose(profile.weight, profile.even, rtol=1e-6)
    np.testing.assert_allclose(profile.even, [5 / 24, 5 / 24, 1 / 6, 1 / 6])


def test_spread_is_the_standard_deviation_over_replicas_and_windows(seed: int) -> None:
    weights, share = drawn(seed, 1, 3, 4, 1, 2, 2, 6)
    profile = lag_profile(weights, share, np.ones((4, 1, 6), bool), np.array([4, 5]), times(4, 4, 2), 1)
    assert profile.replica_spread is not None
    np.testing.assert_allclose(profile.replica_spread, profile.by_replica.std(axis=0, ddof=1))
    rest = weights / weights.sum(-1, keepdims=True)
    lag_1 = rest[0, :, :, 0, :, 0, 3].mean(axis=(0, 2))
    assert profile.window_spread is not None
    np.testing.assert_allclose(profile.window_spread[0], lag_1.std(ddof=1), rtol=1e-5)
    assert profile.spread_over == "3 replicas"


def test_a_single_window_and_replica_has_no_spread(seed: int) -> None:
    weights, share = drawn(seed, 1, 1, 1, 1, 1, 1, 6)
    profile = lag_profile(weights, share, np.ones((1, 1, 6), bool), np.array([4]), times(1, 4, 2), 1)
    assert (profile.replica_spread, profile.window_spread, profile.spread_over) == (None, None, None)
    assert profile.to_dict()["window_spread"] is None


def test_a_lag_in_one_window_only_has_no_spread_over_windows(seed: int) -> None:
    weights, share = drawn(seed, 1, 1, 2, 1, 1, 1, 5)
    present = np.ones((2, 1, 5), bool)
    present[1, 0, 0], weights[0, 0, 1, 0, 0, 0, 0] = False, 0.0
    profile = lag_profile(weights, share, present, np.array([4]), times(2, 4, 1), 1)
    assert profile.window_spread is not None
    assert np.isnan(profile.window_spread).tolist() == [False, False, False, True]
    assert profile.to_dict()["window_spread"][3] is None
    assert profile.spread_over == "2 windows"


def test_a_row_that_rests_on_registers_alone_counts_as_nothing() -> None:
    weights, share = np.zeros((1, 1, 1, 1, 1, 1, 3), np.float32), np.ones((1, 1, 1, 1, 1, 1), np.float32)
    profile = lag_profile(weights, share, np.ones((1, 1, 3), bool), np.array([2]), times(1, 2, 1), 1)
    assert profile.weight.tolist() == [0.0, 0.0]
    assert profile.register_share == 1.0


def test_lags_of_tokens_are_whole_patches(seed: int) -> None:
    weights, share = drawn(seed, 1, 1, 1, 1, 1, 1, 4)
    profile: LagProfile = lag_profile(weights, share, np.ones((1, 1, 4), bool), np.array([3]), times(1, 3, 1, 6), 24)
    assert profile.lag.tolist() == [6, 12, 18]
    section = profile.to_dict()
    assert (section["time"], section["unit"], section["season"]) == ([6.0, 12.0, 18.0], "hours", 24.0)
    assert section["patch"] == "6 hours"


@pytest.mark.parametrize(
    ("time", "steps", "said"),
    [
        (pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1h", eager=True), 24, "24 hours"),
        (pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "15m", eager=True), 96, "24 hours"),
        (pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "15m", eager=True), 4, "60 minutes"),
        (pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 3, 1), "1d", eager=True), 1, "1 day"),
        (pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 3, 1), "1w", eager=True), 2, "2 weeks"),
        (pl.date_range(pl.date(2020, 1, 1), pl.date(2024, 3, 1), "1q", eager=True), 4, "12 months"),
        (pl.Series(np.arange(20)), 3, "3 steps"),
        (pl.Series(np.arange(20) * 0.5), 3, "1.5 units of when"),
    ],
    ids=["hours", "quarters of an hour", "minutes", "days", "weeks", "quarters", "numbers", "halves"],
)
def test_spans_are_told_in_the_unit_of_the_step(time: pl.Series, steps: int, said: str) -> None:
    frame = pl.DataFrame({"when": time, "sold": np.arange(float(len(time)))})
    assert lag_unit(read_sequences(frame, target="sold", time="when"), steps).words(steps) == said


def test_working_days_and_irregular_times_are_told_as_such() -> None:
    days = [
        day for day in pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 9), "1d", eager=True) if day.weekday() < 5
    ]
    frame = pl.DataFrame({"when": days, "sold": np.arange(float(len(days)))})
    assert lag_unit(read_sequences(frame, target="sold", time="when"), 5).words(5) == "5 working days"
    assert LagUnit("hour", 1.0, regular=False).words(2, 1) == "about 2 to 1 hour"


def test_stability_is_the_mean_rank_correlation_of_pairs() -> None:
    rising, falling = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.3, 0.2, 0.1])
    found = rank_stability(np.stack([rising, rising**2, falling]))
    assert (found.lowest, found.highest, found.n_replicas, found.n_pairs) == (-1.0, 1.0, 3, 3)
    assert found.correlation == pytest.approx((1 - 1 - 1) / 3)


def test_independent_profiles_are_not_stable(seed: int) -> None:
    profiles = np.random.default_rng(seed).random((40, 50))
    found = rank_stability(profiles)
    # 780 pairs of 50 lags: the mean has a standard deviation of about 1 / (7 * 28), 0.005.
    assert found.correlation is not None
    assert abs(found.correlation) < 0.03


@pytest.mark.parametrize(
    ("profiles", "reason"),
    [
        (np.ones((1, 5)), "one replica has nothing to be compared with"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "2 lags are too few to rank"),
        (np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]), "gives every lag the same weight"),
    ],
)
def test_without_stability_the_reason_is_given(profiles: Any, reason: str) -> None:
    found = rank_stability(profiles)
    assert found.correlation is None
    assert reason in str(found.reason)
    assert found.to_dict()["correlation"] is None


def test_a_single_replica_has_no_spread_between_variables() -> None:
    across = np.full((1, 1, 3, 2, 2, 4, 4), 0.25, np.float32)
    found = variable_weights(across, tuple("abcd"), (1,), None)
    assert found.replica_spread is None
    assert found.weight is not None
    np.testing.assert_allclose(found.weight, 0.25)
    assert found.to_dict()["weight"][0] == [0.25] * 4
