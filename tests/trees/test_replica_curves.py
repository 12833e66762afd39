"""Curves of held-out loss: what they average, what they are corrected to, and when they end an ensemble."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from heldout.trees import PREDICTED, STOPS, Replication

from reference import replicas as twin
from reference.ensembles import walk_raw
from reference.replica_cases import LOSSES, assert_same_findings, check_against_twin, draw_bags, make_case


def held_out_by_all(seed: int, n_replicas: int = 4):
    """Squared error with 40 rows that no replica is fitted to, and that alone are judged."""
    case = make_case(seed, "squared_error", n_rows=200)
    weights = draw_bags(np.random.default_rng([seed, 1]), case.n_rows, ["bootstrap"] * n_replicas)
    weights[:40] = 0
    roles = np.zeros_like(weights)
    roles[:40] = STOPS | PREDICTED
    return case, weights, roles


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_curve_is_the_mean_over_all_ensembles_of_its_size(size: int, seed: int) -> None:
    """Every choice of `size` members is an ensemble; the mean of their losses is known without any formula."""
    case, weights, roles = held_out_by_all(seed)
    (grown,) = case.replicas(Replication(weights, roles, ensemble_size=size))
    scores = walk_raw(grown.members, case.X[:40])
    choices = [scores[:, own].mean(axis=1) for own in combinations(range(4), size)]
    losses = [np.mean((chosen - case.objective.target[:40]) ** 2) / 2 for chosen in choices]
    np.testing.assert_allclose(grown.curve[-1], np.mean(losses), rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [1, 2])
def test_a_row_counts_in_a_curve_as_much_as_it_weighs(loss: str, size: int, seed: int) -> None:
    """Two members that judge the same rows: the loss of their mean score, or the mean of their losses."""
    case = make_case(seed, loss, n_rows=200)
    rng = np.random.default_rng([seed, 13])
    weights = draw_bags(rng, case.n_rows, ["bootstrap"] * 2)
    weights[:40] = 0
    roles = np.zeros_like(weights)
    roles[:40] = STOPS
    weight = rng.gamma(1.0, size=case.n_rows)
    (grown,) = case.replicas(Replication(weights, roles, ensemble_size=size, curve_weight=weight))
    scores = walk_raw(grown.members, case.X[:40]).reshape(40, 2, -1)
    if size == 2:
        scores = scores.mean(axis=1, keepdims=True)
    y = case.objective.target[:40]
    if loss == "squared_error":
        losses = (scores[:, :, 0] - y[:, None]) ** 2 / 2
    else:
        of_classes = scores if loss == "softmax" else np.concatenate([np.zeros_like(scores), scores], axis=2)
        own = np.take_along_axis(of_classes, y.astype(int)[:, None, None], axis=2)[:, :, 0]
        losses = np.log(np.exp(of_classes).sum(axis=2)) - own
    np.testing.assert_allclose(grown.curve[-1], np.average(losses.mean(axis=1), weights=weight[:40]), rtol=1e-11)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_that_weigh_nothing_choose_no_round(loss: str, seed: int) -> None:
    case = make_case(seed, loss, n_rounds=3)
    weights = draw_bags(np.random.default_rng([seed, 14]), case.n_rows, ["bootstrap"] * 2)
    (grown,) = case.replicas(Replication(weights, patience=5, curve_weight=np.zeros(case.n_rows)))
    assert (grown.curve.tolist(), grown.best_round, grown.n_rounds) == ([np.inf] * 3, -1, 3)


@pytest.mark.parametrize("n_judges", [1, 2, 3])
def test_a_curve_of_constants_is_known(n_judges: int, seed: int) -> None:
    """Members are the means of their bags; the row of one judge takes the spread of the rows of several."""
    case = make_case(seed, "squared_error", n_rows=50, max_leaves=1, n_rounds=2)
    weights = draw_bags(np.random.default_rng([seed, 2]), case.n_rows, ["half"] * 3)
    weights[:2] = 0
    roles = np.zeros_like(weights)
    roles[0], roles[1, :n_judges] = STOPS, STOPS
    y, means = case.objective.target, np.array([case.objective.target[bag > 0].mean() for bag in weights.T])
    (grown,) = case.replicas(Replication(weights, roles, ensemble_size=10))
    spread = means.var(ddof=1)
    own = spread if n_judges == 1 else means[:n_judges].var(ddof=1)
    first = (means.mean() - y[0]) ** 2 + spread * (1 / 10 - 1 / 3)
    second = (means[:n_judges].mean() - y[1]) ** 2 + own * (1 / 10 - 1 / n_judges)
    np.testing.assert_allclose(grown.curve, [(first + second) / 4] * 2, rtol=1e-11)
    assert grown.members_per_row == (3 + n_judges) / 2
    assert grown.rows.size == 0


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
@pytest.mark.parametrize("size", [0, 1, 7])
def test_log_loss_is_corrected_to_one_member_or_not_at_all(loss: str, size: int, seed: int) -> None:
    case = make_case(seed, loss, n_rows=200, weighted=True)
    weights = draw_bags(np.random.default_rng([seed, 3]), case.n_rows, ["bootstrap"] * 5)
    check_against_twin(case, Replication(weights, ensemble_size=size))
    (grown,) = case.replicas(Replication(weights, ensemble_size=size))
    (as_it_is,) = case.replicas(Replication(weights))
    if size == 1:
        assert (grown.curve > as_it_is.curve).all()  # log loss is convex in the scores
    else:
        assert grown.curve.tobytes() == as_it_is.curve.tobytes()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("patience", [1, 3, 1000])
def test_patience_ends_an_ensemble_after_its_best_round(loss: str, patience: int, seed: int) -> None:
    case = make_case(seed, loss, n_rounds=25, learning_rate=1.0, max_leaves=12, least_count=1)
    weights = draw_bags(np.random.default_rng([seed, 4]), case.n_rows, ["bootstrap", "most", "half", "tenth"])
    replication = Replication(weights, ensemble_of=np.array((0, 1, 2, 3)), patience=patience)
    grown = check_against_twin(case, replication, n_threads=2)
    for found in grown:
        assert found.n_rounds == found.best_round + 1 == np.argmin(found.curve) + 1
        assert len(found.curve) == min(25, found.n_rounds + patience)
        assert found.members.n_trees == found.n_rounds * case.objective.n_outputs


def test_an_ensemble_may_be_best_after_its_first_round(seed: int) -> None:
    """Targets that no feature tells anything of, and steps so wide that each round is twice as far off."""
    case = make_case(seed, "squared_error", n_rounds=9, learning_rate=3.0, max_leaves=4, l2=0.0)
    noise = np.random.default_rng([seed, 5]).normal(size=case.n_rows)
    case = replace(case, objective=replace(case.objective, target=noise))
    weights = draw_bags(np.random.default_rng([seed, 6]), case.n_rows, ["half"])
    (grown,) = check_against_twin(case, Replication(weights, patience=4))
    assert (grown.best_round, grown.n_rounds, len(grown.curve)) == (0, 1, 5)


def test_each_ensemble_has_its_own_rounds(seed: int) -> None:
    case = make_case(seed, "logistic", n_rounds=9)
    weights = draw_bags(np.random.default_rng([seed, 7]), case.n_rows, ["bootstrap"] * 5)
    rounds = (9, 1, 4)
    grown = check_against_twin(
        case, Replication(weights, ensemble_of=np.array((2, 1, 0, 2, 1)), rounds=rounds), n_threads=2
    )
    assert tuple(one.n_rounds for one in grown) == rounds == tuple(len(one.curve) for one in grown)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_ensembles_do_not_know_of_each_other(n_threads: int, seed: int) -> None:
    """Whatever the others do and whenever they end, each finds what it finds in a call of its own."""
    case = make_case(seed, "softmax", n_rows=300, n_rounds=12, learning_rate=1.0)
    weights = draw_bags(np.random.default_rng([seed, 8]), case.n_rows, ["bootstrap", "tenth", "most", "few", "half"])
    ensemble_of, seeds = np.array((0, 2, 1, 0, 2)), (5, 6, 7, 8, 9)
    together = case.replicas(Replication(weights, None, ensemble_of, seeds, (12, 3, 12), 2), n_threads=n_threads)
    for ensemble, found in enumerate(together):
        own = np.flatnonzero(ensemble_of == ensemble)
        alone = Replication(
            weights[:, own], seeds=tuple(seeds[k] for k in own), rounds=((12, 3, 12)[ensemble],), patience=2
        )
        assert_same_findings([found], case.replicas(alone))


def test_folds_of_a_cross_validation_are_each_their_own_ensemble(seed: int) -> None:
    """Every row is held out once; its prediction is that of the fold's trees, and the curve that of its rows."""
    case = make_case(seed, "squared_error", n_rows=120)
    fold_of = np.random.default_rng([seed, 9]).permutation(120) % 4
    weights = (fold_of[:, None] != np.arange(4)).astype(np.uint8)
    grown = check_against_twin(
        case, Replication(weights, ensemble_of=np.array((0, 1, 2, 3))), twin.fit_by_numpy, n_threads=2
    )
    np.testing.assert_array_equal(np.sort(np.concatenate([one.rows for one in grown])), np.arange(120))
    for fold, found in enumerate(grown):
        np.testing.assert_array_equal(found.rows, np.flatnonzero(fold_of == fold))
        np.testing.assert_array_equal(found.mean.T, walk_raw(found.members, case.X[found.rows]))


