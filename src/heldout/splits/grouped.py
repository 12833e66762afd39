"""Whole groups held out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, n_rows, whole_number
from heldout._random import seed_of, stream
from heldout.splits.dealing import deal, is_class_target
from heldout.splits.splitter import Fold, Frozen, own_groups

__all__ = ["GroupFolds"]


class GroupFolds(Frozen):
    """K folds of whole groups: no group is ever on both sides.

    Groups are dealt the largest first, so that folds have nearly equal numbers of rows; when `y` holds
    classes (any dtype but floating point), also nearly equal shares of every class, as far as whole groups
    allow.

    Parameters
    ----------
    n_folds : int, default 10
        Folds per repeat, at most one per group.
    n_repeats : int, default 1
        Times the groups are dealt afresh. With one group per fold all repeats would be the same, so only
        one is made.
    random_state : None, int or numpy generator, default 0
    groups : array of shape (n_rows,), optional
        Label of each row's group; else those passed to `split`.

    Raises
    ------
    InvalidInput
        Counts that are not whole numbers of at least 2 and 1; in `split`, no groups, fewer than two, or
        another number of labels than rows.

    Examples
    --------
    >>> folds = GroupFolds(n_folds=2, groups=["a", "a", "b", "b", "c", "c", "d", "d"])
    >>> folds
    GroupFolds(n_folds=2, n_repeats=1, random_state=0, groups=<8 values>)
    >>> [len(test) for _, test in folds.split(range(8))]
    [4, 4]
    """

    scheme: ClassVar[Literal["group"]] = "group"
    n_folds: int
    n_repeats: int
    random_state: Any
    groups: ArrayLike | None

    def __init__(
        self, n_folds: int = 10, n_repeats: int = 1, random_state: Any = 0, groups: ArrayLike | None = None
    ) -> None:
        self._set(
            n_folds=whole_number(n_folds, "n_folds", 2),
            n_repeats=whole_number(n_repeats, "n_repeats", 1),
            random_state=random_state,
            groups=groups,
        )

    def units(self, n_rows: int, groups: Any = None) -> NDArray[np.intp]:
        """Return the code of each row's group."""
        return own_groups(self.groups, groups, n_rows)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002 - scikit-learn's signature
        """Return the number of folds over all repeats; without groups, the number asked for."""
        given = self.groups if self.groups is not None else groups
        if given is None:
            return self.n_folds * self.n_repeats
        n_folds, n_repeats = self._counts(self.units(len(np.asarray(given)), groups))
        return n_folds * n_repeats

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (training rows, test rows) of each fold, repeat after repeat."""
        n = n_rows(X)
        units = self.units(n, groups)
        classes = np.zeros(n, dtype=np.intp)
        if y is not None and is_class_target(np.asarray(y)):
            classes = as_codes(y, n, "y")[0]
        n_folds, n_repeats = self._counts(units)
        seed = seed_of(self.random_state)
        for repeat in range(n_repeats):
            fold = deal(n_folds, stream(seed, "folds", repeat), classes=classes, units=units)
            for k in range(n_folds):
                yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)

    def _counts(self, units: NDArray[np.intp]) -> tuple[int, int]:
        n_groups = int(units.max()) + 1
        return min(self.n_folds, n_groups), self.n_repeats if n_groups > self.n_folds else 1
