"""Ensembles cut short and put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heldout import BoostingClassifier, BoostingRegressor
from heldout.errors import InvalidInput
from heldout.trees import Binned, Growth, Objective, TreeEnsemble, grow_rounds

from reference.ensembles import assert_same_bits, same_bits, walk_leaves, walk_raw


@pytest.fixture
def three_classes(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(500, 4))
    return X, np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])


def test_head_keeps_the_first_trees(three_classes: Any) -> None:
    X, y = three_classes
    whole = BoostingClassifier(n_trees=5).fit(X, y).ensemble_
    short = BoostingClassifier(n_trees=2).fit(X, y).ensemble_
    assert_same_bits(whole.head(6), short)
    assert same_bits(whole.head(0).raw(X), np.tile(whole.base, (500, 1)))
    assert repr(whole.head(6)) == "TreeEnsemble(n_trees=6, n_features=4, n_outputs=3)"


@pytest.mark.parametrize("n_trees", [-3, 1, 4, 18])
def test_head_refuses_trees_that_are_not_there_or_part_of_a_round(n_trees: int, three_classes: Any) -> None:
    X, y = three_classes
    ensemble = BoostingClassifier(n_trees=5).fit(X, y).ensemble_
    with pytest.raises(InvalidInput, match=f"n_trees must be from 0 to 15 in steps of 3, got {n_trees}"):
        ensemble.head(n_trees)


def test_parts_put_together_are_the_whole(three_classes: Any) -> None:
    X, y = three_classes
    whole = BoostingClassifier(n_trees=5).fit(X, y).ensemble_
    parts = whole.head(6)
    rest = BoostingRegressor(n_trees=3).fit(X, y).ensemble_
    one = BoostingRegressor(n_trees=2).fit(X, y).ensemble_
    both = one.followed_by(rest)
    assert both.n_trees == 5
    assert same_bits(both.raw(X), walk_raw(both, X))
    assert_same_bits(both.head(2), one)
    assert_same_bits(parts.followed_by(whole.head(0)), parts)


def test_the_trees_of_one_output_give_that_output(three_classes: Any) -> None:
    X, y = three_classes
    whole = BoostingClassifier(n_trees=5).fit(X, y).ensemble_
    for output in range(3):
        assert same_bits(whole.of_output(output).raw(X)[:, 0], whole.raw(X)[:, output])
    for output in (-1, 3):
        with pytest.raises(InvalidInput, match=f"output must be from 0 to 2, got {output}"):
            whole.of_output(output)


def test_trees_are_added_in_place_in_their_order(three_classes: Any) -> None:
    X, y = three_classes
    ensemble = BoostingClassifier(n_trees=4).fit(X, y).ensemble_
    scores = np.tile(ensemble.base, (500, 1))
    ensemble.add_trees(X, scores, 0, 6)
    assert same_bits(scores, ensemble.head(6).raw(X))
    ensemble.add_trees(X, scores, 6, 12, 3)
    assert same_bits(scores, ensemble.raw(X))


def test_what_the_engine_is_given_is_checked_there_too(three_classes: Any) -> None:
    X, y = three_classes
    ensemble = BoostingClassifier(n_trees=2).fit(X, y).ensemble_
    with pytest.raises(ValueError, match="as many features as the trees were grown on"):
        ensemble.raw(X[:, :2])
    with pytest.raises(ValueError, match="as many features as the trees were grown on"):
        ensemble.leaves(np.hstack([X, X]))
    with pytest.raises(ValueError, match="there are no such trees"):
        ensemble.add_trees(X, np.zeros((500, 3)), 3, 9)
    with pytest.raises(ValueError, match="onto must have shape"):
        ensemble.add_trees(X, np.zeros((499, 3)), 0, 3)


def random_ensemble(rng: Any, n_trees: int, n_splits: int, n_features: int, n_outputs: int) -> TreeEnsemble:
    """Grow trees by splitting random leaves at thresholds that no table has chosen, at most 254 of a feature."""
    thresholds = np.concatenate([rng.normal(size=248), [np.inf, -np.inf, -0.0, 1.0, 5e-324, 1e300]])
    trees: list[dict[str, Any]] = []
    for _ in range(n_trees):
        feature, threshold, left = np.full(1, -1), np.zeros(1), np.zeros(1, int)
        for _ in range(n_splits):
            node = rng.choice(np.flatnonzero(feature < 0))
            left[node], feature[node] = len(feature), rng.integers(n_features)
            threshold[node] = rng.choice(thresholds)
            feature, threshold = np.append(feature, [-1, -1]), np.append(threshold, [0.0, 0.0])
            left = np.append(left, [0, 0])
        trees.append({"feature": feature, "threshold": threshold, "left": left})
    flat = {name: np.concatenate([tree[name] for tree in trees]) for name in ("feature", "threshold", "left")}
    n_nodes = len(flat["feature"])
    return TreeEnsemble(
        starts=np.cumsum([0] + [len(tree["feature"]) for tree in trees]),
        feature=flat["feature"].astype(np.int32),
        threshold=flat["threshold"],
        left=flat["left"].astype(np.int32),
        missing_left=rng.random(n_nodes) < 0.5,
        value=np.where(flat["feature"] < 0, rng.normal(size=n_nodes), 0.0),
        gain=np.zeros(n_nodes),
        count=np.ones(n_nodes, dtype=np.int64),
        base=rng.normal(size=n_outputs),
        n_features=n_features,
    )


@pytest.mark.parametrize(
    ("n_trees", "n_splits", "n_features", "n_outputs"),
    [
        (1, 0, 1, 1),
        (2, 1, 1, 1),
        (40, 30, 3, 1),
        (3, 3000, 2, 1),
        (30, 9, 700, 3),
        (2, 500, 65535, 1),
        (60, 300, 1, 2),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trees_of_any_shape_predict_as_a_walk_does(
    n_trees: int, n_splits: int, n_features: int, n_outputs: int, dtype: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ensemble = random_ensemble(rng, n_trees, n_splits, n_features, n_outputs)
    X = rng.normal(size=(100, n_features))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[rng.random(X.shape) < 0.1] = np.inf
    X[rng.random(X.shape) < 0.1] = -np.inf
    X[rng.random(X.shape) < 0.1] = 0.0
    used = np.flatnonzero(ensemble.feature >= 0)
    for row, node in enumerate(used[:60]):
        X[row, ensemble.feature[node]] = ensemble.threshold[node]  # on the threshold goes left
    with np.errstate(over="ignore"):
        X = X.astype(dtype)
    expected = walk_raw(ensemble, X)
    assert same_bits(ensemble.raw(X), expected)
    assert same_bits(ensemble.raw(np.asfortranarray(X), 3), expected)
    assert np.array_equal(ensemble.leaves(X), walk_leaves(ensemble, X))
    for row in range(0, 100, 7):
        assert same_bits(ensemble.raw(X[row : row + 1]), expected[row : row + 1])


def test_what_nodes_of_8_bytes_cannot_hold_is_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    with pytest.raises(ValueError, match="1 to 65535 features"):
        random_ensemble(rng, 1, 1, 65536, 1)
    stump = random_ensemble(rng, 300, 1, 1, 1)
    with pytest.raises(ValueError, match="feature 0 has more than 254 different thresholds"):
        replace(stump, threshold=np.where(stump.feature == 0, np.arange(900.0), 0.0))


def test_scores_of_another_type_are_refused_and_not_copied(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(60, 2))
    binned = Binned.from_array(X)
    objective = Objective("squared_error", X[:, 0].copy())
    growth = Growth(2, least_count=5)
    ensemble, _, _ = grow_rounds(binned, objective, growth, np.zeros((1, 60)), np.zeros(1))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        grow_rounds(binned, objective, growth, np.zeros((1, 60), np.float32), np.zeros(1))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        ensemble.add_trees(X, np.zeros((60, 1), np.float32), 0, 1)


def test_a_setting_that_is_not_there_is_named(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(60, 2))
    objective = Objective("squared_error", X[:, 0].copy())
    with pytest.raises(ValueError, match=r"few_row$"):
        grow_rounds(Binned.from_array(X), objective, Growth(2, tuning={"few_row": 3}), np.zeros((1, 60)), np.zeros(1))


def test_gains_and_counts_belong_to_nodes() -> None:
    one = np.zeros(1)
    node = np.array([-1], np.int32)
    with pytest.raises(InvalidInput, match="got 0 and 1"):
        TreeEnsemble(
            np.array([0, 1]),
            node,
            one,
            np.zeros(1, np.int32),
            np.array([False]),
            one,
            np.zeros(0),
            np.ones(1, int),
            one,
            1,
        )
