"""Quantiles that never cross: a centre, and gaps on both sides of it that are always above zero."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heldout.errors import InvalidInput

__all__ = ["check_levels", "pinball", "spread_of", "stretched"]

_LEAST_GAP = 1e-4


def check_levels(quantiles: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the levels in ascending order, with .5 among them.

    Raises
    ------
    InvalidInput
        A level that is not strictly between 0 and 1.
    """
    levels = sorted({0.5, *(float(level) for level in quantiles)})
    for level in levels:
        if not 0 < level < 1:
            raise InvalidInput(f"quantiles must lie between 0 and 1, got {level}: leave out the ends")
    return np.array(levels)


def spread_of(residuals: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of residuals at each step, kept at least a little apart.

    Parameters
    ----------
    residuals : array of float64, shape (n, horizon)
        NaN where unknown; a step without any takes those of all steps.
    levels : array of float64, shape (n_levels,)

    Returns
    -------
    array of float64, shape (horizon, n_levels)
        Strictly ascending along the last axis.
    """
    everywhere = residuals[np.isfinite(residuals)]
    if not len(everywhere):
        everywhere = np.array([-1.0, 0.0, 1.0])
    result = np.empty((residuals.shape[1], len(levels)))
    for step, values in enumerate(residuals.T):
        known = values[np.isfinite(values)]
        result[step] = np.quantile(known if len(known) else everywhere, levels)
    return np.asarray(np.maximum.accumulate(result, axis=1) + _LEAST_GAP * np.arange(len(levels)))


def stretched(spread: Tensor, centre: Tensor, stretch: Tensor, middle: int) -> Tensor:
    """Move the centre of a spread and multiply its gaps by exp(stretch).

    Parameters
    ----------
    spread : Tensor, shape (horizon, n_levels)
        Ascending quantiles.
    centre : Tensor, shape (..., horizon)
        Where the median lies, less the median of the spread.
    stretch : Tensor, shape (..., horizon, n_levels - 1)
    middle : int
        Which of the levels is .5.

    Returns
    -------
    Tensor, shape (..., horizon, n_levels)
        Ascending whatever the stretch; equal to the spread where both are zero.
    """
    gap = torch.diff(spread, dim=-1) * torch.exp(stretch.clamp(-4.0, 4.0))
    median = spread[..., middle] + centre
    above = torch.cumsum(gap[..., middle:], dim=-1)
    below = torch.cumsum(gap[..., :middle].flip(-1), dim=-1).flip(-1)
    return torch.cat([median[..., None] - below, median[..., None], median[..., None] + above], dim=-1)


def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Return twice the pinball loss, shape (..., horizon, n_levels): at the median the absolute error.

    Parameters
    ----------
    quantiles : Tensor, shape (..., horizon, n_levels)
    target : Tensor, shape (..., horizon)
    levels : Tensor, shape (n_levels,)
    """
    error = target[..., None] - quantiles
    return 2 * torch.maximum(levels * error, (levels - 1) * error)
