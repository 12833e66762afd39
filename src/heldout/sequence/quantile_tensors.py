"""Quantiles that never cross: a centre, and gaps on both sides of it that are always above zero."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["pinball", "stretched"]


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
        Ascending whatever the stretch, up to rounding; to the bit the spread where both are zero.
    """
    # What is added to each gap, so that without a stretch the spread keeps its bits.
    more = torch.diff(spread, dim=-1) * torch.expm1(stretch.clamp(-4.0, 4.0))
    above = torch.cumsum(more[..., middle:], dim=-1)
    below = torch.cumsum(more[..., :middle].flip(-1), dim=-1).flip(-1)
    moved = torch.cat([-below, torch.zeros_like(centre)[..., None], above], dim=-1)
    return (spread + moved) + centre[..., None]


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
