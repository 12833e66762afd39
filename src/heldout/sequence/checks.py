"""The gate of sequence modules: shapes of tokens, times and presence, and numbers of heads."""

from __future__ import annotations

import torch
from torch import Tensor

from heldout.errors import InvalidInput

__all__ = [
    "check_heads",
    "check_positions",
    "check_present",
    "check_registers",
    "check_tokens",
    "check_variables",
    "check_window",
]


def check_heads(width: int, n_heads: int, n_key_heads: int) -> None:
    """Refuse numbers of heads that do not divide each other.

    Examples
    --------
    >>> check_heads(64, 4, 2)
    """
    if n_heads < 1 or width < 1 or width % n_heads:
        raise InvalidInput(
            f"width must be a positive multiple of n_heads, got width {width} and n_heads {n_heads}: "
            "change one of the two"
        )
    if n_key_heads < 1 or n_heads % n_key_heads:
        raise InvalidInput(
            f"n_key_heads must divide n_heads, got {n_key_heads} and {n_heads}: leave it out for as many as heads"
        )


def check_window(window: int | None) -> None:
    """Refuse a window in which a token would not see itself.

    Examples
    --------
    >>> check_window(None)
    """
    if window is not None and window < 1:
        raise InvalidInput(f"window must be 1 or more, got {window}: leave it out to see all tokens")


def check_registers(n_registers: int) -> None:
    """Refuse fewer registers than none.

    Examples
    --------
    >>> check_registers(4)
    """
    if n_registers < 0:
        raise InvalidInput(f"n_registers must be 0 or more, got {n_registers}: 0 is none")


def check_tokens(X: Tensor, replicas: int | None, width: int, like: Tensor) -> None:
    """Refuse tokens of another shape than (B, T, D), or (R, B, T, D), or of another dtype than the weights.

    Examples
    --------
    >>> check_tokens(torch.zeros(2, 5, 8), None, 8, torch.zeros(1))
    """
    wanted = "(B, T, {})" if replicas is None else f"({replicas}, B, T, {{}})"
    n_axes = 3 if replicas is None else 4
    if X.ndim != n_axes or X.shape[-1] != width or (replicas is not None and X.shape[0] != replicas):
        raise InvalidInput(f"tokens must have shape {wanted.format(width)}, got {tuple(X.shape)}: reshape them")
    if X.dtype != like.dtype:
        raise InvalidInput(
            f"tokens are {X.dtype} and the weights {like.dtype}: convert the tokens, or the module by .to({X.dtype})"
        )


def check_positions(positions: Tensor, batch: int, length: int) -> None:
    """Refuse times that are not one float for each token.

    Examples
    --------
    >>> check_positions(torch.zeros(2, 5), 2, 5)
    """
    if tuple(positions.shape) != (batch, length) or not positions.is_floating_point():
        raise InvalidInput(
            f"positions must be floats of shape {(batch, length)}, got {positions.dtype} of shape "
            f"{tuple(positions.shape)}: give the time of each token"
        )


def check_present(present: Tensor, batch: int, length: int) -> None:
    """Refuse a mask of padding that is not one yes or no for each token.

    Examples
    --------
    >>> check_present(torch.ones(2, 5, dtype=torch.bool), 2, 5)
    """
    if tuple(present.shape) != (batch, length) or present.dtype != torch.bool:
        raise InvalidInput(
            f"present must be bool of shape {(batch, length)}, got {present.dtype} of shape "
            f"{tuple(present.shape)}: True for each token that is no padding"
        )


def check_variables(n_variables: int, batch: int) -> None:
    """Refuse a batch that does not hold whole examples.

    Examples
    --------
    >>> check_variables(3, 12)
    """
    if n_variables < 1 or batch % n_variables:
        raise InvalidInput(
            f"n_variables must divide the batch, got {n_variables} variables and {batch} sequences: "
            "give all variables of each example, adjacent"
        )
