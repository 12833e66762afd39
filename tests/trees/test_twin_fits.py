"""Whole fits: tens of rounds, each tree, leaf value and score the twin's to the bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heldout import _native

from reference import losses as twin
from reference.growth import Rule
from reference.nodes import FORMATS, make_rows

LOSSES = {"squared": 0, "logistic": 1, "softmax": 2}


def fit(rows, loss, target, weight, scores, plan, n_threads, **tuning):
    settings = {
        "n_rounds": plan.n_rounds,
        "first_round": 0,
        "learning_rate": plan.learning_rate,
        "max_leaves": plan.rule.max_leaves,
        "least_count": plan.rule.least,
        "l2": plan.rule.l2,
        "least_hessian": plan.rule.least_hessian,
        "max_features": plan.max_features,
        "seed": plan.seed,
        "forced_format": -1 if plan.forced is None else FORMATS.index(plan.forced),
        **tuning,
    }
    return _native.boost(rows.codes, rows.n_bins, target, weight, rows.count, scores, LOSSES[loss], settings, n_threads)


def check_fit(seed, loss, form=None, n_outputs=1, counts=False, weighted=False, max_features=1.0, n_rounds=25):
    rows, rng = make_rows(seed, form or "unit", 400, counts=counts), np.random.default_rng(seed)
    target = rows.gradient.astype(np.float64)
    if loss != "squared":
        target = np.digitize(target, np.quantile(target, np.linspace(0, 1, max(2, n_outputs) + 1)[1:-1])).astype(float)
    weight = rng.uniform(0.5, 2, 400) if weighted else None
    plan = twin.Boosting(
        n_rounds, 0.3, Rule(8, 5, 0.2, 1e-3 * (loss != "squared")), loss == "squared", form, max_features, seed
    )
    start = rng.normal(scale=0.1, size=(n_outputs, 400))
    wanted_scores = start.copy()
    exponent = 0
    if loss == "squared":
        away = np.abs(start[0] - target) if rows.count is None else np.abs(start[0] - target)[rows.count > 0]
        exponent = math.frexp(away.max())[1]

    def differentiate(scores):
        if loss == "squared":
            gradient = np.ldexp(scores - target, -exponent)
            if weight is None:
                return gradient.astype(np.float32), None
            return (gradient * weight).astype(np.float32), weight.astype(np.float32)[None]
        # From here on bit for bit: the two units that derivatives may be off are tested by themselves.
        return _native.stages.differentiate(LOSSES[loss], target, weight, scores)

    wanted = twin.boost(rows.codes, rows.n_bins, wanted_scores, plan, differentiate, rows.count, exponent)
    for n_threads, tuning in (
        (1, {}),
        (3, {}),
        (2, {"few_rows": 1, "together_rows": 1, "shared_rows": 1, "pool_bytes": 0}),
    ):
        scores = start.copy()
        found = fit(rows, loss, target, weight, scores, plan, n_threads, **tuning)
        for name in ("feature", "bin", "left", "missing_left"):
            assert found[name].tolist() == [x for tree, _ in wanted for x in getattr(tree, name)], name
        assert found["gain"].tolist() == [math.ldexp(x, 2 * exponent) for tree, _ in wanted for x in tree.gain]
        assert found["value"].tolist() == [x for _, values in wanted for x in values]
        np.testing.assert_array_equal(scores, wanted_scores)
    assert len(wanted[-1][0].feature) > 3


@pytest.mark.parametrize("form", [None, "narrow", "flushed", "wide"])
def test_squared_loss(form, seed):
    check_fit(seed, "squared", form)


@pytest.mark.parametrize("form", [None, "flushed", "wide"])
@pytest.mark.parametrize("counts", [False, True])
def test_logistic_loss(form, counts, seed):
    check_fit(seed, "logistic", form, counts=counts)


def test_softmax_loss(seed):
    check_fit(seed, "softmax", n_outputs=3, n_rounds=12)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_weights_counts_and_chosen_features(loss, seed):
    check_fit(seed, loss, counts=True, weighted=True, max_features=0.4)
