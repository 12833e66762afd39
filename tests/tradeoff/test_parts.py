"""The pair estimators against loops over pairs, exact sums, and probabilities known in closed form."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heldout.errors import InvalidInput
from heldout.losses import LOSSES
from heldout.tradeoff import parts_from_predictions

numbers = st.floats(-1e3, 1e3)


def naive_parts(predictions, y, loss):
    """Average over all pairs of replicas, one row at a time."""
    variance, bias_plus_noise = [], []
    for i, t in enumerate(y):
        pairs = list(combinations([replica[i] for replica in predictions], 2))
        if loss == "squared_error":
            variance.append(np.mean([(a - b) ** 2 / 2 for a, b in pairs]))
            bias_plus_noise.append(np.mean([(a - t) * (b - t) for a, b in pairs]))
        else:
            error = np.mean([float(replica[i] != t) for replica in predictions])
            variance.append(np.mean([(a != b) / 2 for a, b in pairs]))
            bias_plus_noise.append(error - variance[-1])
    return np.array(variance), np.array(bias_plus_noise)


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(2, 6), st.integers(1, 5))
def test_squared_error_parts_equal_the_mean_over_pairs_and_sum_to_the_loss(data, n_replicas, n_rows):
    predictions = data.draw(arrays(float, (n_replicas, n_rows), elements=numbers))
    y = data.draw(arrays(float, n_rows, elements=numbers))
    parts = parts_from_predictions(predictions, y)
    variance, bias_plus_noise = naive_parts(predictions, y, "squared_error")
    scale = 1e-12 * max(1.0, float(np.abs(predictions).max(initial=0) + np.abs(y).max(initial=0)) ** 2)
    np.testing.assert_allclose(parts.variance, variance, rtol=1e-12, atol=scale)
    np.testing.assert_allclose(parts.bias_plus_noise, bias_plus_noise, rtol=1e-12, atol=scale)
    loss = np.mean([LOSSES["squared_error"].per_row(y, replica) for replica in predictions], axis=0)
    np.testing.assert_allclose(parts.expected_loss, loss, rtol=1e-12, atol=scale)
    np.testing.assert_allclose(parts.variance + parts.bias_plus_noise, loss, rtol=1e-12, atol=scale)


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(2, 6), st.integers(1, 5), st.booleans())
def test_zero_one_parts_equal_the_mean_over_pairs_and_sum_to_the_loss(data, n_replicas, n_rows, text):
    predictions = data.draw(arrays(int, (n_replicas, n_rows), elements=st.integers(0, 3)))
    y = data.draw(arrays(int, n_rows, elements=st.integers(0, 3)))
    if text:
        names = np.array(["ash", "beech", "cedar", "date"])
        predictions, y = names[predictions], names[y]
    parts = parts_from_predictions(predictions, y, "zero_one")
    variance, bias_plus_noise = naive_parts(predictions, y, "zero_one")
    np.testing.assert_allclose(parts.variance, variance, atol=1e-15)
    np.testing.assert_allclose(parts.bias_plus_noise, bias_plus_noise, atol=1e-15)
    loss = np.mean([LOSSES["zero_one"].per_row(y, replica) for replica in predictions], axis=0)
    np.testing.assert_allclose(parts.variance + parts.bias_plus_noise, loss, atol=1e-15)


def test_zero_one_bias_is_kohavi_and_wolperts_for_one_label():
    # Their section 4.2: half the sum over classes of (1{t = k} - q_k)^2 - q_k (1 - q_k) / (B - 1).
    rng = np.random.default_rng(0)
    predictions, y = rng.integers(0, 4, size=(7, 20)), rng.integers(0, 4, size=20)
    q = (predictions[:, :, None] == np.arange(4)).mean(axis=0)
    truth = y[:, None] == np.arange(4)
    expected = ((truth - q) ** 2 - q * (1 - q) / 6).sum(axis=1) / 2
    np.testing.assert_allclose(parts_from_predictions(predictions, y, "zero_one").bias_plus_noise, expected, atol=1e-14)


def test_a_common_offset_of_target_and_prediction_costs_no_digits():
    rng = np.random.default_rng(1)
    predictions, y = rng.normal(size=(4, 30)), rng.normal(size=30)
    near, far = parts_from_predictions(predictions, y), parts_from_predictions(predictions + 1e6, y + 1e6)
    np.testing.assert_allclose(far.variance, near.variance, rtol=1e-7)
    np.testing.assert_allclose(far.bias_plus_noise, near.bias_plus_noise, atol=1e-7)


def test_a_coin_has_variance_q_one_minus_q_and_disagrees_twice_as_often():
    # Two classes, P(f = 1) = q: V = q(1-q). 200,000 rows of one pair: V is half a Bernoulli of 2q(1-q) = .42, so its
    # mean has a standard error of .5 sqrt(.42 x .58 / 2e5) = .00055; 5 of them.
    rng = np.random.default_rng(2)
    q, rows = 0.3, 200_000
    coins = (rng.random((2, rows)) < q).astype(int)
    parts = parts_from_predictions(coins, np.zeros(rows), "zero_one")
    assert parts.variance.mean() == pytest.approx(q * (1 - q), abs=5 * 0.00055)
    assert 2 * parts.variance.mean() == pytest.approx((coins[0] != coins[1]).mean(), abs=1e-12)
    # The label is 0 with certainty (no noise), so D = squared bias = q^2; its error is at most .5 / sqrt(2e5).
    assert parts.bias_plus_noise.mean() == pytest.approx(q**2, abs=5 * 0.0013)


def test_more_replicas_leave_both_expectations_where_they_are():
    # f ~ N(mu, v), t ~ N(0, s2): V = v = 2, D = mu^2 + s2 = 1.25. 40,000 rows; per-row sd of s^2 with B = 2 is
    # v sqrt 2 = 2.83, of (f - t)(g - t) sqrt(3 + 1.25 x 4 + 4) = 3.46: standard errors .0142 and .0174.
    rng = np.random.default_rng(3)
    for n_replicas in (2, 3, 10):
        f = 0.5 + np.sqrt(2.0) * rng.normal(size=(n_replicas, 40_000))
        parts = parts_from_predictions(f, rng.normal(size=40_000))
        assert parts.variance.mean() == pytest.approx(2.0, abs=5 * 0.015)
        assert parts.bias_plus_noise.mean() == pytest.approx(1.25, abs=5 * 0.0175)


def test_errors_name_the_offending_value():
    with pytest.raises(InvalidInput, match=r"loss must be one of squared_error, zero_one to be split, got 'log_loss'"):
        parts_from_predictions([[1.0], [2.0]], [1.0], "log_loss")
    with pytest.raises(InvalidInput, match=r"at least 2 replicas are needed to see variance, got 1"):
        parts_from_predictions([[1.0]], [1.0])
    with pytest.raises(InvalidInput, match=r"shape \(n_replicas, 3\), got \(2, 2\)"):
        parts_from_predictions(np.ones((2, 2)), np.ones(3))
