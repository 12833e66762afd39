"""The winner's corrected score: a naive twin, invariances, and the optimism it has to remove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.generalization.paired import SimplestTied, simplest_tied
from heldout.generalization.selected import lowest_mean_loss, selected_error


def naive_selected_error(losses, codes, pick, n_resamples, random_state):
    """Resample units by copying their rows, choose, score on the rows of units not drawn; plain loops."""
    n_units = codes.max() + 1
    rng = stream(random_state, "selected error")
    really = pick(losses, codes)
    shifts, won = [], np.zeros(losses.shape[1])
    for _ in range(n_resamples):
        drawn = rng.integers(n_units, size=n_units)
        inside = np.concatenate([np.flatnonzero(codes == u) for u in drawn])
        copies = np.concatenate([np.full((codes == u).sum(), copy) for copy, u in enumerate(drawn)])
        chosen = pick(losses[inside], copies)
        won[chosen] += 1
        outside = ~np.isin(codes, drawn)
        if outside.any():
            shifts.append(losses[outside, chosen].mean() - losses[outside, really].mean())
    return losses[:, really].mean() + np.mean(shifts), np.mean(shifts), tuple(won / n_resamples)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("rule", ["lowest", "simplest tied"])
def test_the_replay_equals_a_naive_loop(grouped, rule):
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=(30, 4)) + rng.exponential(size=(30, 1))
    units = rng.integers(0, 8, size=30) if grouped else None
    codes = np.arange(30) if units is None else np.unique(units, return_inverse=True)[1]
    scheme = "group" if grouped else "random"
    if rule == "lowest":
        choose, pick = lowest_mean_loss, lambda part, _: int(part.mean(axis=0).argmin())
    else:
        choose = SimplestTied([2, 3, 0, 1], 5, scheme)

        def pick(part, copies):
            return simplest_tied(part, units=copies, n_folds=5, scheme=scheme, order_of_simplicity=[2, 3, 0, 1]).index

    result = selected_error(losses, units=units, choose=choose, n_resamples=60, random_state=3)
    error, shift, won = naive_selected_error(losses, codes, pick, 60, 3)
    assert (result.error, result.shift) == pytest.approx((error, shift), rel=1e-10, abs=1e-12)
    assert result.share_of_resamples_won == pytest.approx(won)


def test_portions_of_weights_change_nothing(monkeypatch):
    losses = np.random.default_rng(1).exponential(size=(50, 3))
    whole = selected_error(losses, n_resamples=40)
    monkeypatch.setattr("heldout.generalization.selected.WEIGHTS_AT_ONCE", 150)
    assert selected_error(losses, n_resamples=40).error == pytest.approx(whole.error, rel=1e-14)


def test_a_clear_winner_is_not_corrected():
    losses = np.random.default_rng(2).exponential(size=(300, 4)) + np.array([0.0, 5.0, 6.0, 7.0])
    result = selected_error(losses)
    assert (result.shift, result.index, result.share_of_resamples_won[0]) == (0.0, 0, 1.0)
    assert result.error == pytest.approx(losses[:, 0].mean())


def test_one_unit_leaves_nothing_out_and_shifts_nothing():
    result = selected_error([[1.0, 2.0], [1.0, 3.0]], units=[0, 0], n_resamples=5)
    assert (result.shift, result.n_resamples, result.error) == (0.0, 0, 1.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(2, 5), shift=st.floats(-50, 50))
def test_a_constant_moves_the_error_alone_and_a_permutation_moves_the_shares(seed, m, shift):
    rng = np.random.default_rng(seed)
    losses = rng.exponential(size=(20, m))
    plain = selected_error(losses, n_resamples=30)
    moved = selected_error(losses + shift, n_resamples=30)
    assert moved.error - shift == pytest.approx(plain.error, abs=1e-9)
    assert moved.share_of_resamples_won == plain.share_of_resamples_won
    place = rng.permutation(m)
    permuted = selected_error(losses[:, place], n_resamples=30)
    assert permuted.error == pytest.approx(plain.error, abs=1e-12)
    assert permuted.share_of_resamples_won == tuple(plain.share_of_resamples_won[j] for j in place)


def test_errors_name_the_offending_value():
    losses = np.ones((5, 2))
    with pytest.raises(InvalidInput, match=r"n_resamples must be 1 or more, got 0"):
        selected_error(losses, n_resamples=0)
    with pytest.raises(InvalidInput, match=r"must return 1 candidate numbers, .* got array\(1\)"):
        selected_error(losses, choose=lambda _: 1)
    with pytest.raises(InvalidInput, match=r"must return candidates 0 \.\. 1, got 7"):
        selected_error(losses, choose=lambda weighted: np.full(len(weighted.n_units), 7))


ERROR, LATENT = 0.2, 0.7


def equally_good(rng, n, m):
    """Zero-one losses, each with mean .2; rows that are hard for one candidate are hard for the others."""
    latent = np.sqrt(LATENT) * rng.normal(size=(n, 1)) + np.sqrt(1 - LATENT) * rng.normal(size=(n, m))
    return (latent < stats.norm.ppf(ERROR)).astype(float)


def expected_optimism(n, m):
    """Return the expected lowest of m equally correlated normal means of n rows, relative to their mean."""
    cut = stats.norm.ppf(ERROR)
    both = stats.multivariate_normal.cdf([cut, cut], cov=[[1, LATENT], [LATENT, 1]])
    own_share = 1 - (both - ERROR**2) / (ERROR * (1 - ERROR))
    largest = quad(lambda x: x * m * stats.norm.pdf(x) * stats.norm.cdf(x) ** (m - 1), -8, 8)[0]
    return -largest * np.sqrt(own_share * ERROR * (1 - ERROR) / n) / ERROR


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "quoted"), [(200, 5, -0.12), (200, 20, -0.20), (1000, 5, -0.05), (1000, 20, -0.09)])
def test_the_winner_of_equals_flatters_and_its_corrected_score_does_not(seed, n, m, quoted):
    """All are equally good: the lowest raw mean is too low as the closed form says, the corrected one is not.

    300 tables. One mean of n losses has relative standard deviation sqrt(.8 / .2 / n), a minimum less; so the mean
    over tables has a standard error of .008 (n = 200) or .004 (n = 1000) at most. The raw mean may miss the closed
    form by 4 of these and .01 (binomial counts are not normal), the corrected one the truth by 4 and .01.
    """
    rng = np.random.default_rng(seed)
    runs = 300
    raw, corrected = np.empty(runs), np.empty(runs)
    for run in range(runs):
        result = selected_error(equally_good(rng, n, m), n_resamples=200, random_state=run)
        raw[run], corrected[run] = result.raw_error / ERROR - 1, result.error / ERROR - 1
    error = np.sqrt((1 - ERROR) / ERROR / n / runs)
    print(f"\nn={n} m={m}, {runs} tables: raw {raw.mean():+.3f}, expected {expected_optimism(n, m):+.3f}, ", end="")
    print(f"corrected {corrected.mean():+.3f} (standard error < {error:.3f})")
    assert expected_optimism(n, m) == pytest.approx(quoted, abs=0.011)
    assert raw.mean() == pytest.approx(expected_optimism(n, m), abs=0.01 + 4 * error)
    assert abs(corrected.mean()) < 0.01 + 4 * error
