"""Blocks of time: rows near each other are drawn together, and rows next to a training row judge nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import whole_number
from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.learner import PREDICTED, STOPS
from heldout.resampling.draw import Draw, checked_counts, empty_weights, refuse_groups

__all__ = ["Blocks"]


@dataclass(frozen=True)
class Blocks:
    """Cut rows, which are in order of time, into blocks, and draw as many blocks with replacement (Carlstein 1986).

    Blocks are `length` consecutive rows and do not overlap; the last one is shorter where `length` does not
    divide the table. Each row has weight 1 in the mean. A row of weight 0 that lies `gap` rows or fewer from a
    training row has role 0: it neither judges the replica nor is predicted by it, since it resembles what the
    replica knows. Dependence beyond the length of a block (and the gap) is not seen. The first replicas stay
    what they are when more are asked for.

    Parameters
    ----------
    length : int of 1 or more
        Rows of a block: longer than the dependence between rows lasts.
    gap : int of 0 or more, default 0
        Rows left out on either side of every training row.

    Raises
    ------
    InvalidInput
        Counts that are not whole or too small; in `draw`, fewer than 2 blocks, or a gap that no row escapes.

    Examples
    --------
    >>> drawn = Blocks(length=2, gap=1).draw(n_rows=12, n_replicas=1)
    >>> bool((drawn.weights[0::2] == drawn.weights[1::2]).all())
    True
    >>> bool((drawn.roles[:-1][drawn.weights[1:] > 0] == 0).all())
    True
    """

    length: int
    gap: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", whole_number(self.length, "length", 1))
        object.__setattr__(self, "gap", whole_number(self.gap, "gap", 0))

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        refuse_groups(groups, self)
        if self.length >= n_rows:
            raise InvalidInput(
                f"length must be below the number of rows, got {self.length} for {n_rows} rows: "
                "use shorter blocks, so that there are two or more"
            )
        n_blocks = -(-n_rows // self.length)
        # The most that a row can be away from a training row: the first row, with the last block alone in the bag.
        if self.gap >= self.length * (n_blocks - 1):
            raise InvalidInput(
                f"gap must be below {self.length * (n_blocks - 1)}, got {self.gap} for {n_rows} rows in blocks of "
                f"{self.length}: no row would be far enough from the training rows"
            )
        rng = stream(random_state, "resampling", "blocks")
        weights = empty_weights(n_rows, n_replicas)
        for replica in range(n_replicas):
            counts = np.bincount(rng.integers(n_blocks, size=n_blocks), minlength=n_blocks)
            weights[:, replica] = np.repeat(counts.astype(np.uint8), self.length)[:n_rows]
        return Draw(weights, _roles(weights, self.gap) if self.gap else None)


def _roles(weights: NDArray[np.uint8], gap: int) -> NDArray[np.uint8]:
    """Give both roles to rows that are farther than `gap` rows from every training row of their replica."""
    n_rows, n_replicas = weights.shape
    roles = empty_weights(n_rows, n_replicas)
    place = np.arange(n_rows)
    first, behind = np.maximum(place - gap, 0), np.minimum(place + gap + 1, n_rows)
    before = np.zeros(n_rows + 1, dtype=np.intp)  # training rows before each row
    for replica in range(n_replicas):
        np.cumsum(weights[:, replica] > 0, out=before[1:])
        roles[:, replica] = np.where(before[behind] == before[first], STOPS | PREDICTED, 0)
    return roles
