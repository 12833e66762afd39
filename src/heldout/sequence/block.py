"""One layer of the backbone: attention, then a small network on each token, both added to the stream."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heldout.sequence.attention import SelfAttention
from heldout.sequence.cache import KeyValueCache
from heldout.sequence.dropout import SeededDropout
from heldout.sequence.linear import ReplicatedLinear
from heldout.sequence.mask import AttentionMask
from heldout.sequence.norm import rms_norm
from heldout.sequence.rotary import Rotation

__all__ = ["Block", "Sight", "across_variables", "along_time"]


@dataclass(frozen=True, eq=False)
class Sight:
    """What tokens see, worked out once for all layers.

    Attributes
    ----------
    by : Rotation or None
        Of the times.
    mask : AttentionMask
        Along time, shape (R B, 1, T, T_k).
    present : Tensor of bool or None
        Shape (R B, T).
    n_variables : int
        Variables V of an example, adjacent along the batch.
    across : AttentionMask
        Across variables, shape (R B / V T, 1, 1, V).
    """

    by: Rotation | None
    mask: AttentionMask
    present: Tensor | None
    n_variables: int
    across: AttentionMask


class Block(nn.Module):
    """Add to each token what it gathers from others, then what a network of it alone makes.

    Parameters
    ----------
    attention : SelfAttention
        With a replica axis. Its output matrix is set to zero.
    dropout : SeededDropout
        Of both branches.
    generator : torch.Generator
    is_across : bool, default False
        Attend across the variables of an example at each time, instead of along time.

    Attributes
    ----------
    stream_scale, input_scale : Parameter of shape (R,)
        a and b below; start at 1 and 0.
    widen, narrow : ReplicatedLinear
        (R, D, 4 D) and (R, 4 D, D); `narrow` starts at zero, so that at first a block changes nothing.

    Notes
    -----
    x <- a x + b x0;  x <- x + attention(norm(x));  x <- x + relu(norm(x) W_1)^2 W_2.

    References
    ----------
    Xiong et al. (2020), On layer normalization in the transformer architecture (norm before each branch). So et al.
    (2021), Primer, section 4 (squared ReLU). Bachlechner et al. (2021), ReZero (branches that start at zero).

    Examples
    --------
    >>> attention = SelfAttention(8, replicas=1)
    >>> block = Block(attention, SeededDropout(0.0, seed=0), torch.Generator().manual_seed(0))
    >>> x = torch.ones(1, 2, 3, 8)
    >>> bool((block(x, Sight(None, AttentionMask(), None, 1, AttentionMask())) == x).all())
    True
    """

    def __init__(
        self, attention: SelfAttention, dropout: SeededDropout, generator: torch.Generator, is_across: bool = False
    ) -> None:
        super().__init__()
        replicas, width = attention.query.weight.shape[0], attention.width
        self.attention, self.dropout, self.is_across = attention, dropout, is_across
        nn.init.zeros_(attention.output.weight)
        self.widen = ReplicatedLinear(width, 4 * width, replicas, generator=generator)
        self.narrow = ReplicatedLinear(4 * width, width, replicas, zero=True, generator=generator)
        self.stream_scale = nn.Parameter(torch.ones(replicas, dtype=torch.float32))
        self.input_scale = nn.Parameter(torch.zeros(replicas, dtype=torch.float32))

    def skip(self, x: Tensor, x0: Tensor) -> Tensor:
        """Return a x + b x0, the stream at the entry of the block.

        Parameters
        ----------
        x, x0 : Tensor, shape (R, B, T, D)
            The stream, and what the backbone was given.
        """
        return x * self.stream_scale[:, None, None, None] + x0 * self.input_scale[:, None, None, None]

    def forward(self, x: Tensor, sight: Sight, cache: KeyValueCache | None = None) -> Tensor:
        """Return the stream after both branches.

        Parameters
        ----------
        x : Tensor, shape (R, B, T, D)
            As `skip` returns it.
        sight : Sight
        cache : KeyValueCache, optional
            Of attention along time.

        Returns
        -------
        Tensor, shape (R, B, T, D)
        """
        x = x + self.dropout(self._gather(rms_norm(x), sight, cache))
        hidden = torch.relu(self.widen(rms_norm(x))).square()
        out: Tensor = x + self.dropout(self.narrow(hidden))
        return out

    def _gather(self, x: Tensor, sight: Sight, cache: KeyValueCache | None) -> Tensor:
        if not self.is_across:
            return self.attention.gather(x, sight.by, sight.mask, sight.present, cache)
        gathered = self.attention.gather(across_variables(x, sight.n_variables), None, sight.across)
        return along_time(gathered, sight.n_variables, x.shape[2])


def across_variables(x: Tensor, n_variables: int) -> Tensor:
    """Lay out tokens so that those of one example at one time make a sequence.

    Parameters
    ----------
    x : Tensor, shape (R, B' V, T, ...)
    n_variables : int
        V

    Returns
    -------
    Tensor, shape (R, B' T, V, ...)

    Examples
    --------
    >>> across_variables(torch.tensor([[[1, 2, 3], [4, 5, 6]]]), 2).tolist()
    [[[1, 4], [2, 5], [3, 6]]]
    """
    replicas, batch, length, *rest = x.shape
    return x.reshape(replicas, batch // n_variables, n_variables, length, *rest).transpose(2, 3).flatten(1, 2)


def along_time(x: Tensor, n_variables: int, length: int) -> Tensor:
    """Undo `across_variables`.

    Parameters
    ----------
    x : Tensor, shape (R, B' T, V, ...)
    n_variables, length : int
        V and T.

    Returns
    -------
    Tensor, shape (R, B' V, T, ...)

    Examples
    --------
    >>> along_time(torch.tensor([[[1, 4], [2, 5], [3, 6]]]), 2, 3).tolist()
    [[[1, 2, 3], [4, 5, 6]]]
    """
    replicas, _, _, *rest = x.shape
    return x.reshape(replicas, -1, length, n_variables, *rest).transpose(2, 3).flatten(1, 2)
