"""The pure statistics against enumeration, double loops and closed forms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from heldout.iid.order_statistics import Arrangement, OrderStatistics, minus_log_kolmogorov, serial_moments
from heldout.iid.permutation import holm_multipliers, maximum_test, threads


def standard(values: np.ndarray) -> np.ndarray:
    values = np.atleast_2d(np.asarray(values, dtype=float))
    values = values - values.mean(axis=1, keepdims=True)
    return (values / values.std(axis=1, keepdims=True)).astype(np.float32)


def in_one_run(values: np.ndarray) -> OrderStatistics:
    matrix = standard(values)
    return OrderStatistics(matrix, Arrangement(np.arange(matrix.shape[1]), np.array([0]), False, "exact"))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=4, max_size=7), st.integers(1, 3))
def test_moments_of_the_serial_product_equal_those_over_all_orders(values: list[int], lag: int) -> None:
    z = np.array(values, dtype=float) - np.mean(values)
    n = z.size
    every = [sum(p[i] * p[i + lag] for i in range(n - lag)) for p in permutations(z)]
    pairs, chains = float(max(n - lag, 0)), float(max(n - 2 * lag, 0))
    powers = (np.array([[np.sum(z**2)]]), np.array([[np.sum(z**4)]]))
    mean, variance = serial_moments(powers, np.array([float(n)]), np.array([pairs]), np.array([chains]))
    assert mean[0, 0] == pytest.approx(np.mean(every), abs=1e-9)
    assert variance[0, 0] == pytest.approx(np.var(every), abs=1e-7)


def test_the_mean_serial_product_is_that_of_wald_and_wolfowitz() -> None:
    z = standard(np.arange(50.0))
    assert in_one_run(np.arange(50.0)).mean[0, 0] == pytest.approx(-49 * np.sum(z**2) / (50 * 49), rel=1e-5)


def test_lag_products_trend_and_bridge_equal_double_loops_within_runs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = standard(rng.normal(size=(3, 90)))
    starts = np.array([0, 17, 50])
    statistics = OrderStatistics(matrix, Arrangement(np.arange(90), starts, True, "exact"))
    ends = [17, 50, 90]
    z = np.concatenate(
        [matrix[:, a:b] - matrix[:, a:b].mean(axis=1, keepdims=True) for a, b in zip(starts, ends, strict=True)], axis=1
    )
    products, trend, bridge = statistics.raw(None)
    for lag in range(1, statistics.n_lags + 1):
        naive = [
            sum(z[k, i] * z[k, i + lag] for a, b in zip(starts, ends, strict=True) for i in range(a, b - lag))
            for k in range(3)
        ]
        assert products[lag - 1] == pytest.approx(np.array(naive), abs=1e-3)
    position = np.concatenate([np.arange(b - a) - (b - a - 1) / 2 for a, b in zip(starts, ends, strict=True)])
    assert trend == pytest.approx(z @ position / np.sqrt(np.mean(position**2)), abs=1e-3)
    paths = [
        np.abs(np.cumsum(z[:, a:b], axis=1)).max(axis=1) / np.sqrt(b - a) for a, b in zip(starts, ends, strict=True)
    ]
    assert bridge == pytest.approx(np.max(paths, axis=0), abs=1e-3)


def test_trend_correlation_is_that_of_spearman(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=120)
    statistics = in_one_run(stats.rankdata(values))
    assert statistics.trend_correlations()[0] == pytest.approx(
        stats.spearmanr(np.arange(120), values).statistic, abs=1e-5
    )


def test_bridge_tail_is_that_of_kolmogorov_and_goes_on_in_logs() -> None:
    c = np.array([0.5, 1.0, 1.36, 1.9])
    assert minus_log_kolmogorov(c, 1) == pytest.approx(-np.log(special.kolmogorov(c)), rel=1e-6)
    assert minus_log_kolmogorov(np.array([50.0]), 1)[0] == pytest.approx(5000 - np.log(2), rel=1e-6)


def test_permutation_moments_standardise_runs_and_rare_levels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rare = (np.arange(300) < 12).astype(float)
    statistics = OrderStatistics(
        standard(np.vstack([rng.normal(size=300), rare])), Arrangement(np.arange(300), np.array([0, 60, 150]), True, "")
    )
    drawn = np.array([statistics.raw(statistics.draw(rng))[0][0] for _ in range(4000)])
    spread = statistics.spread[0] / np.sqrt(4000)
    assert np.all(np.abs(drawn.mean(axis=0) - statistics.mean[0]) < 5 * spread)
    assert drawn.std(axis=0) == pytest.approx(statistics.spread[0], rel=0.15)


def test_sampled_p_values_agree_with_all_720_orders_of_six_rows() -> None:
    statistics = in_one_run(np.array([1.0, 2.0, 4.0, 3.0, 5.0, 7.0]))
    observed = statistics.scores(None).max()
    every = np.array([statistics.scores(np.array(p)).max() for p in permutations(range(6))])
    exact = np.mean(every >= observed - 1e-3)
    sampled = maximum_test(statistics, 4000, 0, "six rows", 1, stop_after=10**9)
    assert abs(sampled.p_value - exact) < 5 * np.sqrt(exact * (1 - exact) / 4000) + 1 / 4000
    assert 0.002 < exact < 0.5


def test_stopping_early_reports_exceedances_over_draws_and_never_zero() -> None:
    statistics = in_one_run(np.random.default_rng(3).normal(size=100))
    result = maximum_test(statistics, 999, 0, "stop", 1)
    full = maximum_test(statistics, result.n_drawn, 0, "stop", 1, stop_after=10**9)
    assert result.stopped
    assert result.p_value == pytest.approx(20 / result.n_drawn)
    assert full.p_value == pytest.approx(21 / (result.n_drawn + 1))
    wave = maximum_test(in_one_run(np.sin(np.arange(100) / 5)), 199, 0, "wave", 1)
    assert wave.p_value == pytest.approx(1 / 200)


def test_a_rare_level_that_meets_itself_once_does_not_outscore_a_trend(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rare = np.zeros(20_000)
    rare[[*rng.choice(np.arange(0, 19_000, 50), 18, replace=False), 19_500, 19_501]] = 1
    trend = np.arange(20_000) * 0.0002 + rng.normal(size=20_000)
    scores = in_one_run(np.vstack([rare, trend])).scores(None).reshape(4, 2)
    assert scores[0, 0] < 0.1 * scores[2, 1]


def test_holm_multiplies_the_smallest_p_value_most() -> None:
    assert holm_multipliers([0.03, 0.001]) == [1.0, 2.0]


def test_holm_rejects_nothing_after_the_first_that_is_not_rejected() -> None:
    p_values = [0.04, 0.03, 0.045]
    corrected = [p * times for p, times in zip(p_values, holm_multipliers(p_values), strict=True)]
    assert corrected == pytest.approx([0.09, 0.09, 0.09])  # 3 x 0.03 stops it; 0.045 alone would pass at 0.05


def test_threads_are_those_asked_for_or_at_least_one() -> None:
    assert threads(3) == 3
    assert threads(None) >= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_shown_correlations_stay_within_one_and_equal_the_naive_double_loop(draw: int, within: bool) -> None:
    rng = np.random.default_rng(draw)
    lengths = rng.integers(6, 12, size=4)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    values = rng.normal(size=int(lengths.sum()))
    values[starts[0] : starts[0] + lengths[0]] = np.arange(lengths[0]) * 5.0  # a steep run
    matrix = standard(values)
    statistics = OrderStatistics(matrix, Arrangement(np.arange(values.size), starts, within, "exact"))
    z = matrix[0].astype(float)
    if within:
        z = np.concatenate([part - part.mean() for part in np.split(z, starts[1:])])
    run = np.repeat(np.arange(4), lengths)
    found = statistics.correlations()
    for lag in range(1, statistics.n_lags + 1):
        pairs = [(z[i], z[i + lag]) for i in range(z.size - lag) if run[i] == run[i + lag]]
        a, b = np.array(pairs).T
        naive = (a @ b) / np.sqrt((a @ a) * (b @ b))
        assert found[lag - 1, 0] == pytest.approx(naive, abs=1e-5)
        assert abs(found[lag - 1, 0]) <= 1 + 1e-9


def test_scores_are_taken_around_the_permutation_mean() -> None:
    values = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])  # symmetric: no correction for skewness
    statistics = in_one_run(values)
    z = standard(values)[0].astype(float)
    orders = list(permutations(range(6)))
    products = np.array([sum(z[list(p)][i] * z[list(p)][i + 1] for i in range(5)) for p in orders])
    for place in (products.argmin(), products.argmax(), 17):
        away = abs(products[place] - products.mean()) / products.std()
        naive = max(-special.log_ndtr(-away) - np.log(2), 0)
        assert statistics.scores(np.array(orders[place]))[0] == pytest.approx(naive, abs=1e-4)


class Counting:
    """A statistic whose permuted values are known: 0, 1, 2, ... against an observed 7."""

    def __init__(self) -> None:
        self.at = -1

    def scores(self, order: object) -> np.ndarray:
        return np.array([7.0 if order is None else float(order)])

    def draw(self, rng: object) -> int:  # noqa: ARG002 - the protocol hands a generator over
        self.at += 1
        return self.at


def test_single_p_values_count_the_observed_order_too() -> None:
    result = maximum_test(Counting(), 9, 0, "known", 1)
    # Of the permuted 0 .. 8, two (7 and 8) reach 7: (1 + 2) / (1 + 9).
    assert result.p_values[0] == pytest.approx(0.3)
    assert result.adjusted[0] == pytest.approx(0.3)
