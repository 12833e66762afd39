"""Planted truths found back, weights that mean what they say, and a peer with the same bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss

from heldout import BoostingClassifier, BoostingRegressor
from heldout._threads import one_thread_inside
from heldout.trees import Binned

from reference.ensembles import assert_same_bits, same_bits, walk_leaves

KINDS = ("regression", "two", "five")


def test_a_planted_step_function_is_found_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 40, (4000, 5)).astype(float)
    truth = np.select([X[:, 3] <= 9, X[:, 1] <= 24, X[:, 1] > 24], [-2.0, 1.0, 7.0])
    model = BoostingRegressor(n_trees=1, learning_rate=1.0, max_leaves=3).fit(X, truth)
    trees = model.ensemble_
    found = {(int(f), float(t)) for f, t in zip(trees.feature, trees.threshold, strict=True) if f >= 0}
    assert found == {(3, 9.5), (1, 24.5)}
    np.testing.assert_allclose(model.predict(X), truth, atol=1e-6)
    assert set(np.flatnonzero(model.feature_importances_)) == {1, 3}


@pytest.mark.parametrize("missing_is", ["low", "high"])
@pytest.mark.parametrize("kind", ["regression", "two"])
def test_the_direction_of_missing_values_is_learned(kind: str, missing_is: str, make_model: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 3)).round(1)  # few values, so that the truth lies on a cut point
    missing = rng.random(2000) < 0.3
    y = (np.where(missing, missing_is == "high", X[:, 1] > 0.25)).astype(float)
    X[missing, 1] = np.nan
    model = make_model(kind, n_trees=1, learning_rate=1.0, max_leaves=2).fit(X, y)
    trees = model.ensemble_
    assert trees.feature[0] == 1
    assert bool(trees.missing_left[0]) == (missing_is == "low")
    assert np.array_equal(model.predict(X).round(), y)


@pytest.mark.parametrize("rows_with_values", ["same", "spread"])
def test_missing_against_all_others_can_be_split_off(rows_with_values: str, seed: int) -> None:
    """Where only being missing matters the split is behind the last bin: all values left, missing right."""
    rng = np.random.default_rng(seed)
    X = np.full((1000, 1), 5.0) if rows_with_values == "same" else rng.normal(size=(1000, 1))
    missing = rng.random(1000) < 0.5
    X[missing] = np.nan
    model = BoostingRegressor(n_trees=1, learning_rate=1.0, max_leaves=2).fit(X, missing * 3.0)
    np.testing.assert_allclose(model.predict([[np.nan], [-1e300], [np.inf]]), [3.0, 0.0, 0.0], atol=1e-6)


def test_a_value_missing_only_at_prediction_goes_somewhere_always_the_same(table: Any) -> None:
    X = np.nan_to_num(table.X)
    model = BoostingRegressor(n_trees=10).fit(X, table.y)
    alone = model.predict(np.full((1, 11), np.nan))
    assert np.isfinite(alone).all()
    assert same_bits(model.predict(np.full((100, 11), np.nan)), np.repeat(alone, 100))


@pytest.mark.parametrize("kind", KINDS)
def test_importances_are_shares(kind: str, table: Any, make_model: Any) -> None:
    importances = make_model(kind, n_trees=10).fit(table.X, table.target_of(kind)).feature_importances_
    assert importances.shape == (11,)
    assert importances.sum() == pytest.approx(1.0, abs=1e-12)
    assert (importances >= 0).all()
    assert importances[6] == 0.0  # missing in all rows
    assert set(np.argsort(importances)[-2:]) <= {0, 1, 2, 3, 4}


def test_importances_of_a_constant_model_are_zero(table: Any) -> None:
    assert not BoostingRegressor(max_leaves=1).fit(table.X, table.y).feature_importances_.any()


def test_gain_is_the_fall_of_the_loss(table: Any) -> None:
    """With a learning rate of 1 and no shrinkage the gains of a tree add up to the fall of the summed loss."""
    model = BoostingRegressor(n_trees=1, learning_rate=1.0).fit(table.X, table.y)
    before = np.sum((table.y - table.y.mean()) ** 2) / 2
    after = np.sum((table.y - model.predict(table.X)) ** 2) / 2
    assert model.ensemble_.gain.sum() == pytest.approx(before - after, rel=1e-5)


@pytest.mark.parametrize("kind", ["two", "five"])
def test_class_weights_are_sample_weights(kind: str, table: Any, make_model: Any, seed: int) -> None:
    """Beside the cut points, which targets do not shape: these features have a bin for each value anyway."""
    X, y = table.X.round(1), table.target_of(kind)
    classes, codes = np.unique(y, return_inverse=True)
    factors = np.arange(1, len(classes) + 1) / 2
    named = dict(zip(classes.tolist(), factors.tolist(), strict=True))
    own = np.random.default_rng(seed).gamma(2.0, size=len(y))
    one = make_model(kind, n_trees=5, class_weight=named).fit(X, y)
    assert_same_bits(one.ensemble_, make_model(kind, n_trees=5).fit(X, y, sample_weight=factors[codes]).ensemble_)
    both = make_model(kind, n_trees=5, class_weight=named).fit(X, y, sample_weight=own)
    product = make_model(kind, n_trees=5).fit(X, y, sample_weight=own * factors[codes])
    assert_same_bits(both.ensemble_, product.ensemble_)


@pytest.mark.parametrize("class_weight", ["balanced", {1: 9.0}], ids=str)
def test_targets_shape_no_cut_point(class_weight: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(500, 1))
    allowed = {float(cut) for cut in Binned.from_array(X, max_bins=8).cut_points[0]}
    for y in (X[:, 0] > 1.5, rng.random(500) < 0.1):
        model = BoostingClassifier(class_weight=class_weight, max_bins=8, min_leaf_weight=3).fit(X, y.astype(int))
        split = model.ensemble_.feature >= 0
        assert set(model.ensemble_.threshold[split].tolist()) <= allowed


def test_balanced_classes_weigh_the_same(table: Any, seed: int) -> None:
    X = table.X.round(1)  # a bin for each value, whatever they weigh
    sizes = np.bincount(np.unique(table.five, return_inverse=True)[1])
    weight = (len(table.five) / (5 * sizes))[np.unique(table.five, return_inverse=True)[1]]
    balanced = BoostingClassifier(n_trees=5, class_weight="balanced").fit(X, table.five)
    weighted = BoostingClassifier(n_trees=5).fit(X, table.five, sample_weight=weight)
    assert_same_bits(balanced.ensemble_, weighted.ensemble_)
    np.testing.assert_allclose(np.diff(balanced.ensemble_.base), 0.0, atol=1e-12)
    # Copies count: with every row of one class twice, "balanced" takes half the factor.
    twice = np.where(table.five == 0, 2, 1)
    copies = np.repeat(np.arange(len(twice)), twice)
    one = BoostingClassifier(n_trees=5, class_weight="balanced").fit(table.X, table.five, sample_weight=twice)
    other = BoostingClassifier(n_trees=5, class_weight="balanced").fit(table.X[copies], table.five[copies])
    np.testing.assert_allclose(one.ensemble_.base, other.ensemble_.base, rtol=1e-12)


def test_numpy_numbers_are_class_weights(table: Any) -> None:
    one = BoostingClassifier(n_trees=2, class_weight={"no": np.float32(2), "yes": np.int64(3)}).fit(table.X, table.two)
    other = BoostingClassifier(n_trees=2, class_weight={"no": 2, "yes": 3.0}).fit(table.X, table.two)
    assert_same_bits(one.ensemble_, other.ensemble_)


def test_a_tree_splits_only_the_features_it_drew(table: Any) -> None:
    X = np.nan_to_num(table.X) + np.random.default_rng(0).normal(size=table.X.shape)
    model = BoostingRegressor(n_trees=40, max_features=3 / 11, random_state=1).fit(X, table.y)
    trees = model.ensemble_
    drawn = [set(trees.feature[a:b]) - {-1} for a, b in zip(trees.starts[:-1], trees.starts[1:], strict=True)]
    assert max(len(features) for features in drawn) <= 3
    assert set().union(*drawn) == set(range(11))
    other = BoostingRegressor(n_trees=40, max_features=3 / 11, random_state=2).fit(X, table.y)
    assert not np.array_equal(model.predict(X), other.predict(X))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("least", [1, 2, 50, 700.2])
def test_no_leaf_is_smaller_than_asked(kind: str, least: float, table: Any, make_model: Any, seed: int) -> None:
    y = table.target_of(kind)
    weight = np.random.default_rng(seed).integers(0, 3, len(y))
    model = make_model(kind, n_trees=3, max_leaves=200, min_leaf_weight=least).fit(table.X, y, sample_weight=weight)
    trees = model.ensemble_
    leaves = walk_leaves(trees, table.X)
    for tree, start in enumerate(trees.starts[:-1]):
        assert np.bincount(leaves[:, tree], weights=weight)[np.unique(leaves[weight > 0, tree])].min() >= least
        assert trees.count[start] == weight.sum()


def coarse_table(seed: int) -> tuple[Any, Any]:
    """Whole numbers of few values: each has a bin of its own, so both engines choose among the same splits."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 50, (4000, 8)).astype(float)
    signal = np.sin(X[:, 0] / 8) * 2 + (X[:, 1] > X[:, 2]) + 0.02 * X[:, 3] * (X[:, 4] > 25)
    return X, signal + rng.normal(size=4000)


