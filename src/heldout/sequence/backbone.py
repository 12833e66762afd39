"""The backbone of all sequence models: blocks of attention over embedded tokens, many replicas at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.attention import SelfAttention
from heldout.sequence.backbone_cache import BackboneCache
from heldout.sequence.block import Block, Sight, across_variables
from heldout.sequence.checks import check_positions, check_present, check_registers, check_tokens, check_variables
from heldout.sequence.dropout import SeededDropout
from heldout.sequence.generators import torch_generator
from heldout.sequence.mask import AttentionMask, attention_mask
from heldout.sequence.norm import rms_norm
from heldout.sequence.rotary import Rotation

__all__ = ["AttentionInput", "Backbone"]


@dataclass(frozen=True, eq=False)
class AttentionInput:
    """What the attention of one layer is given, from which its exact weights follow.

    Attributes
    ----------
    layer : int
    attention : SelfAttention
    X : Tensor, shape (R, B, n_registers + T, D)
        Normalised. Of layers across variables, shape (R, B / V (n_registers + T), V, D).
    positions : Tensor or None
        Shape (B, n_registers + T); None across variables.
    present : Tensor of bool or None
        Shape of the middle two axes of X.
    """

    layer: int
    attention: SelfAttention
    X: Tensor
    positions: Tensor | None
    present: Tensor | None

    def weights(self, rows: Sequence[int], heads: Sequence[int] | None = None) -> Tensor:
        """Return the exact weights of some rows, shape (R, B, n_heads asked, n_rows asked, T_k), in float32.

        Parameters
        ----------
        rows : sequence of int
            Rows of `X`, of which the first are the registers: token t is row n_registers + t. The weights on registers
            are, likewise, the first along the last axis. Across variables there are none, and rows are variables.
        heads : sequence of int, optional
            All if left out.
        """
        return self.attention.weights(self.X, rows, heads=heads, positions=self.positions, present=self.present)


class Backbone(nn.Module):
    """Turn embedded tokens into tokens that know their sequence.

    Parameters
    ----------
    width : int
        Width D of a token.
    depth : int
        Number of blocks.
    n_heads : int
        Heads of each attention; width / n_heads must be even, for the rotation.
    replicas : int, default 1
        Independent networks R, computed at once.
    n_key_heads : int, optional
        As `SelfAttention` takes it.
    causal, window
        As `SelfAttention` takes them; along time only.
    cross_every : int, default 0
        Each layer of a number (from 1) divisible by this attends across variables instead of along time; 0 is none.
    n_registers : int, default 4
        Learned tokens put before each sequence, for heads that find nothing to look at. They are at time 0 and so are
        not rotated, no mask hides them from a token, and they are left out of the result.
    dropout : float, default 0.0
        Chance to drop a number of the embedding or of what a branch adds, in training mode.
    exact : bool, default False
        Compute attention by the exact path.
    generator : torch.Generator, optional
        Where weights and the seeds of dropout are drawn from; a new one seeded with 0 if left out.

    Attributes
    ----------
    blocks : ModuleList of Block
    registers : Parameter of shape (R, n_registers, D)

    Raises
    ------
    InvalidInput
        A depth below 1, a negative `cross_every` or number of registers, what `SelfAttention` refuses, and tokens,
        times, presence or numbers of variables that do not fit each other.

    Notes
    -----
    Blocks start as the identity, so at first the result is the normalised input. The input is not normalised: give
    tokens of root mean square about 1. Registers make absolute times count: measure time from an origin that means the
    same in each sequence, such as its first token or the moment of the forecast. There are no biases.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need. Darcet et al. (2023), Vision transformers need registers.

    Examples
    --------
    >>> backbone = Backbone(width=16, depth=2, n_heads=2, replicas=3)
    >>> backbone(torch.ones(3, 5, 7, 16)).shape
    torch.Size([3, 5, 7, 16])
    """

    def __init__(
        self,
        width: int,
        depth: int,
        n_heads: int,
        *,
        replicas: int = 1,
        n_key_heads: int | None = None,
        causal: bool = False,
        window: int | None = None,
        cross_every: int = 0,
        n_registers: int = 4,
        dropout: float = 0.0,
        exact: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if depth < 1 or cross_every < 0:
            raise InvalidInput(
                f"depth must be 1 or more and cross_every 0 or more, got {depth} and {cross_every}: "
                "a cross_every of 0 is for attention along time only"
            )
        check_registers(n_registers)
        generator = torch_generator(0) if generator is None else generator
        self.width, self.replicas, self.n_registers = width, replicas, n_registers
        shared = {"n_key_heads": n_key_heads, "replicas": replicas, "exact": exact, "normalise": True}
        along = {"causal": causal, "window": window, "rotary": True, "n_registers": n_registers}
        self.blocks = nn.ModuleList()
        for number in range(1, depth + 1):
            is_across = cross_every > 0 and number % cross_every == 0
            options: dict[str, Any] = shared if is_across else shared | along
            attention = SelfAttention(width, n_heads, **options, random_state=generator)
            self.blocks.append(Block(attention, _dropout(dropout, generator), generator, is_across))
        drawn = torch.randn((replicas, n_registers, width), generator=generator, dtype=torch.float32)
        self.registers = nn.Parameter(drawn)
        self.dropout = _dropout(dropout, generator)

    def forward(
        self,
        x: Tensor,
        positions: Tensor | None = None,
        present: Tensor | None = None,
        n_variables: int = 1,
        cache: BackboneCache | None = None,
    ) -> Tensor:
        """Return a token of width D for each token.

        Parameters
        ----------
        x : Tensor, shape (R, B, T, D)
            Embedded tokens, of root mean square about 1.
        positions : Tensor of floats, shape (B, T), optional
            Their times; their indices if left out.
        present : Tensor of bool, shape (B, T), optional
            False for padding.
        n_variables : int, default 1
            Variables V of an example; B is a multiple, with the variables of one example adjacent.
        cache : BackboneCache, optional
            As `new_cache` returns it, for causal backbones: x holds the tokens after those that it has seen.

        Returns
        -------
        Tensor, shape (R, B, T, D)
            Of root mean square 1. What it holds at padding has no meaning.
        """
        x, positions, present = self._entry(x, positions, present, n_variables, cache)
        sight = self._sight(x, positions, present, n_variables, cache)
        x = x0 = self.dropout(x)
        for layer, block in enumerate(self._stack()):
            x = block(block.skip(x, x0), sight, None if cache is None else cache.layers[layer])
        if cache is None:
            return rms_norm(x[:, :, self.n_registers :])
        n_leading = self.n_registers if cache.length == 0 else 0
        cache.length += x.shape[2] - n_leading
        return rms_norm(x[:, :, n_leading:])

    def attention_inputs(
        self,
        x: Tensor,
        positions: Tensor | None = None,
        present: Tensor | None = None,
        n_variables: int = 1,
        layers: Sequence[int] | None = None,
    ) -> tuple[AttentionInput, ...]:
        """Return what the attention of each asked layer is given, to compute maps from it when they are wanted.

        Parameters
        ----------
        x, positions, present, n_variables
            As `forward` takes them.
        layers : sequence of int, optional
            From 0; all if left out.

        Returns
        -------
        tuple of AttentionInput
            In the order of the layers, without gradient. Dropout is at work in training mode: call `eval` before.

        Raises
        ------
        InvalidInput
            A layer that is not there.
        """
        layers = range(len(self.blocks)) if layers is None else layers
        wrong = [layer for layer in layers if not 0 <= layer < len(self.blocks)]
        if wrong:
            raise InvalidInput(f"layers must be from 0 to {len(self.blocks) - 1}, got {wrong[:3]}: ask for these only")
        x, positions, present = self._entry(x, positions, present, n_variables, None)
        found = []
        with torch.no_grad():
            sight = self._sight(x, positions, present, n_variables, None)
            x = x0 = self.dropout(x)
            for layer, block in enumerate(self._stack()):
                x = block.skip(x, x0)
                if layer in layers and block.is_across:
                    shown = None if present is None else across_variables(present[None], n_variables)[0]
                    across = across_variables(rms_norm(x), n_variables)
                    found.append(AttentionInput(layer, block.attention, across, None, shown))
                elif layer in layers:
                    found.append(AttentionInput(layer, block.attention, rms_norm(x), positions, present))
                x = block(x, sight)
        return tuple(found)

    def new_cache(self, batch: int, capacity: int) -> BackboneCache:
        """Return an empty cache for B sequences of up to `capacity` tokens.

        Parameters
        ----------
        batch : int
            Sequences B.
        capacity : int
            The most tokens, registers not counted.

        Raises
        ------
        InvalidInput
            The backbone is not causal: earlier tokens would have to be computed anew at each step.
        """
        attentions = [None if block.is_across else block.attention for block in self._stack()]
        if any(attention is not None and not attention.causal for attention in attentions):
            raise InvalidInput("a cache needs a causal backbone, got causal=False: make it with causal=True")
        size = capacity + self.n_registers
        return BackboneCache([None if part is None else part.new_cache(batch, size) for part in attentions])

    def _stack(self) -> list[Block]:
        """Return the blocks with their type, which a ModuleList forgets."""
        return [cast(Block, block) for block in self.blocks]

    def _entry(
        self, x: Tensor, positions: Tensor | None, present: Tensor | None, n_variables: int, cache: BackboneCache | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Check the arguments, and put the registers before the sequences where they begin."""
        check_tokens(x, self.replicas, self.width, self.registers)
        _, batch, length, _ = x.shape
        check_variables(n_variables, batch)
        start = 0 if cache is None else cache.length
        if positions is None:
            positions = torch.arange(start, start + length, dtype=torch.float32, device=x.device).expand(batch, -1)
        check_positions(positions, batch, length)
        if present is not None:
            check_present(present, batch, length)
        if start > 0 or self.n_registers == 0:
            return x, positions, present
        x = torch.cat([self.registers[:, None].expand(-1, batch, -1, -1), x], dim=2)
        positions = torch.cat([positions.new_zeros(batch, self.n_registers), positions], dim=1)
        if present is not None:
            present = torch.cat([present.new_ones(batch, self.n_registers), present], dim=1)
        return x, positions, present

    def _sight(
        self,
        x: Tensor,
        positions: Tensor,
        present: Tensor | None,
        n_variables: int,
        cache: BackboneCache | None,
    ) -> Sight:
        """Work out rotation and masks once, for all layers of one kind share them."""
        shown = None if present is None else present.repeat(self.replicas, 1)
        by: Rotation | None = None
        mask = across = AttentionMask()
        for layer, block in enumerate(self._stack()):
            if not block.is_across:
                by = block.attention.rotation(positions)
                mask = block.attention.mask(x, shown, None if cache is None else cache.layers[layer])
                break
        if n_variables > 1 and present is not None:
            visible = across_variables(present[None], n_variables)[0].repeat(self.replicas, 1)
            across = attention_mask(n_variables, n_variables, present=visible, dtype=x.dtype)
        return Sight(by, mask, shown, n_variables, across)


def _dropout(rate: float, generator: torch.Generator) -> SeededDropout:
    return SeededDropout(rate, int(torch.randint(2**31 - 1, (), generator=generator)))
