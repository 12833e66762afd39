"""A matrix for each replica, all applied in one batched product."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.generators import torch_generator

__all__ = ["ReplicatedLinear"]


class ReplicatedLinear(nn.Module):
    """Multiply the tokens of each replica by a weight matrix of its own; there is no bias.

    Parameters
    ----------
    in_features, out_features : int
        Widths before and after.
    replicas : int, default 1
        Number of independent matrices R.
    zero : bool, default False
        Start at zero, so that a residual branch which ends here adds nothing at first.
    generator : torch.Generator, optional
        Where the weights are drawn from; a new one seeded with 0 if left out. Never the global state.

    Attributes
    ----------
    weight : Parameter of float32, shape (R, in_features, out_features)
        Normal with standard deviation 1 / sqrt(in_features), which keeps the scale of its input.

    Raises
    ------
    InvalidInput
        A width or number of replicas below 1; an input whose first axis is not R or whose last is not `in_features`.

    Notes
    -----
    Y[r] = X[r] W[r]. Replicas share no number, so what happens to one changes no bit of another.

    References
    ----------
    Wen, Tran, Ba (2020), BatchEnsemble, section 3, is the shared-weight relative; here nothing is shared.

    Examples
    --------
    >>> double = ReplicatedLinear(2, 1, replicas=2)
    >>> with torch.no_grad():
    ...     _ = double.weight.copy_(torch.tensor([[[1.0], [1.0]], [[1.0], [-1.0]]]))
    >>> double(torch.tensor([[[3.0, 2.0]], [[3.0, 2.0]]])).flatten().tolist()
    [5.0, 1.0]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        replicas: int = 1,
        zero: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("in_features", in_features), ("out_features", out_features), ("replicas", replicas)):
            if size < 1:
                raise InvalidInput(f"{name} must be 1 or more, got {size}: give a positive whole number")
        # Always drawn, so that what a generator gives to later modules does not hang on `zero`.
        drawn = torch.randn(
            (replicas, in_features, out_features),
            generator=torch_generator(0) if generator is None else generator,
            dtype=torch.float32,
        )
        self.weight = nn.Parameter(torch.zeros_like(drawn) if zero else drawn / math.sqrt(in_features))

    def forward(self, X: Tensor) -> Tensor:
        """Return the products.

        Parameters
        ----------
        X : Tensor, shape (R, ..., in_features)

        Returns
        -------
        Tensor, shape (R, ..., out_features)
        """
        replicas, in_features, out_features = self.weight.shape
        if X.shape[0] != replicas or X.shape[-1] != in_features:
            raise InvalidInput(
                f"X must have {replicas} replicas first and {in_features} features last, got shape {tuple(X.shape)}: "
                "repeat the tokens for each replica, or make the module for as many"
            )
        rows = X.reshape(replicas, -1, in_features)
        # One replica is an ordinary product; a batch of one would take a slower path.
        product = (rows[0] @ self.weight[0])[None] if replicas == 1 else torch.bmm(rows, self.weight)
        return product.view(*X.shape[:-1], out_features)

    def extra_repr(self) -> str:
        """Return the three sizes, for ``print(module)``."""
        replicas, in_features, out_features = self.weight.shape
        return f"in_features={in_features}, out_features={out_features}, replicas={replicas}"
