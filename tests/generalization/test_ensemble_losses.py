"""Losses of whole ensembles, from the members that have a row out of bag."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from heldout.errors import InvalidInput
from heldout.generalization import corrected_log_losses, corrected_squared_losses


def drawn_members(seed: int, n_rows: int = 12, size: int = 7):
    """Return targets, predictions of every member, and which members have a row out of bag."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=n_rows), rng.normal(size=(size, n_rows)), rng.random((size, n_rows)) < 0.5


def summary(predictions, out):
    """Return mean, variance and number of the members out of bag, each row by itself."""
    kept = [predictions[out[:, i], i] for i in range(out.shape[1])]
    mean = [row.mean() if row.size else np.nan for row in kept]
    return mean, [row.var(ddof=1) if row.size > 1 else np.nan for row in kept], [row.size for row in kept]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_corrected_squared_error_is_that_of_pairs_of_members_and_their_variance(seed, ensemble_size):
    y, predictions, out = drawn_members(seed)
    mean, variance, m = summary(predictions, out)
    pooled = np.sum([(k - 1) * v for k, v in zip(m, variance, strict=True) if k > 1]) / np.sum(
        [k - 1 for k in m if k > 1]
    )
    found = corrected_squared_losses(y, mean, variance, m, ensemble_size)
    for i in range(len(y)):
        errors = predictions[out[:, i], i] - y[i]
        if len(errors) == 0:
            assert np.isnan(found[i])
            continue
        if len(errors) == 1:
            expected = errors[0] ** 2 + pooled * (1 / ensemble_size - 1)
        else:
            pairs = np.mean([a * b for a, b in combinations(errors, 2)])
            expected = pairs + np.var(errors, ddof=1) / ensemble_size
        assert found[i] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_no_loss_is_made_or_lost(seed):
    # D + V / m is the squared error of the mean of the m members at hand; D + V the mean of their squared errors.
    y, predictions, _ = drawn_members(seed)
    out = np.ones(predictions.shape, bool)
    mean, variance, m = summary(predictions, out)
    assert corrected_squared_losses(y, mean, variance, m, len(out)) == pytest.approx(np.square(np.array(mean) - y))
    single = np.square(predictions - y).mean(axis=0)
    assert corrected_squared_losses(y, mean, variance, m, 1) == pytest.approx(single)


def test_single_members_need_no_variance():
    assert corrected_squared_losses([1.0, 1.0], [3.0, 0.0], [np.nan, np.nan], [1, 1], 1) == pytest.approx([4.0, 1.0])
    assert np.isnan(corrected_squared_losses([1.0], [3.0], [np.nan], [1], 2)).all()
    loss = corrected_log_losses([1, 0], [0.0, 0.0], [np.nan, np.nan], [1, 1], 1)
    assert loss == pytest.approx(np.log([2.0, 2.0]))


def expected_log_loss(target, centre, variance):
    """Return the mean log loss under independent normal scores, by Gauss and Hermite's rule."""
    nodes, weight = np.polynomial.hermite_e.hermegauss(15)
    weight = weight / weight.sum()
    grids = np.meshgrid(*[c + np.sqrt(v) * nodes for c, v in zip(centre, variance, strict=True)], indexing="ij")
    chances = np.prod(np.meshgrid(*[weight] * len(centre), indexing="ij"), axis=0)
    scores = np.stack(grids)
    if len(centre) == 1:
        scores = np.concatenate([np.zeros_like(scores), scores])
    return float((chances * -special.log_softmax(scores, axis=0)[target]).sum())


@pytest.mark.parametrize("centre", [[-3.0], [0.4], [1.0, 0.0, -0.5], [0.0, 0.0, 3.0]])
@pytest.mark.parametrize("target", [0, 1])
def test_the_log_loss_of_few_members_becomes_that_of_the_ensemble_to_second_order(centre, target):
    # Scores of variance v vary by v / m about their mean in an average of m; the corrected loss averages, over these,
    # to the loss under v / K but for a rest of fourth order in the spread.
    variance, m, size = [0.3 + 0.1 * c for c in range(len(centre))], 2, 20
    few, many = ([v / k for v in variance] for k in (m, size))
    change = corrected_log_losses([target], np.array(centre)[:, None], np.array(variance)[:, None], [m], size)
    change = (
        change[0] - corrected_log_losses([target], np.array(centre)[:, None], np.array(variance)[:, None], [m], m)[0]
    )
    gap = expected_log_loss(target, centre, few) - expected_log_loss(target, centre, many)
    assert gap > 0
    assert -change == pytest.approx(gap, rel=0.15)


@pytest.mark.parametrize("corrected", [corrected_squared_losses, corrected_log_losses])
def test_a_weight_of_two_equals_two_rows_where_variances_are_pooled(corrected):
    y, mean, variance, m = np.array([[1, 0, 1], [0.2, 0.5, -1.0], [0.5, 0.1, np.nan], [3, 2, 1]])
    copied = [0, 0, 1, 2]
    weighted = corrected(y, mean, variance, m, 4, sample_weight=[2, 1, 1])
    copies = corrected(y[copied], mean[copied], variance[copied], m[copied], 4)
    assert weighted[[0, 0, 1, 2]] == pytest.approx(copies)
    assert weighted[2] != pytest.approx(corrected(y, mean, variance, m, 4)[2])


def test_two_classes_may_come_as_one_row_of_scores():
    y, score, variance, m = [0, 1, 1], [0.3, -1.0, 2.0], [0.5, np.nan, 0.2], [3, 1, 2]
    flat = corrected_log_losses(y, score, variance, m, 8)
    assert corrected_log_losses(y, [score], [variance], m, 8) == pytest.approx(flat)
    uncorrected = -special.log_expit(np.where(np.array(y) > 0, score, np.negative(score)))
    pooled = (2 * 0.5 + 1 * 0.2) / 3
    curvature = special.expit(score) * (1 - special.expit(score))
    expected = uncorrected + curvature / 2 * np.array([0.5, pooled, 0.2]) * (1 / 8 - 1 / np.array(m))
    assert flat == pytest.approx(expected)


def test_what_cannot_be_corrected_is_refused():
    with pytest.raises(InvalidInput, match=r"one shape \(n_rows,\), got \(2,\), \(1,\)"):
        corrected_squared_losses([1.0, 2.0], [1.0], [1.0], [1], 2)
    with pytest.raises(InvalidInput, match="ensemble_size must be 1 or more, got 0"):
        corrected_squared_losses([1.0], [1.0], [1.0], [2], 0)
    with pytest.raises(InvalidInput, match=r"must have shape \(n_outputs, 2\), got \(1, 3\)"):
        corrected_log_losses([1, 0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2, 2], 4)
    with pytest.raises(InvalidInput, match=r"class numbers 0 \.\. 1, got 2"):
        corrected_log_losses([1, 2], [1.0, 2.0], [1.0, 2.0], [2, 2], 4)
