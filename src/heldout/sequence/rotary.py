"""Rotary positions on real-valued time: queries and keys turn, so that scores see time differences only."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from heldout.errors import InvalidInput

__all__ = ["Rotation", "rotate", "rotation"]


class Rotation(NamedTuple):
    """Cosines and sines of the angles of all tokens, each of shape (B, 1, T, d / 2)."""

    cosine: Tensor
    sine: Tensor


def rotation(positions: Tensor, head_width: int, base: float = 10000.0, dtype: torch.dtype = torch.float32) -> Rotation:
    """Return the angles by which the vectors of each token turn.

    Parameters
    ----------
    positions : Tensor of floats, shape (B, T)
        Times, in any unit and with any gaps. Angles are computed in their own dtype: pass float64 where times are large
        (above about 1e4) and their small differences matter.
    head_width : int
        Width d of a head; even.
    base : float, default 10000.0
        The slowest pair turns about `base` times slower than the fastest.
    dtype : torch.dtype
        Of the result.

    Raises
    ------
    InvalidInput
        An odd `head_width`, or a `base` that is not above 0.

    Notes
    -----
    Pair i turns by t * base^(-2 i / d), i = 0 .. d / 2 - 1.

    References
    ----------
    Su et al. (2021), RoFormer, eq. 15, with real t in place of the index m.

    Examples
    --------
    >>> rotation(torch.tensor([[0.0, 2.5]]), 2).cosine.shape
    torch.Size([1, 1, 2, 1])
    """
    if head_width % 2:
        raise InvalidInput(f"rotary positions need an even head width, got {head_width}: change width or n_heads")
    if not base > 0:
        raise InvalidInput(f"rotary_base must be above 0, got {base}: 10000.0 is usual")
    exponent = torch.arange(0, head_width, 2, dtype=positions.dtype, device=positions.device) / head_width
    angle = positions[:, None, :, None] * base ** (-exponent)
    return Rotation(angle.cos().to(dtype), angle.sin().to(dtype))


def rotate(x: Tensor, by: Rotation) -> Tensor:
    """Turn each pair (x_i, x_{i + d/2}) by its angle.

    Parameters
    ----------
    x : Tensor, shape (..., B, H, T, d)
    by : Rotation
        Of the same B and T.

    Returns
    -------
    Tensor, shape (..., B, H, T, d)
        Lengths are kept, and the product of a rotated query with a rotated key hangs on the difference of their times.

    Examples
    --------
    A quarter turn.

    >>> by = rotation(torch.tensor([[torch.pi / 2]]), 2)
    >>> [round(value, 6) + 0.0 for value in rotate(torch.tensor([[[[1.0, 0.0]]]]), by).flatten().tolist()]
    [0.0, 1.0]
    """
    first, second = x.chunk(2, dim=-1)
    cosine, sine = by
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
