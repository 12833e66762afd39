"""Replicas spread over devices: each device steps its own, and nothing is sent between them but the losses.

::

    replicas  0 1 2 3 4 5 6 7        device 0: 0 1 2 3        device 1: 4 5 6 7

Work on a CUDA device is queued, not waited for, so devices compute side by side though one thread asks them in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heldout.sequence.generators import torch_generator
from heldout.sequence.network import ForecastNetwork
from heldout.sequence.network_optimizer import NetworkOptimizer
from heldout.sequence.objective import Objective

__all__ = ["Shard", "ShardedObjective", "ShardedOptimizer", "devices_for", "join_replicas", "split_replicas"]


@dataclass(frozen=True, eq=False)
class Shard:
    """The replicas of one device.

    Parameters
    ----------
    network : ForecastNetwork
        Of these replicas only, on the device.
    first, last : int
        Replicas first .. last - 1 of all.
    device : str
    """

    network: ForecastNetwork
    first: int
    last: int
    device: str


def devices_for(device: str, replicas: int) -> tuple[str, ...]:
    """Return the devices that replicas are spread over: every CUDA device for "cuda", else the one asked for."""
    n_devices = torch.cuda.device_count() if device == "cuda" else 1
    return tuple(f"cuda:{k}" for k in range(min(n_devices, replicas))) if n_devices > 1 else (device,)


def split_replicas(network: ForecastNetwork, devices: Sequence[str]) -> list[Shard]:
    """Cut a network into one for each device, near equal in replicas.

    Parameters
    ----------
    network : ForecastNetwork
    devices : sequence of str
        No more than there are replicas.
    """
    replicas = network.design.replicas
    edges = [round(k * replicas / len(devices)) for k in range(len(devices) + 1)]
    shards = []
    for device, first, last in zip(devices, edges[:-1], edges[1:], strict=True):
        # Shards drop other numbers than each other: their dropout is seeded by their first replica.
        part = ForecastNetwork(replace(network.design, replicas=last - first), torch_generator(first))
        # Every parameter leads with the replica.
        part.load_state_dict({name: tensor[first:last] for name, tensor in network.state_dict().items()})
        shards.append(Shard(part.to(device).train(), first, last, device))
    return shards


def join_replicas(network: ForecastNetwork, shards: Sequence[Shard], device: str) -> ForecastNetwork:
    """Put the replicas of all devices together, into the network that was cut."""
    states = [shard.network.state_dict() for shard in shards]
    joined = {name: torch.cat([state[name].to(device) for state in states]) for name in states[0]}
    network.to(device).load_state_dict(joined)
    return network


class ShardedObjective:
    """The objectives of all devices as one.

    Parameters
    ----------
    objectives : sequence of Objective
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = list(objectives)

    def __call__(self, step: int) -> tuple[Tensor, float]:
        """Return the loss of every replica, shape (replicas,), on the first device, and seconds spent on gathering."""
        found = [objective(step) for objective in self.objectives]
        home = found[0][0].device
        return torch.cat([losses.to(home) for losses, _ in found]), sum(gathered for _, gathered in found)


class ShardedOptimizer:
    """The optimizers of all devices as one; see `NetworkOptimizer`.

    Parameters
    ----------
    optimizers : sequence of NetworkOptimizer
    """

    def __init__(self, optimizers: Sequence[NetworkOptimizer]) -> None:
        self.optimizers = list(optimizers)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for one in self.optimizers:
            one.zero_grad()

    def step(self, rate: float) -> None:
        """Move by one step at this share of the learning rates."""
        for one in self.optimizers:
            one.step(rate)

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of all that the next step hangs on."""
        return {f"{k}/{name}": t for k, one in enumerate(self.optimizers) for name, t in one.snapshot().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a snapshot."""
        for k, one in enumerate(self.optimizers):
            start = f"{k}/"
            one.restore({name.removeprefix(start): t for name, t in state.items() if name.startswith(start)})
