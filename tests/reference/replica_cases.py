"""Tables, bags and roles for the tests of replicas, and the comparison of what the engine finds with the twin's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.trees import Binned, GrownEnsemble, Growth, Objective, Replication, TreeEnsemble, grow_replicas

from reference import replicas as twin
from reference.ensembles import assert_same_bits, same_bits

LOSSES = ("squared_error", "logistic", "softmax")


@dataclass(frozen=True)
class Case:
    """One table and how trees grow on it."""

    X: NDArray[np.float64]
    binned: Binned
    objective: Objective
    growth: Growth

    @property
    def n_rows(self) -> int:
        return self.binned.n_rows

    def replicas(self, replication: Replication, **how: Any) -> tuple[GrownEnsemble, ...]:
        return grow_replicas(self.binned, self.objective, self.growth, replication, **how)


def make_case(
    seed: int, loss: str, n_rows: int = 150, weighted: bool = False, n_features: int = 11, **growth: Any
) -> Case:
    """Features smooth, coarse, constant and with missing cells, and a target that hangs on some of them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    X[:, 1 % n_features] = rng.integers(0, 5, n_rows)
    X[rng.random(n_rows) < 0.5, 2 % n_features] = np.nan
    X[:, 4 % n_features] = np.where(n_features > 4, 1.0, X[:, 4 % n_features])
    X[rng.random(X.shape) < 0.05] = np.nan
    filled = np.nan_to_num(X)
    target = 2 * filled[:, 0] + filled[:, 1 % n_features] - np.isnan(X[:, 2 % n_features]) + rng.normal(size=n_rows)
    n_outputs = 3 if loss == "softmax" else 1
    if loss != "squared_error":
        cuts = np.quantile(target, [0.3, 0.8] if loss == "softmax" else [0.4])
        target = np.digitize(target, cuts).astype(np.float64)
    weight = rng.gamma(2.0, size=n_rows) if weighted else None
    ways = {"n_rounds": 6, "learning_rate": 0.3, "max_leaves": 6, "least_count": 3, "l2": 0.1, **growth}
    return Case(X, Binned.from_array(X), Objective(loss, target, weight, None, n_outputs), Growth(**ways))


def draw_bag(rng: np.random.Generator, n_rows: int, kind: str) -> NDArray[np.uint8]:
    """Return how often each row is in one bag."""
    order = rng.permutation(n_rows)
    bag = np.zeros(n_rows, dtype=np.int64)
    if kind == "bootstrap":
        bag = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows))
    elif kind == "heavy":
        bag = rng.integers(0, 256, n_rows) * rng.integers(0, 2, n_rows)
        bag[order[0]] = 255
    else:
        sizes = {
            "all": n_rows,
            "all but one": n_rows - 1,
            "most": n_rows - n_rows // 5,
            "half": n_rows // 2,
            "tenth": n_rows // 10,
            "few": 4,
            "one": 1,
        }
        bag[order[: max(1, min(n_rows, sizes[kind]))]] = 1
    return bag.astype(np.uint8)


BAGS = ("bootstrap", "heavy", "all", "all but one", "most", "half", "tenth", "few", "one")


def draw_bags(rng: np.random.Generator, n_rows: int, kinds: Sequence[str]) -> NDArray[np.uint8]:
    """Return multiplicities, shape (n_rows, n_replicas), in Fortran order."""
    return np.asfortranarray(np.stack([draw_bag(rng, n_rows, kind) for kind in kinds], axis=1))


def draw_roles(rng: np.random.Generator, weights: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return any role for rows out of the bag, none or PREDICTED for those in it."""
    roles = rng.integers(0, 4, weights.shape).astype(np.uint8)
    return np.asfortranarray(np.where(weights > 0, roles & twin.PREDICTED, roles))


def spelled_out(case: Case, replication: Replication) -> twin.Plan:
    """Fill in what a replication leaves to its defaults."""
    weights = np.asarray(replication.weights)
    n_replicas = weights.shape[1]
    roles = np.where(weights == 0, 3, 0).astype(np.uint8) if replication.roles is None else replication.roles
    ensemble_of = [0] * n_replicas if replication.ensemble_of is None else [int(e) for e in replication.ensemble_of]
    rounds = replication.rounds or [case.growth.n_rounds] * (max(ensemble_of) + 1)
    seeds = replication.seeds or [case.growth.seed] * n_replicas
    return twin.Plan(
        weights,
        roles,
        ensemble_of,
        seeds,
        rounds,
        replication.patience,
        replication.ensemble_size,
        replication.refit_counts,
        replication.curve_weight,
    )


def check_stopping(case: Case, found: GrownEnsemble, wanted: twin.Alone, plan: twin.Plan, limit: int) -> None:
    """The curve is the twin's; it ends where patience does, neither earlier nor later."""
    n_grown = len(found.curve)
    # A loss is a difference, of scores and targets or of scores and a logarithm, and near 0 has no digits of its own.
    scale = np.abs(wanted.scores).max()
    lost = 1e-14 * (scale**2 if case.objective.loss == "squared_error" else scale)
    np.testing.assert_allclose(found.curve, wanted.curve[:n_grown], rtol=1e-12, atol=lost)
    if wanted.curve.size == 0:
        assert (found.best_round, found.n_rounds) == (-1, limit)
        return
    # Two rounds that differ by a rounding only are ordered as the engine finds them.
    going_on = np.concatenate([found.curve, wanted.curve[n_grown:]])
    assert twin.stopping(going_on.tolist(), plan.patience) == (n_grown, found.best_round)
    assert found.n_rounds == (found.best_round + 1 if plan.patience > 0 else limit)
    assert found.members_per_row == wanted.judged.sum() / wanted.judged.any(axis=0).sum()


def check_predictions(found: GrownEnsemble, wanted: twin.Kept) -> None:
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.n_members, wanted.n_members)
    alone = wanted.n_members == 1
    np.testing.assert_array_equal(found.mean[:, alone], wanted.mean[:, alone])
    # A mean of several rounds once or twice more, in units of the scores that it is the mean of.
    spread = np.nan_to_num(wanted.variance)
    scale = np.square(np.abs(wanted.mean).max(initial=0.0)) + spread.max(initial=0.0)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-14, atol=1e-15 * np.sqrt(scale))
    np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-10, atol=1e-14 * scale)


