"""Theta: exponential smoothing of what the season leaves, with a drift of half the trend, or of what fits best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput
from heldout.sequence.baselines.seasonal_factors import seasonal_factors
from heldout.sequence.folds import Folds
from heldout.sequence.windows import Windows

__all__ = ["FittedTheta", "Theta"]

# Of alphas that do equally well, as all do on two values, the first is taken: the one nearest to the last value.
_ALPHAS = np.array([0.95, 0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.05])
_TIE = 1e-9
# Older values say less: on development series eight seasons forecast better than five, twelve or forty (LOG.md).
_SEASONS, _LEAST_LENGTH = 8, 30
_VALUES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Theta:
    r"""The Theta method, which won the M3 competition, for every window by itself.

    Parameters
    ----------
    trend_share : float, optional
        Share of the linear trend that is continued, :math:`1 - 1/\theta`: 0 is exponential smoothing alone, 1/2 the
        classical method (:math:`\theta = 2`), 1 the whole trend. By default the share between 0 and 1 of the least
        squared error of one-step forecasts, for each window (the optimised Theta method); one error more, that the
        share 1/2 would make none of, keeps windows of two or three values from following chance.

    Raises
    ------
    InvalidInput
        A share outside 0 .. 1.

    Notes
    -----
    Of the last eight seasons (at least 30 values) the season is taken away (`seasonal_factors`), the rest is forecast,
    and the season is put back. Hyndman and Billah (2003) showed that the classical method is exponential smoothing with
    a drift of half the least-squares slope :math:`b`. With the smoothed level :math:`\ell_n` of :math:`n` values and
    the share :math:`w` the forecast is

    .. math:: \hat y_{n+h} = \ell_n + w\, b \left(h - 1 + \frac{1 - (1 - \alpha)^n}{\alpha}\right).

    One-step errors are linear in :math:`w`, so the best share for each :math:`\alpha` of a grid is one division, and
    one pass over time serves all windows and all :math:`\alpha`. Missing values are drawn through by straight lines;
    those at the end count as steps of the forecast.

    References
    ----------
    Assimakopoulos and Nikolopoulos (2000). The theta model: a decomposition approach to forecasting. International
    Journal of Forecasting 16(4). Hyndman and Billah (2003). Unmasking the Theta method. International Journal of
    Forecasting 19(2). Fiorucci et al. (2016). Models for optimising the theta method and their relationship to state
    space models. International Journal of Forecasting 32(4).

    Examples
    --------
    >>> import polars as pl
    >>> from heldout.sequence.folds import fold_windows
    >>> from heldout.sequence.reading import read_sequences
    >>> from heldout.sequence.windows import last_origins
    >>> frame = pl.DataFrame({"year": range(20), "sold": [3.0 * year for year in range(20)]})
    >>> windows = last_origins(read_sequences(frame, target="sold", time="year", season=1), 3)
    >>> Theta(1.0).fit(windows, fold_windows(windows)).predict(windows)[0, :, 0].round(6).tolist()
    [60.0, 63.0, 66.0]
    """

    trend_share: float | None = None
    name: ClassVar[str] = "theta"

    def __post_init__(self) -> None:
        if self.trend_share is not None and not 0 <= self.trend_share <= 1:
            raise InvalidInput(
                f"trend_share must be from 0 to 1 or None, got {self.trend_share}: 0.5 is the classical method"
            )

    def fit(self, windows: Windows, folds: Folds) -> FittedTheta:  # noqa: ARG002 - the protocol's
        """Remember the windows: nothing is learned from their futures."""
        return FittedTheta(self.trend_share, windows)


@dataclass(frozen=True, eq=False)
class FittedTheta:
    """The method, and the windows it was shown."""

    trend_share: float | None = None
    windows: Windows | None = None
    name: str = "theta"

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return the forecasts of windows, shape (n_windows, horizon, n_variables)."""
        n_variables = windows.sequences.n_variables
        result = np.empty((len(windows), windows.horizon, n_variables))
        length = max(_SEASONS * windows.sequences.season, _LEAST_LENGTH)
        length = min(length, int(windows.sequences.lengths.max(initial=1)))
        step = max(1, _VALUES_AT_ONCE // (length * n_variables))
        for start in range(0, len(windows), step):
            part = windows.take(np.arange(start, min(start + step, len(windows))))
            context = np.moveaxis(part.context(length), 2, 1).reshape(-1, length)
            forecast = _forecast(context, windows.sequences.season, windows.horizon, self.trend_share)
            by_variable = forecast.reshape(len(part), n_variables, windows.horizon)
            result[start : start + len(part)] = np.moveaxis(by_variable, 1, 2)
        return result

    def out_of_fold(self) -> NDArray[np.float64]:
        """Return the same: nothing was learned from the futures."""
        assert self.windows is not None, "a method read from a file has no training windows"  # noqa: S101
        return self.predict(self.windows)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the share of the trend."""
        return {"name": self.name, "trend_share": self.trend_share}, {}

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FittedTheta:  # noqa: ARG003
        """Return the method with that share."""
        return cls(meta["trend_share"])


def _forecast(
    context: NDArray[np.float64], season: int, horizon: int, trend_share: float | None
) -> NDArray[np.float64]:
    """Return forecasts of many series, shape (n_series, horizon), from contexts (n_series, length) with NaN."""
    values, length, behind = _from_the_start(context)
    inside = np.arange(values.shape[1]) < length[:, None]
    size = np.abs(np.where(inside, values, 0.0)).max(axis=1, initial=0.0)
    size = np.where(size > 0, size, 1.0)[:, None]
    values = values / size
    factors = seasonal_factors(values, length, season) if season > 1 else None
    rest = values if factors is None else factors.remove(values)
    level, drift = _smooth(rest, length, trend_share)
    # The last value known lies `behind` steps before the origin.
    forecast = level[:, None] + drift[:, None] * (behind[:, None] + np.arange(horizon))
    if factors is not None:
        forecast = factors.put_back(forecast, length + behind)
    return forecast * size


def _from_the_start(
    context: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Shift each series to begin at column 0 and draw straight lines through its gaps.

    Returns
    -------
    values : array of float64, shape (n_series, most)
        Finite; 0 where nothing is known at all.
    length : array of int64, shape (n_series,)
        Values from the first to the last that is known, 1 where none is.
    behind : array of int64, shape (n_series,)
        Steps between the last known value and the origin.
    """
    most = context.shape[1]
    known = np.isfinite(context)
    some: NDArray[np.bool_] = np.any(known, axis=1)
    first = np.where(some, known.argmax(axis=1), most - 1)
    last = np.where(some, most - 1 - known[:, ::-1].argmax(axis=1), most - 1)
    column = np.arange(most)
    before = np.maximum.accumulate(np.where(known, column, first[:, None]), axis=1)
    after = np.minimum.accumulate(np.where(known, column, last[:, None])[:, ::-1], axis=1)[:, ::-1]
    before, after = np.minimum(before, last[:, None]), np.maximum(after, first[:, None])
    share = np.clip((column - before) / np.maximum(after - before, 1), 0.0, 1.0)
    low, high = np.take_along_axis(context, before, 1), np.take_along_axis(context, after, 1)
    drawn = np.where(some[:, None], low * (1 - share) + high * share, 0.0)
    values = np.take_along_axis(drawn, np.minimum(first[:, None] + column, most - 1), 1)
    return values, last - first + 1, most - 1 - last


def _smooth(
    values: NDArray[np.float64], length: NDArray[np.int64], trend_share: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the one-step forecast and the drift per step of each series, with the best :math:`\alpha` and share.

    Exponential smoothing without a drift, from the first value, lags behind a trend of slope :math:`b` by
    :math:`b c_t`, :math:`c_t = (1 - (1 - \alpha)^t) / \alpha`: with errors :math:`u_t` of the former the errors with
    drift are :math:`u_t - w b c_t`.
    """
    slope = _slope(values, length)
    alpha = _ALPHAS[:, None]
    level = np.repeat(values[None, :, 0], len(_ALPHAS), axis=0)
    squared, with_lag = np.zeros_like(level), np.zeros_like(level)
    steps = np.arange(values.shape[1] + 1)
    lag = (1 - (1 - alpha) ** steps) / alpha
    for t in range(1, values.shape[1]):
        error = np.where(t < length, values[:, t] - level, 0.0)
        squared += error * error
        with_lag += error * lag[:, t, None]
        level += alpha * error
    lag_squared = np.cumsum(lag**2, axis=1)[:, length - 1]
    if trend_share is None:
        # w = sum(u b c) / sum((b c)^2), with one more error, of the mean lag, that says 1/2.
        one = lag_squared / np.maximum(length - 1, 1)
        scale = slope * (lag_squared + one)
        fitted = np.divide(with_lag + slope * one / 2, scale, out=np.zeros_like(scale), where=scale != 0)
        share = np.clip(fitted, 0.0, 1.0)
    else:
        share = np.full_like(level, trend_share)
    drift = share * slope
    loss = squared - 2 * drift * with_lag + drift**2 * lag_squared
    least = loss.min(axis=0) + _TIE * squared.min(axis=0)
    best = ((loss <= least).argmax(axis=0), np.arange(len(values)))
    return level[best] + drift[best] * lag[best[0], length], drift[best]


def _slope(values: NDArray[np.float64], length: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the slope of the least-squares line through each series, 0 for a single value."""
    inside = np.arange(values.shape[1]) < length[:, None]
    time = np.arange(values.shape[1]) - (length[:, None] - 1) / 2
    n = length.astype(np.float64)
    product = np.where(inside, time * values, 0.0).sum(axis=1)
    spread = n * (n**2 - 1) / 12
    return np.asarray(np.divide(product, spread, out=np.zeros(len(values)), where=spread > 0))
