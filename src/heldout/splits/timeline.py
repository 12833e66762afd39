"""The order of rows in time, and how it may be cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout.errors import InvalidInput

__all__ = ["Timeline"]


@dataclass(frozen=True)
class Timeline:
    """Rank of each row's time, equal times sharing one rank.

    Parameters
    ----------
    rank : array of int, shape (n_rows,)
        0 for the earliest time.
    n_at : array of int, shape (n_times,)
        Rows at each distinct time.
    """

    rank: NDArray[np.intp]
    n_at: NDArray[np.intp]

    @classmethod
    def of(cls, time: ArrayLike | None, n: int) -> Timeline:
        """Rank the times of `n` rows; without times, the rows as they stand.

        Raises
        ------
        InvalidInput
            Another number of times than rows, text, missing times, or fewer than two distinct ones.
        """
        if time is None:
            values = np.arange(n)
        else:
            values = np.asarray(time)
            if values.shape != (n,):
                raise InvalidInput(f"time must have shape ({n},), got {values.shape}: pass one time per row")
            if values.dtype.kind in "SU" or (values.dtype.kind == "O" and any(isinstance(v, str) for v in values)):
                raise InvalidInput(f"time must be numbers or datetimes, got text such as {str(values[0])!r}: parse it")
            # Of all values only a missing one (nan, NaT) differs from itself; None has no order at all.
            missing = np.array([v is None for v in values]) if values.dtype.kind == "O" else values != values
            if missing.any() or (values.dtype.kind == "O" and (values != values).any()):
                row = int(np.flatnonzero(missing | (values != values))[0])
                raise InvalidInput(f"time must not be missing, got {values[row]} in row {row}: drop or mend that row")
        distinct, rank = np.unique(values, return_inverse=True)
        if len(distinct) < 2:
            raise InvalidInput(f"time must have at least 2 distinct values, got {len(distinct)}: split by rows instead")
        return cls(rank.astype(np.intp), np.bincount(rank).astype(np.intp))

    def cut(self, n_blocks: int) -> NDArray[np.intp]:
        """Return the block of each row, 0 .. k-1 in order of time, near equal in rows; k <= `n_blocks`."""
        n_times = len(self.n_at)
        n_blocks = min(n_blocks, n_times)
        ends = np.cumsum(self.n_at)
        first_of_block = np.zeros(n_blocks, dtype=np.intp)
        for k in range(1, n_blocks):
            done = ends[first_of_block[k - 1] - 1] if first_of_block[k - 1] else 0
            wanted = done + (ends[-1] - done) / (n_blocks - k + 1)
            # At least one time for this block, and one for each block still to come.
            low, high = first_of_block[k - 1] + 1, n_times - (n_blocks - k)
            candidates = ends[low - 1 : high]
            first_of_block[k] = low + int(np.argmin(np.abs(candidates - wanted)))
        return np.asarray(np.searchsorted(first_of_block, self.rank, side="right") - 1, dtype=np.intp)

    def before(self, test: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
        """Say which rows lie before all `test` rows, less the last `gap` and rows of the same time."""
        first = int(self.rank[test].min())
        last_kept = int(self.n_at[:first].sum()) - gap
        if last_kept <= 0:
            return np.zeros(len(self.rank), dtype=bool)
        # A time is kept only when all its rows are, so that the order of tied rows decides nothing.
        return np.asarray(self.rank < int(np.searchsorted(np.cumsum(self.n_at), last_kept, side="right")))
