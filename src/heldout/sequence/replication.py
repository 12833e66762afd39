"""Random weights of series or blocks of time, one set for each replica, and what is out of each bag.

::

    blocks of one series      | 0 | 1 | 2 | 3 |        weights of replica r    1  0  2  1
    future of a window          [---------]            touches blocks 0 and 1: weight min(1, 0) = 0
    out of bag                  only where every block that the future touches has weight 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.windows import Windows

__all__ = ["ReplicaWeights", "draw_weights"]

_LEAST_SERIES = 10


@dataclass(frozen=True, eq=False)
class ReplicaWeights:
    """How often each replica counts each window.

    Parameters
    ----------
    weight : array of float64, shape (n_windows, replicas)
        A Poisson(1) count of each unit, the least of the units that a window's future touches.
    out_of_bag : array of bool, shape (n_windows, replicas)
        Whether a replica counts no value of the window's future. A window is neither in nor out of bag where some of
        the units that it touches are in and others out.
    unit : {"series", "block of time"}
    n_units : int
    """

    weight: NDArray[np.float64]
    out_of_bag: NDArray[np.bool_]
    unit: str
    n_units: int


def draw_weights(windows: Windows, replicas: int, rng: np.random.Generator) -> ReplicaWeights:
    """Draw weights for replicas.

    Parameters
    ----------
    windows : Windows
    replicas : int
    rng : numpy Generator

    Returns
    -------
    ReplicaWeights
        Of whole series where there are at least 10; else of blocks of time, of two seasons and at least a horizon,
        the same for all series. A replica without any weight counts every window once.

    Notes
    -----
    No row is copied. Poisson(1) counts are the limit of the bootstrap's for many units.
    """
    series = windows.series
    present, place = np.unique(series, return_inverse=True)
    if len(present) >= _LEAST_SERIES:
        drawn = _counts(rng, len(present), replicas)
        weight = drawn[place]
        return ReplicaWeights(weight, weight == 0, "series", len(present))
    sequences = windows.sequences
    length = max(2 * sequences.season, windows.horizon)
    count = sequences.count[windows.origin]
    first = (count + 1 - count.min()) // length if len(count) else count
    last = (count + windows.horizon - count.min()) // length if len(count) else count
    n_blocks = int(last.max(initial=0)) + 1
    drawn = _counts(rng, n_blocks, replicas)
    weight = np.full((len(windows), replicas), np.inf)
    most = np.zeros((len(windows), replicas))
    # A future no longer than a block touches two blocks at most.
    for block in (first, last):
        weight = np.minimum(weight, drawn[block.astype(np.int64)])
        most = np.maximum(most, drawn[block.astype(np.int64)])
    weight[:, weight.sum(axis=0) == 0] = 1.0
    return ReplicaWeights(weight, (most == 0) & (weight == 0), "block of time", n_blocks)


def _counts(rng: np.random.Generator, n_units: int, replicas: int) -> NDArray[np.float64]:
    counts = rng.poisson(1.0, (n_units, replicas)).astype(np.float64)
    counts[:, counts.sum(axis=0) == 0] = 1.0
    return counts
