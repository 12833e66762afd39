"""Disjoint training sets: replicas that share no row, whose predictions are independent given the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from heldout._arrays import whole_number
from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.resampling.draw import Draw, checked_counts, empty_weights, refuse_groups

__all__ = ["Disjoint"]


@dataclass(frozen=True)
class Disjoint:
    """Draw training sets that share no row, so that how much fits differ measures variance without bias.

    With one size, ``n_rows // size`` sets make up a partition (rows left over train nothing in it), and where
    more replicas are asked for, further partitions are drawn afresh; only sets of the same partition are
    disjoint: replicas k and l with ``k // (n_rows // size) == l // (n_rows // size)``. The first replicas then stay
    what they are when more are asked for. With several sizes there is one replica of each.

    Parameters
    ----------
    sizes : int, or sequence of int
        Training rows of every replica, or of each.

    Raises
    ------
    InvalidInput
        Sizes that are not whole or below 1; in `draw`, more rows than the table has, or another number of sizes
        than replicas.

    Examples
    --------
    >>> drawn = Disjoint(3).draw(n_rows=7, n_replicas=2)
    >>> drawn.weights.sum(axis=0).tolist(), int(drawn.weights.sum(axis=1).max())
    ([3, 3], 1)
    """

    sizes: int | tuple[int, ...]

    def __post_init__(self) -> None:
        sizes: Any = self.sizes
        if isinstance(sizes, list | tuple | np.ndarray) and np.ndim(sizes) == 1:
            sizes = tuple(whole_number(size, "sizes", 1) for size in sizes)
            if not sizes:
                raise InvalidInput("sizes must hold a size for each replica, got none: give one whole number or more")
        else:
            sizes = whole_number(sizes, "sizes", 1)
        object.__setattr__(self, "sizes", sizes)

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        refuse_groups(groups, self)
        if isinstance(self.sizes, int):
            if self.sizes > n_rows:
                raise InvalidInput(f"sizes must be at most {n_rows}, the number of rows, got {self.sizes}: lower them")
            partition = (self.sizes,) * (n_rows // self.sizes)
        else:
            partition = self._listed(n_rows, n_replicas, self.sizes)
        rng = stream(random_state, "resampling", "disjoint")
        weights = empty_weights(n_rows, n_replicas)
        ends = np.cumsum(partition)
        for replica in range(n_replicas):
            place = replica % len(partition)
            if place == 0:
                order = rng.permutation(n_rows)
            weights[order[ends[place] - partition[place] : ends[place]], replica] = 1
        return Draw(weights)

    @staticmethod
    def _listed(n_rows: int, n_replicas: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if len(sizes) != n_replicas:
            raise InvalidInput(
                f"sizes lists {len(sizes)} training sets, got n_replicas={n_replicas}: "
                "list one size per replica, or give one whole number for all"
            )
        if sum(sizes) > n_rows:
            raise InvalidInput(
                f"sizes must add up to at most {n_rows}, the number of rows, got {sum(sizes)}: lower them"
            )
        return sizes
