"""Which training sets share a call of the engine, and that each gets what is its own."""

from __future__ import annotations

import numpy as np

from heldout import BoostingRegressor
from heldout.boosting.bags import Bags
from heldout.boosting.calls import calls_of
from heldout.trees import Objective


def test_each_call_has_the_rounds_of_its_own_sets(seed: int) -> None:
    """Whole weights are copies where a byte holds them and factors elsewhere: what parts these sets into two calls."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 3))
    y = X[:, 0] + rng.normal(size=300)
    weight = np.ones(300)
    weight[0] = 200
    weights = np.zeros((300, 2), dtype=np.uint8)
    weights[:40, 0], weights[:280, 1] = 1, 2
    model = BoostingRegressor(n_trees=60, min_leaf_weight=3, early_stopping="out_of_bag", random_state=0)
    together = model.fit_replicas(X, y, weights, sample_weight=weight)
    for column in range(2):
        alone = model.fit_replicas(X, y, weights[:, [column]], sample_weight=weight)
        np.testing.assert_array_equal(together[column], alone[0])


def test_a_set_agrees_with_all_sets_that_its_call_has_taken_in() -> None:
    """The first two share no row; the third counts the rows of the second otherwise."""
    counts = np.array([[2, 2, 0, 0], [0, 0, 1, 2], [0, 0, 2, 2], [2, 2, 2, 2]], dtype=np.uint8)
    bags = [Bags(count[:, None], np.zeros((4, 1), np.uint8), count, None, (0,)) for count in counts]
    objectives = [Objective("squared_error", np.arange(4.0))] * 4
    assert [call.sets for call in calls_of(objectives, bags, judged=True)] == [(0, 1), (2, 3)]
    assert [call.sets for call in calls_of(objectives, bags, judged=False)] == [(0, 1, 2, 3)]
