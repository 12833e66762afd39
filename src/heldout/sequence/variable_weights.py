"""How much each variable looks at each other one, in the layers that attend across variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.plain_numbers import plain

__all__ = ["VariableWeights", "variable_weights"]


@dataclass(frozen=True, eq=False)
class VariableWeights:
    """Mean weight from variable to variable.

    Parameters
    ----------
    names : tuple of str
        The variables.
    weight : array of float64, shape (n_variables, n_variables), or None
        Row: the variable that is forecast; column: the one looked at. Rows sum to 1. None with a reason.
    replica_spread : array of float64, same shape, or None
        Standard deviation over replicas; None for a single one.
    layers : tuple of int
        Layers across variables that the mean is over.
    reason : str or None
        Why there is no matrix.
    """

    names: tuple[str, ...]
    weight: NDArray[np.float64] | None
    replica_spread: NDArray[np.float64] | None
    layers: tuple[int, ...]
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts."""
        return {
            "names": list(self.names),
            "weight": plain(self.weight),
            "replica_spread": plain(self.replica_spread),
            "layers": list(self.layers),
            "reason": self.reason,
        }


def variable_weights(
    across: NDArray[np.float32], names: tuple[str, ...], layers: tuple[int, ...], reason: str | None
) -> VariableWeights:
    """Average weights across variables.

    Parameters
    ----------
    across : array of float32, shape (n_layers, replicas, n_windows, n_heads, n_rows, n_variables, n_variables)
    names : tuple of str
    layers : tuple of int
    reason : str or None
        Given where there are no layers.

    Examples
    --------
    >>> across = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32).reshape(1, 1, 1, 1, 1, 2, 2)
    >>> variable_weights(across, ("heat", "rain"), (1,), None).weight.round(2).tolist()
    [[0.9, 0.1], [0.4, 0.6]]
    """
    if not len(layers):
        return VariableWeights(names, None, None, (), reason)
    by_replica = across.mean(axis=(0, 2, 3, 4), dtype=np.float64)
    spread = by_replica.std(axis=0, ddof=1) if len(by_replica) > 1 else None
    return VariableWeights(names, by_replica.mean(axis=0), spread, layers)
