"""A feature matrix as bins: one byte per cell, made once and used by every fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout import _native
from heldout._arrays import checked_weight
from heldout.errors import InvalidInput

__all__ = ["MAX_BINS", "MISSING", "Binned"]

MAX_BINS = 254
"""Most value bins a feature can have; their codes are 0 to 253."""

MISSING = 255
"""The code of a missing value (NaN)."""


@dataclass(frozen=True, eq=False, repr=False)
class Binned:
    r"""A feature matrix cut into bins, with the cut points that new rows are binned by.

    Bin :math:`b` of a feature with cut points :math:`c_0 < \dots < c_{m-1}` holds
    :math:`c_{b-1} < x \le c_b`, so a split at bin :math:`b` sends :math:`x \le c_b` to the left. Let
    :math:`v_1 < \dots < v_k` be the distinct values of a feature, and :math:`W_j` the weight of the rows
    that have value :math:`v_j`.

    - Where :math:`k \le` `max_bins`, each value has its own bin, and a cut is the midpoint of two neighbours,
      rounded to nearest (the lower neighbour where that would round onto the upper one).
    - Otherwise bins hold equal weight: with the level :math:`\lambda` that solves
      :math:`\sum_j \min(W_j, \lambda) = \mathrm{max\_bins} \cdot \lambda`, a cut follows each :math:`v_j`
      at which :math:`\sum_{i \le j} \min(W_i, \lambda)` reaches another multiple of :math:`\lambda`. Equal
      values stay together, and a value heavier than a bin takes one bin and not several, so all
      `max_bins` bins are used.

    Infinities are values like others, the lowest and the highest. -0.0 equals 0.0. NaN is missing: it has
    the code 255 and shapes no cut, and neither does a row of weight zero. A feature that is constant or
    wholly missing has no cut points.

    All rows are used, not a sample, and weights are summed as integers: each is rounded to a multiple of a
    power of two that is at most :math:`2^{-52}` times the largest weight times the number of rows, and never
    to zero. Whole numbers stay exact while that product is at most :math:`2^{52}`. Hence cut points are the
    same to the bit for any order of rows, and integer weights give what repeated rows give.

    Parameters
    ----------
    codes : array of uint8, shape (n_features, n_rows)
        Bin of each cell, a feature's rows side by side in memory; 255 where missing. Read-only.
    cut_points : tuple of arrays of float64
        One strictly increasing array per feature, with at most `max_bins` - 1 entries. Read-only.

    See Also
    --------
    Binned.from_array : how one is made.

    Notes
    -----
    Midpoints between neighbours follow CART [1]_; the binned matrix follows LightGBM [2]_. Cut points come
    from `X` and `sample_weight` alone, never from a target or a seed.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen and Stone (1984). Classification and Regression Trees.
    .. [2] Ke et al. (2017). LightGBM: A Highly Efficient Gradient Boosting Decision Tree. NeurIPS 30.

    Examples
    --------
    >>> import numpy as np
    >>> binned = Binned.from_array(np.array([[1.0], [2.0], [np.nan], [4.0], [2.0]]))
    >>> binned.cut_points
    (array([1.5, 3. ]),)
    >>> binned.codes
    array([[  0,   1, 255,   2,   1]], dtype=uint8)
    >>> binned.transform(np.array([[3.0], [3.5]]))
    array([[1, 2]], dtype=uint8)
    """

    codes: NDArray[np.uint8]
    cut_points: tuple[NDArray[np.float64], ...]

    @classmethod
    def from_array(
        cls, X: ArrayLike, sample_weight: ArrayLike | None = None, max_bins: int = MAX_BINS, *, n_threads: int = 1
    ) -> Binned:
        """Find the cut points of each feature and bin all rows.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
            float64 and float32 are read in place in any memory order; other numbers become float64.
        sample_weight : array of numbers, shape (n_rows,), optional
            At least 0. Scaling all weights by a power of two changes nothing.
        max_bins : int
            From 2 to 254.
        n_threads : int, default 1
            The bins are the same for any number.

        Raises
        ------
        InvalidInput
            Not a matrix of numbers, no rows or features, weights that are negative, not finite, all zero or
            of another length, or `max_bins` out of range.

        Examples
        --------
        >>> import numpy as np
        >>> Binned.from_array(np.arange(1000.0)[:, None], max_bins=4).cut_points
        (array([249.5, 499.5, 749.5]),)
        """
        bins = _checked_max_bins(max_bins)
        matrix = _checked_matrix(X)
        if matrix.shape[0] == 0 or matrix.shape[1] == 0:
            raise InvalidInput(f"X must have rows and features, got shape {matrix.shape}: pass at least one of each")
        weight = (
            None
            if sample_weight is None
            else checked_weight(_as_numbers(sample_weight, "sample_weight"), matrix.shape[0])
        )
        cut_points = tuple(_native.find_all_cut_points(matrix, weight, bins, n_threads))
        return cls(_native.bin_codes(matrix, cut_points, n_threads), cut_points)

    def __post_init__(self) -> None:
        self.codes.setflags(write=False)
        for cuts in self.cut_points:
            cuts.setflags(write=False)

    def __repr__(self) -> str:
        return f"Binned(n_rows={self.n_rows}, n_features={self.n_features})"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.codes.shape[1])

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.codes.shape[0])

    @property
    def n_bins(self) -> tuple[int, ...]:
        """Number of value bins of each feature, without the one for missing values."""
        return tuple(cuts.size + 1 for cuts in self.cut_points)

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Bin new rows by the cut points found.

        Parameters
        ----------
        X : array of numbers, shape (n_new_rows, n_features)

        Returns
        -------
        codes : array of uint8, shape (n_features, n_new_rows)
            255 where missing. A row's codes do not depend on the rows beside it.

        Raises
        ------
        InvalidInput
            Not a matrix of numbers, or another number of features.

        Examples
        --------
        >>> import numpy as np
        >>> binned = Binned.from_array(np.array([[0.0, 5.0], [1.0, 5.0]]))
        >>> binned.transform(np.array([[0.5, 5.0], [np.nan, -np.inf], [9.0, 7.0]]))
        array([[  0, 255,   1],
               [  0,   0,   0]], dtype=uint8)
        """
        matrix = _checked_matrix(X)
        if matrix.shape[1] != self.n_features:
            raise InvalidInput(
                f"X must have {self.n_features} features, as when the bins were made, got {matrix.shape[1]}: "
                "pass the same features in the same order"
            )
        return _native.bin_codes(matrix, self.cut_points)

    def threshold(self, feature: int, bin: int) -> float:  # noqa: A002 - the engine's word for it
        """Return the largest value that a split at this bin sends to the left.

        Parameters
        ----------
        feature : int
            From 0 to `n_features` - 1.
        bin : int
            From 0 to the feature's number of cut points - 1: nothing can be split off behind the last bin.

        Raises
        ------
        InvalidInput
            No such feature, or no cut behind that bin.

        Examples
        --------
        >>> import numpy as np
        >>> Binned.from_array(np.array([[1.0], [2.0], [4.0]])).threshold(0, 1)
        3.0
        """
        if not 0 <= feature < self.n_features:
            raise InvalidInput(f"feature must be between 0 and {self.n_features - 1}, got {feature}: choose another")
        cuts = self.cut_points[feature]
        if not 0 <= bin < cuts.size:
            raise InvalidInput(
                f"bin must be from 0 and below {cuts.size}, the number of cut points of feature {feature}, "
                f"got {bin}: a feature without cut points cannot be split"
            )
        return float(cuts[bin])


