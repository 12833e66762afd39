"""Whether attention was worth it: the paired improvement on windows that neither model learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.block_resampling import interval_ends, resampled_sums

__all__ = ["Improvement", "paired_improvement"]


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
    Units are drawn as `resampled_sums` does.
    """
    known = np.isfinite(losses) & np.isfinite(others)
    losses, others, time, series = losses[known], others[known], time[known], series[known]
    if not len(losses):
        return Improvement(0.0, -np.inf, np.inf, confidence_level, np.nan, np.nan, 0, 0, "block of time")
    drawn = resampled_sums(np.stack([losses, others]), time, series, block=block, rng=rng)
    mean, other = float(losses.mean()), float(others.mean())
    share = 1 - mean / other if other > 0 else 0.0
    low, high = interval_ends(1 - drawn.sums[0] / np.maximum(drawn.sums[1], 1e-300), drawn.n_units, confidence_level)
    return Improvement(share, low, high, confidence_level, mean, other, len(losses), drawn.n_units, drawn.unit)
