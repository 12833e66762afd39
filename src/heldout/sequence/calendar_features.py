"""Where in its cycles a time lies: place in the season, the week, the year, as points on circles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.sequences import Sequences

__all__ = ["cycles_of", "on_circles"]

_WEEK, _YEAR = 7 * 86_400.0, 365.2425 * 86_400.0
_MOST_SEASONS = 2.0


def cycles_of(sequences: Sequences) -> tuple[float, ...]:
    """Return the lengths of the cycles that times go through, in steps.

    The season; for dates also the week and the year, where they are longer than the season and the series are twice as
    long.

    Parameters
    ----------
    sequences : Sequences
    """
    step = sequences.step
    wanted = [float(sequences.season)] if sequences.season > 1 else []
    if sequences.calendar and step.regular:
        if step.unit == "second":
            wanted += [_WEEK / step.size, _YEAR / step.size]
        if step.unit == "working day":
            wanted += [261.0 / step.size]
        if step.unit == "month":
            wanted += [12.0 / step.size]
    longest = float(sequences.lengths.max(initial=0))
    shortest = wanted[0] * (1 + 1e-6) if sequences.season > 1 else 1.5
    return tuple(c for k, c in enumerate(wanted) if k == 0 or (c > shortest and longest >= _MOST_SEASONS * c))


def on_circles(count: NDArray[np.float64], cycles: tuple[float, ...]) -> NDArray[np.float32]:
    """Return sine and cosine of the place in each cycle, shape (*count.shape, 2 * n_cycles).

    Examples
    --------
    >>> on_circles(np.array([0.0, 6.0]), (24.0,)).round(3).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    angle = 2 * np.pi * np.mod(count[..., None] / np.array(cycles), 1.0) if cycles else np.zeros((*count.shape, 0))
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)
