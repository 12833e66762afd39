"""Predictions against a plain walk of the trees, and leaves against the training rows that reach them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from heldout import BoostingClassifier, BoostingRegressor

from reference.ensembles import same_bits, walk_leaves, walk_raw

KINDS = ("regression", "two", "five")


def raw_scores(model: Any, X: Any) -> NDArray[np.float64]:
    """Return the scores before the link, shape (n_rows, n_outputs), through the public interface."""
    scores = model.predict(X) if isinstance(model, BoostingRegressor) else model.decision_function(X)
    return np.asarray(scores if scores.ndim == 2 else scores[:, None])


@pytest.fixture
def new_rows(table: Any, seed: int) -> NDArray[np.float64]:
    """Rows beyond the training range, between its values, on its thresholds, missing where none was."""
    rng = np.random.default_rng(seed + 1)
    X = table.X[rng.permutation(len(table.X))[:500]] * rng.choice([1.0, 1.0, 1.0 + 2**-52, 1e300], size=(500, 1))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[rng.random(X.shape) < 0.02] = np.inf
    return X


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("parameters", [{}, {"max_leaves": 300, "min_leaf_weight": 1}, {"max_leaves": 1}], ids=repr)
def test_predictions_are_those_of_a_walk(
    kind: str, dtype: Any, parameters: dict[str, Any], table: Any, make_model: Any, new_rows: Any
) -> None:
    model = make_model(kind, n_trees=12, **parameters).fit(table.X, table.target_of(kind))
    thresholds = model.ensemble_.threshold[model.ensemble_.feature == 0][:100]
    on_thresholds = np.full((len(thresholds), table.X.shape[1]), 0.5)
    on_thresholds[:, 0] = thresholds
    with np.errstate(over="ignore"):  # float32 holds no 1e300
        X = np.vstack([table.X, new_rows, on_thresholds]).astype(dtype)
    assert same_bits(raw_scores(model, X), walk_raw(model.ensemble_, X))
    assert np.array_equal(model.apply(X), walk_leaves(model.ensemble_, X))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_a_single_row_equals_the_batch(kind: str, dtype: Any, order: str, table: Any, make_model: Any) -> None:
    model = make_model(kind, n_trees=12).fit(table.X, table.target_of(kind))
    X = table.X[:300].astype(dtype, order="F" if order == "F" else "C")
    if order == "strided":
        X = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
    if order == "reversed":
        X = X[::-1, ::-1].copy()[::-1, ::-1]
    batch, leaves = raw_scores(model, X), model.apply(X)
    for n in (1, 2, 7, 8, 9):  # below 8 rows are walked by values, from 8 on by bins, eight side by side
        for first in range(0, 40, n):
            part = X[first : first + n]
            assert same_bits(raw_scores(model, part), batch[first : first + len(part)])
            assert np.array_equal(model.apply(part), leaves[first : first + len(part)])
    for row in range(len(X)):
        assert same_bits(raw_scores(model, X[row : row + 1]), batch[row : row + 1])


@pytest.mark.parametrize("kind", KINDS)
def test_staged_predictions_end_in_the_prediction(kind: str, table: Any, make_model: Any) -> None:
    model = make_model(kind, n_trees=8).fit(table.X, table.target_of(kind))
    stages = list(model.staged_predict(table.X))
    assert len(stages) == 8 == model.n_trees_
    assert same_bits(stages[-1], model.predict(table.X))
    per_round = model.ensemble_.n_outputs
    assert same_bits(
        stages[2], np.asarray(make_model(kind, n_trees=3).fit(table.X, table.target_of(kind)).predict(table.X))
    )
    assert model.apply(table.X).shape == (len(table.X), 8 * per_round)
    if kind != "regression":
        assert same_bits(list(model.staged_predict_proba(table.X))[-1], model.predict_proba(table.X))


def test_probabilities_are_the_link_of_the_scores(table: Any) -> None:
    two = BoostingClassifier(n_trees=10).fit(table.X, table.two)
    np.testing.assert_allclose(two.predict_proba(table.X)[:, 1], expit(two.decision_function(table.X)), rtol=1e-14)
    assert two.decision_function(table.X).shape == (len(table.X),)
    five = BoostingClassifier(n_trees=10).fit(table.X, table.five)
    expected = softmax(five.decision_function(table.X), axis=1)
    np.testing.assert_allclose(five.predict_proba(table.X), expected, rtol=1e-12)
    for model in (two, five):
        probability = model.predict_proba(table.X)
        np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-13)
        assert np.array_equal(model.predict(table.X), model.classes_[probability.argmax(axis=1)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_leaves_hold_the_newton_step_of_their_rows(
    kind: str, weighted: bool, table: Any, make_model: Any, seed: int
) -> None:
    """Replay the fit: the rows that reach a leaf decide its count and value, the scores before it its derivatives."""
    y = table.target_of(kind)
    weight = np.random.default_rng(seed).gamma(3.0, size=len(y)) if weighted else np.ones(len(y))
    model = make_model(kind, n_trees=6, l2=1.0, learning_rate=0.3)
    trees = model.fit(table.X, y, sample_weight=weight).ensemble_
    leaves, n_outputs = walk_leaves(trees, table.X), trees.n_outputs
    codes = y if kind == "regression" else np.searchsorted(model.classes_, y)
    scores = np.tile(trees.base, (len(y), 1))
    for tree in range(trees.n_trees):
        output = tree % n_outputs
        if output == 0:
            before = scores.copy()
        if kind == "regression":
            gradient, hessian = before[:, 0] - codes, np.ones(len(y))
        else:
            p = expit(before[:, 0]) if n_outputs == 1 else softmax(before, axis=1)[:, output]
            gradient, hessian = p - (codes == (1 if n_outputs == 1 else output)), p * (1 - p)
        sums = [np.bincount(leaves[:, tree], weights=weight * part) for part in (gradient, hessian)]
        used = np.unique(leaves[:, tree])
        start = trees.starts[tree]
        step = -0.3 * (sums[0] / (sums[1] + 1.0))[used]
        if kind != "regression":
            step = np.clip(step, -0.3 * 8.0, 0.3 * 8.0)  # the score of a probability goes no further
        # Derivatives are float32 and are summed as integers of a 2^-23rd of all magnitudes or finer.
        grain = 0.3 * 2.0**-20 * np.abs(weight * gradient).sum() / (sums[1][used] + 1.0)
        assert (np.abs(trees.value[start + used] - step) <= grain + 1e-6 * np.abs(step)).all()
        assert np.array_equal(trees.count[start + used], np.bincount(leaves[:, tree])[used])
        assert (trees.count[start + used] >= 20).all()
        scores[:, output] += trees.value[start + leaves[:, tree]]
    assert same_bits(scores, walk_raw(trees, table.X))


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_holds_the_rows_of_its_children(kind: str, table: Any, make_model: Any) -> None:
    trees = make_model(kind, n_trees=5, max_leaves=64).fit(table.X, table.target_of(kind)).ensemble_
    for start, end in zip(trees.starts[:-1], trees.starts[1:], strict=True):
        count, left = trees.count[start:end], trees.left[start:end]
        inner = np.flatnonzero(trees.feature[start:end] >= 0)
        assert count[0] == len(table.X)
        assert (left[inner] > inner).all()
        assert np.array_equal(count[inner], count[left[inner]] + count[left[inner] + 1])
        assert (trees.gain[start:end][inner] > 0).all()
        assert len(inner) <= 63


def test_training_scores_equal_predictions(table: Any) -> None:
    """A validation table that is the training table is scored by bins, a prediction by values: one loss."""
    model = BoostingRegressor(n_trees=20).fit(table.X, table.y, X_val=table.X, y_val=table.y)
    losses = [np.mean((stage - table.y) ** 2) / 2 for stage in model.staged_predict(table.X)]
    np.testing.assert_allclose(model.validation_losses_, losses, rtol=1e-12)
    for y in (table.two, table.five):
        classifier = BoostingClassifier(n_trees=20).fit(table.X, y, X_val=table.X, y_val=y)
        at = np.searchsorted(classifier.classes_, y)
        probabilities = [p[np.arange(len(y)), at] for p in classifier.staged_predict_proba(table.X)]
        np.testing.assert_allclose(classifier.validation_losses_, [-np.log(p).mean() for p in probabilities], rtol=1e-9)


def test_a_row_alone_has_the_bits_that_it_has_beside_others(seed: int) -> None:
    """Of many classes, since numpy adds up eight or more in another order where they lie side by side."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(400, 3)), rng.permutation(400) % 20
    model = BoostingClassifier(n_trees=5).fit(X, y)
    together = model.predict_proba(X[:100])
    alone = np.concatenate([model.predict_proba(X[row : row + 1]) for row in range(100)])
    np.testing.assert_array_equal(alone, together)
