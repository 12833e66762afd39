"""Exact attention weights of a batch of windows, recomputed from what each layer's attention is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heldout.sequence.attending import Request, backbone_of
from heldout.sequence.backbone import AttentionInput
from heldout.sequence.examples import Batch
from heldout.sequence.network import ForecastNetwork

__all__ = ["BatchWeights", "batch_weights"]


@dataclass(frozen=True, eq=False)
class BatchWeights:
    """Weights of the layers asked for, in their order, in float32.

    Parameters
    ----------
    along : Tensor, shape (n_layers, replicas, n_windows, n_variables, n_heads, n_rows, n_registers + n_tokens)
        Of layers along time. Rows sum to 1.
    across : Tensor, shape (n_layers across, replicas, n_windows, n_heads, n_rows, n_variables, n_variables)
        Of layers across variables: from the variable that looks to the one looked at.
    present : Tensor of bool, shape (n_windows, n_variables, n_tokens)
        Which tokens hold something; the others have weight 0.
    """

    along: Tensor
    across: Tensor
    present: Tensor


def batch_weights(network: ForecastNetwork, batch: Batch, request: Request) -> BatchWeights:
    """Return the weights of a network on a batch.

    Parameters
    ----------
    network : ForecastNetwork
        That attends. Put in evaluation mode.
    batch : Batch
    request : Request
    """
    variables, backbone = network.design.shape.n_variables, backbone_of(network)
    network.eval()
    with torch.no_grad():
        tokens, positions, present = network.tokens(batch)
        inputs = backbone.attention_inputs(tokens, positions, present, variables, request.layers)
        replicas, size, n_tokens, _ = tokens.shape
        windows, heads = size // variables, len(request.heads)
        rows = [backbone.n_registers + row for row in request.rows]
        along = [one.weights(rows, request.heads) for one in inputs if one.positions is not None]
        across = [_across(one, rows, windows, request.heads) for one in inputs if one.positions is None]
    n_keys = backbone.n_registers + n_tokens
    return BatchWeights(
        _stacked(along, (replicas, windows, variables, heads, len(rows), n_keys), tokens),
        _stacked(across, (replicas, windows, len(rows), heads, variables, variables), tokens).transpose(3, 4),
        present.view(windows, variables, n_tokens),
    )


def _across(given: AttentionInput, rows: list[int], windows: int, heads: tuple[int, ...]) -> Tensor:
    """Return the weights across variables at the times of some rows only, shape (R, windows rows, H, V, V)."""
    replicas, _, variables, width = given.X.shape
    X = given.X.view(replicas, windows, -1, variables, width)[:, :, rows].flatten(1, 2)
    present = given.present
    if present is not None:
        present = present.view(windows, -1, variables)[:, rows].flatten(0, 1)
    return replace(given, X=X, present=present).weights(range(variables), heads)


def _stacked(weights: list[Tensor], shape: tuple[int, ...], like: Tensor) -> Tensor:
    if not weights:
        return like.new_zeros(0, *shape)
    return torch.stack([one.view(shape) for one in weights])
