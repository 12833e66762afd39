"""Ranks of values far outside of their quantiles are found without overflow."""

from __future__ import annotations

import numpy as np

from heldout.sequence.paths import ranks_in, read_at

LEVELS = np.array([0.1, 0.5, 0.9])


def test_values_far_from_narrow_quantiles_rank_at_the_ends() -> None:
    quantiles = np.broadcast_to([0.0, 1e-3, 2e-3], (5, 3))
    ranks = ranks_in(quantiles, LEVELS, np.array([-50.0, 0.0, 1e-3, 50.0, np.nan]))
    np.testing.assert_allclose(ranks[:4], [0.0, 0.1, 0.5, 1.0], rtol=0, atol=1e-12)
    assert np.isnan(ranks[4])


def test_ranks_beyond_the_outer_quantiles_read_back(seed: int) -> None:
    # Reading clips ranks at one in a million, which lies at -8.15 and 12.2 here.
    values = np.random.default_rng(seed).normal(scale=3.0, size=200).clip(-8.0, 12.0)
    quantiles = np.broadcast_to([-1.0, 0.0, 1.5], (200, 3))
    np.testing.assert_allclose(read_at(quantiles, LEVELS, ranks_in(quantiles, LEVELS, values)), values, atol=1e-9)
