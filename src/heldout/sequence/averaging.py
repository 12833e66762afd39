"""A running average of weights: what a network would be if its learning rate fell now, without letting it fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["AveragedWeights"]

_SHARE = 0.15


class AveragedWeights:
    """Average the weights of networks over about the last seventh of their steps.

    Parameters
    ----------
    networks : sequence of Module

    Notes
    -----
    After step t the average moves by 1 / (1 + .15 t) of the way to the weights: the mean of the first few steps, then
    a memory that grows with the run. At a constant rate weights circle around where a falling rate would settle.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.parameters = [parameter for network in networks for parameter in network.parameters()]
        self.averages = [parameter.detach().clone() for parameter in self.parameters]

    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        with torch.no_grad():
            for average, parameter in zip(self.averages, self.parameters, strict=True):
                average.lerp_(parameter, 1 / (1 + _SHARE * (step - 1)))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages in the place of the weights, and the weights back afterwards."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self._copy(self.averages)
        try:
            yield
        finally:
            self._copy(kept)

    def state(self) -> dict[str, Tensor]:
        """Return the averages by number."""
        return {str(number): average.clone() for number, average in enumerate(self.averages)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take averages from `state`."""
        for number, average in enumerate(self.averages):
            average.copy_(state[str(number)])

    def _copy(self, tensors: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, tensor in zip(self.parameters, tensors, strict=True):
                parameter.copy_(tensor)
