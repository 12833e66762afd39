"""Muon for hidden matrices and AdamW for the rest, for many replicas in one step, each as if it were alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.linear import ReplicatedLinear
from heldout.sequence.newton_schulz import orthogonalise

__all__ = ["Muon", "sort_parameters"]


def sort_parameters(model: nn.Module, hidden: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the hidden matrices, which are for Muon, and all other parameters of a model, which are for AdamW.

    Parameters
    ----------
    model : Module
    hidden : Module
        The part of the model between its embedding and its heads, such as its backbone.

    Returns
    -------
    matrices : list of Parameter, each of shape (R, m, n)
        Weights of every `ReplicatedLinear` within `hidden`.
    others : list of Parameter

    Examples
    --------
    >>> matrix, head = ReplicatedLinear(4, 4), ReplicatedLinear(4, 1)
    >>> matrices, others = sort_parameters(nn.Sequential(matrix, head), hidden=matrix)
    >>> matrices[0] is matrix.weight, others[0] is head.weight
    (True, True)
    """
    matrices = [part.weight for part in hidden.modules() if isinstance(part, ReplicatedLinear)]
    taken = {id(matrix) for matrix in matrices}
    return matrices, [parameter for parameter in model.parameters() if id(parameter) not in taken]


class Muon:
    """Step hidden matrices along their orthogonalised momentum, and everything else by AdamW.

    Parameters
    ----------
    matrices : iterable of Parameter, each of shape (R, m, n)
        Hidden matrices of R replicas, as `ReplicatedLinear` holds them: m inputs, n outputs.
    others : iterable of Parameter, each of shape (R, ...)
    learning_rate : float, default 0.02
        Of the matrices; times sqrt(max(1, n / m)).
    adam_learning_rate : float, default 3e-3
        Of the others.
    momentum : float, default 0.95
        Of the matrices, after Nesterov.
    betas : tuple of float, default (0.9, 0.95)
        Of AdamW's mean and mean square.
    weight_decay : float, default 0.0
        Of the matrices and of others with three axes or more, times the learning rate. Scales and biases do not decay.
    cautious : bool, default True
        Let a number decay only where the step, too, moves it towards zero.
    clip : float or None, default 1.0
        The longest gradient of one replica, over all its parameters; longer ones are scaled down.

    Attributes
    ----------
    learning_rate, adam_learning_rate : float
        May be changed between steps.
    n_steps : int
        Steps taken.

    Raises
    ------
    InvalidInput
        No parameters, parameters of different numbers of replicas, matrices of another number of axes, or a constant
        out of its range.

    Notes
    -----
    Matrices: M <- mu M + (1 - mu) G, and W <- W - rate orthogonalise((1 - mu) G + mu M). A missing gradient counts as
    zeros. A replica's step is a function of its own gradients only: norms, momenta and products are all by replica.

    References
    ----------
    Jordan et al. (2024), Muon. Loshchilov, Hutter (2019), Decoupled weight decay regularization, algorithm 2. Chen et
    al. (2025), Cautious weight decay.

    Examples
    --------
    >>> linear = ReplicatedLinear(2, 2, replicas=3)
    >>> optimizer = Muon([linear.weight])
    >>> linear(torch.ones(3, 1, 2)).square().sum().backward()
    >>> optimizer.step()
    >>> optimizer.n_steps
    1
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter] = (),
        *,
        learning_rate: float = 0.02,
        adam_learning_rate: float = 3e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        cautious: bool = True,
        clip: float | None = 1.0,
    ) -> None:
        self.matrices, self.others = list(matrices), [p for p in others if p.numel()]
        self.replicas = _replicas(self.matrices, self.others)
        _check_constants(learning_rate, adam_learning_rate, (momentum, *betas), weight_decay, clip)
        self.learning_rate, self.adam_learning_rate = learning_rate, adam_learning_rate
        self.momentum, self.betas, self.clip = momentum, betas, clip
        self.weight_decay, self.cautious = weight_decay, cautious
        self.n_steps = 0
        # Matrices of one shape are stepped together: few large products instead of many small ones.
        shapes = dict.fromkeys(tuple(matrix.shape) for matrix in self.matrices)
        self._groups = [[matrix for matrix in self.matrices if tuple(matrix.shape) == shape] for shape in shapes]
        self._momenta = [torch.zeros_like(torch.stack(list(group))) for group in self._groups]
        self._mean = torch.zeros_like(_flat(self.others, self.replicas)) if self.others else torch.zeros(0)
        self._mean_square = torch.zeros_like(self._mean)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in [*self.matrices, *self.others]:
            parameter.grad = None

    def step(self, factor: float | Tensor = 1.0) -> None:
        """Move all parameters by one step.

        Parameters
        ----------
        factor : float or Tensor of shape (R,), default 1.0
            Multiplies all learning rates, for schedules; a tensor gives each replica its own, 0 to leave it as it is.

        Raises
        ------
        InvalidInput
            A tensor of another shape.
        """
        if isinstance(factor, Tensor) and tuple(factor.shape) != (self.replicas,):
            raise InvalidInput(
                f"factor must be a number or of shape ({self.replicas},), got shape {tuple(factor.shape)}: "
                "give one for each replica"
            )
        with torch.no_grad():
            self.n_steps += 1
            gradients = [torch.stack([_gradient(matrix) for matrix in group]) for group in self._groups]
            flat = _flat([_gradient(p) for p in self.others], self.replicas) if self.others else None
            shrink = self._shrink(gradients, flat)
            for group, gradient, momenta in zip(self._groups, gradients, self._momenta, strict=True):
                self._step_matrices(group, gradient * _along(shrink, 1, 4), momenta, factor)
            if flat is not None:
                self._step_others(flat * shrink[:, None], factor)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step hangs on besides the parameters: tensors, and the number of steps."""
        momenta = {f"momentum.{index}": momentum for index, momentum in enumerate(self._momenta)}
        return {"n_steps": self.n_steps, "mean": self._mean, "mean_square": self._mean_square} | momenta

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where another optimizer of the same parameters stopped.

        Parameters
        ----------
        state : mapping
            As `state_dict` returns it; copied.

        Raises
        ------
        InvalidInput
            It is of other parameters.
        """
        mine = self.state_dict()
        for name in {*mine, *state}:
            wanted, got = (getattr(side.get(name), "shape", name in side) for side in (mine, state))
            if wanted != got:
                raise InvalidInput(f"the state of {name} must be {wanted}, got {got}: load it for the same parameters")
        self.n_steps = int(state["n_steps"])
        for name, tensor in mine.items():
            if isinstance(tensor, Tensor):
                tensor.copy_(state[name])

    def _shrink(self, gradients: list[Tensor], flat: Tensor | None) -> Tensor:
        """Return by how much each replica's gradient is scaled to be no longer than `clip`, shape (R,)."""
        squares = [gradient.square().sum(dim=(0, 2, 3)) for gradient in gradients]
        if flat is not None:
            squares.append(flat.square().sum(dim=1))
        length = torch.stack(squares).sum(dim=0).sqrt()
        return torch.ones_like(length) if self.clip is None else (self.clip / (length + 1e-6)).clamp(max=1.0)

    def _step_matrices(
        self, group: list[nn.Parameter], gradient: Tensor, momenta: Tensor, factor: float | Tensor
    ) -> None:
        momenta.lerp_(gradient, 1 - self.momentum)
        ahead = gradient.lerp(momenta, self.momentum)
        steps = orthogonalise(ahead.flatten(0, 1)).view_as(ahead)
        n_inputs, n_outputs = ahead.shape[-2:]
        rate = _along(factor, 0, 3) * self.learning_rate
        for matrix, step in zip(group, steps, strict=True):
            self._decay(matrix, step, rate)
            matrix.sub_(step * (rate * math.sqrt(max(1.0, n_outputs / n_inputs))))

    def _step_others(self, flat: Tensor, factor: float | Tensor) -> None:
        first, second = self.betas
        self._mean.lerp_(flat, 1 - first)
        self._mean_square.mul_(second).addcmul_(flat, flat, value=1 - second)
        spread = (self._mean_square / (1 - second**self.n_steps)).sqrt_().add_(1e-8)
        steps = self._mean / (1 - first**self.n_steps) / spread
        parts = torch.split_with_sizes(steps, [parameter[0].numel() for parameter in self.others], dim=1)
        for parameter, part in zip(self.others, parts, strict=True):
            step = part.view_as(parameter)
            rate = _along(factor, 0, parameter.ndim) * self.adam_learning_rate
            if parameter.ndim > 2:
                self._decay(parameter, step, rate)
            parameter.sub_(step * rate)

    def _decay(self, parameter: nn.Parameter, step: Tensor, rate: float | Tensor) -> None:
        if self.weight_decay == 0:
            return
        decay = parameter * (rate * self.weight_decay)
        parameter.sub_(decay * (step * parameter > 0) if self.cautious else decay)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _flat(tensors: Iterable[Tensor], replicas: int) -> Tensor:
    """Lay the numbers of each replica side by side, shape (R, P): AdamW is by number, and one long row is quicker."""
    return torch.cat([tensor.reshape(replicas, -1) for tensor in tensors], dim=1)


