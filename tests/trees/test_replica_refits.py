"""Refits: the structures of the replicas, the leaf values of other rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heldout.trees import PREDICTED, STOPS, Replication, best_constants

from reference.ensembles import walk_raw
from reference.replica_cases import LOSSES, check_against_twin, draw_bags, make_case


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", ["all", "bootstrap", "heavy", "tenth"])
def test_leaves_are_the_twins_of_the_rows_that_are_refitted(loss: str, weighted: bool, rows: str, seed: int) -> None:
    case = make_case(seed, loss, n_rows=400, weighted=weighted, n_rounds=8)
    rng = np.random.default_rng([seed, 1])
    weights = draw_bags(rng, case.n_rows, ["bootstrap", "most", "tenth", "half"])
    replication = Replication(
        weights, ensemble_of=np.array((0, 1, 0, 1)), refit_counts=draw_bags(rng, case.n_rows, [rows] * 2)
    )
    check_against_twin(case, replication, n_threads=2)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_refit_on_the_bag_itself_is_the_fit(loss: str, seed: int) -> None:
    case = make_case(seed, loss, n_rows=300, weighted=True, n_rounds=10)
    weights = draw_bags(np.random.default_rng([seed, 2]), case.n_rows, ["bootstrap"])
    roles = np.full_like(weights, PREDICTED)
    (grown,) = case.replicas(Replication(weights, roles, refit_counts=weights))
    np.testing.assert_array_equal(grown.refitted.base, grown.members.base)
    np.testing.assert_array_equal(grown.refitted.count, grown.members.count)
    scale = np.abs(grown.members.value).max()
    np.testing.assert_allclose(grown.refitted.value, grown.members.value, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(grown.refit_mean, grown.mean, rtol=0, atol=1e-4 * scale)


def test_steps_that_lead_all_the_way_reach_the_mean_of_each_leaf(seed: int) -> None:
    """One round of squared error at rate 1 without shrinkage: a row gets the mean of the refitted rows beside it."""
    case = make_case(seed, "squared_error", n_rows=300, n_rounds=1, learning_rate=1.0, l2=0.0)
    weights = draw_bags(np.random.default_rng([seed, 3]), case.n_rows, ["bootstrap"])
    (grown,) = case.replicas(Replication(weights, refit_counts=np.ones((300, 1), dtype=np.uint8)))
    leaf = grown.members.leaves(case.X)[:, 0]
    y = case.objective.target
    wanted = np.array([y[leaf == own].mean() for own in leaf])
    np.testing.assert_allclose(walk_raw(grown.refitted, case.X)[:, 0], wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("power", [-300, 300])
def test_targets_may_be_of_any_size(power: int, seed: int) -> None:
    """Gradients are in single precision, whose range is narrower: a power of two must come out of all sums again."""
    case = make_case(seed, "squared_error", n_rows=200)
    rng = np.random.default_rng([seed, 9])
    weights = draw_bags(rng, case.n_rows, ["bootstrap"] * 2)
    replication = Replication(weights, refit_counts=draw_bags(rng, case.n_rows, ["most"]))
    (grown,) = case.replicas(replication)
    far = replace(case, objective=replace(case.objective, target=np.ldexp(case.objective.target, power)))
    (scaled,) = far.replicas(replication)
    np.testing.assert_array_equal(scaled.refitted.base, np.ldexp(grown.refitted.base, power))
    np.testing.assert_array_equal(scaled.refitted.value, np.ldexp(grown.refitted.value, power))


def test_each_ensemble_starts_from_the_constant_of_its_refitted_rows(seed: int) -> None:
    case = make_case(seed, "softmax", n_rows=200, max_leaves=1, n_rounds=2)
    rng = np.random.default_rng([seed, 4])
    refit_counts = draw_bags(rng, case.n_rows, ["tenth", "all"])
    weights = draw_bags(rng, case.n_rows, ["half"] * 4)
    roles = np.full_like(weights, PREDICTED)
    grown = case.replicas(Replication(weights, roles, np.array((0, 1, 0, 1)), refit_counts=refit_counts))
    for ensemble, found in enumerate(grown):
        counts = np.ascontiguousarray(refit_counts[:, ensemble])
        base = best_constants(replace(case.objective, count=counts))
        np.testing.assert_array_equal(found.refitted.base, base)
        np.testing.assert_array_equal(found.refit_mean, np.repeat(base[:, None], case.n_rows, axis=1))


def test_held_out_predictions_are_those_before_the_refit(seed: int) -> None:
    case = make_case(seed, "logistic", n_rows=300)
    weights = draw_bags(np.random.default_rng([seed, 5]), case.n_rows, ["bootstrap"] * 3)
    roles = np.where(weights == 0, STOPS | PREDICTED, 0).astype(np.uint8)
    plain = Replication(weights, roles, patience=3)
    (without,), (with_refit,) = (
        case.replicas(plain),
        case.replicas(replace(plain, refit_counts=np.ones((300, 1), dtype=np.uint8))),
    )
    for name in ("mean", "variance", "curve", "rows"):
        assert getattr(without, name).tobytes() == getattr(with_refit, name).tobytes()
    assert not np.array_equal(with_refit.refit_mean, with_refit.mean)


def test_rows_of_default_roles_have_no_prediction_of_the_refit(seed: int) -> None:
    """They are rows of the refit, of which nobody may take a prediction for a held-out one."""
    case = make_case(seed, "squared_error")
    weights = draw_bags(np.random.default_rng([seed, 6]), case.n_rows, ["bootstrap"] * 3)
    (grown,) = case.replicas(Replication(weights, refit_counts=np.ones((case.n_rows, 1), dtype=np.uint8)))
    assert grown.refit_mean is None
    assert grown.refitted.n_trees == grown.averaged.n_trees


@pytest.mark.parametrize("loss", LOSSES)
def test_an_outer_fold_is_predicted_by_all_its_refitted_members(loss: str, seed: int) -> None:
    case = make_case(seed, loss, n_rows=240)
    rng = np.random.default_rng([seed, 7])
    weights = draw_bags(rng, case.n_rows, ["bootstrap"] * 3)
    weights[:60] = 0
    roles = np.where(weights == 0, STOPS, 0).astype(np.uint8)
    roles[:60] = PREDICTED
    refit_counts = np.ones((case.n_rows, 1), dtype=np.uint8)
    refit_counts[:60] = 0
    for n_threads in (1, 2):
        (grown,) = check_against_twin(
            case, Replication(weights, roles, patience=2, refit_counts=refit_counts), n_threads=n_threads
        )
        raw = walk_raw(grown.refitted, case.X[:60]).T
        np.testing.assert_allclose(grown.refit_mean, raw, rtol=1e-12, atol=1e-12)


def test_a_leaf_without_refitted_rows_says_nothing(seed: int) -> None:
    """Its sums are empty: neither a division by zero nor the value of the rows that it was grown on."""
    case = make_case(seed, "squared_error", n_rows=200, l2=0.0, max_leaves=12)
    weights = draw_bags(np.random.default_rng([seed, 8]), case.n_rows, ["most"])
    refit_counts = np.zeros((case.n_rows, 1), dtype=np.uint8)
    refit_counts[:3] = 1
    (grown,) = check_against_twin(case, Replication(weights, refit_counts=refit_counts))
    empty = (grown.refitted.count == 0) & (grown.refitted.feature < 0)
    assert empty.any()
    assert not grown.refitted.value[empty].any()
    assert grown.members.value[empty].all()
