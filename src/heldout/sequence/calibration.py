"""Quantiles set right by what was observed: each level moved, step by step, by its own errors on the tail.

No guarantee for times to come: rows of a series are not exchangeable. What is given is what was observed on past
origins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["conformal_shifts"]

_FEW = 40
_FEWEST = 10


def conformal_shifts(
    quantiles: NDArray[np.float64], target: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much each quantile must move at each step so that its share of observations lies below it.

    Parameters
    ----------
    quantiles : array of float64, shape (n, horizon, n_levels)
        Scaled forecasts of windows that were not learned from.
    target : array of float64, shape (n, horizon)
        NaN where unknown.
    levels : array of float64, shape (n_levels,)

    Returns
    -------
    array of float64, shape (horizon, n_levels)
        The quantile at rank ceil((n + 1) level) above the median, floor below it, of target - quantile. Where a step
        has fewer than 40 windows, its neighbours within a quarter of the horizon are pooled with it; with fewer than
        10 windows in all there is no shift.

    Notes
    -----
    Split conformal prediction of single quantiles (Romano, Patterson and Candes 2019), which are then not guaranteed
    but centred; the median moves too.
    """
    horizon = quantiles.shape[1]
    score = target[:, :, None] - quantiles
    known = np.isfinite(score[:, :, 0])
    n_each = known.sum(axis=0)
    shift = np.zeros(quantiles.shape[1:])
    if n_each.max(initial=0) < 1 or known.any(axis=1).sum() < _FEWEST:
        return shift
    for step in range(horizon):
        reach = 0 if n_each[step] >= _FEW else max(1, horizon // 4)
        near = slice(max(0, step - reach), step + reach + 1)
        scores = score[:, near][known[:, near]]
        if len(scores) >= _FEWEST:
            shift[step] = [_at_rank(scores[:, k], level) for k, level in enumerate(levels)]
    return shift


def _at_rank(scores: NDArray[np.float64], level: float) -> float:
    n = len(scores)
    rank = np.ceil((n + 1) * level) if level > 0.5 else np.floor((n + 1) * level) if level < 0.5 else (n + 1) / 2
    ordered = np.sort(scores)
    place = float(np.clip(rank - 1, 0, n - 1))
    below, above = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
    return float((below + above) / 2)
