"""softmax(Q K^T / sqrt(d)) V, once to be read and once through torch's fused kernel; a test pins them equal."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from heldout.errors import InvalidInput
from heldout.sequence.mask import AttentionMask

__all__ = ["attend_exact", "attend_fused", "fused_backend", "spread_heads"]


def attend_exact(
    query: Tensor, key: Tensor, value: Tensor, mask: AttentionMask | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    r"""Mix values by the softmax of scaled scores, and return the weights too.

    Parameters
    ----------
    query : Tensor, shape (B, H, T_q, d)
    key, value : Tensor, shape (B, H_kv, T_k, d)
        H must be a multiple of H_kv: adjacent query heads share a key head.
    mask : AttentionMask, optional
    scale : float, optional
        1 / sqrt(d) if left out.

    Returns
    -------
    mixed : Tensor, shape (B, H, T_q, d)
    weights : Tensor, shape (B, H, T_q, T_k)
        Rows sum to 1, or are 0 where the query may see no key.

    Notes
    -----
    softmax(Q K^T / sqrt(d)) V, the softmax over keys. All T_q T_k weights are in memory at once.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, eq. 1.

    Examples
    --------
    Equal keys: the mean of the values.

    >>> query, key = torch.tensor([[[[1.0]]]]), torch.tensor([[[[1.0], [1.0]]]])
    >>> mixed, weights = attend_exact(query, key, torch.tensor([[[[2.0], [4.0]]]]))
    >>> mixed.item(), weights.flatten().tolist()
    (3.0, [0.5, 0.5])
    """
    mask = mask or AttentionMask()
    key, value = spread_heads(query, key, value)
    scores = query @ key.transpose(-2, -1) * _scale(query, scale)
    added = mask.scores_added(query.shape[-2], key.shape[-2], scores)
    weights = torch.softmax(scores if added is None else scores + added, dim=-1)
    if mask.reaches is not None:
        weights = weights * mask.reaches
    return weights @ value, weights


def attend_fused(
    query: Tensor, key: Tensor, value: Tensor, mask: AttentionMask | None = None, scale: float | None = None
) -> Tensor:
    """Mix values as `attend_exact` does, through torch's kernel, which never holds all the weights.

    Parameters
    ----------
    query, key, value, mask, scale
        As `attend_exact` takes them.

    Returns
    -------
    Tensor, shape (B, H, T_q, d)

    Notes
    -----
    Which kernel runs is torch's choice, told by `fused_backend`. Dropout of weights would leave the fused one.

    Examples
    --------
    >>> attend_fused(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 2, 1), torch.tensor([[[[2.0], [4.0]]]])).item()
    3.0
    """
    mask = mask or AttentionMask()
    arguments = _kernel_arguments(query, key, value, mask, scale)
    mixed: Tensor = torch.nn.functional.scaled_dot_product_attention(**arguments)
    return mixed if mask.reaches is None else mixed * mask.reaches


def fused_backend(
    query: Tensor, key: Tensor, value: Tensor, mask: AttentionMask | None = None, scale: float | None = None
) -> str:
    """Name the kernel that torch chooses for `attend_fused` with these arguments.

    Parameters
    ----------
    query, key, value, mask, scale
        As `attend_exact` takes them.

    Returns
    -------
    str
        "flash_attention" is the fused kernel of processors; graphics cards also have "efficient_attention" and
        "cudnn_attention". "math" is the fallback, which holds all the weights.

    Notes
    -----
    Asks the function by which torch itself chooses, so nothing is computed. The arguments count in full: a mask that
    needs a gradient, for one, leads to "math".

    Examples
    --------
    >>> x = torch.ones(1, 1, 4, 8)
    >>> fused_backend(x, x, x)
    'flash_attention'
    """
    arguments = _kernel_arguments(query, key, value, mask or AttentionMask(), scale)
    chosen: str = SDPBackend(torch._fused_sdp_choice(**arguments)).name
    return chosen.lower()


def spread_heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat each key head for the query heads that share it.

    Parameters
    ----------
    query : Tensor, shape (..., H, T_q, d)
    key, value : Tensor, shape (..., H_kv, T_k, d)

    Returns
    -------
    tuple of Tensor, each of shape (..., H, T_k, d)
        The same tensors where H_kv is H.

    Raises
    ------
    InvalidInput
        H is no multiple of H_kv.

    Examples
    --------
    >>> spread_heads(torch.zeros(1, 4, 1, 1), torch.tensor([[[[1.0]], [[2.0]]]]), torch.ones(1, 2, 1, 1))[0].tolist()
    [[[[1.0]], [[1.0]], [[2.0]], [[2.0]]]]
    """
    n_heads, n_key_heads = query.shape[-3], key.shape[-3]
    if n_heads % n_key_heads:
        raise InvalidInput(f"{n_heads} query heads cannot share {n_key_heads} key heads: make one a multiple of both")
    shared = n_heads // n_key_heads
    if shared == 1:
        return key, value
    # Copied rather than told to torch by enable_gqa, which torch 2.4 does not know and some kernels refuse.
    return key.repeat_interleave(shared, dim=-3), value.repeat_interleave(shared, dim=-3)


def _scale(query: Tensor, scale: float | None) -> float:
    return 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale


def _kernel_arguments(
    query: Tensor, key: Tensor, value: Tensor, mask: AttentionMask, scale: float | None
) -> dict[str, Any]:
    key, value = spread_heads(query, key, value)
    return {
        "query": query,
        "key": key,
        "value": value,
        "attn_mask": mask.additive,
        "is_causal": mask.is_causal,
        "scale": _scale(query, scale),
    }
