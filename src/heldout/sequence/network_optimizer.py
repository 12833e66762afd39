"""A network and its optimizer as one thing that steps, and that can be put back to where it was."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from heldout.sequence.optimizer import Muon, sort_parameters

__all__ = ["NetworkOptimizer"]


class NetworkOptimizer:
    """Step a network.

    Parameters
    ----------
    network : Module
    hidden : Module
        Its part between embedding and head, whose matrices Muon steps.
    learning_rate, adam_learning_rate, weight_decay : float
        As `Muon` takes them.

    Examples
    --------
    >>> from heldout.sequence.linear import ReplicatedLinear
    >>> linear = ReplicatedLinear(1, 1)
    >>> optimizer = NetworkOptimizer(linear, linear)
    >>> before = optimizer.snapshot()
    >>> linear(torch.ones(1, 1, 1)).sum().backward()
    >>> optimizer.step(1.0)
    >>> optimizer.restore(before)
    >>> bool((linear.weight == before["network.weight"]).all())
    True
    """

    def __init__(
        self,
        network: nn.Module,
        hidden: nn.Module,
        *,
        learning_rate: float = 0.02,
        adam_learning_rate: float = 3e-3,
        weight_decay: float = 0.1,
    ) -> None:
        self.network = network
        self.muon = Muon(
            *sort_parameters(network, hidden),
            learning_rate=learning_rate,
            adam_learning_rate=adam_learning_rate,
            weight_decay=weight_decay,
        )

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self.muon.zero_grad()

    def step(self, rate: float) -> None:
        """Move by one step at this share of the learning rates."""
        self.muon.step(rate)

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of all that the next step hangs on."""
        state = {f"network.{name}": tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        for name, value in self.muon.state_dict().items():
            state[f"optimizer.{name}"] = value.clone() if isinstance(value, Tensor) else torch.tensor(value)
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a snapshot."""
        self.network.load_state_dict(
            {name.removeprefix("network."): t for name, t in state.items() if name.startswith("network.")}
        )
        muon = {name.removeprefix("optimizer."): t for name, t in state.items() if name.startswith("optimizer.")}
        # A count is a tensor in a snapshot, so that it can stand in a checkpoint.
        self.muon.load_state_dict({**muon, "n_steps": int(muon["n_steps"])})
