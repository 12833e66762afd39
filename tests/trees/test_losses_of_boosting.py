"""Losses of boosting: exponentials, logarithms and derivatives next to those of NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from heldout import _native

from reference import losses as twin

stages = _native.stages
LOSSES = {"squared": 0, "logistic": 1, "softmax": 2}


def ulps(found, wanted):
    """Distance in units in the last place of the wanted values."""
    return np.abs(found - wanted) / np.spacing(np.abs(wanted))


def test_exponentials_are_within_two_units_in_the_last_place(seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(-700, 700, 20_000), rng.normal(size=20_000), [0.0, -0.0, 700.0, -700.0, 1e-300]])
    assert ulps(stages.exponential(x), np.exp(x)).max() <= 2
    ends = stages.exponential(np.array([-1e9, 1e9, -np.inf, np.inf]))
    assert ulps(ends, np.exp([-700.0, 700.0, -700.0, 700.0])).max() <= 2


def test_logarithms_are_within_two_units_in_the_last_place(seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.exp(rng.uniform(-700, 700, 20_000)), rng.uniform(0.5, 2, 20_000), [1.0, 2.0, 0.5, 1e-15]])
    assert ulps(stages.natural_logarithm(x), np.log(x)).max() <= 2
    assert stages.natural_logarithm(np.array([1.0]))[0] == 0.0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_derivatives_are_the_twins_in_single_precision(loss, weighted, n_threads, seed):
    """Two units of double precision can move a float by one: only where the true value lies between two floats."""
    rng = np.random.default_rng(seed)
    n, n_outputs = 9_001, 4 if loss == "softmax" else 1
    scores = rng.normal(scale=6, size=(n_outputs, n))
    target = rng.normal(size=n) if loss == "squared" else rng.integers(0, max(2, n_outputs), n).astype(np.float64)
    weight = rng.uniform(0.5, 2, n) if weighted else None
    found = stages.differentiate(LOSSES[loss], target, weight, scores, 0, n_threads)
    for made, wanted in zip(found, twin.derivatives(loss, target, scores), strict=True):
        times = 1.0 if weight is None else weight
        # 1 - p is rounded once at p near 1: an error of half a unit of 1, not of the small rest. The score less the log
        # of the sum is rounded as numbers of its size are.
        slack = 4 * np.spacing(1.0) * times * (loss != "squared")
        if loss == "softmax":
            slack = slack + 2 * np.spacing(np.abs(scores).max()) * softmax(scores, axis=0) * times
        room = (
            np.spacing(np.abs(wanted * times).astype(np.float32)) / 2 + slack + 4 * np.spacing(np.abs(wanted * times))
        )
        assert (np.abs(made - wanted * times) <= room).all()


def test_squared_gradients_are_in_units_of_a_power_of_two():
    gradient, _ = stages.differentiate(0, np.array([0.0, 1e300]), None, np.array([[3e300, 1e299]]), 1000)
    np.testing.assert_array_equal(gradient[0], np.ldexp([3e300, 1e299 - 1e300], -1000).astype(np.float32))
