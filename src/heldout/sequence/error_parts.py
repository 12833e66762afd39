"""The squared error of forecasts in parts: variance, bias and noise, and drift.

::

    rows before the test      a b a b a b a b a b | test        two models on interleaved blocks: variance
                              o o o o o n n n n n | test        one on older, one on newer rows: drift
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.block_resampling import block_means
from heldout.sequence.fitted import Forecasts
from heldout.sequence.scaling import mean_of_known, scaling_of
from heldout.sequence.windows import Windows

__all__ = ["ErrorParts", "Part", "halves_of", "measure_parts"]

_BLOCKS = 8


@dataclass(frozen=True)
class Part:
    """A part of the squared error, in squared units of the scale, with its interval.

    Parameters
    ----------
    value, ci_low, ci_high : float
        The interval is a percentile one, over blocks of time or series; unbounded with fewer than 5 of them.
    """

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class ErrorParts:
    """What the squared error of a forecaster that learned from half of the windows is made of.

    Parameters
    ----------
    error : Part
        Mean over the two models that learned from interleaved halves.
    variance : Part
        Half the mean squared difference of these two: unbiased for the variance over what is learned from, if blocks
        far apart are independent.
    bias_plus_noise : Part
        The rest: what neither more rows nor averaging removes.
    drift : Part
        Squared error of a model of the older half, less that of a model of the newer half; above zero where newer
        rows teach more. Not a part of the sum.
    n_learned : int
        Windows that each half learned from, at least.
    """

    error: Part
    variance: Part
    bias_plus_noise: Part
    drift: Part
    n_learned: int


def halves_of(windows: Windows) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]:
    """Return two pairs of halves: interleaved blocks of time, and older and newer ones.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    interleaved, by_age : pair of arrays of int
        Numbers of windows. No future of one half shares a step of time with a future of the other.
    """
    count = windows.sequences.count[windows.origin]
    low, high = float(count.min()), float(count.max())
    # A block must hold more than the horizon that is purged at its end.
    n_blocks = int(np.clip((high - low + 1) // (3 * windows.horizon), 2, _BLOCKS)) // 2 * 2
    interleaved = _parted(count, np.linspace(low, high + 1, n_blocks + 1), windows.horizon)
    # Half of the windows lie before the median, whatever the lengths of the series.
    by_age = _parted(count, np.array([low, float(np.median(count)), high + 1]), windows.horizon)
    return interleaved, by_age


def _parted(
    count: NDArray[np.float64], edges: NDArray[np.float64], horizon: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    block = np.clip(np.searchsorted(edges, count, side="right") - 1, 0, len(edges) - 2)
    # A future ends `horizon` after its origin; in the last block there is nothing to run into.
    clear = (count + horizon < edges[block + 1]) | (block == len(edges) - 2)
    first, second = (np.flatnonzero(clear & (block % 2 == parity)) for parity in (0, 1))
    return first, second


def measure_parts(
    learn: Windows,
    test: Windows,
    fit_on: Callable[[Windows], Callable[[Windows], Forecasts]],
    *,
    block: float,
    rng: np.random.Generator,
) -> ErrorParts | None:
    """Fit four models on halves, and take the error on the test windows apart.

    Parameters
    ----------
    learn, test : Windows
    fit_on : callable
        Takes windows to learn from and returns what forecasts windows.
    block : float
        Steps of a block of the bootstrap.
    rng : numpy Generator

    Returns
    -------
    ErrorParts or None
        None where a half would be empty.
    """
    if not len(learn):
        return None
    (first, second), (older, newer) = halves_of(learn)
    if min(len(half) for half in (first, second, older, newer)) == 0:
        return None
    scaling = scaling_of(test)
    truth = scaling.down(test.future())
    points = [scaling.down(fit_on(learn.take(half))(test).point) for half in (first, second, older, newer)]
    errors = [mean_of_known((point - truth) ** 2) for point in points]
    gap = np.where(np.isfinite(truth), (points[0] - points[1]) ** 2, np.nan)
    variance = mean_of_known(gap) / 2
    error = (errors[0] + errors[1]) / 2
    rows = np.stack([error, variance, error - variance, errors[2] - errors[3]])
    value, low, high = block_means(rows, test.sequences.count[test.origin], test.series, block=block, rng=rng)
    whole, varying, rest, drift = (Part(float(v), float(a), float(b)) for v, a, b in zip(value, low, high, strict=True))
    return ErrorParts(whole, varying, rest, drift, min(len(first), len(second)))
