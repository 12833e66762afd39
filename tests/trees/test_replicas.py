"""Replicas: whatever is asked of many at once, each is the fit that it would be alone, to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.trees import PREDICTED, STOPS, Replication, best_constants, grow_replicas, grow_rounds

from reference import replicas as twin
from reference.ensembles import assert_same_bits, walk_raw
from reference.replica_cases import (
    BAGS,
    LOSSES,
    assert_same_findings,
    check_against_twin,
    draw_bags,
    draw_roles,
    make_case,
)

THRESHOLDS: list[dict[str, int]] = [
    {"few_rows": 1, "together_rows": 1, "shared_rows": 1, "pool_bytes": 0},
    {"few_rows": 10**9, "together_rows": 10**9, "shared_rows": 10**9},
    {"few_rows": 30, "together_rows": 200, "shared_rows": 64, "pool_bytes": 200_000},
]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_bags_of_every_kind_are_the_numpy_twins(loss: str, weighted: bool, seed: int) -> None:
    """Bootstraps, multiplicities up to 255, one row in ten, four rows, a single one, and all rows."""
    case = make_case(seed, loss, weighted=weighted, n_rounds=4, max_features=0.6)
    weights = draw_bags(np.random.default_rng([seed, 1]), case.n_rows, BAGS)
    seeds = tuple(seed + k for k in range(len(BAGS)))
    check_against_twin(case, Replication(weights, seeds=seeds, patience=2), twin.fit_by_numpy, n_threads=2)


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("loss", LOSSES)
def test_every_format_is_the_numpy_twins(form: int, loss: str, seed: int) -> None:
    if form == 0 and loss != "squared_error":
        pytest.skip("this loss has hessians: its format is one of the others")
    case = make_case(seed, loss, n_rounds=3, tuning={"forced_format": form})
    weights = draw_bags(np.random.default_rng([seed, 2]), case.n_rows, ("bootstrap", "half", "tenth", "heavy"))
    check_against_twin(case, Replication(weights), twin.fit_by_numpy, n_threads=3)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Anything that can be asked of replicas, on small tables."""
    n_replicas = draw(st.integers(1, 6))
    n_ensembles = draw(st.integers(1, n_replicas))
    several = st.lists(st.integers(0, n_ensembles - 1), min_size=n_replicas - n_ensembles, max_size=n_replicas)
    others = draw(several)[: n_replicas - n_ensembles]
    return {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "loss": draw(st.sampled_from(LOSSES)),
        "n_rows": draw(st.one_of(st.integers(2, 40), st.integers(40, 300))),
        "n_features": draw(st.sampled_from((1, 3, 8, 11))),
        "weighted": draw(st.booleans()),
        "bags": draw(st.lists(st.sampled_from(BAGS), min_size=n_replicas, max_size=n_replicas)),
        "ensemble_of": tuple(draw(st.permutations([*range(n_ensembles), *others]))),
        "curve_weighted": draw(st.booleans()),
        "any_roles": draw(st.booleans()),
        "rounds": draw(st.one_of(st.none(), st.tuples(*[st.integers(1, 5)] * n_ensembles))),
        "patience": draw(st.sampled_from((0, 1, 2, 50))),
        "ensemble_size": draw(st.sampled_from((0, 1, 2, 1000))),
        "refit": draw(st.sampled_from((None, "all", "most", "bootstrap", "heavy"))),
        "keep_trees": draw(st.booleans()),
        "n_threads": draw(st.sampled_from((1, 2, 3, 5))),
        "growth": {
            "max_features": draw(st.sampled_from((0.3, 1.0))),
            "max_leaves": draw(st.sampled_from((1, 2, 9))),
            "least_count": draw(st.sampled_from((1, 10))),
            "l2": draw(st.sampled_from((0.0, 1.0))),
            "learning_rate": draw(st.sampled_from((0.1, 1.0))),
            "tuning": draw(st.sampled_from([{}, *THRESHOLDS])),
        },
    }