# Both engines choose by gains of rounded derivatives (float32 there, whole numbers here), so near ties fall otherwise
# and later trees part; their losses stay within a fraction of what one row's noise (1 part in 4000) is worth.
SAME_LOSS = 0.005


def test_training_loss_equals_that_of_a_peer_on_the_same_bins(seed: int) -> None:
    X, y = coarse_table(seed)
    ours = BoostingRegressor(n_trees=60).fit(X, y)
    peer = HistGradientBoostingRegressor(max_iter=60, early_stopping=False).fit(X, y)
    losses = [np.mean((model.predict(X) - y) ** 2) for model in (ours, peer)]
    assert losses[0] == pytest.approx(losses[1], rel=SAME_LOSS)
    first = HistGradientBoostingRegressor(max_iter=1, early_stopping=False).fit(X, y)
    np.testing.assert_allclose(BoostingRegressor(n_trees=1).fit(X, y).predict(X), first.predict(X), atol=1e-5)


def test_log_loss_equals_that_of_a_peer_on_the_same_bins(seed: int) -> None:
    X, y = coarse_table(seed)
    for target in ((y > 1).astype(int), np.digitize(y, [0, 1, 2])):
        ours = BoostingClassifier(n_trees=40).fit(X, target)
        with one_thread_inside():
            peer = HistGradientBoostingClassifier(max_iter=40, early_stopping=False).fit(X, target)
        losses = [log_loss(target, model.predict_proba(X)) for model in (ours, peer)]
        assert losses[0] == pytest.approx(losses[1], rel=SAME_LOSS)
