"""How much weight falls on the past, by how far back it lies from what is forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.lag_unit import LagUnit
from heldout.sequence.plain_numbers import plain
from heldout.sequence.token_times import TokenTimes

__all__ = ["LagProfile", "lag_profile"]


@dataclass(frozen=True, eq=False)
class LagProfile:
    """Mean weight of a token of the past, by its lag.

    Weights are those of what does not rest on registers: registers are left out and rows scaled to sum to 1 without
    them. Means are over layers, heads, windows, variables and all rows that have a token at a lag.

    Parameters
    ----------
    lag : array of int64, shape (n_lags,)
        Steps from the token looked at to the one forecast, ascending.
    weight : array of float64, shape (n_lags,)
    even : array of float64, shape (n_lags,)
        The weight that each token would have if all had the same.
    by_replica : array of float64, shape (replicas, n_lags)
    replica_spread, window_spread : array of float64, shape (n_lags,), or None
        Standard deviation over replicas and over windows; None for a single one. NaN where only one window has a lag.
    register_share : float
        Mean share of a row that rests on registers.
    future_share : float
        Mean share of the rest that rests on tokens of the future, which hold stage 0's forecast and the calendar.
    unit : LagUnit
    season : int
        Steps of a season; 1 where there is none.
    patch : int
        Steps of a token, and so between lags.
    n_windows : int
    """

    lag: NDArray[np.int64]
    weight: NDArray[np.float64]
    even: NDArray[np.float64]
    by_replica: NDArray[np.float64]
    replica_spread: NDArray[np.float64] | None
    window_spread: NDArray[np.float64] | None
    register_share: float
    future_share: float
    unit: LagUnit
    season: int
    patch: int
    n_windows: int

    @property
    def time(self) -> NDArray[np.float64]:
        """The lags in the user's units, shape (n_lags,)."""
        return self.lag.astype(np.float64) * self.unit.size

    @property
    def spread_over(self) -> str | None:
        """What the spread to be shown is over: replicas where there are several, else windows; None without either."""
        if self.replica_spread is not None:
            return f"{len(self.by_replica)} replicas"
        return None if self.window_spread is None else f"{self.n_windows} windows"

    @property
    def peak(self) -> int:
        """The lag with the most weight, in steps."""
        return int(self.lag[np.argmax(self.weight)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, as report.json holds them; spans in the user's units."""
        return {
            "time": plain(self.time),
            "weight": plain(self.weight),
            "even": plain(self.even),
            "replica_spread": plain(self.replica_spread),
            "window_spread": plain(self.window_spread),
            "register_share": self.register_share,
            "future_share": self.future_share,
            "unit": self.unit.plural,
            "peak": self.unit.words(self.peak),
            "peak_time": self.peak * self.unit.size,
            "season": self.season * self.unit.size if self.season > 1 else None,
            "patch": self.unit.words(self.patch),
            "n_windows": self.n_windows,
            "n_replicas": len(self.by_replica),
            "spread_over": self.spread_over,
        }


def lag_profile(
    weights: NDArray[np.float32],
    register_share: NDArray[np.float32],
    present: NDArray[np.bool_],
    rows: NDArray[np.int64],
    times: TokenTimes,
    season: int,
) -> LagProfile:
    """Average weights by lag.

    Parameters
    ----------
    weights : array of float32, shape (n_layers, replicas, n_windows, n_variables, n_heads, n_rows, n_tokens)
        With their register share, rows sum to 1.
    register_share : array of float32, the shape of `weights` without its last axis
    present : array of bool, shape (n_windows, n_variables, n_tokens)
    rows : array of int64, shape (n_rows,)
    times : TokenTimes
    season : int

    Returns
    -------
    LagProfile

    Examples
    --------
    One window, two tokens of the past, one of the future; a tenth rests on registers.

    >>> token = np.array([-1, 0, 1])
    >>> times = TokenTimes(token, token, 2, 1, token[None].astype(float), LagUnit("day", 1.0))
    >>> row = np.array([0.72, 0.18, 0.0], np.float32).reshape(1, 1, 1, 1, 1, 1, 3)
    >>> share = np.full((1, 1, 1, 1, 1, 1), 0.1, np.float32)
    >>> found = lag_profile(row, share, np.ones((1, 1, 3), bool), np.array([2]), times, 1)
    >>> found.lag.tolist(), found.weight.round(3).tolist(), found.unit.words(found.peak)
    ([1, 2], [0.2, 0.8], '2 days')
    """
    without = _without_registers(weights)
    total, count, even, lag = _by_lag(without, present, rows, times)
    n = count.sum(axis=0)
    by_replica = total.sum(axis=1) / n
    by_window = np.divide(total.mean(axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return LagProfile(
        lag=lag,
        weight=by_replica.mean(axis=0),
        even=even.sum(axis=0) / n,
        by_replica=by_replica,
        replica_spread=by_replica.std(axis=0, ddof=1) if len(by_replica) > 1 else None,
        window_spread=_spread(by_window) if len(by_window) > 1 else None,
        register_share=float(register_share.mean(dtype=np.float64)),
        future_share=float(without[..., times.n_past :].sum(axis=-1).mean()),
        unit=times.unit,
        season=season,
        patch=times.patch,
        n_windows=len(by_window),
    )


def _without_registers(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return rows scaled to sum to 1 without registers, as means over layers and heads.

    Their shape is (replicas, n_windows, n_variables, n_rows, n_tokens).
    """
    n_layers, replicas, windows, variables, n_heads, n_rows, n_tokens = weights.shape
    mean: NDArray[np.float64] = np.zeros((replicas, windows, variables, n_rows, n_tokens))
    for layer in range(n_layers):
        for head in range(n_heads):
            one = weights[layer, :, :, :, head].astype(np.float64)
            # Summed rather than taken from 1, so that rows sum to 1 to the last bit; a row may rest on registers alone.
            rest = one.sum(axis=-1, keepdims=True)
            mean += np.divide(one, rest, out=np.zeros_like(one), where=rest > 0)
    mean /= n_layers * n_heads
    return mean


def _by_lag(
    weights: NDArray[np.float64], present: NDArray[np.bool_], rows: NDArray[np.int64], times: TokenTimes
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return sums of weights (R, windows, lags), counts and sums of even weights (windows, lags), and the lags."""
    past = present[..., : times.n_past].astype(np.float64)
    lags = times.lags(rows)
    lag, place = np.unique(lags, return_inverse=True)
    windows, n = len(lags), len(lag)
    flat = (np.arange(windows)[:, None, None] * n + place.reshape(lags.shape)).ravel()

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(flat, np.broadcast_to(values, lags.shape).ravel(), windows * n)
        return sums.reshape(windows, n).astype(np.float64)

    evenly = past / present.sum(axis=-1, keepdims=True)
    count, even = summed(past.sum(axis=1)[:, None]), summed(evenly.sum(axis=1)[:, None])
    held = weights[..., : times.n_past] * past[None, :, :, None]
    total = np.stack([summed(one.sum(axis=1)) for one in held])
    seen = count.sum(axis=0) > 0
    return total[..., seen], count[:, seen], even[:, seen], lag[seen].astype(np.int64)


def _spread(by_window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of each column over its known rows; NaN where fewer than two are."""
    known = np.isfinite(by_window)
    n = known.sum(axis=0)
    values = np.where(known, by_window, 0.0)
    mean = values.sum(axis=0) / np.maximum(n, 1)
    squares = (np.where(known, by_window - mean, 0.0) ** 2).sum(axis=0)
    spread: NDArray[np.float64] = np.sqrt(squares / np.where(n > 1, n - 1.0, np.nan))
    return spread
