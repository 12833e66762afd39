"""Possible futures: quantiles read at ranks that follow each other as past ranks did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.fitted import FittedForecast
from heldout.sequence.windows import Windows

__all__ = ["draw_paths", "ranks_in", "read_at", "tail_ranks"]

_MOST_RANKS = 1000
_FEWEST = 10


def ranks_in(
    quantiles: NDArray[np.float64], levels: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the level at which each value lies among its quantiles: what `read_at` is the inverse of.

    Parameters
    ----------
    quantiles : array of float64, shape (..., n_levels)
        Ascending.
    levels : array of float64, shape (n_levels,)
    values : array of float64, shape (...,)

    Returns
    -------
    array of float64, shape (...,)
        Between 0 and 1; straight between levels, exponential beyond the outer ones. NaN where the value is NaN.
    """
    k = np.clip((quantiles <= values[..., None]).sum(axis=-1) - 1, 0, len(levels) - 2)
    low = np.take_along_axis(quantiles, k[..., None], -1)[..., 0]
    high = np.take_along_axis(quantiles, k[..., None] + 1, -1)[..., 0]
    width = np.maximum(high - low, 1e-12)
    rank = levels[k] + (levels[k + 1] - levels[k]) * (values - low) / width
    under = values < quantiles[..., 0]
    over = values > quantiles[..., -1]
    # Distances of values on the other side count as 0: far out there the exponential would overflow.
    beyond = np.minimum(values - quantiles[..., 0], 0.0)
    below = levels[0] * np.exp(beyond * np.log(levels[1] / levels[0]) / _gap(quantiles, 0))
    tail = 1 - levels[-1]
    rate = np.log((1 - levels[-2]) / tail) / _gap(quantiles, -2)
    above = 1 - tail * np.exp(-np.maximum(values - quantiles[..., -1], 0.0) * rate)
    rank = np.where(under, below, np.where(over, above, rank))
    return np.asarray(np.where(np.isnan(values), np.nan, rank))


def read_at(
    quantiles: NDArray[np.float64], levels: NDArray[np.float64], ranks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the quantiles at any ranks, shape (...,): straight between levels, exponential tails beyond.

    Parameters
    ----------
    quantiles : array of float64, shape (..., n_levels)
    levels : array of float64, shape (n_levels,)
    ranks : array of float64, shape (...,)
    """
    ranks = np.clip(ranks, 1e-6, 1 - 1e-6)
    k = np.clip(np.searchsorted(levels, ranks, side="right") - 1, 0, len(levels) - 2)
    low = np.take_along_axis(quantiles, k[..., None], -1)[..., 0]
    high = np.take_along_axis(quantiles, k[..., None] + 1, -1)[..., 0]
    between = low + (high - low) * (ranks - levels[k]) / (levels[k + 1] - levels[k])
    below = quantiles[..., 0] + _gap(quantiles, 0) * np.log(ranks / levels[0]) / np.log(levels[1] / levels[0])
    tail = 1 - levels[-1]
    above = quantiles[..., -1] - _gap(quantiles, -2) * np.log((1 - ranks) / tail) / np.log((1 - levels[-2]) / tail)
    return np.asarray(np.where(ranks < levels[0], below, np.where(ranks > levels[-1], above, between)))


def _gap(quantiles: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    upper = quantiles[..., k + 1] if k + 1 != 0 else quantiles[..., -1]
    return np.maximum(upper - quantiles[..., k], 1e-12)


def tail_ranks(fitted: FittedForecast, tail: Windows) -> NDArray[np.float64]:
    """Return the ranks of past values in their forecasts, shape (n, horizon); windows with gaps are left out."""
    if not len(tail) or len(fitted.levels) < 2:
        return np.zeros((0, tail.horizon))
    found = fitted.predict(tail)
    ranks = ranks_in(found.quantiles, fitted.levels, tail.future())
    ranks = np.moveaxis(ranks, 2, 1).reshape(-1, tail.horizon)
    ranks = ranks[np.isfinite(ranks).all(axis=1)]
    return ranks[np.unique(np.linspace(0, max(len(ranks) - 1, 0), min(len(ranks), _MOST_RANKS)).astype(np.intp))]


def draw_paths(
    quantiles: NDArray[np.float64],
    levels: NDArray[np.float64],
    ranks: NDArray[np.float64],
    n_paths: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return paths, shape (n_paths, n_windows, horizon, n_variables).

    Parameters
    ----------
    quantiles : array of float64, shape (n_windows, horizon, n_variables, n_levels)
    levels : array of float64, shape (n_levels,)
    ranks : array of float64, shape (n, horizon)
        Of past windows; with fewer than 10 a path keeps one rank at all its steps.
    n_paths : int
    rng : numpy Generator
    """
    n_windows, horizon, n_variables, _ = quantiles.shape
    size = (n_paths, n_windows, n_variables)
    if len(ranks) < _FEWEST:
        drawn = np.repeat(rng.uniform(size=size)[..., None], horizon, axis=-1)
    else:
        drawn = ranks[rng.integers(0, len(ranks), size)]
    return np.stack([read_at(quantiles, levels, one) for one in np.moveaxis(drawn, -1, 2)])
