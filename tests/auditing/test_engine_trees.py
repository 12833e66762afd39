"""Stored trees predict the same bits by the engine and by NumPy, and fall back to NumPy where the engine cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from heldout.auditing.engine_trees import engine_trees
from heldout.auditing.model_file import load_model
from heldout.auditing.stored_models import freeze, from_parts, to_parts
from heldout.auditing.stored_trees import StoredTrees
from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.table import read_table

STORED = Path(__file__).parent / "model_files"
N_FEATURES = 4
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1.7e308)


def bits(array: np.ndarray) -> np.ndarray:
    """Return float64 as integers, so that the sign of zero counts."""
    return np.ascontiguousarray(array, dtype=np.float64).view(np.int64)


def by_numpy(stored: StoredTrees, X: Any) -> np.ndarray:
    return stored._raw_by_numpy(np.asarray(X, dtype=np.float64))


def same_by_both(stored: StoredTrees, X: np.ndarray) -> None:
    assert engine_trees(stored) is not None
    expected = bits(by_numpy(stored, X))
    np.testing.assert_array_equal(bits(stored.raw(X)), expected)
    np.testing.assert_array_equal(bits(stored.raw(np.asfortranarray(X))), expected)
    np.testing.assert_array_equal(bits(stored.raw(X[::3])), expected[::3])
    for first in (0, len(X) - 3):  # few rows take another way through the engine
        np.testing.assert_array_equal(bits(stored.raw(X[first : first + 3])), expected[first : first + 3])


@st.composite
def grown(draw: st.DrawFn) -> StoredTrees:
    """Make trees that no learner grew: any shape, any numbering with children behind their parents, any threshold."""
    n_outputs = draw(st.integers(1, 3))
    n_trees = draw(st.integers(1, 6))
    numbers = st.one_of(st.sampled_from(SPECIAL[1:]), st.floats(-3, 3).map(lambda x: round(x, 1)))
    trees = [draw_tree(draw, numbers) for _ in range(n_trees)]
    sizes = [len(tree["feature"]) for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    columns = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    inner, shift = columns["feature"] >= 0, np.repeat(roots, sizes)
    stored = StoredTrees(
        feature=columns["feature"].astype(np.int32),
        threshold=np.where(inner, columns["threshold"], 0.0),
        left=np.where(inner, columns["left"] + shift, 0).astype(np.int32),
        right=np.where(inner, columns["right"] + shift, 0).astype(np.int32),
        missing_left=columns["missing_left"].astype(bool) & inner,
        value=np.where(inner, 0.0, columns["value"])[:, None],
        roots=roots.astype(np.int32),
        output=(np.arange(n_trees) % n_outputs).astype(np.int32),
        baseline=np.array([draw(st.sampled_from([0.0, -0.0, 1.5, 1e9])) for _ in range(n_outputs)]),
        n_features=N_FEATURES,
        average=False,
        single_precision=False,
        link="identity" if n_outputs == 1 else "softmax",
        classes=None if n_outputs == 1 else tuple(range(n_outputs)),
    )
    stored.check()
    return stored


def draw_tree(draw: st.DrawFn, numbers: Any) -> dict[str, np.ndarray]:
    """Split leaves one after the other; the children of a split take the next two numbers, in either order."""
    node: dict[str, list[Any]] = {"feature": [-1], "left": [0], "right": [0]}
    for _ in range(draw(st.integers(0, 12))):
        leaves = [k for k, feature in enumerate(node["feature"]) if feature < 0]
        at, new = draw(st.sampled_from(leaves)), len(node["feature"])
        first, second = (new, new + 1) if draw(st.booleans()) else (new + 1, new)
        node["feature"][at] = draw(st.integers(0, N_FEATURES - 1))
        node["left"][at], node["right"][at] = first, second
        for name, value in (("feature", -1), ("left", 0), ("right", 0)):
            node[name] += [value, value]
    n = len(node["feature"])
    values = st.sampled_from([0.0, -0.0, 0.1, -0.7, 1e-9, 3e8])
    arrays = {name: np.array(values) for name, values in node.items()}
    arrays["threshold"] = np.array([draw(numbers) for _ in range(n)])
    arrays["missing_left"] = np.array([draw(st.booleans()) for _ in range(n)])
    arrays["value"] = np.array([draw(values) for _ in range(n)])
    return arrays


@settings(max_examples=60, deadline=None)
@given(stored=grown(), seed=st.integers(0, 10_000))
def test_any_trees_predict_the_same_bits_by_the_engine_and_by_numpy(stored: StoredTrees, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(scale=2, size=(83, N_FEATURES)).round(1)
    special = rng.random(X.shape) < 0.4
    X[special] = rng.choice(SPECIAL, special.sum())
    same_by_both(stored, X)


def rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, N_FEATURES))
    X[:, 1] = rng.integers(0, 3, n)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


GROWN = [
    BoostingRegressor(n_trees=15, min_leaf_weight=2),
    BoostingClassifier(n_trees=8, min_leaf_weight=2),
    BoostingRegressor(n_trees=5, min_leaf_weight=2, replicas=5, resampling="subsample"),
    BoostingClassifier(n_trees=3, min_leaf_weight=2, replicas=5, resampling="subsample"),
    HistGradientBoostingRegressor(max_iter=15, min_samples_leaf=2, early_stopping=False),
    HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=2, early_stopping=False),
]


@pytest.mark.parametrize("model", GROWN, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("n_rows", [300, 5000])
def test_grown_trees_predict_the_same_bits_by_the_engine_and_by_numpy(model: Any, n_rows: int, seed: int) -> None:
    X = rows(400, seed)
    y = np.nan_to_num(X[:, 0]) + 3 * np.isnan(X[:, 2])
    if hasattr(model, "predict_proba"):
        y = np.digitize(y, [0.0, 2.0])
    same_by_both(freeze(model.fit(X, y)), rows(n_rows, seed + 1))


def test_a_threshold_of_infinity_parts_the_missing_rows_from_all_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 1))
    X[::2] = np.nan
    fitted = BoostingRegressor(n_trees=3, max_leaves=2).fit(X, np.isnan(X[:, 0]).astype(float))
    meta, arrays = to_parts(freeze(fitted))
    assert np.isposinf(arrays["threshold"]).any()
    stored = from_parts(meta, arrays)
    new = np.array([[np.nan], [np.inf], [-np.inf], [1e300], [0.0]] * 4)
    np.testing.assert_array_equal(stored.predict(new), fitted.predict(new))
    np.testing.assert_array_equal(by_numpy(stored, new)[:, 0], fitted.predict(new))
    assert len(set(stored.predict(new[1:5]))) == 1
    assert stored.predict(new)[0] > stored.predict(new)[1]


@pytest.mark.parametrize(("name", "is_infinite"), [("boosting", False), ("engine", True)])
def test_stored_files_predict_the_same_bits_by_the_engine_and_by_numpy(name: str, is_infinite: bool) -> None:
    steps = load_model(STORED / f"schema_1_{name}.heldout").estimator
    X = steps.encoder.transform(read_table(STORED / "schema_1_rows.csv").frame)
    assert np.isposinf(steps.model.threshold).any() == is_infinite
    same_by_both(steps.model, np.asarray(X, dtype=np.float64))


def test_one_class_is_stored_too() -> None:
    X = np.arange(60.0)[:, None]
    fitted = BoostingClassifier(n_trees=2).fit(X, np.full(60, "only"))
    stored = freeze(fitted)
    stored.check()
    assert stored.predict(X).tolist() == ["only"] * 60
    np.testing.assert_array_equal(stored.predict_proba(X), fitted.predict_proba(X))


# -- where the engine cannot ----------------------------------------------------------------------------------


def stumps(n_thresholds: int) -> StoredTrees:
    """Return a tree for each threshold: one step up at 0, 1, 2 and so on."""
    n = n_thresholds
    return StoredTrees(
        feature=np.tile([0, -1, -1], n).astype(np.int32),
        threshold=np.ravel([[float(k), 0.0, 0.0] for k in range(n)]),
        left=np.ravel([[3 * k + 1, 0, 0] for k in range(n)]).astype(np.int32),
        right=np.ravel([[3 * k + 2, 0, 0] for k in range(n)]).astype(np.int32),
        missing_left=np.tile([True, False, False], n),
        value=np.tile([0.0, 0.0, 1.0], n)[:, None],
        roots=np.arange(0, 3 * n, 3, dtype=np.int32),
        output=np.zeros(n, np.int32),
        baseline=np.zeros(1),
        n_features=1,
        average=False,
        single_precision=False,
        link="identity",
        classes=None,
    )


def falls_back(stored: StoredTrees, X: np.ndarray) -> np.ndarray:
    stored.check()
    assert engine_trees(stored) is None
    return stored.raw(X)


def test_the_engine_takes_254_thresholds_of_a_feature_and_numpy_more() -> None:
    X = np.arange(-1.0, 300.0)[:, None] + 0.5
    for n in (254, 255):
        assert (engine_trees(stumps(n)) is None) == (n > 254)
        np.testing.assert_array_equal(stumps(n).predict(X), np.clip(np.floor(X[:, 0]) + 1, 0, n))


def test_equal_thresholds_and_both_zeros_count_once() -> None:
    twice = replace(stumps(508), threshold=np.ravel([[float(k // 2), 0.0, 0.0] for k in range(508)]))
    twice.threshold[0] = -0.0
    assert engine_trees(twice) is not None
    same_by_both(twice, np.array([[-0.0], [0.0], [1.0], [np.nan]] * 5))


def test_averages_and_outputs_out_of_turn_and_wide_rows_fall_back(seed: int) -> None:
    X = rows(200, seed)
    for model in (DecisionTreeRegressor(max_depth=3), RandomForestRegressor(3, random_state=seed)):
        fitted = model.fit(X, np.arange(200.0))
        np.testing.assert_array_equal(falls_back(freeze(fitted), X)[:, 0], fitted.predict(X))
    X = np.array([[-1.0], [0.5], [9.0]])
    second = replace(stumps(4), output=np.array([0, 0, 1, 1], np.int32), baseline=np.zeros(2), link="softmax")
    found = falls_back(replace(second, classes=(0, 1)), X)
    assert found.tolist() == [[0.0, 0.0], [1.0, 0.0], [2.0, 2.0]]
    wide = np.zeros((2, 70_000))
    wide[1, 0] = 9.0
    assert falls_back(replace(stumps(2), n_features=70_000), wide)[:, 0].tolist() == [0.0, 2.0]


def test_a_node_with_two_parents_or_none_falls_back_and_never_multiplies() -> None:
    # 40 nodes, each with both children the next one: as a tree it would have 2^39 leaves.
    n = 40
    shared = StoredTrees(
        feature=np.append(np.zeros(n - 1), -1).astype(np.int32),
        threshold=np.zeros(n),
        left=np.append(np.arange(1, n), 0).astype(np.int32),
        right=np.append(np.arange(1, n), 0).astype(np.int32),
        missing_left=np.zeros(n, bool),
        value=np.append(np.zeros(n - 1), 7.0)[:, None],
        roots=np.zeros(1, np.int32),
        output=np.zeros(1, np.int32),
        baseline=np.zeros(1),
        n_features=1,
        average=False,
        single_precision=False,
        link="identity",
        classes=None,
    )
    assert falls_back(shared, np.zeros((3, 1)))[:, 0].tolist() == [7.0] * 3
    two = stumps(2)
    orphans = replace(two, roots=two.roots[:1], output=two.output[:1])  # the second stump is in the first tree
    assert falls_back(orphans, np.array([[-1.0], [1.0]]))[:, 0].tolist() == [0.0, 1.0]
