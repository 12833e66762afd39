"""The error of one fixed model on a file of its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from heldout.errors import InvalidInput
from heldout.generalization import holdout_error

from statistical import assert_rate, power


def test_a_share_of_wrong_rows_gets_wilsons_interval():
    y = np.zeros(263, int)
    prediction = (np.arange(263) < 81).astype(int)
    estimate = holdout_error(y, prediction, metric="error_rate")
    # Newcombe 1998, table I: 81 of 263.
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    right = holdout_error(y, prediction, metric="accuracy", confidence_level=0.9)
    expected = stats.binomtest(182, 263).proportion_ci(0.9, method="wilson")
    assert (right.ci_low, right.ci_high) == pytest.approx((expected.low, expected.high))
    assert (right.method, right.n_fits, right.training_error) == ("wilson", 0, None)


def test_other_losses_get_students_interval():
    rng = np.random.default_rng(0)
    y, prediction = rng.normal(size=50), rng.normal(size=50)
    estimate = holdout_error(y, prediction, metric="mae")
    losses = np.abs(y - prediction)
    low, high = stats.t.interval(0.95, 49, losses.mean(), stats.sem(losses))
    assert (estimate.ci_low, estimate.ci_high, estimate.method) == (pytest.approx(low), pytest.approx(high), "t")
    assert estimate.losses == pytest.approx(losses)


def test_groups_are_the_units():
    rng = np.random.default_rng(0)
    y, groups = rng.normal(size=120), np.repeat(np.arange(20), 6)
    estimate = holdout_error(y, np.zeros(120), metric="mse", groups=groups)
    means = (y**2).reshape(20, 6).mean(axis=1)
    low, high = stats.t.interval(0.95, 19, means.mean(), stats.sem(means))
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high))
    assert (estimate.method, estimate.n_units, estimate.indicative, estimate.note) == ("t_groups", 20, False, None)
    few = holdout_error(y, np.zeros(120), metric="mse", groups=groups // 2)
    assert (few.indicative, few.note) == (True, "only 10 groups: the interval is indicative")
    fewer = holdout_error(y, np.zeros(120), metric="mse", groups=groups // 5)
    ends = (y**2).reshape(4, 30).mean(axis=1)
    assert (fewer.method, fewer.ci_low, fewer.standard_error) == ("range", None, None)
    assert fewer.note == f"no interval from 4 groups: the lowest has {ends.min():.4g}, the highest {ends.max():.4g}"


def test_probabilities_are_judged_as_they_are_or_by_the_most_probable_class():
    y, probability = np.array([0, 1, 2]), np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]])
    assert holdout_error(y, probability, metric="log_loss").error == pytest.approx(-np.log([0.5, 0.8, 0.2]).mean())
    assert holdout_error(y, probability, metric="accuracy").error == pytest.approx(2 / 3)


def test_one_row_has_an_error_but_no_interval():
    estimate = holdout_error([1.0], [3.0], metric="rmse")
    assert (estimate.error, estimate.ci_low, estimate.note) == (2.0, None, "no interval from one row")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"metric": "nothing"}, "unknown metric 'nothing'"),
        ({"y": [1.0]}, "X has 2 rows but y has 1"),
        ({"groups": [1]}, r"groups must have shape \(2,\), got \(1,\)"),
        ({"confidence_level": 0}, "confidence_level must lie between 0 and 1, got 0"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(arguments, said):
    y = arguments.pop("y", [1.0, 2.0])
    with pytest.raises(InvalidInput, match=said):
        holdout_error(y, [1.0, 2.0], **({"metric": "mse"} | arguments))


def test_rows_in_time_order_are_counted_by_eight_blocks() -> None:
    rng = np.random.default_rng(2)
    y = np.cumsum(rng.normal(size=83))
    estimate = holdout_error(y, np.zeros(83), metric="mse", in_time_order=True)
    blocks = np.array_split(np.square(y), 8)
    means, sizes = np.array([b.mean() for b in blocks]), np.array([len(b) for b in blocks])
    block_of = np.arange(83) * 8 // 83
    sums = np.bincount(block_of, weights=np.square(y) - np.square(y).mean())
    error = np.sqrt(8 / 7 * np.square(sums).sum()) / 83
    reach = stats.t.ppf(0.975, 7) * error
    assert (estimate.method, estimate.n_units, estimate.indicative) == ("block_t", 8, False)
    assert estimate.ci_high == pytest.approx(np.square(y).mean() + reach)
    assert "conditional" in estimate.estimand
    assert "neighbouring rows are not independent" in str(estimate.note)
    assert sizes.min() >= 10
    assert np.average(means, weights=sizes) == pytest.approx(estimate.error)


@pytest.mark.parametrize(
    ("n_rows", "method", "indicative"), [(5, "range", True), (6, "block_t", True), (12, "block_t", False)]
)
def test_few_rows_in_time_order_give_few_blocks(n_rows: int, method: str, indicative: bool) -> None:
    y = np.random.default_rng(0).normal(size=n_rows)
    estimate = holdout_error(y, np.zeros(n_rows), metric="rmse", in_time_order=True)
    assert (estimate.method, estimate.indicative) == (method, indicative)
    assert (estimate.ci_low is None) == (method == "range")
    if method == "range":
        assert "no interval from 2 blocks" in str(estimate.note)


@pytest.mark.slow
def test_blocks_cover_where_rows_would_not(seed: int) -> None:
    # Squares of an AR(.9) series forgotten after some 30 rows, mean 1: skewed, and eight blocks are few, so a little
    # less than the nominal level is claimed.
    runs, by_blocks, by_rows = 400, 0, 0
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        steps = rng.normal(size=500) * np.sqrt(1 - 0.9**2)
        series = np.empty(500)
        level = rng.normal()
        for row, step in enumerate(steps):
            level = 0.9 * level + step
            series[row] = level
        for ordered in (True, False):
            estimate = holdout_error(series, np.zeros(500), metric="mse", in_time_order=ordered)
            inside = estimate.ci_low <= 1.0 <= estimate.ci_high
            by_blocks, by_rows = by_blocks + (ordered and inside), by_rows + (not ordered and inside)
    print(f"counted by rows: {by_rows} / {runs}; power against a true rate of 0.75: {power(runs, 0.85, 0.75):.2f}")
    assert_rate("interval over eight blocks covers", by_blocks, runs, at_least=0.85)
    assert by_rows < by_blocks