@settings(max_examples=150, deadline=None)
@given(requests())
def test_whatever_is_asked_is_the_twins(request: dict[str, Any]) -> None:
    case = make_case(
        request["seed"],
        request["loss"],
        request["n_rows"],
        request["weighted"],
        request["n_features"],
        n_rounds=5,
        **request["growth"],
    )
    rng = np.random.default_rng([request["seed"], 1])
    weights = draw_bags(rng, case.n_rows, request["bags"])
    n_ensembles = max(request["ensemble_of"]) + 1
    replication = Replication(
        weights,
        roles=draw_roles(rng, weights) if request["any_roles"] else None,
        ensemble_of=np.array(request["ensemble_of"]),
        seeds=tuple(int(s) for s in rng.integers(0, 2**32, weights.shape[1])),
        rounds=request["rounds"],
        patience=request["patience"],
        ensemble_size=request["ensemble_size"],
        refit_counts=None
        if request["refit"] is None
        else draw_bags(rng, case.n_rows, [request["refit"]] * n_ensembles),
        curve_weight=rng.gamma(2.0, size=case.n_rows) if request["curve_weighted"] else None,
    )
    fit = twin.fit_by_numpy if case.n_rows <= 40 else twin.fit_by_engine
    check_against_twin(case, replication, fit, keep_trees=request["keep_trees"], n_threads=request["n_threads"])


@pytest.mark.parametrize("loss", LOSSES)
def test_each_replica_is_the_fit_of_its_counts_alone(loss: str, seed: int) -> None:
    """The promise itself, without the twin in between; float weights, chosen features, and many more rows."""
    case = make_case(seed, loss, n_rows=4_000, weighted=True, n_rounds=5, max_leaves=31, max_features=0.5)
    weights = draw_bags(np.random.default_rng([seed, 3]), case.n_rows, ("bootstrap", "most", "tenth", "heavy"))
    seeds = (11, 12, 13, 2**64 - 1)
    (grown,) = case.replicas(Replication(weights, seeds=seeds), n_threads=2)
    alone = []
    for k, own in enumerate(seeds):
        in_bag = replace(case.objective, count=np.ascontiguousarray(weights[:, k]))
        base = best_constants(in_bag)
        scores = np.repeat(base[:, None], case.n_rows, axis=1)
        alone.append(grow_rounds(case.binned, in_bag, replace(case.growth, seed=own), scores, base)[0])
    assert_same_bits(grown.members, twin.interleaved(alone, case.objective.n_outputs))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_replicas", [1, 2, 4, 7])
