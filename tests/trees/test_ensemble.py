"""Ensembles cut short and put together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heldout import BoostingClassifier, BoostingRegressor
from heldout.errors import InvalidInput

from reference.ensembles import assert_same_bits, same_bits, walk_raw


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
