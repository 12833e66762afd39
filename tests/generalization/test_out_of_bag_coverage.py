"""Out-of-bag errors of bagged boosting against the known error of that very ensemble: hits / runs in four cells.

`benchmarks/out_of_bag.py` does the same over many more cells.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit, xlogy

from heldout.generalization import corrected_losses, out_of_bag_error
from heldout.resampling import Bootstrap, Groups, Subsample
from heldout.trees import Binned, Growth, Objective, Replication, grow_replicas

from statistical import assert_rate, power

RUNS = 200
FRESH = 2000
CLAIMED = 0.92
# name: classes, rows, replicas, scheme, most rounds, patience
CELLS = {
    "regression, bootstrap": (0, 300, 20, Bootstrap(), 50, 0),
    "regression, few replicas, rounds chosen out of bag": (0, 500, 8, Subsample(0.8), 100, 10),
    "two classes": (2, 400, 10, Bootstrap(), 40, 0),
    "groups": (0, 320, 10, Groups(), 40, 0),
}


def rows(rng, n, n_classes, grouped):
    """Return features, targets, their expectation, the variance about it, and groups."""
    X = rng.random((n, 6))
    centre = np.sin(6 * X[:, 0]) + 2 * X[:, 1] * X[:, 2]
    if n_classes:
        centre = expit(3 * centre - 4)
        return X, (rng.random(n) < centre).astype(float), centre, 0.0, None
    if not grouped:
        return X, centre + 0.7 * rng.normal(size=n), centre, 0.49, None
    groups = np.repeat(np.arange(n // 8), 8)
    # The last two features tell the groups apart, so trees learn by heart the intercepts of those they have seen.
    X[:, 4:] = rng.random((n // 8, 2))[groups]
    return X, centre + 0.5 * rng.normal(size=n // 8)[groups] + 0.7 * rng.normal(size=n), centre, 0.74, groups


def losses_of(score, y, n_classes):
    return -log_expit(np.where(y > 0, score, -score)) if n_classes else np.square(score - y)


def one_run(cell, rng, seed):
    """Return the estimate and the error of the ensemble given what it has learned from."""
    n_classes, n, size, scheme, rounds, patience = cell
    grouped = isinstance(scheme, Groups)
    X, y, _, _, groups = rows(rng, n, n_classes, grouped)
    draw = scheme.draw(n, size, groups=groups, random_state=seed)
    (grown,) = grow_replicas(
        Binned.from_array(X),
        Objective("logistic" if n_classes else "squared_error", y),
        Growth(rounds),
        Replication(draw.weights, patience=patience),
    )
    losses = losses_of(grown.mean[0], y[grown.rows], n_classes)
    members = grown.members.raw(X[grown.rows]).T
    single = np.average(losses_of(members, y[grown.rows], n_classes), axis=0, weights=draw.weights[grown.rows].T == 0)
    estimate = out_of_bag_error(
        corrected_losses(losses, single, grown.n_members, size),
        metric="log_loss" if n_classes else "mse",
        n_members=grown.n_members,
        ensemble_size=size,
        corrected=True,
        units=None if groups is None else groups[grown.rows],
    )
    X_new, _, centre, variance, _ = rows(rng, FRESH, n_classes, grouped)
    score = grown.averaged.raw(X_new)[:, 0]
    if n_classes:
        return estimate, -np.mean(xlogy(centre, expit(score)) + xlogy(1 - centre, expit(-score)))
    return estimate, variance + np.mean(np.square(score - centre))


def test_the_claims_would_be_refuted():
    assert power(RUNS, CLAIMED, 0.78) > 0.9  # the interval of a standard error that is 1.6 times too small
    assert power(RUNS, 0.7, 0.9) > 0.9  # an error that is overstated by 1.3 standard errors


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_the_interval_covers_the_error_of_that_very_ensemble(cell, seed):
    rng = np.random.default_rng([seed, len(cell)])
    hits, above = 0, 0
    for run in range(RUNS):
        estimate, truth = one_run(CELLS[cell], rng, run)
        hits += estimate.ci_low <= truth <= estimate.ci_high
        above += estimate.error > truth
    assert_rate(f"95 % out-of-bag interval, {cell}", int(hits), RUNS, at_least=CLAIMED)
    assert_rate(f"out-of-bag error above the ensemble's, {cell}", int(above), RUNS, at_least=0.3)
    assert_rate(f"out-of-bag error above the ensemble's, {cell}", int(above), RUNS, at_most=0.7)