def test_nested_folds_are_stopped_by_inner_rows_alone(seed: int) -> None:
    """Outer rows are only predicted: by all inner replicas of their fold."""
    case = make_case(seed, "squared_error", n_rows=160, n_rounds=10)
    rng = np.random.default_rng([seed, 10])
    outer = rng.permutation(160) % 2
    weights, roles = [], []
    for fold in range(2):
        inner = rng.permutation(160) % 3
        for k in range(3):
            weights.append((outer != fold) & (inner != k))
            roles.append(np.where(outer == fold, PREDICTED, np.where(inner == k, STOPS, 0)))
    replication = Replication(
        np.array(weights, dtype=np.uint8).T,
        np.array(roles, dtype=np.uint8).T,
        ensemble_of=np.array((0, 0, 0, 1, 1, 1)),
        patience=2,
        refit_counts=np.stack([outer != fold for fold in range(2)], axis=1).astype(np.uint8),
    )
    grown = check_against_twin(case, replication, n_threads=2)
    for fold, found in enumerate(grown):
        np.testing.assert_array_equal(found.rows, np.flatnonzero(outer == fold))
        assert found.members_per_row == 1.0
        assert set(found.n_members) == {3}


def test_a_callback_hears_the_first_ensemble_that_grows_and_ends_all(seed: int) -> None:
    case = make_case(seed, "squared_error", n_rounds=9)
    weights = draw_bags(np.random.default_rng([seed, 11]), case.n_rows, ["bootstrap"] * 3)
    replication = Replication(weights, ensemble_of=np.array((0, 1, 1)), rounds=(2, 9))
    seen = []

    def stop_after_four(number, loss):
        seen.append((number, loss))
        return number == 3

    found = case.replicas(replication, callback=stop_after_four, n_threads=2)
    assert_same_findings(found, case.replicas(replace(replication, rounds=(2, 4))))
    assert seen == list(enumerate([*found[0].curve, *found[1].curve[2:]]))


def test_a_callback_hears_of_no_loss_where_no_row_is_judged(seed: int) -> None:
    case = make_case(seed, "squared_error", n_rounds=3)
    seen = []
    weights = np.ones((case.n_rows, 2), dtype=np.uint8)
    case.replicas(Replication(weights), callback=lambda number, loss: seen.append((number, loss)))
    assert seen == [(0, None), (1, None), (2, None)]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_what_a_callback_raises_comes_out(n_threads: int, seed: int) -> None:
    case = make_case(seed, "squared_error", n_rounds=9)
    weights = draw_bags(np.random.default_rng([seed, 12]), case.n_rows, ["bootstrap"] * 3)

    def fail(number, losses):
        if number == 2:
            raise RuntimeError(f"enough after round {number}")

    with pytest.raises(RuntimeError, match="enough after round 2"):
        case.replicas(Replication(weights), callback=fail, n_threads=n_threads)
    check_against_twin(case, Replication(weights), n_threads=n_threads)