def _along(factor: float | Tensor, axis: int, n_axes: int) -> Any:
    """Give a number for each replica the shape to multiply tensors whose `axis` is the replica."""
    if not isinstance(factor, Tensor):
        return factor
    return factor.view([-1 if index == axis else 1 for index in range(n_axes)])


def _replicas(matrices: list[nn.Parameter], others: list[nn.Parameter]) -> int:
    found = {parameter.shape[0] if parameter.ndim else None for parameter in [*matrices, *others]}
    if len(found) != 1 or None in found:
        counts = sorted(str(count) for count in found)
        raise InvalidInput(
            f"all parameters must lead with one number of replicas, got {', '.join(counts) or 'no parameter'}: "
            "give each a first axis of as many replicas"
        )
    wrong = [tuple(matrix.shape) for matrix in matrices if matrix.ndim != 3]
    if wrong:
        raise InvalidInput(f"matrices must have shape (R, m, n), got {wrong[0]}: pass it among the others")
    return int(found.pop() or 0)


def _check_constants(
    learning_rate: float,
    adam_learning_rate: float,
    averages: tuple[float, ...],
    weight_decay: float,
    clip: float | None,
) -> None:
    if min(learning_rate, adam_learning_rate, weight_decay) < 0:
        raise InvalidInput(
            "learning rates and weight_decay must be 0 or more, got "
            f"{learning_rate}, {adam_learning_rate} and {weight_decay}: give the size of a step, not its sign"
        )
    if not all(0 <= average < 1 for average in averages):
        raise InvalidInput(f"momentum and betas must be 0 or more and below 1, got {averages}: 0 forgets at once")
    if clip is not None and not clip > 0:
        raise InvalidInput(f"clip must be above 0, got {clip}: None does not clip")
