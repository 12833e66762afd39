"""Weights of resampled models: a row of weight w is w copies that are always drawn together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heldout import BoostingRegressor
from heldout.boosting.bags import TrainingSet, draw_bags

from reference.ensembles import assert_same_bits, same_bits
from statistical import assert_rate

N = 60

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning")


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, "out_of_bag"])
def test_a_weight_has_the_law_of_copies_drawn_together(stopped: Any, seed: int) -> None:
    """Weighted rows against copies in groups: of two predictions with one law either is the larger in half of all runs.

    So are the distances from the centre, which tell the spread. With 400 runs a true rate of 0.64 instead of 0.5 fails
    with probability 0.92.
    """
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 8, (N, 2)).astype(float)
    y = X[:, 0] + rng.normal(size=N)
    weight = rng.integers(0, 4, N)
    copies = np.repeat(np.arange(N), weight)
    parameters = {"replicas": 3, "n_trees": 10, "min_leaf_weight": 4, "early_stopping": stopped}
    runs, rows = 400, [0, 1, 2]
    predicted = np.empty((runs, 2, len(rows)))
    for run in range(runs):
        weighted = BoostingRegressor(random_state=2 * run, **parameters).fit(X, y, sample_weight=weight)
        grouped = BoostingRegressor(random_state=2 * run + 1, resampling="groups", **parameters)
        grouped.fit(X[copies], y[copies], groups=copies)
        predicted[run] = weighted.predict(X[rows]), grouped.predict(X[rows])
    distance = np.abs(predicted - np.median(predicted, axis=(0, 1)))
    for name, values in (("prediction", predicted), ("distance", distance)):
        for row in range(len(rows)):
            above = int((values[:, 0, row] > values[:, 1, row]).sum())
            assert_rate(f"{name} of row {row} by weights above that by copies", above, runs, at_least=0.5, at_most=0.5)


@pytest.mark.parametrize("kind", ["regression", "two", "five"])
@pytest.mark.parametrize("bagged", [{"replicas": 3}, {"replicas": 3, "early_stopping": "out_of_bag"}], ids=str)
def test_bags_of_weights_equal_the_same_bags_of_copies(
    kind: str, bagged: Any, make_table: Any, make_model: Any, seed: int
) -> None:
    """To the bit, where the draws are given."""
    table = make_table(200, seed)
    X, y = table.X, table.target_of(kind)
    rng = np.random.default_rng(seed)
    weight, bags = rng.integers(1, 4, 200), rng.poisson(1.0, (200, 3))
    copies = np.repeat(np.arange(200), weight)
    parameters = {"min_leaf_weight": 5, "n_trees": 30, **bagged}
    weighted = make_model(kind, resampling=bags, **parameters).fit(X, y, sample_weight=weight)
    copied = make_model(kind, resampling=bags[copies], **parameters).fit(X[copies], y[copies])
    assert_same_bits(weighted.ensemble_, copied.ensemble_)
    assert_same_bits(weighted.members_, copied.members_)
    assert same_bits(weighted.oob_prediction_[copies], copied.oob_prediction_)
    np.testing.assert_allclose(weighted.oob_curve_.loss, copied.oob_curve_.loss, rtol=1e-12)
    np.testing.assert_allclose(weighted.oob_error_.error, copied.oob_error_.error, rtol=1e-12)
    np.testing.assert_allclose(weighted.bagging_gain_, copied.bagging_gain_, rtol=1e-10)


@pytest.mark.parametrize("times", [1, 2, 100])
@pytest.mark.parametrize("weight", [None, 1.0, 0.5, 200.0, 255.0])
def test_copies_draws_and_weight_multiply_whatever_a_byte_holds(times: int, weight: float | None, seed: int) -> None:
    """A row counts in a replica as often as it is in the training set, times its draws, times its weight."""
    plan = BoostingRegressor(replicas=4)._plan(None)
    there = np.full(N, times, dtype=np.uint8)
    there[: N // 2] = 1
    given = None if weight is None else np.full(N, weight)
    bags = draw_bags(TrainingSet(there, given, seed), plan)
    drawn = draw_bags(TrainingSet(np.ones(N, dtype=np.uint8), None, seed), plan).weights
    factor = np.ones(N) if bags.factor is None else bags.factor
    counts = there * (1.0 if weight is None else weight)
    np.testing.assert_array_equal(bags.weights * factor[:, None], drawn * counts[:, None])
    np.testing.assert_array_equal(bags.copies_times_weight, counts)


@pytest.mark.parametrize("resampling", ["bootstrap", "poisson", "subsample", None])
@pytest.mark.parametrize(("heaviest", "copied"), [(15.0, True), (16.0, False)])
def test_no_draw_decides_what_is_a_copy(resampling: Any, heaviest: float, copied: bool) -> None:
    plan = BoostingRegressor(replicas=4, resampling=resampling)._plan(None)
    weight = np.ones(N)
    weight[0] = heaviest
    for seed in range(50):
        bags = draw_bags(TrainingSet(np.ones(N, dtype=np.uint8), weight, seed), plan)
        assert (bags.factor is None) is copied
        assert bags.count[0] == (15 if copied else 1)


@pytest.mark.parametrize("drawn", [17, 18, 255])
def test_rows_drawn_very_often_never_pass_a_byte(drawn: int) -> None:
    bags = np.ones((N, 2))
    bags[0], bags[1] = [drawn, 1], [0, 1]
    weight = np.full(N, 15.0)
    found = draw_bags(
        TrainingSet(np.ones(N, dtype=np.uint8), weight, 0), BoostingRegressor(replicas=2, resampling=bags)._plan(None)
    )
    assert (found.factor is None) is (drawn == 17)
    np.testing.assert_array_equal(found.weights * (1.0 if found.factor is None else found.factor[:, None]), bags * 15)


@pytest.mark.parametrize("kind", ["regression", "two", "five"])
def test_a_single_model_counts_rows_as_the_replicas_that_choose_its_rounds(
    kind: str, make_table: Any, make_model: Any
) -> None:
    """One weight for all rows, too large for copies, scales the losses: leaves hold as many rows as without it."""
    table = make_table(200, 0)
    X, y = table.X, table.target_of(kind)
    heavy = make_model(kind, n_trees=30, early_stopping="out_of_bag", random_state=0).fit(X, y, sample_weight=64.0)
    plain = make_model(kind, n_trees=heavy.n_trees_, random_state=0).fit(X, y)
    np.testing.assert_allclose(heavy.ensemble_.raw(X), plain.ensemble_.raw(X), rtol=1e-9, atol=1e-12)
