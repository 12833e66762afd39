from __future__ import annotations

import numpy as np
import pytest

from heldout.auditing.forecast_candidates import LEVELS
from heldout.auditing.forecast_metrics import FORECAST_METRICS, find_forecast_metric, losses_by_window, scales_before
from heldout.auditing.forecast_origins import hold_out_end
from heldout.errors import InvalidInput
from heldout.sequence.fitted import Forecasts
from heldout.sequence.measures import measure

from .small_series import series_of, shops


@pytest.mark.parametrize("name", FORECAST_METRICS)
def test_the_mean_over_windows_is_the_measure_over_values(name: str) -> None:
    held = hold_out_end(series_of(shops(150), group=["shop"]), 7)
    rng = np.random.default_rng(0)
    shape = held.tested.future().shape
    point = 10 + rng.normal(size=shape)
    found = Forecasts(point, point[..., None] + np.sort(rng.normal(size=(*shape, len(LEVELS))), axis=-1))
    scale = scales_before(held.learned, held.scale_of)
    metric = FORECAST_METRICS[name]
    losses = losses_by_window(held.tested, found, LEVELS, scale, metric.loss)
    whole = measure(held.tested, found, LEVELS, scale)
    wanted = whole.mse**0.5 if name == "rmse" else getattr(whole, name)
    assert metric.from_mean_loss(float(losses.mean())) == pytest.approx(wanted, rel=1e-12)


def test_rmse_is_the_default_and_an_unknown_metric_is_named() -> None:
    assert find_forecast_metric(None).name == "rmse"
    with pytest.raises(InvalidInput, match="unknown metric 'log_loss' of forecasts: choose one of rmse, mse, mae"):
        find_forecast_metric("log_loss")


def test_a_series_that_is_not_learned_from_has_no_scale() -> None:
    sequences = series_of(shops(60), group=["shop"])
    scale = scales_before(sequences, np.array([0, -1, 2]))
    assert np.isnan(scale[:, 0]).tolist() == [False, True, False]
