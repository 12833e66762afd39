"""The last part of time, held out whole: what is learned from before it, and the origins that are forecast from in it.

::

    one series      l l l l l l l l l l l l | t t t t t t t t      futures of learned windows end at |
    origins                                 o o o o o o            futures of tested windows begin after it

Windows whose future would reach across the border are learned from by nobody: a horizon is purged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.errors import DataError
from heldout.sequence.cutting import rows_kept
from heldout.sequence.learned_windows import thinned
from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows, all_origins

__all__ = ["HeldOutEnd", "hold_out_end"]

_SHARE = 0.2
# Futures of the first and the last origin are then five blocks of a horizon apart.
_HORIZONS = 6
_MOST_TESTED = 4_000
_LEAST_KNOWN = 2


@dataclass(frozen=True, eq=False)
class HeldOutEnd:
    """A border in every series, and what lies on both sides of it.

    Parameters
    ----------
    learned : Sequences
        The rows before the border.
    tested : Windows
        Of all rows; their futures lie behind the border.
    time : array of float64, shape (n_tested,)
        Origins in steps, by which they are put into blocks; equal where series have no time in common.
    scale_of : array of int64, shape (n_series,)
        Number in `learned` of each series, -1 where nothing of it is learned from.
    together : bool
        Whether the border is one moment for all series. Else it lies so many rows before the end of each.
    n_steps : int
        Steps behind the border, of the longest of them.
    n_origins : int
        Before thinning.
    """

    learned: Sequences
    tested: Windows
    time: NDArray[np.float64]
    scale_of: NDArray[np.int64]
    together: bool
    n_steps: int
    n_origins: int


def hold_out_end(sequences: Sequences, horizon: int) -> HeldOutEnd:
    """Hold out the last fifth of time, and at least six horizons where that leaves half to learn from.

    Parameters
    ----------
    sequences : Sequences
    horizon : int

    Raises
    ------
    DataError
        No series reaches a horizon behind the border.

    Notes
    -----
    Where most series end within a horizon of the latest one the border is one moment, so that nothing learned is later
    than what is tested. Where they end here and there (competition series counted from 1) it is each one's own end.
    """
    last = sequences.count[sequences.offsets[1:] - 1]
    together = bool((last > last.max() - horizon).mean() >= 0.5)
    if together:
        typical = int(np.median(sequences.lengths[last > last.max() - horizon]))
        n_steps = _held_out(np.array([typical]), horizon)[0]
        border = _rows_until(sequences, float(last.max() - n_steps))
    else:
        wanted = np.maximum(np.round(_SHARE * sequences.lengths).astype(np.int64), horizon)
        room = sequences.lengths - horizon >= _LEAST_KNOWN
        border = sequences.offsets[1:] - np.where(room, np.minimum(wanted, sequences.lengths - _LEAST_KNOWN), 0)
        n_steps = int((sequences.offsets[1:] - border).max())
    known = border > sequences.offsets[:-1]
    every = all_origins(sequences, horizon)
    tested = every.take((every.origin >= border[every.series] - 1) & known[every.series])
    if not len(tested):
        raise DataError(
            f"no series has values before and {horizon} steps into the last {n_steps} steps: ask for a shorter horizon"
        )
    row = np.arange(sequences.n_rows)
    learned, kept = rows_kept(sequences, row < np.repeat(border, sequences.lengths))
    scale_of = np.full(sequences.n_series, -1, dtype=np.int64)
    scale_of[kept] = np.arange(len(kept))
    chosen = thinned(tested, _MOST_TESTED)
    time = sequences.count[chosen.origin] if together else np.zeros(len(chosen))
    return HeldOutEnd(learned, chosen, time, scale_of, together, int(n_steps), len(tested))


def _held_out(length: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    wanted = np.maximum(np.round(_SHARE * length).astype(np.int64), _HORIZONS * horizon)
    return np.maximum(horizon, np.minimum(wanted, length // 2))


def _rows_until(sequences: Sequences, count: float) -> NDArray[np.int64]:
    """Return for each series the first row later than a time."""
    later = sequences.count > count + 1e-6
    n_before = np.bincount(sequences.series_of_row[~later], minlength=sequences.n_series)
    return np.asarray(sequences.offsets[:-1] + n_before)
