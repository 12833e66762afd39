"""Sums over stretches of rows of each series, by cumulative sums that begin anew with every series.

One cumulative sum over a whole table would lose the digits of a small series behind a large one.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunningMeans"]


class RunningMeans:
    """Means of the known values of any stretch of rows.

    Parameters
    ----------
    values : array of float64, shape (n_rows, n_variables)
        NaN where missing.
    offsets : array of int64, shape (n_series + 1,)
        Row where each series starts, and the number of rows.

    Examples
    --------
    >>> means = RunningMeans(np.array([[1.0], [np.nan], [5.0], [7.0]]), np.array([0, 3, 4]))
    >>> means.between(np.array([0, 1]), np.array([2, 1])).tolist()
    [[3.0], [nan]]
    """

    def __init__(self, values: NDArray[np.float64], offsets: NDArray[np.int64]) -> None:
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        # One row more for each series: the sum before its first row.
        self._shift = np.repeat(np.arange(1, len(offsets)), np.diff(offsets))
        self._total = np.zeros((len(values) + len(offsets) - 1, values.shape[1]))
        self._number = np.zeros(self._total.shape, dtype=np.int64)
        for series, (start, end) in enumerate(pairwise(offsets)):
            np.cumsum(filled[start:end], axis=0, out=self._total[start + series + 1 : end + series + 1])
            np.cumsum(known[start:end], axis=0, out=self._number[start + series + 1 : end + series + 1])

    def between(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the means over rows `first` .. `last` of one series, NaN where none is known.

        Parameters
        ----------
        first, last : arrays of int64, shape (n,)
            Both of the same series, `first` at most `last`.

        Returns
        -------
        array of float64, shape (n, n_variables)
        """
        before, up_to = first + self._shift[first] - 1, last + self._shift[last]
        number = self._number[up_to] - self._number[before]
        result: NDArray[np.float64] = np.full(number.shape, np.nan)
        np.divide(self._total[up_to] - self._total[before], number, out=result, where=number > 0)
        return result