def test_threads_and_thresholds_change_no_bit(
    loss: str, n_replicas: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(seed, loss, n_rows=1_500, weighted=n_replicas == 4, n_rounds=3, max_leaves=15)
    rng = np.random.default_rng([seed, n_replicas])
    kinds = ("bootstrap", "tenth", "half", "most", "few", "heavy", "tenth")[:n_replicas]
    weights = draw_bags(rng, case.n_rows, kinds)
    n_ensembles = 1 + (n_replicas > 2)
    replication = Replication(
        weights,
        ensemble_of=np.arange(n_replicas) % n_ensembles,
        patience=2,
        refit_counts=draw_bags(rng, case.n_rows, ["bootstrap"] * n_ensembles),
    )
    wanted = case.replicas(replication)
    for n_threads in (2, 3, 5):
        assert_same_findings(case.replicas(replication, n_threads=n_threads), wanted)
    with monkeypatch.context() as plain:
        plain.setenv("HELDOUT_SIMD", "plain")
        assert_same_findings(case.replicas(replication, n_threads=2), wanted)
    for tuning in THRESHOLDS:
        forced = replace(case, growth=replace(case.growth, tuning=tuning))
        for n_threads in (1, 3, 6):
            assert_same_findings(forced.replicas(replication, n_threads=n_threads), wanted)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_rows_in_bag_have_fitted_values_where_they_are_wanted(n_threads: int, seed: int) -> None:
    case = make_case(seed, "squared_error", n_rows=400)
    weights = draw_bags(np.random.default_rng([seed, 4]), case.n_rows, ("bootstrap", "tenth", "all"))
    roles = np.full_like(weights, PREDICTED)
    (grown,) = case.replicas(Replication(weights, roles=roles), n_threads=n_threads)
    np.testing.assert_array_equal(grown.rows, np.arange(case.n_rows))
    assert grown.n_members.tolist() == [3] * case.n_rows
    fitted = walk_raw(grown.members, case.X)
    np.testing.assert_allclose(grown.mean[0], fitted.mean(axis=1), rtol=1e-14, atol=1e-15 * np.abs(fitted).max())
    assert (grown.curve.size, grown.best_round, grown.n_rounds) == (0, -1, case.growth.n_rounds)


def test_spread_is_found_beside_a_mean_that_is_far_larger(seed: int) -> None:
    """Squares of the scores have 16 digits, of which the mean takes all: only differences tell the members apart."""
    case = make_case(seed, "squared_error")
    case = replace(case, objective=replace(case.objective, target=case.objective.target + 2.0**30))
    weights = draw_bags(np.random.default_rng([seed, 15]), case.n_rows, ["bootstrap"] * 3)
    roles = np.full_like(weights, PREDICTED)
    (grown,) = case.replicas(Replication(weights, roles=roles))
    scores = walk_raw(grown.members, case.X)
    np.testing.assert_allclose(grown.variance[0], scores.var(axis=1, ddof=1), rtol=1e-4, atol=1e-12)


def test_a_member_that_is_not_asked_costs_the_others_no_digit_of_their_spread(seed: int) -> None:
    case = make_case(seed, "squared_error")
    far = np.arange(case.n_rows) < 50
    case = replace(case, objective=replace(case.objective, target=case.objective.target + 2.0**40 * far))
    weights = draw_bags(np.random.default_rng([seed, 16]), case.n_rows, ["bootstrap"] * 3)
    weights[:, 0], weights[far, 1:] = far, 0
    roles = np.full_like(weights, PREDICTED)
    roles[:, 0] = 0
    (grown,) = case.replicas(Replication(weights, roles=roles))
    asked = walk_raw(grown.members, case.X)[:, 1:]
    np.testing.assert_allclose(grown.variance[0], asked.var(axis=1, ddof=1), rtol=1e-9, atol=1e-14)


def test_a_row_without_a_role_is_nowhere(seed: int) -> None:
    case = make_case(seed, "squared_error")
    weights = draw_bags(np.random.default_rng([seed, 5]), case.n_rows, ("half", "half"))
    roles = np.where(weights == 0, STOPS | PREDICTED, 0).astype(np.uint8)
    nowhere = np.flatnonzero((weights == 0).any(axis=1))[:10]
    only_judged = np.flatnonzero((weights == 0).any(axis=1))[10:20]
    roles[nowhere], roles[only_judged] = 0, np.where(weights[only_judged] == 0, STOPS, 0)
    judged = (roles & STOPS) > 0
    (grown,) = check_against_twin(case, Replication(weights, roles=roles))
    assert not np.isin(grown.rows, np.concatenate([nowhere, only_judged])).any()
    assert grown.members_per_row == judged.sum() / judged.any(axis=1).sum()


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_that_are_only_predicted_may_have_any_target(loss: str, seed: int) -> None:
    """Out of every bag and in no curve: nothing that is found may change."""
    case = make_case(seed, loss, weighted=True)
    rng = np.random.default_rng([seed, 6])
    weights = draw_bags(rng, case.n_rows, ("bootstrap", "tenth", "most"))
    weights[:30] = 0
    roles = np.where(weights == 0, STOPS | PREDICTED, 0).astype(np.uint8)
    roles[:20], roles[20:30] = PREDICTED, 0
    replication = Replication(weights, roles=roles, ensemble_of=np.array((0, 0, 1)), patience=2)
    wanted = case.replicas(replication)
    for n_threads in (1, 2):
        found = poisoned(case, np.arange(30)).replicas(replication, n_threads=n_threads)
        assert_same_findings(found, wanted)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_that_are_only_predicted_may_have_any_weight(loss: str, seed: int) -> None:
    """The least hessian of a leaf is in units of the largest weight in the bag, which theirs is not."""
    case = make_case(seed, loss, weighted=True)
    weights = draw_bags(np.random.default_rng([seed, 14]), case.n_rows, ("bootstrap", "tenth", "most"))
    weights[:30] = 0
    roles = np.where(weights == 0, PREDICTED, 0).astype(np.uint8)
    replication = Replication(weights, roles=roles)
    weight = case.objective.weight.copy()
    weight[:30] = 1e6
    heavy = replace(case, objective=replace(case.objective, weight=weight))
    assert_same_findings(heavy.replicas(replication), case.replicas(replication))


def poisoned(case: Any, rows: np.ndarray) -> Any:
    """Change targets beyond recognition: to the largest numbers there are, or to another class."""
    target = case.objective.target.copy()
    if case.objective.loss == "squared_error":
        target[rows] = np.where(rows % 2, 1e100, -1e100)
    else:
        target[rows] = (target[rows] + 1) % max(2, case.objective.n_outputs)
    return replace(case, objective=replace(case.objective, target=target))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", range(3))
def test_targets_of_held_out_rows_change_no_tree(loss: str, k: int, seed: int) -> None:
    """What stops an ensemble decides how many of its trees are kept, and nothing else about them."""
    case = make_case(seed, loss, n_rounds=8)
    weights = draw_bags(np.random.default_rng([seed, 7]), case.n_rows, ("bootstrap", "tenth", "most"))
    replication = Replication(weights, ensemble_of=np.array((0, 1, 2)), patience=2)
    poison = poisoned(case, np.flatnonzero(weights[:, k] == 0))
    n_outputs = case.objective.n_outputs
    one, other = case.replicas(replication)[k], poison.replicas(replication)[k]
    assert not np.array_equal(one.curve[:1], other.curve[:1])
    n_trees = n_outputs * min(one.n_rounds, other.n_rounds)
    assert_same_bits(one.members.head(n_trees), other.members.head(n_trees))
    endless = replace(replication, patience=0)
    one, other = case.replicas(endless)[k], poison.replicas(endless)[k]
    assert_same_bits(one.members, other.members)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.rows, other.rows)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_in_another_order_change_no_bit(loss: str, weighted: bool, seed: int) -> None:
    case = make_case(seed, loss, n_rows=500, weighted=weighted)
    rng = np.random.default_rng([seed, 8])
    weights = draw_bags(rng, case.n_rows, ("bootstrap", "tenth", "heavy", "few"))
    roles, order = draw_roles(rng, weights), rng.permutation(case.n_rows)
    refit_counts = draw_bags(rng, case.n_rows, ("bootstrap", "most"))
    wanted = case.replicas(Replication(weights, roles, np.array((0, 1, 0, 1)), patience=2, refit_counts=refit_counts))
    moved = replace(
        case,
        binned=type(case.binned)(np.ascontiguousarray(case.binned.codes[:, order]), case.binned.cut_points),
        objective=replace(
            case.objective,
            target=case.objective.target[order],
            weight=case.objective.weight[order] if weighted else None,
        ),
    )
    again = Replication(
        weights[order], roles[order], np.array((0, 1, 0, 1)), patience=2, refit_counts=refit_counts[order]
    )
    found = moved.replicas(again, n_threads=2)
    for one, other in zip(found, wanted, strict=True):
        place = np.argsort(order[one.rows])
        back = {name: getattr(one, name)[..., place] for name in ("mean", "variance", "n_members", "refit_mean")}
        assert_same_findings([replace(one, rows=order[one.rows][place].astype(one.rows.dtype), **back)], [other])


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_a_class_that_a_replica_has_never_seen_keeps_all_finite(loss: str, seed: int) -> None:
    case = make_case(seed, loss, n_rounds=30, learning_rate=1.0, least_count=1)
    weights = draw_bags(np.random.default_rng([seed, 9]), case.n_rows, ("bootstrap", "half", "bootstrap", "half"))
    weights[case.objective.target == 1, :2] = 0
    weights[case.objective.target != 0, 2] = 0
    roles = np.where(weights == 0, STOPS | PREDICTED, 0).astype(np.uint8)
    replication = Replication(weights, roles, refit_counts=np.ones((case.n_rows, 1), dtype=np.uint8))
    (grown,) = check_against_twin(case, replication, n_threads=2)
    for found in (grown.mean, grown.curve, grown.refit_mean, grown.members.value, grown.refitted.value):
        assert np.isfinite(found).all()
    assert np.isfinite(grown.variance[:, grown.n_members > 1]).all()


