"""Which steps of a window each token holds, and where that is in the user's time.

::

    steps from the origin   -6 -5 -4 | -3 -2 -1 |  0  1 ...      0 is the origin, the last value known
    tokens of 3 steps       [ past ]   [ past ]   ...            future tokens begin at step 1
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.lag_unit import LagUnit

__all__ = ["TokenTimes", "token_times"]


@dataclass(frozen=True, eq=False)
class TokenTimes:
    """The times of the tokens of windows.

    Parameters
    ----------
    first, last : array of int64, shape (n_tokens,)
        First and last step that each token holds, counted from the origin. Past tokens come first.
    n_past : int
        Tokens of the past.
    patch : int
        Steps of a token; the first of the past and the last of the future may hold fewer.
    middle : array of float64, shape (n_windows, n_tokens)
        Time of the middle of each token, in steps from the origin of its window: not whole where times are irregular.
    unit : LagUnit
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    n_past: int
    patch: int
    middle: NDArray[np.float64]
    unit: LagUnit

    @property
    def words(self) -> tuple[str, ...]:
        """Where each token lies, such as "24 hours before the origin"."""
        return tuple(self._words(int(a), int(b)) for a, b in zip(self.first, self.last, strict=True))

    def lags(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many steps each past token lies before the tokens `rows`.

        Parameters
        ----------
        rows : array of int64, shape (n_rows,)
            Tokens of the future.

        Returns
        -------
        array of int64, shape (n_windows, n_rows, n_past)
            Multiples of `patch`; the nearest ones where times are irregular.
        """
        if self.unit.regular:
            apart = rows[:, None] - np.arange(self.n_past)
            return np.broadcast_to(apart * self.patch, (len(self.middle), *apart.shape)).astype(np.int64)
        between = self.middle[:, rows, None] - self.middle[:, None, : self.n_past]
        return (np.round(between / self.patch) * self.patch).astype(np.int64)

    def _words(self, first: int, last: int) -> str:
        if first == last == 0:
            return "the origin"
        side = "before" if last <= 0 else "after"
        ends = (abs(first),) if first == last else (abs(first), abs(last))
        return f"{self.unit.words(*ends)} {side} the origin"


def token_times(time: NDArray[np.float64], length: int, horizon: int, patch: int, unit: LagUnit) -> TokenTimes:
    """Return the times of the tokens that a network makes of windows.

    Parameters
    ----------
    time : array of float64, shape (n_windows, length + horizon)
        Of each step of the windows, in steps from the origin.
    length, horizon, patch : int
    unit : LagUnit

    Examples
    --------
    >>> times = token_times(np.arange(-3.0, 3.0)[None], 4, 2, 3, LagUnit("hour", 1.0))
    >>> times.words
    ('3 hours before the origin', '2 to 0 hours before the origin', '1 to 2 hours after the origin')
    >>> times.lags(np.array([2])).tolist()
    [[[6, 3]]]
    """
    n_past, n_future = -(-length // patch), -(-horizon // patch)
    start = (np.arange(n_past + n_future) - n_past) * patch + 1
    first = np.maximum(start, 1 - length)
    last = np.minimum(start + patch - 1, horizon)
    middle = np.clip(start + patch // 2 + length - 1, 0, length + horizon - 1)
    return TokenTimes(first, last, n_past, patch, time[:, middle].astype(np.float64), unit)
