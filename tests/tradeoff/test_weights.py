"""Row weights count in the parts of the error as they count in the error."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from heldout.splits import BlockedTime, RandomFolds
from heldout.tradeoff import decompose


def test_parts_of_a_constant_predictor_are_the_weighted_error() -> None:
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=60), rng.integers(0, 4, 60).astype(float)
    parts = decompose(
        DummyRegressor(strategy="constant", constant=1.0), np.zeros((60, 1)), y, sample_weight=weight, n_partitions=2
    )
    assert parts.variance == 0.0
    assert parts.bias_plus_noise == pytest.approx(np.average((y - 1.0) ** 2, weights=weight))


def test_weighted_parts_still_sum_to_the_loss_and_equal_weights_change_nothing() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(80, 3)), rng.normal(size=80)
    splitter = RandomFolds(4, random_state=0)
    plain, equal, other = (
        decompose(LinearRegression(), X, y, splitter=splitter, sample_weight=weight, n_partitions=2)
        for weight in (None, np.full(80, 3.0), rng.uniform(0.1, 2, 80))
    )
    assert plain.variance == pytest.approx(equal.variance, rel=1e-9)
    assert other.variance + other.bias_plus_noise == pytest.approx(other.expected_loss, abs=1e-12)
    assert other.variance != pytest.approx(plain.variance, rel=1e-3)


def test_parts_are_the_same_for_any_number_of_jobs() -> None:
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    one, two = (decompose(LinearRegression(), X, y, n_partitions=2, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.variance_per_row, two.variance_per_row)


def test_weights_of_rows_that_are_never_tested_do_not_scale_the_parts() -> None:
    parts = decompose(
        DummyRegressor(strategy="constant", constant=0.0),
        np.zeros((100, 1)),
        np.tile([-1.0, 1.0], 50),
        splitter=BlockedTime(4),
        sample_weight=np.linspace(0.1, 2.0, 100),
        n_partitions=2,
    )
    assert parts.expected_loss == pytest.approx(1.0)
