"""Folds of rows that may be taken as independent: at random, or with equal shares of every class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, n_rows, whole_number
from heldout._random import seed_of, stream
from heldout.errors import InvalidInput
from heldout.splits.dealing import deal
from heldout.splits.splitter import Fold, Frozen

__all__ = ["RandomFolds", "StratifiedFolds"]


class RandomFolds(Frozen):
    """K folds of rows drawn at random.

    Parameters
    ----------
    n_folds : int, default 10
        Folds per repeat.
    n_repeats : int, default 1
        Times the rows are dealt afresh; every row is tested once per repeat.
    random_state : None, int or numpy generator, default 0
    units : array of shape (n_rows,), optional
        Rows with equal labels (exact copies of one another) stay in one fold.

    Raises
    ------
    InvalidInput
        Counts that are not whole numbers of at least 2 and 1; in `split`, fewer rows (or units) than folds,
        or `units` of another length than the rows.

    Examples
    --------
    >>> folds = RandomFolds(n_folds=5)
    >>> folds
    RandomFolds(n_folds=5, n_repeats=1, random_state=0)
    >>> sorted(len(test) for _, test in folds.split(range(12)))
    [2, 2, 2, 3, 3]
    """

    scheme: ClassVar[Literal["random", "stratified"]] = "random"
    n_folds: int
    n_repeats: int
    random_state: Any

    def __init__(
        self, n_folds: int = 10, n_repeats: int = 1, random_state: Any = 0, units: ArrayLike | None = None
    ) -> None:
        self._set(
            n_folds=whole_number(n_folds, "n_folds", 2),
            n_repeats=whole_number(n_repeats, "n_repeats", 1),
            random_state=random_state,
            units=units,
        )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002 - scikit-learn's signature
        """Return the number of folds over all repeats."""
        return self.n_folds * self.n_repeats

    def units(self, n_rows: int, groups: Any = None) -> NDArray[np.intp] | None:  # noqa: ARG002 - as the protocol has it
        """Return the codes of the rows kept together; None when every row stands alone."""
        given = vars(self)["_units"]
        return None if given is None else as_codes(given, n_rows, "units")[0]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:  # noqa: ARG002 - scikit-learn's signature
        """Yield (training rows, test rows) of each fold, repeat after repeat."""
        n = n_rows(X)
        units = self.units(n)
        n_units = n if units is None else int(units.max(initial=-1)) + 1
        if n_units < self.n_folds:
            what = "rows" if units is None else "distinct units"
            raise InvalidInput(f"n_folds={self.n_folds} needs as many {what}, got {n_units}: ask for fewer folds")
        classes = self._classes(n, y)
        seed = seed_of(self.random_state)
        for repeat in range(self.n_repeats):
            fold = deal(self.n_folds, stream(seed, "folds", repeat), classes=classes, units=units)
            for k in range(self.n_folds):
                yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)

    def _classes(self, n: int, y: Any) -> NDArray[np.intp]:  # noqa: ARG002 - the stratified folds look at y
        return np.zeros(n, dtype=np.intp)


class StratifiedFolds(RandomFolds):
    """K folds at random, each with an equal share of every class.

    The rows of each class are dealt evenly: the count of a class differs by at most one between folds, and
    so does the number of rows. A class with fewer rows than folds is spread as far as it goes; it is then
    missing from some test parts, and from a training part only if it has a single row.

    Parameters
    ----------
    n_folds : int, default 10
    n_repeats : int, default 1
    random_state : None, int or numpy generator, default 0
    units : array of shape (n_rows,), optional
        Rows with equal labels stay in one fold; shares are then as even as that allows.

    Raises
    ------
    InvalidInput
        As `RandomFolds`, and in `split` when `y` is not given.

    Examples
    --------
    >>> y = ["a"] * 6 + ["b"] * 3
    >>> [sorted(y[i] for i in test) for _, test in StratifiedFolds(n_folds=3).split(y, y)]
    [['a', 'a', 'b'], ['a', 'a', 'b'], ['a', 'a', 'b']]
    """

    scheme = "stratified"

    def _classes(self, n: int, y: Any) -> NDArray[np.intp]:
        if y is None:
            raise InvalidInput("StratifiedFolds deals the classes evenly, got no y: pass y, or use RandomFolds")
        return as_codes(y, n, "y")[0]
