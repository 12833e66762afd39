"""Losses of whole ensembles, from the members that have a row out of bag."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from heldout.errors import InvalidInput
from heldout.generalization import corrected_losses


def losses_of_members(seed: int, n_rows: int = 12, size: int = 7):
    """Return errors of every member, which of them have a row out of bag, and the squared losses of these."""
    rng = np.random.default_rng(seed)
    errors, out = rng.normal(size=(size, n_rows)), rng.random((size, n_rows)) < 0.5
    kept = [errors[out[:, i], i] for i in range(n_rows)]
    of_mean = [row.mean() ** 2 if row.size else np.nan for row in kept]
    return kept, of_mean, [np.square(row).mean() if row.size else np.nan for row in kept], [row.size for row in kept]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_corrected_squared_error_is_that_of_pairs_of_members_and_their_variance(seed, ensemble_size):
    kept, of_mean, of_single, m = losses_of_members(seed)
    pooled = np.sum([(len(row) - 1) * row.var(ddof=1) for row in kept if len(row) > 1]) / np.sum(
        [k - 1 for k in m if k > 1]
    )
    found = corrected_losses(of_mean, of_single, m, ensemble_size)
    for loss, errors in zip(found, kept, strict=True):
        if len(errors) == 0:
            assert np.isnan(loss)
            continue
        if len(errors) == 1:
            expected = errors[0] ** 2 + pooled * (1 / ensemble_size - 1)
        else:
            pairs = np.mean([a * b for a, b in combinations(errors, 2)])
            expected = pairs + np.var(errors, ddof=1) / ensemble_size
        assert loss == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_no_loss_is_made_or_lost(seed):
    """An ensemble as large as the members at hand has the loss of their mean; one of a single member theirs."""
    _, of_mean, of_single, m = losses_of_members(seed, n_rows=1)
    if m[0] > 0:
        assert corrected_losses(of_mean, of_single, m, m[0]) == pytest.approx(of_mean)
        assert corrected_losses(of_mean, of_single, m, 1) == pytest.approx(of_single)


def test_single_members_need_no_variance():
    assert corrected_losses([4.0, 1.0], [4.0, 1.0], [1, 1], 1) == pytest.approx([4.0, 1.0])
    assert np.isnan(corrected_losses([4.0], [4.0], [1], 2)).all()


@pytest.mark.parametrize(("spread", "left"), [(0.5, 0.1), (1.0, 0.2), (4.0, 0.5), (10.0, 0.5)])
@pytest.mark.parametrize("centre", [-2.0, 0.0, 2.0])
def test_the_log_loss_of_few_members_comes_near_that_of_many(centre, spread, left, seed):
    """Scores of a wide spread lose with the square root of m, not with m: half the gap goes, never more than all."""
    n_rows, m, size = 40_000, 4, 20
    score = centre + spread * np.random.default_rng(seed).normal(size=(n_rows, size))
    of_mean, of_single, of_whole = (
        -special.log_expit(each) for each in (score[:, :m].mean(axis=1), score[:, :m], score.mean(axis=1))
    )
    found = corrected_losses(of_mean, of_single.mean(axis=1), np.full(n_rows, m), size)
    gap, noise = np.mean(of_mean - of_whole), 4 * np.std(found - of_whole) / np.sqrt(n_rows)
    assert -noise < np.mean(found - of_whole) < left * gap + noise


def test_a_weight_of_two_equals_two_rows_where_the_change_is_pooled():
    of_mean, of_single, m = np.array([[1.0, 0.2, 0.5], [1.5, 0.3, 0.5], [3, 2, 1]])
    copied = [0, 0, 1, 2]
    weighted = corrected_losses(of_mean, of_single, m, 4, sample_weight=[2, 1, 1])
    copies = corrected_losses(of_mean[copied], of_single[copied], m[copied], 4)
    assert weighted[copied] == pytest.approx(copies)
    assert weighted[2] != pytest.approx(corrected_losses(of_mean, of_single, m, 4)[2])


def test_what_cannot_be_corrected_is_refused():
    with pytest.raises(InvalidInput, match=r"one shape \(n_rows,\), got \(2,\), \(1,\)"):
        corrected_losses([1.0, 2.0], [1.0], [1], 2)
    with pytest.raises(InvalidInput, match="ensemble_size must be 1 or more, got 0"):
        corrected_losses([1.0], [1.0], [2], 0)
