"""The quantiles of the forecast of all rows are those that were set right on the tail, moved to its own stage 0."""

from __future__ import annotations

import numpy as np
import pytest

from heldout.sequence.fitting import fit_forecast

from reference.small_forecasts import small_plan, waves

pytest.importorskip("torch")


def test_a_fit_of_all_rows_keeps_the_spread_that_the_shifts_were_set_against() -> None:
    result = fit_forecast(waves(2, 150, np.random.default_rng(4)), small_plan(n_steps=2))
    assert not result.kept
    _, before = result.before_tail.scaled(result.tail)
    _, after = result.fitted.scaled(result.tail)
    moved = after - before
    np.testing.assert_allclose(moved, np.broadcast_to(moved[..., :1], moved.shape), atol=1e-12)
    np.testing.assert_array_equal(result.fitted.shifts, result.before_tail.shifts)
    assert np.abs(result.fitted.shifts).max() > 0
