"""Rows held out in turn: parts of the table drawn without replacement, every row held out equally often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.resampling.draw import Draw, checked_counts, checked_share, empty_weights, refuse_groups

__all__ = ["Subsample", "held_out_in_turn"]


@dataclass(frozen=True)
class Subsample:
    """Train each replica on a share of the rows, drawn without replacement, and hold each row out equally often.

    Every replica trains on ``round(share * n_rows)`` rows (at least 1, and at least 1 is held out). The rows held
    out are chosen among those held out least often so far, ties at random: over all replicas no two rows' counts
    differ by more than 1. A single replica is a simple random subset; several are not independent. The first
    replicas stay what they are when more are asked for.

    Parameters
    ----------
    share : float, default 0.8
        Part of the rows that each replica trains on, strictly between 0 and 1.

    Raises
    ------
    InvalidInput
        `share` outside (0, 1); in `draw`, fewer than 2 rows.

    Examples
    --------
    >>> drawn = Subsample(0.75).draw(n_rows=8, n_replicas=4)
    >>> (drawn.weights == 0).sum(axis=1).tolist()
    [1, 1, 1, 1, 1, 1, 1, 1]
    """

    share: float = 0.8

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", checked_share(self.share, "rows"))

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        refuse_groups(groups, self)
        if n_rows < 2:
            raise InvalidInput(f"{self} needs at least 2 rows, got {n_rows}: one to train on and one to hold out")
        rng = stream(random_state, "resampling", "subsample")
        weights = empty_weights(n_rows, n_replicas)
        weights[:] = 1
        for replica, held_out in enumerate(held_out_in_turn(n_rows, self.share, n_replicas, rng)):
            weights[held_out, replica] = 0
        return Draw(weights)


def held_out_in_turn(
    n_units: int, share: float, n_replicas: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Yield the units each replica holds out: those held out least often so far, ties at random.

    Parameters
    ----------
    n_units : int, at least 2
    share : float
        Part of the units to train on.
    n_replicas : int
    rng : numpy Generator

    Yields
    ------
    array of int, shape (n_held_out,)

    Examples
    --------
    >>> parts = held_out_in_turn(6, 0.5, 2, np.random.default_rng(0))
    >>> sorted(int(unit) for part in parts for unit in part)
    [0, 1, 2, 3, 4, 5]
    """
    n_held_out = n_units - min(max(round(share * n_units), 1), n_units - 1)
    waiting = rng.permutation(n_units)  # held out least often, in random order; all others once more than these
    for _ in range(n_replicas):
        if len(waiting) >= n_held_out:
            held_out, waiting = waiting[:n_held_out], waiting[n_held_out:]
        else:
            is_waiting = np.zeros(n_units, dtype=bool)
            is_waiting[waiting] = True
            others = rng.permutation(np.flatnonzero(~is_waiting))
            n_more = n_held_out - len(waiting)
            held_out = np.concatenate([waiting, others[:n_more]])
            # Those waiting have caught up, so all but the ones just held out twice are the least often held out.
            waiting = rng.permutation(np.concatenate([waiting, others[n_more:]]))
        yield held_out