def test_a_row_that_one_member_fits_by_far_off_values_has_the_spread_of_the_others(seed: int) -> None:
    """The member that is fitted to the row has no say in it, not even in the last digits."""
    case = make_case(seed, "squared_error", learning_rate=1.0, least_count=1, max_leaves=30, n_rounds=10, l2=0.0)
    weights = draw_bags(np.random.default_rng([seed, 14]), case.n_rows, ["bootstrap"] * 4)
    target = case.objective.target.copy()
    target[3], weights[3] = 1e9, [1, 0, 0, 0]
    case = replace(case, objective=replace(case.objective, target=target))
    (grown,) = case.replicas(Replication(weights))
    scores = walk_raw(grown.members, case.X[[3]])[0, 1:]
    found = grown.variance[0, np.flatnonzero(grown.rows == 3)]
    np.testing.assert_allclose(found, scores.var(ddof=1), rtol=1e-9)


def test_one_replica_has_no_spread(seed: int) -> None:
    case = make_case(seed, "squared_error")
    weights = draw_bags(np.random.default_rng([seed, 10]), case.n_rows, ["bootstrap"])
    (grown,) = check_against_twin(case, Replication(weights, patience=3), n_threads=3)
    assert np.isnan(grown.variance).all()
    assert_same_bits(grown.averaged, grown.members)


