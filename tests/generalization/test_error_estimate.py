"""Which interval is chosen, what it says of itself, and how it reaches the metric's scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import heldout
from heldout.errors import InvalidInput
from heldout.generalization import error_from, estimate_error, out_of_fold
from heldout.losses import METRICS, Metric
from heldout.splits import BlockedTime, GroupFolds, GroupTime, HoldOut, RandomFolds, StratifiedFolds


def table(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, X @ [1.0, -1.0] + rng.normal(size=n)


def judged(splitter, n=120, loss="squared_error", groups=None, seed=0):
    X, y = table(n, seed)
    if loss == "zero_one":
        return out_of_fold(KNeighborsClassifier(5), X, (y > 0).astype(int), splitter=splitter, loss=loss, groups=groups)
    return out_of_fold(Ridge(), X, y, splitter=splitter, loss=loss, groups=groups)


def test_rows_get_the_corrected_t_over_all_folds_of_all_repeats():
    folds = judged(RandomFolds(5, 3))
    estimate = error_from(folds, metric="mse", splitter=RandomFolds(5, 3))
    half = stats.t.ppf(0.975, 14) * np.std(folds.fold_losses, ddof=1) * np.sqrt(1 / 15 + 1 / 4)
    assert estimate.method == "corrected_repeated_kfold"
    assert estimate.error == pytest.approx(np.mean(folds.losses))
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((estimate.error - half, estimate.error + half))
    assert estimate.standard_error == pytest.approx(half / stats.t.ppf(0.975, 14))
    assert estimate.estimand == "expected error on new rows from the same source, of models fitted on about 96 rows"
    assert (estimate.n_fits, estimate.n_rows, estimate.n_units, estimate.indicative, estimate.note) == (
        15,
        120,
        120,
        False,
        None,
    )
    assert estimate.training_error == pytest.approx(np.mean(folds.training_losses))


def test_whole_groups_count_the_folds_of_one_repeat():
    groups = np.arange(120) // 5
    splitter = GroupFolds(6, 2, groups=groups)
    folds = judged(splitter)
    estimate = error_from(folds, metric="mse", splitter=splitter)
    spread = np.square(np.array(folds.fold_losses) - np.mean(folds.fold_losses)).mean() * 6 / 5
    assert estimate.standard_error == pytest.approx(np.sqrt(spread * (1 / 6 + 1 / 5)))
    assert estimate.ci_high - estimate.error == pytest.approx(stats.t.ppf(0.975, 5) * estimate.standard_error)
    assert (estimate.method, estimate.n_units, estimate.indicative) == ("corrected_t_groups", 24, False)
    assert "rows of new groups" in estimate.estimand


@pytest.mark.parametrize(
    ("n_groups", "method", "indicative"),
    [
        (5, "range", True),
        (6, "corrected_t_groups", True),
        (11, "corrected_t_groups", True),
        (12, "corrected_t_groups", False),
    ],
)
def test_few_groups_give_an_indicative_interval_and_fewer_the_range_only(n_groups, method, indicative):
    groups = np.arange(120) % n_groups
    splitter = GroupFolds(10, groups=groups)
    folds = judged(splitter)
    estimate = error_from(folds, metric="rmse", splitter=splitter)
    assert (estimate.method, estimate.indicative, estimate.n_units) == (method, indicative, n_groups)
    if method == "range":
        assert (estimate.ci_low, estimate.ci_high, estimate.standard_error) == (None, None, None)
        means = [np.sqrt(folds.losses[groups == g].mean()) for g in range(n_groups)]
        assert estimate.note == (
            f"no interval from 5 groups: the lowest has {min(means):.4g}, the highest {max(means):.4g}"
        )
    else:
        assert estimate.ci_low < estimate.error < estimate.ci_high
        assert (estimate.note is not None) == indicative


def test_blocks_of_time_get_students_interval_over_their_means():
    splitter = BlockedTime(6)
    folds = judged(splitter, n=140)
    estimate = error_from(folds, metric="mse", splitter=splitter)
    low, high = stats.t.interval(0.95, 5, np.mean(folds.fold_losses), stats.sem(folds.fold_losses))
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high))
    assert (estimate.method, estimate.n_units, estimate.n_rows, estimate.indicative) == ("block_t", 6, 120, False)
    assert estimate.estimand.endswith("conditional on the periods seen")
    assert "no interval has validated coverage" in estimate.note


def test_new_groups_at_later_times_join_the_folds_of_a_block():
    splitter = GroupTime(6, groups=np.arange(140) % 10)
    estimate = error_from(judged(splitter, n=140), metric="mse", splitter=splitter)
    assert (estimate.method, estimate.n_units) == ("block_t", 6)
    assert (
        estimate.estimand
        == "error on later rows of new groups than those learned from, conditional on the periods seen"
    )


def test_two_blocks_of_time_give_the_range_and_five_are_indicative():
    few = error_from(judged(BlockedTime(2)), metric="mse", splitter=BlockedTime(2))
    assert (few.method, few.ci_low) == ("range", None)
    assert few.note.startswith("no interval from 2 blocks")
    five = error_from(judged(BlockedTime(5)), metric="mse", splitter=BlockedTime(5))
    assert five.indicative
    assert five.note.startswith("only 5 blocks: the interval is indicative; conditional on")


def test_twenty_thousand_rows_get_walds_interval_and_copies_count_once():
    X, y = table(20_000)
    splitter = KFold(2)
    folds = out_of_fold(DummyRegressor(), X, y, splitter=splitter, loss="squared_error")
    estimate = error_from(folds, metric="mse", splitter=splitter)
    half = stats.norm.ppf(0.975) * stats.sem(folds.losses)
    assert estimate.method == "wald"
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((estimate.error - half, estimate.error + half))
    copies = np.repeat(np.arange(10_000), 2)
    paired = RandomFolds(2, units=copies)
    doubled = out_of_fold(DummyRegressor(), X[copies], y[copies], splitter=paired, loss="squared_error")
    assert error_from(doubled, metric="mse", splitter=paired).method == "corrected_repeated_kfold"
    forced = error_from(doubled, metric="mse", splitter=paired, method="wald")
    assert forced.n_units == 10_000
    once = stats.norm.ppf(0.975) * stats.sem(doubled.losses[::2])
    assert forced.ci_high - forced.error == pytest.approx(once, rel=1e-3)


def test_doubling_every_row_does_not_shrink_the_interval_when_copies_stay_together():
    X, y = table()
    widths = []
    for times in (1, 2):
        copies = np.repeat(np.arange(120), times)
        splitter = RandomFolds(5, 2, units=copies)
        folds = out_of_fold(DummyRegressor(), X[copies], y[copies], splitter=splitter, loss="squared_error")
        estimate = error_from(folds, metric="mse", splitter=splitter)
        widths.append(estimate.ci_high - estimate.ci_low)
    assert widths[1] > 0.5 * widths[0]
    # The mean predictor does not care for copies, so the law of the width is the same: compare over many tables.
    ratios = []
    for seed in range(30):
        X, y = table(seed=seed)
        copies = np.repeat(np.arange(120), 2)
        width = {}
        for times, rows in ((1, np.arange(120)), (2, copies)):
            splitter = RandomFolds(5, 2, seed, units=rows)
            folds = out_of_fold(DummyRegressor(), X[rows], y[rows], splitter=splitter, loss="squared_error")
            width[times] = error_from(folds, metric="mse", splitter=splitter).standard_error
        ratios.append(np.log(width[2] / width[1]))
    assert stats.ttest_1samp(ratios, 0).pvalue > 1e-5
    assert np.mean(ratios) > np.log(0.8)  # were copies counted as rows, log(1 / sqrt 2)


def test_a_monotone_metric_takes_over_the_ends_in_order():
    folds = judged(StratifiedFolds(5), loss="zero_one")
    wrong, right = (error_from(folds, metric=name, splitter=StratifiedFolds(5)) for name in ("error_rate", "accuracy"))
    assert right.error == pytest.approx(1 - wrong.error)
    assert (right.ci_low, right.ci_high) == pytest.approx((1 - wrong.ci_high, 1 - wrong.ci_low))
    assert right.standard_error == pytest.approx(wrong.standard_error)
    squares = judged(RandomFolds(5))
    mse, rmse = (error_from(squares, metric=name, splitter=RandomFolds(5)) for name in ("mse", "rmse"))
    assert (rmse.error, rmse.ci_low, rmse.ci_high) == pytest.approx((mse.error**0.5, mse.ci_low**0.5, mse.ci_high**0.5))
    assert rmse.standard_error == pytest.approx(mse.standard_error / (2 * rmse.error), rel=0.02)  # delta method


def test_ends_beyond_what_a_loss_can_be_are_cut():
    y = np.zeros(40)
    y[0] = 1000.0
    estimate = estimate_error(DummyRegressor(), np.zeros((40, 1)), y, metric="rmse", splitter=RandomFolds(5))
    assert estimate.ci_low == 0.0
    labels = np.array([0] * 38 + [1] * 2)
    estimate = estimate_error(DummyClassifier(), np.zeros((40, 1)), labels, metric="accuracy", splitter=RandomFolds(20))
    assert estimate.ci_high == 1.0


def test_no_wrong_row_at_all_leaves_room_for_what_so_few_rows_cannot_show():
    X = np.repeat([[0.0], [1.0]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    estimate = estimate_error(KNeighborsClassifier(1), X, y, metric="error_rate", splitter=StratifiedFolds(5))
    expected = stats.binomtest(0, 40).proportion_ci(method="wilson")
    assert (estimate.error, estimate.ci_low) == (0.0, 0.0)
    assert estimate.ci_high == pytest.approx(expected.high)
    assert "Wilson" in estimate.note
    groups = np.arange(40) % 8
    grouped = estimate_error(KNeighborsClassifier(1), X, y, metric="error_rate", groups=groups)
    assert grouped.ci_high == pytest.approx(stats.binomtest(0, 8).proportion_ci(method="wilson").high)
    assert grouped.note.startswith("only 8 groups")


def test_a_level_is_taken_as_given():
    folds = judged(RandomFolds(5))
    ninety, half = (
        error_from(folds, metric="mse", splitter=RandomFolds(5), confidence_level=level) for level in (0.9, 0.5)
    )
    assert (ninety.ci_high - ninety.error) / (half.ci_high - half.error) == pytest.approx(
        stats.t.ppf(0.95, 4) / stats.t.ppf(0.75, 4)
    )


def test_scikit_learns_splitters_are_understood():
    groups = np.arange(120) // 5
    grouped = error_from(judged(GroupKFold(6), groups=groups), metric="mse", splitter=GroupKFold(6), groups=groups)
    assert (grouped.method, grouped.n_units) == ("corrected_t_groups", 24)
    loose = error_from(judged(KFold(7)), metric="mse", splitter=KFold(7), groups=groups)
    assert loose.method == "corrected_repeated_kfold"
    ordered = error_from(judged(TimeSeriesSplit(6)), metric="mse", splitter=TimeSeriesSplit(6))
    assert (ordered.method, ordered.n_units) == ("block_t", 6)


def test_one_test_part_has_an_error_but_no_interval():
    estimate = error_from(judged(HoldOut(0.2)), metric="mse", splitter=HoldOut(0.2))
    assert (estimate.ci_low, estimate.n_rows) == (None, 24)
    assert estimate.note == "one test part of 24 rows: make more folds for an interval"


def test_repeats_joined_by_the_caller_are_one_estimate():
    first, second = judged(RandomFolds(5, 1, 0)), judged(RandomFolds(5, 1, 1))
    joined = replace(
        first,
        losses=(first.losses + second.losses) / 2,
        fold_losses=first.fold_losses + second.fold_losses,
        fold_sizes=first.fold_sizes + second.fold_sizes,
        training_losses=first.training_losses + second.training_losses,
    )
    estimate = error_from(joined, metric="mse", splitter=RandomFolds(5))
    half = stats.t.ppf(0.975, 9) * np.std(joined.fold_losses, ddof=1) * np.sqrt(1 / 10 + 1 / 4)
    assert estimate.ci_high - estimate.error == pytest.approx(half)


def test_defaults_follow_estimator_and_groups():
    X, y = table()
    plain = heldout.generalization.estimate_error(Ridge(), X, y)
    assert (plain.metric, plain.n_fits, plain.method) == ("rmse", 30, "corrected_repeated_kfold")
    labels = np.where(y > 0, "yes", "no")
    assert estimate_error(LogisticRegression(), X, labels).metric == "log_loss"
    grouped = estimate_error(Ridge(), X, y, groups=np.arange(120) % 15, loss="absolute_error")
    assert (grouped.metric, grouped.n_fits, grouped.method) == ("absolute_error", 30, "corrected_t_groups")
    assert estimate_error(Ridge(), X, y, metric=METRICS["mae"]).error == pytest.approx(
        estimate_error(Ridge(), X, y, loss="absolute_error", metric="mae").error
    )
    many, zeros = np.zeros((2_000, 1)), np.zeros(2_000)
    assert estimate_error(DummyRegressor(), many, zeros, metric="mae").n_fits == 10


def test_training_error_says_nothing_of_variance():
    # One neighbour interpolates whatever the noise: no training error, and an error of twice the noise.
    rng = np.random.default_rng(0)
    X, y = rng.random((2_000, 1)), rng.normal(size=2_000)
    estimate = estimate_error(KNeighborsRegressor(1), X, y, metric="mse")
    assert estimate.training_error == 0.0
    assert estimate.error == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize(
    ("splitter", "change", "said"),
    [
        (RandomFolds(5), {"metric": "mae"}, "mae rests on absolute_error, got losses of squared_error"),
        (RandomFolds(5), {"metric": "accuracy"}, "unknown regression metric 'accuracy'"),
        (RandomFolds(5), {"method": "magic"}, "unknown method 'magic': choose one of auto"),
        (RandomFolds(5), {"method": "block_t"}, "'block_t' does not fit held-out rows"),
        (BlockedTime(5), {"method": "wald"}, "'wald' does not fit held-out blocks"),
        (BlockedTime(2), {"method": "block_t"}, "'block_t' needs 3 blocks, got 2"),
        (GroupFolds(5, groups=np.arange(120) % 5), {"method": "corrected_t_groups"}, "needs 6 groups, got 5"),
        (RandomFolds(5), {"confidence_level": 1.5}, "confidence_level must lie between 0 and 1, got 1.5"),
        (RandomFolds(5), {"units": [1, 2]}, r"units must have shape \(120,\), got \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(splitter, change, said):
    folds = judged(splitter)
    with pytest.raises(InvalidInput, match=said):
        error_from(folds, **({"metric": "mse", "splitter": splitter} | change))


def test_a_metric_that_does_not_rest_on_the_loss_is_refused_before_fitting():
    X, y = table()
    for metric in ("rmse", Metric("own", "own", METRICS["mse"].loss, float)):
        with pytest.raises(InvalidInput, match="rests on squared_error, got losses of absolute_error"):
            estimate_error(Ridge(), X, y, loss="absolute_error", metric=metric)
    with pytest.raises(InvalidInput, match="unknown regression metric 'none'"):
        estimate_error(Ridge(), X, y, metric="none")


def test_names_not_there_are_refused_and_lazy_ones_found():
    from heldout import generalization

    assert set(dir(generalization)) >= {"compare", "paired_difference"}
    assert generalization.paired_difference is generalization.paired.paired_difference
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        generalization.nothing  # noqa: B018 - asking is the test
