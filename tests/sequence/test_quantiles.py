"""Quantiles: levels in order, spreads that ascend, gaps that stay above zero, the pinball loss by its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss

from heldout.errors import InvalidInput
from heldout.sequence.quantile_tensors import pinball, stretched
from heldout.sequence.quantiles import check_levels, spread_of

torch = pytest.importorskip("torch")

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
draws = st.integers(0, 2**32 - 1)


def test_levels_come_in_order_with_the_median_among_them() -> None:
    assert check_levels((0.9, 0.1, 0.9)).tolist() == [0.1, 0.5, 0.9]
    assert check_levels(()).tolist() == [0.5]


@pytest.mark.parametrize("level", [0.0, 1.0, -0.2, 1.5, float("nan")])
def test_a_level_that_is_no_share_is_named(level: float) -> None:
    with pytest.raises(InvalidInput, match=f"quantiles must lie between 0 and 1, got {level}: leave out the ends"):
        check_levels((0.1, level))


@settings(max_examples=50, deadline=None)
@given(draws, st.floats(0, 1), st.booleans())
def test_spreads_are_the_quantiles_of_known_errors_a_little_apart(seed: int, missing: float, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.integers(0, 3, (40, 6)).astype(float) if ties else rng.standard_cauchy((40, 6))
    errors[rng.random(errors.shape) < missing] = np.nan
    errors[:, 2] = np.nan
    spread = spread_of(errors, LEVELS)
    assert (np.diff(spread, axis=1) > 0).all()
    pooled = errors[~np.isnan(errors)]
    for step in range(6):
        known = errors[~np.isnan(errors[:, step]), step]
        values = known if len(known) else pooled if len(pooled) else np.array([-1.0, 0.0, 1.0])
        np.testing.assert_allclose(spread[step], np.quantile(values, LEVELS), rtol=0, atol=1e-3)


@settings(max_examples=100, deadline=None)
@given(draws, st.floats(0, 1e4), st.floats(0, 1e30), st.integers(0, 4))
def test_quantiles_never_cross_whatever_the_network_says(seed: int, wild: float, far: float, middle: int) -> None:
    rng = np.random.default_rng(seed)
    spread = torch.from_numpy(spread_of(rng.standard_cauchy((20, 3)) * 10.0 ** rng.integers(-6, 4), LEVELS))
    centre, stretch = (
        torch.from_numpy(far * rng.normal(size=(7, 3))),
        torch.from_numpy(wild * rng.normal(size=(7, 3, 4))),
    )
    found = stretched(spread, centre, stretch, middle)
    assert (torch.diff(found, dim=-1) >= 0).all()
    if far < 1e6:
        assert (torch.diff(found, dim=-1) > 0).all()


@settings(max_examples=50, deadline=None)
@given(draws, st.integers(0, 4))
def test_gaps_are_multiplied_and_the_chosen_level_is_moved(seed: int, middle: int) -> None:
    rng = np.random.default_rng(seed)
    spread = torch.from_numpy(np.sort(rng.normal(size=(3, 5)), axis=1))
    centre, stretch = torch.from_numpy(rng.normal(size=(7, 3))), torch.from_numpy(3 * rng.normal(size=(7, 3, 4)))
    found = stretched(spread, centre, stretch, middle)
    torch.testing.assert_close(found[..., middle], spread[:, middle] + centre)
    factor = torch.exp(stretch.clamp(-4, 4))
    torch.testing.assert_close(torch.diff(found, dim=-1), torch.diff(spread, dim=-1) * factor, rtol=1e-9, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(draws, st.sampled_from([torch.float32, torch.float64]))
def test_without_a_stretch_the_spread_keeps_every_bit(seed: int, dtype: torch.dtype) -> None:
    spread = torch.from_numpy(np.sort(np.random.default_rng(seed).standard_cauchy((3, 5)), axis=1)).to(dtype)
    assert torch.equal(stretched(spread, torch.zeros(3, dtype=dtype), torch.zeros(3, 4, dtype=dtype), 2), spread)


def test_one_level_has_no_gaps() -> None:
    spread, centre = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5, -0.5]])
    assert stretched(spread, centre, torch.zeros(1, 2, 0), 0).tolist() == [[[1.5], [1.5]]]


def test_pinball_is_twice_that_of_scikit_learn_and_at_the_median_the_absolute_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, quantiles = rng.normal(size=50), rng.normal(size=(50, 5))
    found = pinball(torch.from_numpy(quantiles), torch.from_numpy(target), torch.from_numpy(LEVELS)).numpy()
    assert found.shape == (50, 5)
    for k, level in enumerate(LEVELS):
        assert found[:, k].mean() == pytest.approx(2 * mean_pinball_loss(target, quantiles[:, k], alpha=level))
    np.testing.assert_allclose(found[:, 2], np.abs(target - quantiles[:, 2]), rtol=1e-12)
