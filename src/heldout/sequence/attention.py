"""Self-attention with learned projections: Q = X W_Q, K = X W_K, V = X W_V, softmax(Q K^T / sqrt(d)) V, W_O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.attend import attend_exact, attend_fused, fused_backend
from heldout.sequence.cache import KeyValueCache
from heldout.sequence.checks import (
    check_heads,
    check_positions,
    check_present,
    check_registers,
    check_tokens,
    check_window,
)
from heldout.sequence.generators import torch_generator
from heldout.sequence.linear import ReplicatedLinear
from heldout.sequence.mask import AttentionMask, allowed_keys, attention_mask, mask_of
from heldout.sequence.norm import rms_norm
from heldout.sequence.rotary import Rotation, rotate, rotation

__all__ = ["SelfAttention", "attend_exact", "attend_fused", "fused_backend"]


class SelfAttention(nn.Module):
    r"""Let each token gather from the others by scaled dot products of learned queries and keys.

    The defaults are the plain formula; each option is off until asked for.

    Parameters
    ----------
    width : int
        Width D of a token; a multiple of `n_heads`.
    n_heads : int, default 1
        Query heads H, each of width d = D / H.
    n_key_heads : int, optional
        Key and value heads H_kv, which divide H; adjacent query heads share one. As many as query heads if left out.
    causal : bool, default False
        A token sees itself and tokens before it.
    window : int, optional
        A token sees only tokens at an index distance below `window`.
    rotary : bool, default False
        Turn queries and keys by the times of their tokens, so that scores see time differences.
    rotary_base : float, default 10000.0
    normalise : bool, default False
        Divide queries and keys by their root mean square, and multiply the scores of each head by a learned scale.
    replicas : int, optional
        Number R of independent copies, with a leading axis in all shapes; None is one, without that axis.
    n_registers : int, default 0
        So many first tokens of X are registers, visible from everywhere a mask would hide them by distance.
    exact : bool, default False
        Compute by `attend_exact` instead of torch's fused kernel.
    random_state : None, int, numpy generator or torch.Generator, default 0
        Where the weights are drawn from.

    Attributes
    ----------
    query, key, value, output : ReplicatedLinear
        W_Q of shape (R, D, H d), W_K and W_V of (R, D, H_kv d), W_O of (R, H d, D).
    score_scale : Parameter of shape (R, H), or None
        The learned scale of `normalise`; starts at 1.

    Raises
    ------
    InvalidInput
        Numbers of heads that do not divide, an odd head width with `rotary`, a window below 1, tokens, times or
        presence of another shape or dtype.

    Notes
    -----
    head_h = softmax(Q_h K_h^T / sqrt(d)) V_h, row by row, and X' = [head_1 .. head_H] W_O. A token that may see none
    gets zeros. Attention itself sees replicas as further sequences, (R B, H, T, d), so it takes one kernel for all.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, section 3.2. Su et al. (2021), RoFormer. Henry et al. (2020),
    Query-key normalization for transformers. Ainslie et al. (2023), GQA, section 2.2.

    Examples
    --------
    >>> attention = SelfAttention(width=8, n_heads=2)
    >>> X = torch.ones(1, 3, 8)
    >>> attention(X).shape, attention.backend(X)
    (torch.Size([1, 3, 8]), 'flash_attention')
    >>> attention.weights(X, rows=[2], heads=[0]).flatten().tolist()  # equal tokens: equal weights
    [0.3333333432674408, 0.3333333432674408, 0.3333333432674408]
    """

    def __init__(
        self,
        width: int,
        n_heads: int = 1,
        *,
        n_key_heads: int | None = None,
        causal: bool = False,
        window: int | None = None,
        rotary: bool = False,
        rotary_base: float = 10000.0,
        normalise: bool = False,
        replicas: int | None = None,
        n_registers: int = 0,
        exact: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__()
        n_key_heads = n_heads if n_key_heads is None else n_key_heads
        check_heads(width, n_heads, n_key_heads)
        check_window(window)
        check_registers(n_registers)
        self.width, self.n_heads, self.n_key_heads = width, n_heads, n_key_heads
        self.head_width = width // n_heads
        self.causal, self.window, self.n_registers = causal, window, n_registers
        self.rotary, self.rotary_base, self.exact = rotary, rotary_base, exact
        self.replicas = replicas
        if rotary:
            rotation(torch.zeros(1, 1), self.head_width, rotary_base)  # refuses here what it would refuse at first use
        generator = torch_generator(random_state)
        n_replicas = 1 if replicas is None else replicas
        self.query = ReplicatedLinear(width, width, n_replicas, generator=generator)
        self.key = ReplicatedLinear(width, n_key_heads * self.head_width, n_replicas, generator=generator)
        self.value = ReplicatedLinear(width, n_key_heads * self.head_width, n_replicas, generator=generator)
        self.output = ReplicatedLinear(width, width, n_replicas, generator=generator)
        self.score_scale = nn.Parameter(torch.ones(n_replicas, n_heads, dtype=torch.float32)) if normalise else None

    def forward(
        self,
        X: Tensor,
        positions: Tensor | None = None,
        present: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return what each token gathers.

        Parameters
        ----------
        X : Tensor, shape (B, T, D), or (R, B, T, D) with replicas
        positions : Tensor of floats, shape (B, T), optional
            Times, for `rotary`; the index of each token if left out.
        present : Tensor of bool, shape (B, T), optional
            False for padding, which no token sees; all are present if left out.
        cache : KeyValueCache, optional
            Keys and values of earlier tokens, to which those of X are added; X then holds the tokens after them.

        Returns
        -------
        Tensor, of the shape of X
        """
        X, positions, present = self._checked(X, positions, present, 0 if cache is None else cache.length)
        mixed = self.gather(X, self.rotation(positions), self.mask(X, present, cache), present, cache)
        return mixed if self.replicas is not None else mixed[0]

    def gather(
        self,
        X: Tensor,
        by: Rotation | None,
        mask: AttentionMask,
        present: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return what each token gathers, by a rotation and a mask that layers of one shape can share.

        Parameters
        ----------
        X : Tensor, shape (R, B, T, D)
        by : Rotation or None
            As `rotation` returns it.
        mask : AttentionMask
            As `mask` returns it.
        present : Tensor of bool, shape (R B, T), optional
            Stored in the cache.
        cache : KeyValueCache, optional

        Returns
        -------
        Tensor, shape (R, B, T, D)
        """
        query, key, value = (part.flatten(0, 1) for part in self._projected(X, by))
        if cache is not None:
            key, value = cache.append(key, value, present)
        if self.exact:
            mixed, _ = attend_exact(query, key, value, mask)
        else:
            mixed = attend_fused(query, key, value, mask)
        gathered: Tensor = self.output(mixed.transpose(1, 2).reshape(X.shape))
        return gathered

    def project(self, X: Tensor, positions: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values as they are scored: normalised, scaled and rotated where that is asked for.

        Parameters
        ----------
        X : Tensor, shape (B, T, D), or (R, B, T, D) with replicas
        positions : Tensor of floats, shape (B, T), optional

        Returns
        -------
        query : Tensor, shape (..., H, T, d), with X's leading axes
            The learned scale of `normalise` is part of it.
        key, value : Tensor, shape (..., H_kv, T, d)
        """
        X, positions, _ = self._checked(X, positions, None, 0)
        query, key, value = self._projected(X, self.rotation(positions))
        return (query, key, value) if self.replicas is not None else (query[0], key[0], value[0])

    def weights(
        self,
        X: Tensor,
        rows: Sequence[int],
        *,
        heads: Sequence[int] | None = None,
        positions: Tensor | None = None,
        present: Tensor | None = None,
        chunk: int = 256,
    ) -> Tensor:
        """Return the exact attention weights of some rows, in float32 and without gradient.

        Parameters
        ----------
        X : Tensor, shape (B, T, D), or (R, B, T, D) with replicas
        rows : sequence of int
            Indices of the asked queries; ``range(T)`` for the whole map.
        heads : sequence of int, optional
            All if left out.
        positions, present
            As `forward` takes them.
        chunk : int, default 256
            So many rows are scored at a time: memory beside the result is O(B len(heads) chunk T).

        Returns
        -------
        Tensor of float32, shape (..., n_heads asked, n_rows asked, T), with X's leading axes
            Weight on each key; rows sum to 1, or are 0 where nothing is seen.
        """
        if chunk < 1:
            raise InvalidInput(f"chunk must be 1 or more, got {chunk}: give the rows to score at a time")
        length = X.shape[-2]
        rows = _indices("rows", rows, length)
        heads = range(self.n_heads) if heads is None else _indices("heads", heads, self.n_heads)
        X4, positions, present = self._checked(X, positions, present, 0)
        with torch.no_grad():
            query, key, value = (part.flatten(0, 1).float() for part in self._projected(X4, self.rotation(positions)))
            query = query[:, list(heads)]
            shared = [head * self.n_key_heads // self.n_heads for head in heads]
            key, value = key[:, shared], value[:, shared]
            asked = torch.tensor(list(rows), dtype=torch.int64, device=X.device)
            maps = [
                attend_exact(query[:, :, some], key, value, self._mask_of_rows(some, length, present))[1]
                for some in (asked[start : start + chunk] for start in range(0, len(rows), chunk))
            ]
            return torch.cat(maps, dim=2).view(*X.shape[:-2], len(heads), len(rows), length)

    def backend(self, X: Tensor, positions: Tensor | None = None, present: Tensor | None = None) -> str:
        """Name the kernel that computes `forward` of these arguments, as `fused_backend` does; "exact" if that is set.

        Parameters
        ----------
        X, positions, present
            As `forward` takes them.
        """
        if self.exact:
            return "exact"
        X, positions, present = self._checked(X, positions, present, 0)
        query, key, value = (part.flatten(0, 1) for part in self._projected(X, self.rotation(positions)))
        return fused_backend(query, key, value, self.mask(X, present))

    def new_cache(self, batch: int, capacity: int) -> KeyValueCache:
        """Return an empty cache for B sequences of up to `capacity` tokens, for each replica.

        Parameters
        ----------
        batch : int
            Sequences B.
        capacity : int
            The most tokens, registers included.
        """
        weight = self.key.weight
        n_sequences = batch * weight.shape[0]
        return KeyValueCache(
            n_sequences, self.n_key_heads, capacity, self.head_width, dtype=weight.dtype, device=weight.device
        )

    def rotation(self, positions: Tensor) -> Rotation | None:
        """Return by how much queries and keys at these times turn; None without `rotary`.

        Parameters
        ----------
        positions : Tensor of floats, shape (B, T)
        """
        if not self.rotary:
            return None
        return rotation(positions, self.head_width, self.rotary_base, self.query.weight.dtype)

    def mask(self, X: Tensor, present: Tensor | None, cache: KeyValueCache | None = None) -> AttentionMask:
        """Return what the tokens of X may see of those in the cache and of themselves.

        Parameters
        ----------
        X : Tensor, shape (R, B, T, D)
        present : Tensor of bool, shape (R B, T), optional
        cache : KeyValueCache, optional
        """
        n_new, n_old = X.shape[2], 0 if cache is None else cache.length
        return attention_mask(
            n_new,
            n_old + n_new,
            causal=self.causal,
            window=self.window,
            present=present if cache is None else cache.shown_with(present, n_new),
            n_registers=self.n_registers,
            dtype=X.dtype,
            device=X.device,
        )

    def _mask_of_rows(self, rows: Tensor, length: int, present: Tensor | None) -> AttentionMask:
        index = torch.arange(length, device=rows.device)
        allowed = allowed_keys(rows, index, causal=self.causal, window=self.window, n_registers=self.n_registers)
        return mask_of(allowed[None, None] if present is None else allowed & present[:, None, None, :])

    def _projected(self, X: Tensor, by: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = (
            linear(X).view(*X.shape[:3], -1, self.head_width).transpose(2, 3)
            for linear in (self.query, self.key, self.value)
        )
        if self.score_scale is not None:
            query = rms_norm(query) * self.score_scale[:, None, :, None, None]
            key = rms_norm(key)
        if by is not None:
            query, key = rotate(query, by), rotate(key, by)
        return query, key, value

    def _checked(
        self, X: Tensor, positions: Tensor | None, present: Tensor | None, start: int
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return X with a replica axis, times of all tokens, and presence once for each replica."""
        check_tokens(X, self.replicas, self.width, self.query.weight)
        X = X[None] if self.replicas is None else X
        replicas, batch, length, _ = X.shape
        if positions is None:
            positions = torch.arange(start, start + length, dtype=torch.float32, device=X.device).expand(batch, -1)
        check_positions(positions, batch, length)
        if present is not None:
            check_present(present, batch, length)
            present = present.repeat(replicas, 1)
        return X, positions, present


def _indices(name: str, given: Sequence[int], size: int) -> Sequence[int]:
    wrong = [index for index in given if not 0 <= index < size]
    if wrong or len(given) == 0:
        raise InvalidInput(
            f"{name} must be indices from 0 to {size - 1}, got {wrong[:3] if wrong else 'none'}: give at least one"
        )
    return given
