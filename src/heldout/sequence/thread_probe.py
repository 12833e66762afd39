"""How many threads of torch are quickest here and now: on a busy machine a team of two can be slower than one."""

from __future__ import annotations

import time

import torch

from heldout._threads import n_threads

__all__ = ["quickest_threads"]

_TRIES = 9


def quickest_threads(n_jobs: int | None) -> int:
    """Return 1 or as many threads as there may be, whichever did a product of a training step's size sooner.

    Threads of a team wait for each other at every step, and on a machine that others use each wait may last until the
    scheduler comes round: steps of a network of 64 were seen to take 2 s with two threads and 0.1 s with one.

    Parameters
    ----------
    n_jobs : int, optional
        As `heldout._threads.n_threads` takes it.

    Examples
    --------
    >>> quickest_threads(1)
    1
    """
    most = n_threads(n_jobs)
    if most == 1:
        return 1
    before = torch.get_num_threads()
    try:
        seconds = {count: _seconds_with(count) for count in (1, most)}
    finally:
        torch.set_num_threads(before)
    return min(seconds, key=seconds.__getitem__)


def _seconds_with(count: int) -> float:
    """Return the mean time of a product; the mean, since it is the long waits that matter."""
    torch.set_num_threads(count)
    tokens, weights = torch.ones(7168, 64), torch.ones(64, 256)
    _ = tokens @ weights
    began = time.perf_counter()
    for _ in range(_TRIES):
        _ = torch.relu(tokens @ weights).sum()
    return (time.perf_counter() - began) / _TRIES
