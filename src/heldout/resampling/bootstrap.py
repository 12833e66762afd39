"""Rows drawn with replacement: as many as there are, or each on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from heldout._random import stream
from heldout.resampling.draw import Draw, checked_counts, empty_weights, refuse_groups

__all__ = ["Bootstrap", "Poisson"]


@dataclass(frozen=True)
class Bootstrap:
    """Draw as many rows as there are, with replacement (Efron 1979).

    A row is out of the bag of a replica with probability (1 - 1/n)^n, about 0.37; its weight has mean 1 and
    variance 1 - 1/n. Replicas are independent, and the first ones stay what they are when more are asked for.

    Examples
    --------
    >>> drawn = Bootstrap().draw(n_rows=6, n_replicas=100)
    >>> drawn.weights.shape, set(drawn.weights.sum(axis=0).tolist())
    ((6, 100), {6})
    """

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        refuse_groups(groups, self)
        rng = stream(random_state, "resampling", "bootstrap")
        weights = empty_weights(n_rows, n_replicas)
        for replica in range(n_replicas):
            # One replica at a time: what is drawn is eight times as large as what is kept.
            weights[:, replica] = np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows)
        return Draw(weights)


@dataclass(frozen=True)
class Poisson:
    """Give every row a Poisson weight of mean 1, on its own (Oza and Russell 2001).

    As `Bootstrap` without its fixed size: the number of training rows varies with variance n, and a row is out
    of the bag with probability exp(-1), about 0.37, whatever the size of the table. A replica without any row
    (probability exp(-n)) is drawn again, which matters for tables of a few rows only. The first replicas stay
    what they are when more are asked for.

    Examples
    --------
    >>> drawn = Poisson().draw(n_rows=1000, n_replicas=100)
    >>> round(float((drawn.weights == 0).mean()), 2)
    0.37
    """

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        refuse_groups(groups, self)
        rng = stream(random_state, "resampling", "poisson")
        weights = empty_weights(n_rows, n_replicas)
        for replica in range(n_replicas):
            column = rng.poisson(1.0, size=n_rows)
            while not column.any():
                column = rng.poisson(1.0, size=n_rows)
            weights[:, replica] = column
        return Draw(weights)
