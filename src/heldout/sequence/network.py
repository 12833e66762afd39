r"""The network of a forecaster: patches of the past and of the future to come, mixed by attention.

::

    past patches     [values, known, cycles, columns]   ->  embed  \
                                                                    Backbone  ->  future tokens  ->  shift, gaps
    future patches   [stage 0, cycles, columns]         ->  embed  /

The last layer starts at zero, so before the first step of training the forecast is stage 0's and nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from heldout.sequence.backbone import Backbone
from heldout.sequence.examples import Batch, Shape
from heldout.sequence.linear import ReplicatedLinear
from heldout.sequence.norm import rms_norm
from heldout.sequence.quantile_tensors import stretched

__all__ = ["Design", "ForecastNetwork"]


@dataclass(frozen=True)
class Design:
    """Every size of a network.

    Parameters
    ----------
    shape : Shape
    patch : int
        Steps in a token.
    width, depth, n_heads : int
    n_levels, middle : int
        Number of quantiles, and which of them is the median.
    replicas : int
    cross : bool
        Whether every second layer attends across variables.
    encoder : {"attention", "recurrent"}
    dropout : float
    """

    shape: Shape
    patch: int
    width: int
    depth: int
    n_heads: int
    n_levels: int
    middle: int
    replicas: int = 1
    cross: bool = False
    encoder: str = "attention"
    dropout: float = 0.0

    @property
    def n_past(self) -> int:
        """Tokens of the past; the first is padded at its front."""
        return -(-self.shape.length // self.patch)

    @property
    def n_future(self) -> int:
        """Tokens of the future; the last is padded at its end."""
        return -(-self.shape.horizon // self.patch)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, meta: dict[str, Any]) -> Design:
        """Undo `to_json`."""
        shape: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in meta["shape"].items()
        }
        return cls(**{**meta, "shape": Shape(**shape)})


class ForecastNetwork(nn.Module):
    """Correct stage 0's forecast.

    Parameters
    ----------
    design : Design
    generator : torch.Generator
        Draws the first weights.
    """

    def __init__(self, design: Design, generator: torch.Generator) -> None:
        super().__init__()
        self.design = design
        shape, replicas = design.shape, design.replicas
        columns = sum(levels + 1 if levels else 1 for levels in shape.known_levels)
        cycles = 2 * len(shape.cycles)

        def linear(n_in: int, n_out: int, *, zero: bool = False) -> ReplicatedLinear:
            return ReplicatedLinear(n_in, n_out, replicas=replicas, zero=zero, generator=generator)

        self.embed_past = linear(design.patch * (2 + columns) + cycles + 1, design.width)
        self.embed_future = linear(design.patch * (1 + columns) + cycles + 1, design.width)
        static = sum(levels + 1 if levels else 1 for levels in shape.static_levels)
        self.embed_static = linear(static, design.width, zero=True) if static else None
        self.embed_variable = linear(shape.n_variables, design.width, zero=True) if shape.n_variables > 1 else None
        if design.encoder == "attention":
            self.encoder: nn.Module = Backbone(
                design.width,
                design.depth,
                design.n_heads,
                replicas=replicas,
                cross_every=2 if design.cross else 0,
                dropout=design.dropout,
                generator=generator,
            )
        else:
            from heldout.sequence.recurrent import RecurrentBackbone

            self.encoder = RecurrentBackbone(design.width, design.depth, replicas=replicas, generator=generator)
        self.head = linear(design.width, design.patch * (1 + design.n_levels), zero=True)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return how the point moves, how the median moves, and how the gaps stretch.

        Parameters
        ----------
        batch : Batch
            Of the same windows for every replica.

        Returns
        -------
        point, median : Tensor, shape (replicas, windows, n_variables, horizon)
        stretch : Tensor, shape (replicas, windows, n_variables, horizon, n_levels - 1)
        """
        design, shape = self.design, self.design.shape
        mixed = self.encode(*self.tokens(batch))
        out = self.head(mixed[:, :, design.n_past :])
        steps = design.n_future * design.patch
        out = out.view(design.replicas, -1, shape.n_variables, steps, 1 + design.n_levels)[..., : shape.horizon, :]
        out = out.float()  # losses and quantiles are added up in float32, whatever the products were made in
        return out[..., 0], out[..., 1], out[..., 2:]

    def encode(self, tokens: Tensor, positions: Tensor, present: Tensor) -> Tensor:
        """Mix embedded tokens; what `tokens` returns is what it takes."""
        if self.design.encoder == "attention":
            return self.encoder(tokens, positions, present, n_variables=self.design.shape.n_variables)  # type: ignore[no-any-return]
        return self.encoder(tokens, positions, present)  # type: ignore[no-any-return]

    def tokens(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return embedded tokens, their positions and which of them hold something.

        Returns
        -------
        tokens : Tensor, shape (replicas, windows * n_variables, n_past + n_future, width)
            Of root mean square 1.
        positions : Tensor, shape (windows * n_variables, n_past + n_future)
            In tokens from the origin: real numbers where times are irregular.
        present : Tensor of bool, same shape
        """
        design, shape = self.design, self.design.shape
        variables, length = shape.n_variables, shape.length
        front, back = design.n_past * design.patch - length, design.n_future * design.patch - shape.horizon
        columns = _columns(batch.known, shape.known_levels)[:, None].expand(-1, variables, -1, -1)
        past = torch.cat([batch.context[..., None], batch.context_known[..., None], columns[..., :length, :]], dim=-1)
        future = torch.cat([batch.base[..., None], columns[..., length:, :]], dim=-1)
        past = _patches(nn.functional.pad(past, (0, 0, front, 0)), design.patch)
        future = _patches(nn.functional.pad(future, (0, 0, 0, back)), design.patch)
        place, positions = self._places(batch)
        place = place[:, None].expand(-1, variables, -1, -1)
        embedded = torch.cat(
            [
                self._embed(self.embed_past, torch.cat([past, place[..., : design.n_past, :]], dim=-1)),
                self._embed(self.embed_future, torch.cat([future, place[..., design.n_past :, :]], dim=-1)),
            ],
            dim=3,
        )
        embedded = rms_norm(embedded + self._of_series(batch))
        known = _patches(nn.functional.pad(batch.context_known, (front, 0))[..., None], design.patch)
        ahead = known.new_ones(*known.shape[:2], design.n_future, dtype=torch.bool)
        present = torch.cat([known.amax(-1) > 0, ahead], dim=-1)
        positions = positions[:, None].expand(-1, variables, -1)
        return embedded.flatten(1, 2), positions.flatten(0, 1), present.flatten(0, 1)

    def _embed(self, linear: ReplicatedLinear, patches: Tensor) -> Tensor:
        """Map patches (windows, variables, tokens, n) to (replicas, windows, variables, tokens, width)."""
        return linear(patches.expand(self.design.replicas, *patches.shape))  # type: ignore[no-any-return]

    def _places(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return [cycles, 1] of each token's middle, and its position in tokens from the origin."""
        design = self.design
        front = design.n_past * design.patch - design.shape.length
        starts = torch.arange(design.n_past + design.n_future, device=batch.time.device) * design.patch - front
        middle = (starts + design.patch // 2).clamp(0, design.shape.length + design.shape.horizon - 1)
        cycles = batch.cycles[:, middle]
        place = torch.cat([cycles, cycles.new_ones(*cycles.shape[:-1], 1)], dim=-1)
        return place, batch.time[:, middle] / design.patch

    def _of_series(self, batch: Batch) -> Tensor | float:
        """Return what static columns and the variable add to every token."""
        total: Tensor | float = 0.0
        replicas, variables = self.design.replicas, self.design.shape.n_variables
        if self.embed_static is not None:
            static = _columns(batch.static, self.design.shape.static_levels)
            total = self.embed_static(static.expand(replicas, *static.shape))[:, :, None, None]
        if self.embed_variable is not None:
            one = torch.eye(variables, device=batch.context.device)
            total = total + self.embed_variable(one.expand(replicas, -1, -1))[:, None, :, None]
        return total


def _patches(steps: Tensor, patch: int) -> Tensor:
    """Put the numbers of each patch of steps side by side: (..., steps, n) to (..., steps / patch, patch * n)."""
    return steps.reshape(*steps.shape[:-2], -1, patch * steps.shape[-1])


def _columns(values: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Return columns as numbers, categories as one column for each level and one for levels not seen."""
    parts = []
    for k, n_levels in enumerate(levels):
        if n_levels:
            parts.append(nn.functional.one_hot(values[..., k].long().clamp(0, n_levels), n_levels + 1).to(values.dtype))
        else:
            parts.append(values[..., k : k + 1])
    return torch.cat(parts, dim=-1) if parts else values[..., :0]


def moves(network: ForecastNetwork, batch: Batch, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is added to stage 0's scaled forecast: to the point, and to get the quantiles.

    Parameters
    ----------
    network : ForecastNetwork
    batch : Batch
    spread : Tensor, shape (horizon, n_levels)
        Its precision is that of the quantiles.

    Returns
    -------
    point : Tensor, shape (replicas, windows, n_variables, horizon)
    quantiles : Tensor, shape (replicas, windows, n_variables, horizon, n_levels)
    """
    point, median, stretch = network(batch)
    return point, stretched(spread, median.to(spread.dtype), stretch.to(spread.dtype), network.design.middle)


def forecast(network: ForecastNetwork, batch: Batch, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scaled point forecast and quantiles, of shapes as in `moves`."""
    point, quantiles = moves(network, batch, spread)
    return batch.base + point, batch.base[..., None] + quantiles
