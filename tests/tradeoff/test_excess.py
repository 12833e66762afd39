"""Excess bias and what stays unresolved: exact sums, a naive interval, planted truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from heldout.errors import InvalidInput
from heldout.splits import BlockedTime, GroupFolds
from heldout.tradeoff import decompose, excess_bias

from statistical import assert_rate, power


def table(rng, n=100):
    X = rng.normal(size=(n, 2))
    return X, 2 * X[:, 0] + rng.normal(size=n)


def given(rows, partitions, units=None):
    """Make a decomposition whose bias + noise is given by row and by partition."""
    X, y = table(np.random.default_rng(0), len(rows))
    parts = decompose(DummyRegressor(), X, y, n_partitions=2)
    per_partition = np.column_stack([partitions, np.zeros(len(partitions)), partitions])
    return replace(
        parts,
        bias_plus_noise_per_row=np.asarray(rows, float),
        per_partition=per_partition,
        n_partitions=len(partitions),
        units=units,
    )


def test_excess_and_unresolved_sum_to_bias_plus_noise_and_the_lowest_has_a_reason():
    X, y = table(np.random.default_rng(1))
    both = {"mean": decompose(DummyRegressor(), X, y), "linear": decompose(LinearRegression(), X, y)}
    parts = excess_bias(both)
    total = parts["mean"].excess_bias + parts["mean"].unresolved
    assert total == pytest.approx(both["mean"].bias_plus_noise, rel=1e-12)
    assert parts["linear"].unresolved == both["linear"].bias_plus_noise == parts["mean"].unresolved
    assert parts["mean"].unresolved_ci == parts["linear"].unresolved_ci
    assert (parts["linear"].excess_bias, parts["linear"].ci) == (None, None)
    assert "linear has the lowest bias + noise" in parts["linear"].reason
    assert parts["mean"].reason is None


def test_without_monte_carlo_error_the_interval_is_the_paired_t_interval():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=50), rng.normal(size=50) + 5
    parts = excess_bias({"a": given(a, [1.0, 1.0, 1.0]), "b": given(b, [2.0, 2.0, 2.0])})
    expected = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert parts["b"].ci == pytest.approx((expected.low, expected.high), rel=1e-10)


def test_groups_and_blocks_are_the_units_of_both_intervals():
    rng = np.random.default_rng(3)
    units = np.repeat(np.arange(10), 10)
    a, b = np.repeat(rng.normal(size=10), 10), np.repeat(rng.normal(size=10) + 9, 10)
    parts = excess_bias({"a": given(a, [1.0, 1.0], units), "b": given(b, [1.0, 1.0], units)})
    expected = stats.ttest_rel(b[::10], a[::10]).confidence_interval(0.95)
    assert parts["b"].ci == pytest.approx((expected.low, expected.high), rel=1e-10)
    by_rows = excess_bias({"a": given(a, [1.0, 1.0]), "b": given(b, [1.0, 1.0])})
    width = np.diff(parts["a"].unresolved_ci) / np.diff(by_rows["a"].unresolved_ci)
    assert width == pytest.approx(np.sqrt(10), rel=0.15)


def test_only_rows_tested_for_all_candidates_count():
    a, b = np.zeros(20), np.ones(20)
    a[:5], b[15:] = np.nan, np.nan
    b[5] = 11.0
    parts = excess_bias({"a": given(a, [0.0, 0.0]), "b": given(b, [2.0, 2.0])})
    assert parts["b"].excess_bias == pytest.approx(2.0)


def test_real_splits_by_group_and_time_give_intervals():
    X, y = table(np.random.default_rng(4))
    groups = np.repeat(np.arange(20), 5)
    for splitter, known in ((GroupFolds(5, groups=groups), groups), (BlockedTime(5), None)):
        learners = {"mean": DummyRegressor(), "linear": LinearRegression()}
        both = {k: decompose(v, X, y, splitter=splitter, groups=known) for k, v in learners.items()}
        parts = excess_bias(both)
        assert parts["mean"].ci[0] > 0
        assert parts["mean"].unresolved_ci[0] < parts["mean"].unresolved < parts["mean"].unresolved_ci[1]


def test_portions_of_weights_change_nothing(monkeypatch):
    rng = np.random.default_rng(6)
    named = {name: given(rng.normal(size=40), [1.0, 1.2]) for name in "ab"}
    whole = excess_bias(named, n_resamples=2000)["a"].unresolved_ci
    monkeypatch.setattr("heldout.tradeoff.excess.WEIGHTS_AT_ONCE", 4000)
    # Other draws of the same law: an end is a 2.5 % quantile of 2,000, known to about 4 % of the width.
    assert excess_bias(named)["a"].unresolved_ci == pytest.approx(whole, abs=0.2 * (whole[1] - whole[0]))


def test_a_single_candidate_is_all_unresolved():
    X, y = table(np.random.default_rng(5))
    only = excess_bias({"mean": decompose(DummyRegressor(), X, y)})["mean"]
    assert only.excess_bias is None
    assert only.unresolved_ci[0] < only.unresolved < only.unresolved_ci[1]


def test_one_unit_gives_no_interval():
    units = np.zeros(20, int)
    parts = excess_bias({"a": given(np.zeros(20), [0.0, 0.0], units), "b": given(np.ones(20), [1.0, 1.0], units)})
    assert (parts["b"].excess_bias, parts["b"].ci, parts["b"].unresolved_ci) == (1.0, None, None)


def test_errors_name_the_offending_value():
    with pytest.raises(InvalidInput, match=r"at least 1 decomposition is needed, got none"):
        excess_bias({})
    with pytest.raises(InvalidInput, match=r"\('squared_error', 20\), \('squared_error', 30\)"):
        excess_bias({"a": given(np.zeros(20), [0.0, 0.0]), "b": given(np.zeros(30), [0.0, 0.0])})
    first, second = np.zeros(20), np.zeros(20)
    first[:10], second[10:] = np.nan, np.nan
    with pytest.raises(InvalidInput, match=r"the candidates share no tested row"):
        excess_bias({"a": given(first, [0.0, 0.0]), "b": given(second, [0.0, 0.0])})


@pytest.mark.slow
def test_the_excess_bias_of_the_mean_covers_the_signal_it_misses(seed):
    """The mean misses the signal 2 x: its squared bias is 4, the noise 1, the linear model is free of bias.

    400 tables of 100 rows. Claimed 90 %; `assert_rate` fails against a true 80 % with the chance printed.
    """
    rng, runs, excess, unresolved = np.random.default_rng(seed), 400, 0, 0
    for r in range(runs):
        X, y = table(rng)
        learners = {"mean": DummyRegressor(), "linear": LinearRegression()}
        parts = excess_bias({k: decompose(v, X, y, n_partitions=2, random_state=r) for k, v in learners.items()})
        excess += parts["mean"].ci[0] <= 4 <= parts["mean"].ci[1]
        unresolved += parts["mean"].unresolved_ci[0] <= 1 <= parts["mean"].unresolved_ci[1]
    print(f"power against .80: {power(runs, 0.9, 0.8):.2f}")
    assert_rate("interval of the excess bias", excess, runs, at_least=0.9)
    assert_rate("interval of what is unresolved", unresolved, runs, at_least=0.9)


@pytest.mark.slow
def test_the_interval_of_the_minimum_covers_when_all_candidates_are_equal(seed):
    """Five candidates of the same bias + noise 1: their minimum is too low, its interval must know.

    1,000 tables of 200 rows, pairwise correlation .5. Claimed 90 %; the chance to fail against 84 % is printed.
    """
    rng, runs, hits, low = np.random.default_rng(seed), 1000, 0, 0.0
    base = given(np.zeros(200), [1.0, 1.0])
    for r in range(runs):
        rows = 1 + np.sqrt(0.5) * (rng.normal(size=(200, 1)) + rng.normal(size=(200, 5)))
        named = {str(j): replace(base, bias_plus_noise_per_row=rows[:, j].copy()) for j in range(5)}
        parts = excess_bias(named, n_resamples=400, random_state=r)["0"]
        hits += parts.unresolved_ci[0] <= 1 <= parts.unresolved_ci[1]
        low += (parts.unresolved - 1) / runs
    print(f"mean of the minimum {low:+.3f}; power against .84: {power(runs, 0.9, 0.84):.2f}")
    assert_rate("interval of the minimum of five equals", hits, runs, at_least=0.9)
