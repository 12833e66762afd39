"""Keys and values of tokens that were seen before, so that a step costs one token and not the whole sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from heldout.errors import InvalidInput

__all__ = ["KeyValueCache"]


class KeyValueCache:
    """Keys and values of one attention layer, in memory that is set aside once.

    Parameters
    ----------
    batch : int
        Sequences B; with replicas R times as many, replica by replica.
    n_key_heads : int
    capacity : int
        The most tokens T_max.
    head_width : int
    dtype, device
        Of the keys.

    Attributes
    ----------
    keys, values : Tensor, shape (B, n_key_heads, T_max, head_width)
        Keys are stored as they are scored: rotated and normalised.
    shown : Tensor of bool, shape (B, T_max)
        False for padding.
    length : int
        Tokens stored so far.
    capacity : int

    Raises
    ------
    InvalidInput
        More tokens than fit, or keys of another shape.

    Notes
    -----
    For predicting only: what is stored is cut off from the gradient.

    Examples
    --------
    >>> cache = KeyValueCache(batch=1, n_key_heads=1, capacity=3, head_width=2)
    >>> keys, values = cache.append(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    >>> keys.shape, cache.length, cache.repeat(5).keys.shape
    (torch.Size([1, 1, 2, 2]), 2, torch.Size([5, 1, 3, 2]))
    """

    def __init__(
        self,
        batch: int,
        n_key_heads: int,
        capacity: int,
        head_width: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        self.keys = torch.zeros(batch, n_key_heads, capacity, head_width, dtype=dtype, device=device)
        self.values = torch.zeros_like(self.keys)
        self.shown = torch.ones(batch, capacity, dtype=torch.bool, device=device)
        self.length = 0
        self._has_padding = False

    @property
    def capacity(self) -> int:
        """The most tokens that fit."""
        return int(self.keys.shape[2])

    def shown_with(self, present: Tensor | None, n_new: int) -> Tensor | None:
        """Return which of the stored and `n_new` further tokens are no padding, (B, length + n_new); None if all are.

        Parameters
        ----------
        present : Tensor of bool, shape (B, n_new), optional
        n_new : int
        """
        if present is None and not self._has_padding:
            return None
        new = self.shown.new_ones(self.shown.shape[0], n_new) if present is None else present
        return torch.cat([self.shown[:, : self.length], new], dim=1)

    def append(self, key: Tensor, value: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Store further tokens, and return the keys and values of all.

        Parameters
        ----------
        key, value : Tensor, shape (B, n_key_heads, n_new, head_width)
        present : Tensor of bool, shape (B, n_new), optional

        Returns
        -------
        tuple of Tensor, each of shape (B, n_key_heads, length, head_width)
            Views into the cache.
        """
        batch, n_key_heads, _, head_width = self.keys.shape
        n_new = key.shape[2]
        if (*key.shape[:2], key.shape[3]) != (batch, n_key_heads, head_width):
            raise InvalidInput(
                f"the cache is for {batch} sequences with {n_key_heads} key heads of width {head_width}, got keys of "
                f"shape {tuple(key.shape)}: make a new cache, or repeat() this one"
            )
        end = self.length + n_new
        if end > self.capacity:
            raise InvalidInput(
                f"the cache holds {self.capacity} tokens, has {self.length} and got {n_new} more: "
                "make it for a longer sequence"
            )
        self.keys[:, :, self.length : end] = key.detach()
        self.values[:, :, self.length : end] = value.detach()
        if present is not None:
            self.shown[:, self.length : end] = present
            self._has_padding = True
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def clone(self) -> KeyValueCache:
        """Return a copy that shares no memory, to continue one prompt in another way."""
        return self.repeat(1)

    def repeat(self, n_samples: int, n_variables: int = 1) -> KeyValueCache:
        """Return a copy with each example `n_samples` times, copies adjacent, to draw many continuations at once.

        Parameters
        ----------
        n_samples : int
        n_variables : int, default 1
            So many adjacent sequences are one example, and stay together.
        """
        sequences = torch.arange(self.keys.shape[0], device=self.keys.device).view(-1, n_variables)
        order = sequences.repeat_interleave(n_samples, dim=0).flatten()
        copy = KeyValueCache(0, 1, 0, 1)
        copy.keys, copy.values, copy.shown = self.keys[order], self.values[order], self.shown[order]
        copy.length, copy._has_padding = self.length, self._has_padding
        return copy
