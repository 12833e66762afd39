"""Whether attention was worth it: the paired improvement on windows that neither model learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Improvement", "block_means", "paired_improvement"]

_RESAMPLES = 2000
_LEAST_UNITS = 5


@dataclass(frozen=True)
class Improvement:
    """By how much one forecast is better than another, as a share of the other's loss.

    Parameters
    ----------
    share : float
        (mean loss of the other - mean loss of the first) / mean loss of the other.
    ci_low, ci_high : float
        Percentile interval of a bootstrap over blocks of time or series.
    confidence_level : float
    loss, other_loss : float
        Mean losses.
    n_windows, n_units : int
        Windows compared, and blocks of time or series resampled. With fewer than 5 units the interval is unbounded:
        nothing is shown by them.
    unit : {"block of time", "series"}
    """

    share: float
    ci_low: float
    ci_high: float
    confidence_level: float
    loss: float
    other_loss: float
    n_windows: int
    n_units: int
    unit: str

    @property
    def shown(self) -> bool:
        """Whether the improvement is above zero at this confidence."""
        return self.ci_low > 0


def paired_improvement(
    losses: NDArray[np.float64],
    others: NDArray[np.float64],
    time: NDArray[np.float64],
    series: NDArray[np.int64],
    *,
    block: float,
    rng: np.random.Generator,
    confidence_level: float = 0.95,
) -> Improvement:
    """Compare two forecasts of the same windows.

    Parameters
    ----------
    losses, others : array of float64, shape (n_windows,)
        Mean loss of each window; NaN where its future is not known.
    time : array of float64, shape (n_windows,)
        Origins, in steps.
    series : array of int64, shape (n_windows,)
    block : float
        Steps of a block; at least the horizon, since futures that overlap share their errors.
    rng : numpy Generator
    confidence_level : float

    Returns
    -------
    Improvement

    Notes
    -----
    Moving blocks of time (Kuensch 1989), the same for all series, where the origins span at least 5 of them; else
    whole series. Blocks of time keep what series have in common at one time together.
    """
    known = np.isfinite(losses) & np.isfinite(others)
    losses, others, time, series = losses[known], others[known], time[known], series[known]
    if not len(losses):
        return Improvement(0.0, -np.inf, np.inf, confidence_level, np.nan, np.nan, 0, 0, "block of time")
    drawn, n_units, unit = _resampled(np.stack([losses, others]), time, series, block, rng)
    mean, other = float(losses.mean()), float(others.mean())
    share = 1 - mean / other if other > 0 else 0.0
    low, high = _ends(1 - drawn[0] / np.maximum(drawn[1], 1e-300), n_units, confidence_level)
    return Improvement(share, low, high, confidence_level, mean, other, len(losses), n_units, unit)


def block_means(
    values: NDArray[np.float64],
    time: NDArray[np.float64],
    series: NDArray[np.int64],
    *,
    block: float,
    rng: np.random.Generator,
    confidence_level: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return means over windows and the ends of their intervals, one of each for every row of values.

    Parameters
    ----------
    values : array of float64, shape (n_means, n_windows)
        Windows with a NaN in any row take no part.
    time, series, block, rng, confidence_level
        As `paired_improvement` takes them.
    """
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        nothing = np.full(len(values), np.nan)
        return nothing, nothing - np.inf, nothing + np.inf
    values, time, series = values[:, known], time[known], series[known]
    ones = np.ones((1, values.shape[1]))
    drawn, n_units, _ = _resampled(np.concatenate([values, ones]), time, series, block, rng)
    ends = np.array([_ends(row / np.maximum(drawn[-1], 1.0), n_units, confidence_level) for row in drawn[:-1]])
    return values.mean(axis=1), ends[:, 0], ends[:, 1]


def _resampled(
    values: NDArray[np.float64],
    time: NDArray[np.float64],
    series: NDArray[np.int64],
    block: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], int, str]:
    """Return the sums of resamples, shape (n_values, _RESAMPLES), the number of units and what a unit is."""
    place = np.round(time - time.min()).astype(np.int64)
    n_blocks = int((place.max() + 1) // max(block, 1))
    in_time = n_blocks >= _LEAST_UNITS
    unit = place if in_time else np.unique(series, return_inverse=True)[1]
    sums: NDArray[np.float64] = np.stack([np.bincount(unit, row) for row in values]).astype(np.float64)
    if in_time:
        return _moving_blocks(sums, max(1, round(block)), rng), n_blocks, "block of time"
    n_units = sums.shape[1]
    # Series by series, so that a hundred thousand of them do not fill memory.
    drawn = np.stack([sums @ rng.multinomial(n_units, np.full(n_units, 1 / n_units)) for _ in range(_RESAMPLES)])
    return drawn.T, n_units, "series"


def _ends(values: NDArray[np.float64], n_units: int, confidence_level: float) -> tuple[float, float]:
    if n_units < _LEAST_UNITS:
        return -np.inf, np.inf
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _moving_blocks(sums: NDArray[np.float64], length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sums of resamples made of blocks, shape (2, _RESAMPLES); blocks go round the end."""
    n = sums.shape[1]
    around = np.concatenate([sums, sums[:, : length - 1]], axis=1)
    total = np.cumsum(np.concatenate([np.zeros((len(sums), 1)), around], axis=1), axis=1)
    of_block = total[:, length:] - total[:, :-length]
    starts = rng.integers(0, n, (_RESAMPLES, max(1, round(n / length))))
    return np.asarray(of_block[:, starts].sum(axis=2))
