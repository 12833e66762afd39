"""Losses as they are published, and the seasonal naive forecast that they are related to.

MASE    absolute error over the mean absolute seasonal difference of the series' learned part; mean over series
sMAPE   200 |e| / (|y| + |f|), mean over all values
WQL     twice the pinball loss, summed over values, over the sum of |y|; mean over the deciles
OWA     mean of sMAPE and MASE, each over that of Naive2 (M4: published, 18.383 and 2.395 for hourly series)

The published relative WQL (autogluon/fev, benchmarks/chronos_zeroshot) divides by a seasonal naive forecast that gives
its point as every quantile, whose WQL is the sum of |e| over the sum of |y|: 0.20930, 0.14950, 0.19146, 0.11938 and
0.10418 for the five tasks here come out to all digits. A seasonal naive forecast with a spread is harder to beat, and
is measured too: normal quantiles whose deviation is the root mean square of the series' seasonal differences, times
sqrt(floor((h - 1) / season) + 1) at step h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

DECILES = np.arange(1, 10) / 10
NAIVE2_OF_M4_HOURLY = {"smape": 18.383, "mase": 2.395}

Series = Sequence[NDArray[np.float64]]


def places_of(levels: NDArray[np.float64], wanted: NDArray[np.float64] = DECILES) -> list[int]:
    """Return where the wanted levels stand among those that were forecast."""
    places = [int(np.argmin(np.abs(levels - level))) for level in wanted]
    assert np.allclose(levels[places], wanted)
    return places


def square_and_absolute(truth: NDArray[np.float64], point: NDArray[np.float64]) -> dict[str, float]:
    """Return MSE and MAE over all values known."""
    error = (point - truth)[np.isfinite(truth)]
    return {"mse": float(np.mean(error**2)), "mae": float(np.mean(np.abs(error)))}


def quantile_sums(
    truth: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return twice the pinball loss summed over values, for each level; quantiles have an axis more than the truth."""
    gap = truth[..., None] - quantiles
    return np.nansum((2 * np.maximum(levels * gap, (levels - 1) * gap)).reshape(-1, len(levels)), axis=0)


def competition_scores(
    learned: Series, tested: Series, point: NDArray[np.float64], deciles: NDArray[np.float64], season: int
) -> dict[str, float]:
    """Return MASE, sMAPE and WQL of forecasts, shape (n_series, horizon), and of their deciles (..., 9)."""
    truth = np.stack(tested)
    error = np.abs(truth - point)
    scale = np.array([np.mean(np.abs(y[season:] - y[:-season])) if len(y) > season else np.nan for y in learned])
    scaled = error.mean(axis=1)[scale > 0] / scale[scale > 0]
    size = np.abs(truth) + np.abs(point)
    return {
        "mase": float(scaled.mean()),
        "smape": float(200 * np.mean(np.divide(error, size, out=np.zeros_like(error), where=size > 0))),
        "wql": float(quantile_sums(truth, deciles, DECILES).mean() / np.abs(truth).sum()),
    }


def naive_scores(learned: Series, tested: Series, season: int) -> dict[str, float]:
    """Return the scores of the seasonal naive forecast; `wql` of its point, `wql_spread` of its normal quantiles."""
    steps = np.arange(len(tested[0]))
    point = np.stack([y[len(y) - season + steps % season] if len(y) >= season else 0 * steps + y[-1] for y in learned])
    width = np.array([np.sqrt(np.mean((y[season:] - y[:-season]) ** 2)) if len(y) > season else 0.0 for y in learned])
    spread = width[:, None] * np.sqrt(steps // season + 1)
    deciles = point[..., None] + spread[..., None] * norm.ppf(DECILES)
    found = competition_scores(learned, tested, point, np.repeat(point[..., None], len(DECILES), axis=2), season)
    return {**found, "wql_spread": competition_scores(learned, tested, point, deciles, season)["wql"]}


def owa(scores: dict[str, float], naive2: dict[str, float] = NAIVE2_OF_M4_HOURLY) -> float:
    """Return the overall weighted average."""
    return float(np.mean([scores[name] / naive2[name] for name in ("smape", "mase")]))


def judged_loss(windows: Any, found: Any, levels: NDArray[np.float64], loss: str) -> float:
    """Return the mean over windows of the loss by which attention is judged, each in units of its own scale."""
    from heldout.sequence.scaling import scaling_of

    scale, truth = scaling_of(windows).scale, windows.future()
    if loss == "squared_error":
        lost = ((truth - found.point) / scale) ** 2
    elif loss == "absolute_error":
        lost = np.abs(truth - found.point) / scale
    else:
        gap = (truth[..., None] - found.quantiles) / scale[..., None]
        lost = 2 * np.maximum(levels * gap, (levels - 1) * gap).mean(axis=-1)
    known = np.isfinite(lost)
    by_window = (
        np.where(known, lost, 0.0).sum(axis=(1, 2))[known.any(axis=(1, 2))]
        / known.sum(axis=(1, 2))[known.any(axis=(1, 2))]
    )
    return float(by_window.mean())