def check_trees(found: GrownEnsemble, wanted: twin.Kept, n_outputs: int) -> None:
    whole = twin.interleaved(wanted.members, n_outputs)
    assert_same_bits(found.members, whole)
    n_members = len(wanted.members)
    check_values(found.averaged, whole, whole.value / n_members, n_outputs, 1e-15)
    np.testing.assert_allclose(
        found.averaged.base, whole.base.reshape(n_members, n_outputs).mean(axis=0), rtol=1e-13, atol=1e-15
    )


def check_values(
    found: TreeEnsemble,
    structure: TreeEnsemble,
    value: NDArray[np.float64],
    n_outputs: int,
    rtol: float,
    least: float = 0.0,
) -> None:
    """The trees are those of `structure` with other values."""
    assert found.n_outputs == n_outputs
    same = replace(structure, value=found.value, base=found.base)
    assert_same_bits(found, same)
    np.testing.assert_allclose(found.value, value, rtol=rtol, atol=rtol * np.abs(value).max(initial=0.0) + 1e-7 * least)


def lacks_a_class(case: Case, counts: NDArray[np.uint8]) -> bool:
    """Say whether rows are of fewer classes than there are: their scores then go where nothing is left of 1 - p."""
    n_classes = {"squared_error": 0, "logistic": 2}.get(case.objective.loss, case.objective.n_outputs)
    return len(np.unique(case.objective.target[counts > 0])) < n_classes


def check_refit(found: GrownEnsemble, wanted: twin.Kept, case: Case, counts: NDArray[np.uint8], given: bool) -> None:
    """The engine's derivatives are in single precision. Rows of default roles have no prediction of the refit."""
    n_outputs, n_members = case.objective.n_outputs, len(wanted.members)
    if lacks_a_class(case, counts):
        assert found.refitted is None or np.isfinite(found.refitted.value).all()
        return
    if given and wanted.rows.size > 0:
        scale = np.abs(wanted.refit_mean).max(initial=0.0)
        np.testing.assert_allclose(found.refit_mean, wanted.refit_mean, rtol=1e-5, atol=1e-5 * scale)
    else:
        assert found.refit_mean is None
    if found.members is not None:
        whole = twin.interleaved(wanted.refitted, n_outputs)
        # Residuals that cancel in a leaf leave their rounding to single precision, in units of the target.
        least = np.abs(case.objective.target).max()
        check_values(found.refitted, whole, whole.value / n_members, n_outputs, 1e-5, least)
        np.testing.assert_allclose(found.refitted.base, wanted.refitted[0].base, rtol=1e-13, atol=1e-15)


def check_against_twin(
    case: Case, replication: Replication, fit: twin.Fit = twin.fit_by_engine, **how: Any
) -> tuple[GrownEnsemble, ...]:
    """Grow replicas and compare all that is found of each ensemble with the twin's."""
    plan = spelled_out(case, replication)
    grown = case.replicas(replication, **how)
    assert len(grown) == plan.n_ensembles
    for ensemble, found in enumerate(grown):
        alone = twin.fit_alone(case.binned, case.X, case.objective, case.growth, plan, ensemble, fit)
        check_stopping(case, found, alone, plan, plan.rounds[ensemble])
        if plan.refit_counts is None:
            wanted = twin.keep(alone, found.n_rounds)
            assert found.refitted is None
            assert found.refit_mean is None
        else:
            counts = plan.refit_counts[:, ensemble]
            wanted = twin.keep_refitted(alone, found.n_rounds, case.X, case.objective, case.growth, counts)
            check_refit(found, wanted, case, counts, given=replication.roles is not None)
        check_predictions(found, wanted)
        if how.get("keep_trees", True):
            check_trees(found, wanted, case.objective.n_outputs)
        else:
            assert found.members is found.averaged is found.refitted is None
    return grown


def assert_same_findings(one: Sequence[GrownEnsemble], other: Sequence[GrownEnsemble]) -> None:
    """Fail unless two calls found the same to the bit."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for name in ("members", "averaged", "refitted"):
            first, second = getattr(a, name), getattr(b, name)
            assert (first is None) == (second is None), name
            if first is not None:
                assert_same_bits(first, second)
        for name in ("rows", "mean", "variance", "n_members", "refit_mean", "curve"):
            first, second = getattr(a, name), getattr(b, name)
            assert (first is None) == (second is None), name
            assert first is None or same_bits(first, second), name
        for name in ("members_per_row", "best_round", "n_rounds"):
            assert getattr(a, name) == getattr(b, name), name
