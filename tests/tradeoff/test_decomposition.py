"""Decompositions against closed forms, exact sums, and the promises about frames, seeds, classes and jobs."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heldout.errors import InvalidInput
from heldout.splits import BlockedTime, GroupFolds, RandomFolds
from heldout.tradeoff import decompose
from heldout.tradeoff.fitting import cut_in_halves

from statistical import assert_rate, power


class Coin(ClassifierMixin, BaseEstimator):
    """Answers 1 with probability q, whatever it was shown."""

    def __init__(self, q=0.3, random_state=None):
        self.q, self.random_state = q, random_state

    def fit(self, _, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (np.random.default_rng(self.random_state).random(len(X)) < self.q).astype(int)


class TwoColumns(BaseEstimator):
    """Predicts two values per row, as no learner with one output should."""

    def fit(self, _X, _y):
        return self

    def predict(self, X):
        return np.zeros((len(X), 2))


class NotFinite(TwoColumns):
    def predict(self, X):
        return np.full((len(X), 1), np.nan)


def table(seed, n=120, p=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, 0] + rng.normal(size=n)


def agrees(values, truth, errors=5.0):
    """Say that the mean of independent unbiased estimates lies within so many standard errors of the truth."""
    values = np.asarray(values)
    error = values.std(ddof=1) / np.sqrt(len(values))
    print(f"\nmean of {len(values)} tables {values.mean():.4f}, truth {truth:.4f}, standard error {error:.4f}")
    assert values.mean() == pytest.approx(truth, abs=errors * error)


@pytest.mark.parametrize("loss", ["squared_error", "zero_one"])
def test_the_parts_sum_to_the_mean_loss_in_total_in_each_partition_and_row(loss):
    X, y = table(0)
    if loss == "zero_one":
        y = np.digitize(y, [-0.5, 0.5])
    learner = DecisionTreeRegressor() if loss == "squared_error" else DecisionTreeClassifier()
    parts = decompose(learner, X, y, loss=loss, n_partitions=3)
    assert parts.variance + parts.bias_plus_noise == pytest.approx(parts.expected_loss, abs=1e-12)
    sums = parts.variance_per_row + parts.bias_plus_noise_per_row
    np.testing.assert_allclose(sums, parts.expected_loss_per_row, atol=1e-12)
    loss_of, variance, bias_plus_noise = parts.per_partition.T
    np.testing.assert_allclose(variance + bias_plus_noise, loss_of, atol=1e-12)
    assert parts.expected_loss == pytest.approx(loss_of.mean(), abs=1e-12)


def test_the_expected_loss_is_that_of_fits_made_by_hand():
    X, y = table(1, n=60)
    folds = RandomFolds(3, random_state=5)
    parts = decompose(LinearRegression(), X, y, splitter=folds, n_partitions=2, random_state=9)
    total = []
    for partition in range(2):
        pairs = cut_in_halves(list(folds.split(X)), partition, codes=None, groups=None, max_rows=None, seed=9)
        for pair in pairs:
            assert not set(pair.halves[0]) & set(pair.halves[1])
            assert not (set(pair.halves[0]) | set(pair.halves[1])) & set(pair.test)
            for half in pair.halves:
                predicted = LinearRegression().fit(X[half], y[half]).predict(X[pair.test])
                total += ((predicted - y[pair.test]) ** 2).tolist()
    assert parts.expected_loss == pytest.approx(np.mean(total), rel=1e-12)
    assert (parts.n_fits, parts.n_train, parts.label) == (12, 20, "at n/2")


def test_a_constant_predictor_has_no_variance_and_bias_plus_noise_is_its_mean_squared_distance():
    X, y = table(2)
    parts = decompose(DummyRegressor(strategy="constant", constant=0.7), X, y)
    assert (parts.variance, parts.variance_ci, parts.variance_standard_error) == (0.0, (0.0, 0.0), 0.0)
    assert parts.bias_plus_noise == pytest.approx(np.mean((y - 0.7) ** 2), rel=1e-12)


def test_a_constant_class_has_no_variance_and_its_error_is_bias_plus_noise():
    X, y = table(3)
    labels = np.where(y > 0.5, "rare", "usual")
    parts = decompose(DummyClassifier(), X, labels, loss="zero_one")
    assert parts.variance == 0.0
    assert parts.bias_plus_noise == pytest.approx((labels == "rare").mean(), abs=1e-12)


@pytest.mark.slow
def test_the_mean_predictor_has_variance_sigma2_over_m(seed):
    # 400 tables of 50 rows, halves of 20: V = 4 / 20, D = 4.
    rng = np.random.default_rng(seed)
    runs = [decompose(DummyRegressor(), np.zeros((50, 1)), 2 * rng.normal(size=50), n_partitions=2) for _ in range(400)]
    agrees([run.variance for run in runs], 4 / 20)
    agrees([run.bias_plus_noise for run in runs], 4.0)


@pytest.mark.slow
def test_least_squares_on_gaussian_features_has_the_random_design_variance(seed):
    # No intercept, true linear, m = 24, p = 5: V = sigma2 p / (m - p - 1) = 5/18; with intercept the error is
    # (1 + 1/m)(m - 2)/(m - p - 2) = (25/24)(22/17).
    rng = np.random.default_rng(seed)
    plain, intercept = [], []
    for _ in range(400):
        X = rng.normal(size=(60, 5))
        y = X.sum(axis=1) + rng.normal(size=60)
        plain.append(decompose(LinearRegression(fit_intercept=False), X, y, n_partitions=2))
        intercept.append(decompose(LinearRegression(), X, y, n_partitions=2))
    agrees([run.variance for run in plain], 5 / 18)
    agrees([run.bias_plus_noise for run in plain], 1.0)
    agrees([run.expected_loss for run in intercept], (25 / 24) * (22 / 17))


@pytest.mark.slow
def test_nearest_neighbours_on_noise_have_variance_sigma2_over_k(seed):
    # f = 0, so the design adds no bias and the formula of a fixed design holds for any: V = 1 / 4, D = 1.
    rng = np.random.default_rng(seed)
    runs = [
        decompose(KNeighborsRegressor(4), rng.random((60, 2)), rng.normal(size=60), n_partitions=2) for _ in range(300)
    ]
    agrees([run.variance for run in runs], 1 / 4)
    agrees([run.bias_plus_noise for run in runs], 1.0)


@pytest.mark.slow
def test_one_neighbour_on_noise_labels_errs_twice_eta_one_minus_eta_and_half_of_it_is_variance(seed):
    # Stratified halves and folds hold the class shares nearly fixed, which lowers error and variance by a share of
    # about 1 / (m - 1) (drawing without replacement); random folds and n = 400 keep that below .002.
    rng, eta, runs = np.random.default_rng(seed), 0.3, []
    folds = RandomFolds(5, random_state=0)
    for _ in range(150):
        X, y = rng.random((400, 2)), (rng.random(400) < eta).astype(int)
        runs.append(decompose(KNeighborsClassifier(1), X, y, loss="zero_one", n_partitions=2, splitter=folds))
    agrees([run.expected_loss for run in runs], 2 * eta * (1 - eta))
    agrees([run.variance for run in runs], eta * (1 - eta))


@pytest.mark.slow
def test_a_coin_has_variance_q_one_minus_q_because_every_fit_gets_its_own_seed(seed):
    rng = np.random.default_rng(seed)
    runs = [
        decompose(Coin(0.3), np.zeros((60, 1)), rng.integers(0, 2, 60), loss="zero_one", n_partitions=2, random_state=r)
        for r in range(200)
    ]
    agrees([run.variance for run in runs], 0.3 * 0.7)


def test_open_seeds_are_drawn_per_fit_and_fixed_ones_are_kept():
    X, y = table(4)
    labels = (y > 0).astype(int)
    once = decompose(Coin(0.5), X, labels, loss="zero_one", random_state=1)
    again = decompose(Coin(0.5), X, labels, loss="zero_one", random_state=1)
    other = decompose(Coin(0.5), X, labels, loss="zero_one", random_state=2)
    fixed = decompose(Coin(0.5, random_state=0), X, labels, loss="zero_one", random_state=1)
    assert once.per_partition.tolist() == again.per_partition.tolist() != other.per_partition.tolist()
    assert fixed.variance == 0.0
    nested = make_pipeline(FunctionTransformer(), DecisionTreeRegressor(max_features=1))
    assert decompose(nested, X, y).expected_loss == decompose(nested, X, y).expected_loss


def test_the_same_bits_come_out_for_any_number_of_jobs():
    X, y = table(5, n=40)
    forest = RandomForestRegressor(3)
    one, two = (decompose(forest, X, y, n_partitions=2, n_jobs=jobs) for jobs in (1, 2))
    assert one.variance_per_row.tobytes() == two.variance_per_row.tobytes()
    assert one.expected_loss_ci == two.expected_loss_ci


def test_frames_lists_and_arrays_give_the_same_numbers():
    X, y = table(6, n=60)
    names = ["a", "b", "c"]
    expected = decompose(DecisionTreeRegressor(random_state=0), X, y, n_partitions=2).per_partition.tolist()
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names), X.tolist()):
        tree = make_pipeline(FunctionTransformer(np.asarray), DecisionTreeRegressor(random_state=0))
        assert decompose(tree, frame, y, n_partitions=2).per_partition.tolist() == expected


def test_a_class_missing_from_a_half_or_a_single_class_does_not_crash():
    X, y = table(7, n=60)
    labels = np.array(["common"] * 59 + ["once"])
    parts = decompose(LogisticRegression(), X, labels, loss="zero_one", splitter=RandomFolds(5))
    assert 0 < parts.expected_loss < 0.1
    gap = np.where(np.arange(60) < 3, 1, np.where(y > 0, 0, 2))  # the middle class is rare: codes with a hole
    rare = decompose(KNeighborsClassifier(3), X, gap, loss="zero_one", classes=["a", "b", "c"])
    assert 0 < rare.expected_loss < 1


def test_labels_and_their_codes_give_the_same_parts():
    X, y = table(8)
    codes = np.digitize(y, [-0.5, 0.5])
    names = np.array(["high", "low", "middle"])
    tree = DecisionTreeClassifier(random_state=0)
    by_name = decompose(tree, X, names[codes], loss="zero_one", n_partitions=2)
    by_code = decompose(tree, X, codes, loss="zero_one", n_partitions=2, classes=names.tolist())
    assert by_name.per_partition.tolist() == by_code.per_partition.tolist()


def test_halves_are_cut_by_whole_groups_and_intervals_count_groups():
    X, y = table(9)
    groups = np.repeat(np.arange(24), 5)
    pairs = cut_in_halves(
        list(GroupFolds(4, groups=groups).split(X)), 0, codes=None, groups=groups, max_rows=None, seed=0
    )
    for pair in pairs:
        first, second, test = (set(groups[rows]) for rows in (*pair.halves, pair.test))
        assert not first & second
        assert not (first | second) & test
    default = decompose(LinearRegression(), X, y, groups=groups)
    theirs = decompose(LinearRegression(), X, y, groups=groups, splitter=GroupKFold(5))
    assert default.n_units == theirs.n_units == 24
    assert decompose(LinearRegression(), X, y).n_units == 120


def test_time_ordered_halves_are_of_the_past_and_blocks_are_the_units():
    X, y = table(10)
    ours = decompose(LinearRegression(), X, y, splitter=BlockedTime(6))
    theirs = decompose(LinearRegression(), X, y, splitter=TimeSeriesSplit(6))
    assert (ours.n_units, theirs.n_units) == (6, 6)
    assert np.isnan(ours.variance_per_row).sum() == len(y) - np.isfinite(ours.variance_per_row).sum() > 0
    for pair in cut_in_halves(list(BlockedTime(6).split(X)), 0, codes=None, groups=None, max_rows=None, seed=0):
        assert max(half.max() for half in pair.halves) < pair.test.min()


def test_a_training_part_too_small_to_cut_is_left_out_and_a_single_block_has_no_interval():
    X, y = table(11, n=12)
    folds = [(np.array([0]), np.array([1])), (np.arange(8), np.arange(8, 12))]

    class Given:
        scheme = "blocked_time"

        def split(self, *_):
            return iter(folds)

        def units(self, *_):
            return np.repeat([0, 1], [8, 4])

    parts = decompose(DummyRegressor(), X, y, splitter=Given())
    assert np.isfinite(parts.variance_per_row).tolist() == [False] * 8 + [True] * 4
    assert (parts.n_units, parts.variance_ci, parts.n_fits) == (1, None, 10)


def test_max_rows_caps_the_halves_and_the_label_says_so():
    X, y = table(12)
    parts = decompose(LinearRegression(), X, y, max_rows=20)
    assert (parts.n_train, parts.label) == (20, "at 20 rows")
    assert decompose(LinearRegression(), X, y, max_rows=500).label == "at n/2"


def test_a_deadline_leaves_two_partitions():
    X, y = table(13, n=40)
    parts = decompose(DummyRegressor(), X, y, n_partitions=50, deadline=time.monotonic() - 1.0)
    assert (parts.n_partitions, parts.n_fits) == (2, 20)


def test_the_monte_carlo_error_falls_with_partitions_and_predicts_their_spread():
    # 40 seeds on one table: the spread of V over seeds against the mean claimed error. The ratio of two standard
    # deviations of 40 (and 40 x 4 degrees of freedom) varies by about 15 %; 4 of these.
    X, y = table(14, n=60)
    runs = [decompose(DecisionTreeRegressor(), X, y, random_state=r, splitter=RandomFolds(3)) for r in range(40)]
    spread = np.std([run.variance for run in runs], ddof=1)
    claimed = np.sqrt(np.mean([run.variance_standard_error**2 for run in runs]))
    assert claimed / spread == pytest.approx(1.0, abs=0.6)
    many = decompose(DecisionTreeRegressor(), X, y, n_partitions=40, splitter=RandomFolds(3))
    assert many.variance_standard_error < claimed


def test_errors_name_the_offending_value():
    X, y = table(15, n=20)
    labels = np.array(["a", "b"] * 10)
    with pytest.raises(InvalidInput, match=r"loss must be one of squared_error, zero_one to be split, got 'log_loss'"):
        decompose(DummyRegressor(), X, y, loss="log_loss")
    with pytest.raises(InvalidInput, match=r"method must be 'disjoint', got 'bootstrap'"):
        decompose(DummyRegressor(), X, y, method="bootstrap")
    with pytest.raises(InvalidInput, match=r"n_partitions must be 2 or more .* got 1"):
        decompose(DummyRegressor(), X, y, n_partitions=1)
    with pytest.raises(InvalidInput, match=r"max_rows must be 2 or more, got 1"):
        decompose(DummyRegressor(), X, y, max_rows=1)
    with pytest.raises(InvalidInput, match=r"confidence_level must lie between 0 and 1, got 1\.5"):
        decompose(DummyRegressor(), X, y, confidence_level=1.5)
    with pytest.raises(InvalidInput, match=r"y must be numbers for squared_error, got <U1"):
        decompose(DummyRegressor(), X, labels)
    with pytest.raises(InvalidInput, match=r"codes 0 \.\. 1 when classes are given, got 1 \.\. 2"):
        decompose(DummyClassifier(), X, np.array([1, 2] * 10), loss="zero_one", classes=["a", "b"])
    with pytest.raises(InvalidInput, match=r"two disjoint halves of 2 rows or more, the largest has 10 rows in whole"):
        decompose(DummyRegressor(), X, y, groups=np.repeat([0, 1], 10))
    with pytest.raises(InvalidInput, match=r"one value per row, shape \(4,\), got \(4, 2\)"):
        decompose(TwoColumns(), X, y)
    with pytest.raises(InvalidInput, match=r"must predict finite numbers, got nan"):
        decompose(NotFinite(), X, y)


def least_squares_table(rng):
    X = rng.normal(size=(100, 5))
    return LinearRegression(fit_intercept=False), X, X.sum(axis=1) + rng.normal(size=100), 5 / (40 - 5 - 1)


def neighbours_table(rng):
    return KNeighborsRegressor(4), rng.random((100, 2)), rng.normal(size=100), 1 / 4


@pytest.mark.slow
@pytest.mark.parametrize("make", [least_squares_table, neighbours_table])
def test_intervals_cover_the_closed_forms(make, seed):
    """Fits on 40 of 100 rows, noise 1 and no bias: D = 1, V in closed form (Gaussian design; 4 neighbours).

    400 tables, nominal 95 %. Claimed here, and in docs/tradeoff.md: 85 % for the variance (whose third source of
    error is an approximation), 90 % for the other two. `assert_rate` fails against 10 points less with the chance
    printed.
    """
    rng, runs, hits = np.random.default_rng(seed), 400, np.zeros(3, int)
    for r in range(runs):
        learner, X, y, variance = make(rng)
        parts = decompose(learner, X, y, random_state=r)
        ends = (parts.expected_loss_ci, parts.variance_ci, parts.bias_plus_noise_ci)
        hits += [low <= t <= high for (low, high), t in zip(ends, (1 + variance, variance, 1.0), strict=True)]
    print(f"power: {power(runs, 0.85, 0.75):.2f} (variance), {power(runs, 0.9, 0.8):.2f}")
    assert_rate("interval of the expected loss", int(hits[0]), runs, at_least=0.9)
    assert_rate("interval of the variance", int(hits[1]), runs, at_least=0.85)
    assert_rate("interval of bias + noise", int(hits[2]), runs, at_least=0.9)
