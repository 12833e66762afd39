"""Dropout from a seed of its own, where torch's would draw from the global state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from heldout._random import stream_seed
from heldout.errors import InvalidInput

__all__ = ["SeededDropout"]


class SeededDropout(nn.Module):
    """Set numbers to zero at random while training, and scale up the rest.

    Parameters
    ----------
    rate : float
        Chance of each number to be dropped; 0 does nothing.
    seed : int
        Equal seeds drop equal numbers, call by call.

    Attributes
    ----------
    n_calls : int
        Calls so far that dropped; the next one draws by `seed` and this. It is not part of the state dict.

    Raises
    ------
    InvalidInput
        A rate below 0, or 1 and above.

    Notes
    -----
    x * kept / (1 - rate), of the expectation of x. In evaluation mode x is returned as it is.

    References
    ----------
    Srivastava et al. (2014), Dropout, section 4 (scaled at training instead of at test).

    Examples
    --------
    >>> sorted(set(SeededDropout(0.5, seed=0)(torch.ones(100)).tolist()))
    [0.0, 2.0]
    """

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InvalidInput(f"dropout must be 0 or more and below 1, got {rate}: 0 is none")
        self.rate, self.seed, self.n_calls = rate, seed, 0

    def forward(self, x: Tensor) -> Tensor:
        """Return x, some of it dropped in training mode.

        Parameters
        ----------
        x : Tensor of any shape
        """
        if not self.training or self.rate == 0:
            return x
        # A generator for each call: it lives on the device of x, and the module stays plain to copy and store.
        generator = torch.Generator(device=x.device).manual_seed(stream_seed(self.seed, "dropout", self.n_calls))
        self.n_calls += 1
        kept = torch.empty_like(x, requires_grad=False).bernoulli_(1 - self.rate, generator=generator)
        return x * kept / (1 - self.rate)
