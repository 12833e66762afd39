"""Which keys a query may attend to, in the form that keeps torch's fused kernel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["AttentionMask", "allowed_keys", "attention_mask", "mask_of"]


@dataclass(frozen=True, eq=False)
class AttentionMask:
    """A mask as the fused kernel takes it.

    Attributes
    ----------
    additive : Tensor or None
        Shape (B or 1, 1, T_q or 1, T_k): 0 where a query may look and minus infinity where it may not, added to the
        scores. It needs no gradient, for with one torch leaves the fused kernel. None: nothing is hidden by it.
    is_causal : bool
        Query i sees keys 0 .. i, and `additive` is None: the kernel then skips half of the work.
    reaches : Tensor or None
        Shape (B or 1, 1, T_q or 1, 1): 0 for queries that see no key, otherwise 1. Such rows are open in `additive`, as
        the softmax of nothing is NaN, and their mixture is multiplied by 0. None: all see something.
    """

    additive: Tensor | None = None
    is_causal: bool = False
    reaches: Tensor | None = None

    def scores_added(self, n_queries: int, n_keys: int, like: Tensor) -> Tensor | None:
        """Return what is added to scores of shape (B, H, n_queries, n_keys), the causal rule written out."""
        if not self.is_causal:
            return self.additive
        hidden = torch.ones(n_queries, n_keys, dtype=torch.bool, device=like.device).triu(1)
        return torch.zeros(n_queries, n_keys, dtype=like.dtype, device=like.device).masked_fill(hidden, -torch.inf)


def mask_of(allowed: Tensor, dtype: torch.dtype = torch.float32) -> AttentionMask:
    """Make a mask of a table of yes and no.

    Parameters
    ----------
    allowed : Tensor of bool, shape (B or 1, 1, T_q or 1, T_k)
        True where the query may attend to the key.
    dtype : torch.dtype
        Of queries and keys.

    Examples
    --------
    >>> mask_of(torch.tensor([[[[True, False]]]])).additive.tolist()
    [[[[0.0, -inf]]]]
    """
    reaches = allowed.any(dim=-1, keepdim=True)
    additive = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return AttentionMask(additive.masked_fill_(reaches & ~allowed, -torch.inf), False, reaches.to(dtype))


def allowed_keys(
    query_index: Tensor, key_index: Tensor, *, causal: bool = False, window: int | None = None, n_registers: int = 0
) -> Tensor:
    """Say by index alone which keys each query may attend to.

    Parameters
    ----------
    query_index, key_index : Tensor of int64, shapes (T_q,) and (T_k,)
        Places in the whole sequence, of which the first `n_registers` are registers.
    causal : bool
        Hide keys after the query. Registers come before all tokens, so that every token sees them and they see none.
    window : int, optional
        Hide tokens at a distance of `window` or more. Registers stay visible, but see only each other: else they would
        carry what lies outside of the window into it.
    n_registers : int

    Returns
    -------
    Tensor of bool, shape (T_q, T_k)

    Examples
    --------
    >>> index = torch.arange(3)
    >>> allowed_keys(index, index, causal=True, window=2).int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """
    distance = query_index[:, None] - key_index[None, :]
    allowed = distance >= 0 if causal else torch.ones_like(distance, dtype=torch.bool)
    if window is not None:
        near = (distance.abs() < window) & (query_index >= n_registers)[:, None]
        allowed = allowed & (near | (key_index < n_registers)[None, :])
    return allowed


def attention_mask(
    n_queries: int,
    n_keys: int,
    *,
    causal: bool = False,
    window: int | None = None,
    present: Tensor | None = None,
    n_registers: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> AttentionMask:
    """Return the mask of the last `n_queries` of `n_keys` places.

    Parameters
    ----------
    n_queries, n_keys : int
        Fewer queries than keys where earlier keys come from a cache.
    causal, window, n_registers
        As `allowed_keys` takes them.
    present : Tensor of bool, shape (B, n_keys), optional
        False for padding, which no query sees.
    dtype, device
        Of queries and keys.

    Notes
    -----
    Nothing hidden gives no mask at all, and the causal rule alone gives the kernel's own flag. A table of (T_q, T_k) is
    written only where a window, a cache or padding needs one, and for padding under full attention only a row.

    Examples
    --------
    >>> attention_mask(4, 4, causal=True).is_causal
    True
    >>> attention_mask(1, 4, causal=True).additive is None
    True
    """
    free = window is None and (not causal or n_queries == 1)
    if present is None and free:
        return AttentionMask()
    if present is None and window is None and n_queries == n_keys:
        return AttentionMask(is_causal=True)
    shown = None if present is None else present[:, None, None, :]
    if free and shown is not None:
        return mask_of(shown, dtype)
    index = torch.arange(n_keys, device=device)
    allowed = allowed_keys(index[n_keys - n_queries :], index, causal=causal, window=window, n_registers=n_registers)
    return mask_of(allowed[None, None] if shown is None else allowed & shown, dtype)