def _checked_max_bins(max_bins: Any) -> int:
    whole = isinstance(max_bins, int | np.integer) and not isinstance(max_bins, bool)
    if not whole or not 2 <= max_bins <= MAX_BINS:
        raise InvalidInput(f"max_bins must be an int from 2 to {MAX_BINS}, got {max_bins!r}: choose one in that range")
    return int(max_bins)


def _as_numbers(values: Any, what: str) -> NDArray[np.floating[Any]]:
    """Return aligned float64 or float32 in native byte order, without a copy where it is that already."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        kind = type(values).__name__ if array.dtype.kind == "O" else f"dtype {array.dtype}"
        raise InvalidInput(f"{what} must be a dense array of numbers, got {kind}: encode it as float64 first")
    dtype = np.dtype(np.float32) if array.dtype == np.float32 else np.dtype(np.float64)
    if array.dtype != dtype or not array.flags.aligned or any(step % dtype.itemsize for step in array.strides):
        return np.array(array, dtype=dtype)
    return array


def _checked_matrix(X: Any) -> NDArray[np.floating[Any]]:
    matrix = _as_numbers(X, "X")
    if matrix.ndim != 2:
        raise InvalidInput(f"X must have two dimensions (rows, features), got shape {matrix.shape}: reshape it")
    return matrix
