"""A recurrent network in the place of attention, to answer whether it is attention that helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.checks import check_positions, check_present, check_tokens, check_variables
from heldout.sequence.dropout import SeededDropout
from heldout.sequence.generators import torch_generator
from heldout.sequence.norm import rms_norm

__all__ = ["RecurrentBackbone", "RecurrentCache"]


class RecurrentCache:
    """The hidden states of a causal recurrent backbone after the tokens that it has seen.

    Parameters
    ----------
    states : sequence of Tensor, each of shape (R, B, D)
        One for each layer.

    Attributes
    ----------
    states : list of Tensor
    length : int
        Tokens seen.

    Examples
    --------
    >>> RecurrentCache([torch.zeros(1, 2, 8)]).repeat(3).states[0].shape
    torch.Size([1, 6, 8])
    """

    def __init__(self, states: Sequence[Tensor]) -> None:
        self.states = list(states)
        self.length = 0

    def clone(self) -> RecurrentCache:
        """Return a copy that goes its own way."""
        return self.repeat(1)

    def repeat(self, n_samples: int, n_variables: int = 1) -> RecurrentCache:
        """Return a copy with each example `n_samples` times, copies adjacent, its variables together.

        Parameters
        ----------
        n_samples : int
        n_variables : int, default 1
        """
        order = torch.arange(self.states[0].shape[1], device=self.states[0].device).view(-1, n_variables)
        copy = RecurrentCache([state[:, order.repeat_interleave(n_samples, dim=0).flatten()] for state in self.states])
        copy.length = self.length
        return copy


class RecurrentBackbone(nn.Module):
    """Turn embedded tokens into tokens that know their sequence, by gated recurrent units.

    It takes and returns what `Backbone` does, with the same width and depth.

    Parameters
    ----------
    width : int
        Width D of a token; even unless `causal`.
    depth : int
        Number of layers.
    replicas : int, default 1
        Independent networks R.
    causal : bool, default False
        Read from first to last only. Otherwise each layer has units of width D / 2 in either direction.
    dropout : float, default 0.0
        Chance to drop a number of the embedding or of what a layer adds, in training mode.
    generator : torch.Generator, optional
        Where weights and the seeds of dropout are drawn from; a new one seeded with 0 if left out.

    Attributes
    ----------
    layers : ModuleList

    Raises
    ------
    InvalidInput
        A width or depth that is not possible; tokens, times, presence or numbers of variables that do not fit.

    Notes
    -----
    x <- x + GRU(norm(x)) in each layer, then norm, as in `Backbone`. Times are checked and not used, and variables are
    read apart: what a recurrent network should know of either belongs into the tokens. Padding, wherever it lies, does
    not change a state. Replicas are run one after the other by torch's own loop.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, section 2.3.

    Examples
    --------
    >>> backbone = RecurrentBackbone(width=16, depth=2, replicas=3)
    >>> backbone(torch.ones(3, 5, 7, 16)).shape
    torch.Size([3, 5, 7, 16])
    """

    def __init__(
        self,
        width: int,
        depth: int,
        *,
        replicas: int = 1,
        causal: bool = False,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if width < 1 or depth < 1 or replicas < 1 or (not causal and width % 2):
            raise InvalidInput(
                f"width, depth and replicas must be 1 or more, and width even unless causal, got {width}, {depth} and "
                f"{replicas}: half of the width reads in each direction"
            )
        generator = torch_generator(0) if generator is None else generator
        self.width, self.replicas, self.causal = width, replicas, causal
        size = width if causal else width // 2
        directions = [False] if causal else [False, True]
        self.layers = nn.ModuleList(
            nn.ModuleList(_GatedUnits(width, size, replicas, generator) for _ in directions) for _ in range(depth)
        )
        self.dropout = SeededDropout(dropout, int(torch.randint(2**31 - 1, (), generator=generator)))

    def forward(
        self,
        x: Tensor,
        positions: Tensor | None = None,
        present: Tensor | None = None,
        n_variables: int = 1,
        cache: RecurrentCache | None = None,
    ) -> Tensor:
        """Return a token of width D for each token.

        Parameters
        ----------
        x : Tensor, shape (R, B, T, D)
        positions : Tensor of floats, shape (B, T), optional
            Not used.
        present : Tensor of bool, shape (B, T), optional
            False for padding.
        n_variables : int, default 1
            Not used.
        cache : RecurrentCache, optional
            As `new_cache` returns it: x holds the tokens after those that it has seen.

        Returns
        -------
        Tensor, shape (R, B, T, D)
            Of root mean square 1. What it holds at padding has no meaning.
        """
        check_tokens(x, self.replicas, self.width, next(self.parameters()))
        _, batch, length, _ = x.shape
        check_variables(n_variables, batch)
        if positions is not None:
            check_positions(positions, batch, length)
        if present is None:
            n_seen = torch.arange(1, length + 1, device=x.device).expand(batch, -1)
        else:
            check_present(present, batch, length)
            n_seen = present.cumsum(dim=1)
            # Tokens move to the front in their order, so that no unit ever steps through padding between them.
            x = _taken(x, torch.argsort(present.logical_not(), dim=1, stable=True))
        x = self._run(self.dropout(x), n_seen[:, -1], cache)
        if cache is not None:
            cache.length += length
        return rms_norm(x if present is None else _taken(x, (n_seen - 1).clamp_min(0)))

    def new_cache(self, batch: int, capacity: int = 0) -> RecurrentCache:
        """Return the states before any token.

        Parameters
        ----------
        batch : int
            Sequences B.
        capacity : int
            Not used: a state has one size.

        Raises
        ------
        InvalidInput
            The backbone is not causal.
        """
        del capacity
        if not self.causal:
            raise InvalidInput("a cache needs a causal backbone, got causal=False: make it with causal=True")
        weight = next(self.parameters())
        return RecurrentCache([weight.new_zeros(self.replicas, batch, self.width) for _ in self.layers])

    def _run(self, x: Tensor, n_present: Tensor, cache: RecurrentCache | None) -> Tensor:
        """Run all layers on sequences whose first `n_present` tokens are no padding; n_present has shape (B,)."""
        _, batch, length, _ = x.shape
        step = torch.arange(length, device=x.device).expand(batch, -1)
        backward = torch.where(step < n_present[:, None], n_present[:, None] - 1 - step, step)
        for index, layer in enumerate(self.layers):
            units = [cast(_GatedUnits, part) for part in cast(nn.ModuleList, layer)]
            start = x.new_zeros(self.replicas, batch, units[0].size) if cache is None else cache.states[index]
            norm = rms_norm(x)
            found = [units[0](norm, start)]
            if cache is not None:
                states = torch.cat([start[:, :, None], found[0]], dim=2)
                cache.states[index] = _taken(states, n_present[:, None])[:, :, 0].detach()
            if not self.causal:
                found.append(_taken(units[1](_taken(norm, backward), start), backward))
            x = x + self.dropout(torch.cat(found, dim=-1))
        return x


class _GatedUnits(nn.Module):
    """Gated recurrent units of all replicas that read in one direction."""

    def __init__(self, width: int, size: int, replicas: int, generator: torch.Generator) -> None:
        super().__init__()
        self.size = size

        def drawn(*shape: int) -> nn.Parameter:
            unit = torch.rand((replicas, *shape), generator=generator, dtype=torch.float32)
            return nn.Parameter((2 * unit - 1) / math.sqrt(size))

        # Reset, update and new gate one below the other, as torch's loop takes them.
        self.input_weight, self.state_weight = drawn(3 * size, width), drawn(3 * size, size)
        self.input_bias, self.state_bias = drawn(3 * size), drawn(3 * size)

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        """Return the states after each token, (R, B, T, size), from x of (R, B, T, D) and start of (R, B, size)."""
        found = []
        for r in range(x.shape[0]):
            weights = [self.input_weight[r], self.state_weight[r], self.input_bias[r], self.state_bias[r]]
            states, _ = torch.gru(x[r], start[r][None], weights, True, 1, 0.0, self.training, False, True)
            found.append(states)
        return torch.stack(found)


def _taken(x: Tensor, index: Tensor) -> Tensor:
    """Return x[r, b, index[b, t]], shape (R, B, T', ...), of x with shape (R, B, T, D) and index with (B, T')."""
    replicas, _, _, width = x.shape
    return x.gather(2, index[None, :, :, None].expand(replicas, -1, -1, width))
