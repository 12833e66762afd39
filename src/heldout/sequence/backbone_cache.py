"""What a causal backbone keeps of the tokens it has seen: keys and values of each layer along time."""

from __future__ import annotations

from collections.abc import Sequence

from heldout.sequence.cache import KeyValueCache

__all__ = ["BackboneCache"]


class BackboneCache:
    """Keys and values of all layers.

    Parameters
    ----------
    layers : sequence of KeyValueCache or None
        None for layers across variables, which see one time only and so need no past.

    Attributes
    ----------
    layers : list
    length : int
        Tokens seen, registers not counted.

    Examples
    --------
    >>> BackboneCache([KeyValueCache(1, 1, 8, 4), None]).repeat(3).layers[0].keys.shape
    torch.Size([3, 1, 8, 4])
    """

    def __init__(self, layers: Sequence[KeyValueCache | None]) -> None:
        self.layers = list(layers)
        self.length = 0

    def clone(self) -> BackboneCache:
        """Return a copy that shares no memory."""
        return self.repeat(1)

    def repeat(self, n_samples: int, n_variables: int = 1) -> BackboneCache:
        """Return a copy with each example `n_samples` times, copies adjacent.

        Parameters
        ----------
        n_samples : int
        n_variables : int, default 1
            The variables of an example stay together.
        """
        copy = BackboneCache([None if part is None else part.repeat(n_samples, n_variables) for part in self.layers])
        copy.length = self.length
        return copy