def test_a_table_of_one_row_in_bag_and_one_held_out() -> None:
    case = make_case(0, "squared_error", n_rows=2)
    weights = np.array([[1], [0]], dtype=np.uint8)
    (grown,) = check_against_twin(case, Replication(weights))
    assert grown.mean.tolist() == [[case.objective.target[0]]]
    np.testing.assert_allclose(grown.curve, [(case.objective.target[1] - case.objective.target[0]) ** 2 / 2] * 6)


def test_trees_that_are_not_kept_predict_the_same(seed: int) -> None:
    case = make_case(seed, "logistic", n_rows=300)
    rng = np.random.default_rng([seed, 11])
    weights = draw_bags(rng, case.n_rows, ("bootstrap", "tenth", "most", "half"))
    refit_counts = np.ones((case.n_rows, 2), dtype=np.uint8)
    roles = draw_roles(rng, weights)
    replication = Replication(weights, roles, np.array((0, 1, 1, 0)), patience=2, refit_counts=refit_counts)
    kept = case.replicas(replication)
    for n_threads in (1, 2):
        found = case.replicas(replication, keep_trees=False, n_threads=n_threads)
        assert all(one.members is None and one.averaged is None and one.refitted is None for one in found)
        assert_same_findings(found, [replace(one, members=None, averaged=None, refitted=None) for one in kept])


def test_the_counts_of_the_objective_are_not_those_of_the_replicas(seed: int) -> None:
    case = make_case(seed, "squared_error")
    weights = draw_bags(np.random.default_rng([seed, 12]), case.n_rows, ("bootstrap", "half"))
    counted = replace(case.objective, count=np.zeros(case.n_rows, dtype=np.uint8))
    found = grow_replicas(case.binned, counted, case.growth, Replication(weights))
    assert_same_findings(found, case.replicas(Replication(weights)))


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kinds", [("bootstrap",), ("tenth", "bootstrap", "tenth")])
def test_60000_rows_are_the_same_for_any_threads(loss: str, kinds: tuple[str, ...], seed: int) -> None:
    """With no threshold forced: so many rows are shared among threads where replicas are few."""
    case = make_case(seed, loss, n_rows=60_000, n_rounds=2, max_leaves=31)
    weights = draw_bags(np.random.default_rng([seed, 13]), case.n_rows, kinds)
    (wanted,) = case.replicas(Replication(weights))
    for n_threads in (2, 4):
        assert_same_findings(case.replicas(Replication(weights), n_threads=n_threads), [wanted])
    raw = walk_raw(wanted.members, case.X[wanted.rows]).T.reshape(len(kinds), case.objective.n_outputs, -1)
    held_out = (weights[wanted.rows].T == 0)[:, None]
    mean = np.where(held_out, raw, 0).sum(axis=0) / held_out.sum(axis=0)
    np.testing.assert_allclose(wanted.mean, mean, rtol=1e-13, atol=1e-13)
