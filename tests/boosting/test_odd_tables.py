"""Tables at the edge of what a table is: the right model, never a crash, never garbage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heldout import BoostingClassifier, BoostingRegressor

from reference.ensembles import assert_same_bits

N = 60


@pytest.fixture(name="X")
def small_matrix(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(N, 3))


@pytest.fixture
def y(X: Any) -> NDArray[np.float64]:
    return np.asarray(np.sign(X[:, 0]) + 0.1 * X[:, 1])


def assert_constant(model: Any, X: Any, value: Any) -> None:
    predicted = model.predict(X)
    if isinstance(model, BoostingRegressor):
        np.testing.assert_allclose(predicted, np.full(len(predicted), value), rtol=1e-12)
    else:
        assert (predicted == value).all()
    assert (model.ensemble_.feature == -1).all()


def test_one_row(X: Any) -> None:
    assert_constant(BoostingRegressor().fit(X[:1], [4.25]), X, 4.25)
    assert_constant(BoostingRegressor(min_leaf_weight=0).fit(X[:1], [4.25]), X, 4.25)
    model = BoostingClassifier().fit(X[:1], ["only"])
    assert_constant(model, X, "only")
    assert model.predict_proba(X).tolist() == [[1.0]] * N


def test_two_rows_are_told_apart_where_leaves_may_be_that_small() -> None:
    model = BoostingRegressor(min_leaf_weight=1, learning_rate=1.0, n_trees=2).fit([[0.0], [1.0]], [-3.0, 5.0])
    np.testing.assert_allclose(model.predict([[0.0], [0.5], [0.51]]), [-3.0, -3.0, 5.0], rtol=1e-6)
    assert_constant(BoostingRegressor().fit([[0.0], [1.0]], [-3.0, 5.0]), [[0.0], [1.0]], 1.0)


def test_one_column(X: Any, y: Any) -> None:
    model = BoostingRegressor(min_leaf_weight=1, n_trees=200).fit(X[:, :1], y)
    assert np.abs(model.predict(X[:, :1]) - y).max() < 0.05
    assert model.feature_importances_.tolist() == [1.0]


@pytest.mark.parametrize("fill", [0.0, -7.5, np.nan, np.inf, -np.inf])
def test_columns_that_say_nothing_give_the_constant_model(fill: float, y: Any) -> None:
    blank = np.full((N, 2), fill)
    assert_constant(BoostingRegressor(min_leaf_weight=1).fit(blank, y), blank, y.mean())
    labels = np.repeat(["many", "few"], [40, 20])
    model = BoostingClassifier(min_leaf_weight=1).fit(blank, labels)
    assert_constant(model, blank, "many")
    np.testing.assert_allclose(model.predict_proba(blank), [[1 / 3, 2 / 3]] * N, rtol=1e-12)


def test_a_constant_column_beside_others_changes_nothing(X: Any, y: Any) -> None:
    wide = np.column_stack([X, np.full(N, 2.0), np.full(N, np.nan)])
    one = BoostingRegressor(min_leaf_weight=3).fit(X, y)
    other = BoostingRegressor(min_leaf_weight=3).fit(wide, y)
    assert np.array_equal(one.predict(X), other.predict(wide))


@pytest.mark.parametrize("model", [BoostingRegressor, BoostingClassifier])
def test_one_leaf_is_the_constant_model(model: Any, X: Any) -> None:
    codes = (np.arange(N) % 3 == 0).astype(int)
    fitted = model(max_leaves=1).fit(X, codes)
    assert_constant(fitted, X, codes.mean() if model is BoostingRegressor else 0)
    assert fitted.n_trees_ == 100


def test_two_bins_split_at_the_median(seed: int) -> None:
    X = np.random.default_rng(seed).permutation(np.arange(1000.0))[:, None]
    model = BoostingRegressor(max_bins=2, n_trees=1, learning_rate=1.0).fit(X, X[:, 0])
    assert model.ensemble_.threshold[0] == 499.5
    np.testing.assert_allclose(model.predict([[0.0], [999.0]]), [249.5, 749.5], rtol=1e-5)


def test_254_and_255_bins_are_the_same(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(2000, 2))
    models = [BoostingRegressor(max_bins=bins, n_trees=5).fit(X, X[:, 0]) for bins in (254, 255)]
    assert_same_bits(models[0].ensemble_, models[1].ensemble_)


def test_truth_values_are_features(X: Any, y: Any) -> None:
    one = BoostingRegressor(min_leaf_weight=1).fit(X > 0, y)
    other = BoostingRegressor(min_leaf_weight=1).fit((X > 0).astype(float), y)
    assert_same_bits(one.ensemble_, other.ensemble_)
    assert np.array_equal(one.predict(X > 0), other.predict((X > 0).astype(float)))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64, np.float16, np.longdouble, object])
def test_numbers_of_any_dtype_are_features(dtype: Any, X: Any, y: Any) -> None:
    given = np.abs(X * 20).astype(np.uint8).astype(dtype)
    one = BoostingRegressor(min_leaf_weight=1).fit(given, y)
    assert_same_bits(one.ensemble_, BoostingRegressor(min_leaf_weight=1).fit(given.astype(float), y).ensemble_)
    assert np.array_equal(one.predict(given), one.predict(given.astype(float)))


def test_huge_whole_numbers_are_features(y: Any) -> None:
    given = np.array([[2**64 - 1 - 2**12 * i] for i in range(N)], dtype=np.uint64)  # 2^11 is float64's grain there
    model = BoostingRegressor(min_leaf_weight=1, n_trees=200).fit(given, y)
    assert np.abs(model.predict(given) - y).max() < 1e-3
    model = BoostingRegressor(min_leaf_weight=1, n_trees=200).fit([[10**30 * (1 + i)] for i in range(N)], y)
    assert np.abs(model.predict([[10**30 * (1 + i)] for i in range(N)]) - y).max() < 1e-3


def test_infinities_are_the_largest_values(y: Any) -> None:
    given = np.linspace(-1, 1, N)[:, None]
    given[:10], given[-10:] = -np.inf, np.inf
    model = BoostingRegressor(min_leaf_weight=1, n_trees=1, learning_rate=1.0, max_leaves=3)
    target = np.repeat([5.0, 0.0, -9.0], [10, 40, 10])
    assert np.abs(model.fit(given, target).predict(given) - target).max() < 1e-5


@pytest.mark.parametrize("scale", [1e300, 1e200, 1e-200, 1e-300, 2.0**1000, 2.0**-1000])
def test_targets_of_any_size_give_the_same_trees(scale: float, X: Any, y: Any) -> None:
    plain = BoostingRegressor(min_leaf_weight=2, n_trees=30).fit(X, y)
    scaled = BoostingRegressor(min_leaf_weight=2, n_trees=30).fit(X, y * scale)
    np.testing.assert_allclose(scaled.predict(X) / scale, plain.predict(X), rtol=1e-3, atol=1e-4)
    if np.frexp(scale)[0] == 0.5:  # a power of two changes no digit
        assert np.array_equal(scaled.predict(X) / scale, plain.predict(X))


def test_a_far_off_origin_costs_no_digits(X: Any, y: Any) -> None:
    plain = BoostingRegressor(min_leaf_weight=2, n_trees=30).fit(X, y)
    moved = BoostingRegressor(min_leaf_weight=2, n_trees=30).fit(X, y + 2.0**30)
    np.testing.assert_allclose(moved.predict(X) - 2.0**30, plain.predict(X), atol=1e-4)


def test_the_smallest_and_the_largest_targets_together(X: Any) -> None:
    y = np.where(X[:, 0] > 0, 1e307, 1e-307)
    predicted = BoostingRegressor(min_leaf_weight=1, n_trees=100).fit(X, y).predict(X)
    assert np.abs(predicted / 1e307 - (X[:, 0] > 0)).max() < 1e-3


@pytest.mark.parametrize("value", [0.0, 3.3, -1e300, 5e-324])
def test_a_constant_target_is_predicted_exactly(value: float, X: Any) -> None:
    model = BoostingRegressor(min_leaf_weight=1).fit(X, np.full(N, value))
    assert (model.predict(X) == value).all()
    assert (model.ensemble_.feature == -1).all()


def test_one_class(X: Any) -> None:
    for label in (7, "x", True):
        model = BoostingClassifier(min_leaf_weight=1).fit(X, np.full(N, label))
        assert_constant(model, X, label)
        assert model.predict_proba(X).tolist() == [[1.0]] * N
        assert np.isfinite(model.decision_function(X)).all()
        assert all((stage == label).all() for stage in model.staged_predict(X))


def test_a_hundred_classes() -> None:
    X = np.repeat(np.arange(100.0), 20)[:, None]
    y = np.repeat(np.arange(100) * 3 - 50, 20)
    # In each round each class can split off its own rows: 20 of them at p = 1/100 have hessian enough for a leaf.
    model = BoostingClassifier(n_trees=8, max_leaves=8).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.99
    assert model.predict_proba(X).shape == (2000, 100)
    assert model.ensemble_.n_trees == 800


def test_a_class_whose_rows_all_weigh_nothing_gets_no_probability(X: Any) -> None:
    y = np.repeat([0, 1, 2], 20)
    model = BoostingClassifier(n_trees=10, min_leaf_weight=5).fit(X, y, sample_weight=(y != 1).astype(float))
    probability = model.predict_proba(X)
    assert probability[:, 1].max() < 1e-6
    assert np.isfinite(model.ensemble_.value).all()


@pytest.mark.parametrize("weight", [5e-324, 1e-300, 1e-30, 256.0, 1e30, 1e300])
@pytest.mark.parametrize("model", [BoostingRegressor, BoostingClassifier])
def test_equal_weights_of_any_size_are_no_weights(model: Any, weight: float, X: Any, y: Any) -> None:
    target = y if model is BoostingRegressor else (y > 0).astype(int)
    one = model(min_leaf_weight=2, n_trees=20).fit(X, target)
    other = model(min_leaf_weight=2, n_trees=20).fit(X, target, sample_weight=np.full(N, weight))
    raw = [m.predict(X) if model is BoostingRegressor else m.decision_function(X) for m in (one, other)]
    np.testing.assert_allclose(raw[1], raw[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("exponent", [-1000, -1, 3, 900])
def test_weights_and_l2_times_one_power_of_two_change_nothing(exponent: int, X: Any, y: Any, seed: int) -> None:
    weight = np.random.default_rng(seed).gamma(2.0, size=N)
    one = BoostingRegressor(min_leaf_weight=2, l2=0.75).fit(X, y, sample_weight=weight)
    other = BoostingRegressor(min_leaf_weight=2, l2=0.75 * 2.0**exponent)
    other.fit(X, y, sample_weight=weight * 2.0**exponent)
    assert np.array_equal(one.predict(X), other.predict(X))


def test_one_weight_beyond_all_others_leaves_numbers_finite(X: Any, y: Any) -> None:
    weight = np.full(N, 1e-300)
    weight[4] = 1e300
    model = BoostingRegressor(min_leaf_weight=1).fit(X, y, sample_weight=weight)
    assert np.isfinite(model.predict(X)).all()
    assert model.predict(X[4:5])[0] == pytest.approx(y[4], abs=1e-6)
    classifier = BoostingClassifier(min_leaf_weight=1).fit(X, y > 0, sample_weight=weight)
    assert np.isfinite(classifier.decision_function(X)).all()
    assert classifier.predict(X[4:5])[0] == (y[4] > 0)


def test_more_features_than_rows(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(40, 3000))
    y = X[:, 2345]
    model = BoostingRegressor(min_leaf_weight=1, n_trees=100).fit(X, y)
    assert np.abs(model.predict(X) - y).max() < 0.05


@pytest.mark.parametrize("exponent", [-1021, -1015])
def test_the_smallest_targets_that_are_taken_are_learned(exponent: int) -> None:
    X = np.repeat([0.0, 1.0], N // 2)[:, None]
    target = X[:, 0] * 2.0**exponent
    model = BoostingRegressor(min_leaf_weight=1, n_trees=1, learning_rate=1.0).fit(X, target)
    np.testing.assert_allclose(model.predict(X) * 2.0**1000, target * 2.0**1000, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, np.int8])
def test_numpy_numbers_are_parameters(kind: Any, X: Any, y: Any) -> None:
    one = BoostingRegressor(n_trees=3, l2=kind(1), learning_rate=kind(1), min_leaf_weight=kind(5)).fit(X, y)
    other = BoostingRegressor(n_trees=3, l2=1, learning_rate=1, min_leaf_weight=5).fit(X, y)
    assert_same_bits(one.ensemble_, other.ensemble_)
