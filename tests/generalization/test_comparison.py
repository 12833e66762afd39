"""Estimators on common folds: what each piece says must be what the pieces say alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

from heldout.errors import InvalidInput
from heldout.generalization.comparison import compare
from heldout.generalization.error_estimate import estimate_error
from heldout.generalization.paired import paired_difference
from heldout.splits import BlockedTime, GroupFolds, RandomFolds


def regression(seed, n=120):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X[:, 0] + rng.normal(size=n)


def test_each_error_equals_the_one_estimated_alone_and_differences_the_paired_ones():
    X, y = regression(0)
    folds = RandomFolds(5, random_state=1)
    result = compare({"mean": DummyRegressor(), "linear": LinearRegression()}, X, y, splitter=folds)
    alone = estimate_error(LinearRegression(), X, y, splitter=folds)
    assert (result.errors[1].error, result.errors[1].ci_low) == (alone.error, alone.ci_low)
    pair = paired_difference(result.losses[:, 0], result.losses[:, 1], n_folds=5, scheme="random")
    assert (result.winner, result.lowest, result.tied) == ("linear", "linear", ("linear",))
    assert result.differences == (pair, None)
    assert result.selected_metric == pytest.approx(np.sqrt(result.selected.error))


def test_equal_estimators_tie_and_the_first_is_chosen():
    X, y = regression(2)
    same = [("first", Ridge(1.0)), ("second", Ridge(1.0)), ("mean", DummyRegressor())]
    result = compare(same, X, y, n_resamples=50)
    assert (result.winner, result.tied) == ("first", ("first", "second"))
    assert result.selected.shift == 0.0
    assert (result.differences[1].difference, result.differences[1].standard_error) == (0.0, 0.0)


def test_whole_groups_and_blocks_are_the_units_with_either_kind_of_splitter():
    X, y = regression(3)
    groups = np.repeat(np.arange(15), 8)
    pair = {"mean": DummyRegressor(), "linear": LinearRegression()}
    ours = compare(pair, X, y, splitter=GroupFolds(5, groups=groups), groups=groups, n_resamples=20)
    theirs = compare(pair, X, y, splitter=GroupKFold(5), groups=groups, n_resamples=20)
    assert ours.differences[0].n_units == theirs.differences[0].n_units == 15
    blocked = compare(pair, X, y, splitter=BlockedTime(6), n_resamples=20)
    series = compare(pair, X, y, splitter=TimeSeriesSplit(6), n_resamples=20)
    assert blocked.differences[0].n_units == series.differences[0].n_units == 6


def test_classes_are_judged_by_log_loss_unless_told_otherwise():
    X, y = regression(4)
    labels = np.where(y > 0, "high", "low")
    pair = {"majority": DummyClassifier(), "logistic": LogisticRegression()}
    result = compare(pair, X, labels, n_resamples=20)
    assert (result.metric, result.lowest) == ("log_loss", "logistic")
    accuracy = compare(pair, X, labels, metric="accuracy", n_resamples=20)
    assert accuracy.selected_metric == pytest.approx(1 - accuracy.selected.error)


def test_errors_name_the_offending_value():
    X, y = regression(5)
    with pytest.raises(InvalidInput, match=r"at least 1 estimator is needed, got none"):
        compare({}, X, y)
    with pytest.raises(InvalidInput, match=r"got 'a' twice"):
        compare([("a", DummyRegressor()), ("a", LinearRegression())], X, y)
