"""Rows held out that come later than those learned from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import n_rows, whole_number
from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.splits.dealing import deal
from heldout.splits.splitter import Fold, Frozen, own_groups
from heldout.splits.timeline import Timeline

__all__ = ["BlockedTime", "GroupTime"]


class BlockedTime(Frozen):
    """Forward chaining: each block of time is predicted from all that came before it.

    The rows are sorted by time and cut into `n_blocks` + 1 blocks of nearly equal size, never between rows of
    equal time. The first block is only learned from; every later one is tested once, by a model that learned
    from all earlier rows but the last `gap`.

    Parameters
    ----------
    n_blocks : int, default 8
        Test blocks, at most one fewer than there are distinct times.
    gap : int, default 0
        Rows left out of training before each test block (more where equal times would be cut), for targets
        that are known only later. A block that has no rows left to learn from is not tested.
    time : array of shape (n_rows,), optional
        Numbers or datetimes; without it the order of the rows.

    Raises
    ------
    InvalidInput
        Counts that are not whole numbers; in `split`, `time` of another length, missing or unsortable times,
        fewer than 2 distinct times, or a gap that leaves no block testable.

    Examples
    --------
    >>> for train, test in BlockedTime(n_blocks=3, gap=1).split(range(8)):
    ...     print(train, test)
    [0] [2 3]
    [0 1 2] [4 5]
    [0 1 2 3 4] [6 7]
    """

    scheme: ClassVar[Literal["blocked_time"]] = "blocked_time"
    n_blocks: int
    gap: int
    time: ArrayLike | None

    def __init__(self, n_blocks: int = 8, gap: int = 0, time: ArrayLike | None = None) -> None:
        self._set(n_blocks=whole_number(n_blocks, "n_blocks", 1), gap=whole_number(gap, "gap", 0), time=time)

    def units(self, n_rows: int, groups: Any = None) -> NDArray[np.intp]:  # noqa: ARG002 - as the protocol has it
        """Return the code of each row's block of time, 0 for the first, which is never tested."""
        return Timeline.of(self.time, n_rows).cut(self.n_blocks + 1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of blocks that are tested; without rows to look at, the number asked for."""
        if X is None and self.time is None:
            return self.n_blocks
        rows = X if X is not None else np.empty(len(np.asarray(self.time)))
        return sum(1 for _ in self.split(rows, y, groups))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:  # noqa: ARG002 - scikit-learn's signature
        """Yield (training rows, test rows) of each tested block, the earliest first."""
        timeline = Timeline.of(self.time, n_rows(X))
        block = timeline.cut(self.n_blocks + 1)
        folds = []
        for k in range(1, int(block.max()) + 1):
            train = np.flatnonzero(timeline.before(block == k, self.gap))
            if len(train):
                folds.append((train, np.flatnonzero(block == k)))
        if not folds:
            raise InvalidInput(f"gap={self.gap} leaves no rows before any of {block.max()} blocks: give a smaller gap")
        yield from folds


class GroupTime(Frozen):
    """New groups at later times: neither the group of a test row nor any later row is learned from.

    The groups are dealt into `n_parts` parts and the rows cut into blocks of time as by `BlockedTime`. Each
    fold tests the rows of one part in one block, by a model that learned from the earlier rows of the other
    parts, so every row after the first block is tested at most once.

    Parameters
    ----------
    n_blocks : int, default 4
        Test blocks of time, at most one fewer than there are distinct times.
    gap : int, default 0
        Rows left out before each test block, as by `BlockedTime`.
    time : array of shape (n_rows,), optional
        Numbers or datetimes; without it the order of the rows.
    groups : array of shape (n_rows,), optional
        Label of each row's group; else those passed to `split`.
    random_state : None, int or numpy generator, default 0
    n_parts : int, default 3
        Parts of the groups, at most one per group.

    Raises
    ------
    InvalidInput
        As `BlockedTime` and `GroupFolds`, and in `split` when no fold has rows to learn from.

    Examples
    --------
    >>> folds = GroupTime(n_blocks=1, n_parts=2, groups=["a", "b", "a", "b"])
    >>> [(train.tolist(), test.tolist()) for train, test in folds.split(range(4))]
    [([0], [3]), ([1], [2])]
    """

    scheme: ClassVar[Literal["group_time"]] = "group_time"
    n_blocks: int
    gap: int
    time: ArrayLike | None
    groups: ArrayLike | None
    random_state: Any
    n_parts: int

    def __init__(
        self,
        n_blocks: int = 4,
        gap: int = 0,
        time: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        random_state: Any = 0,
        n_parts: int = 3,
    ) -> None:
        self._set(
            n_blocks=whole_number(n_blocks, "n_blocks", 1),
            gap=whole_number(gap, "gap", 0),
            time=time,
            groups=groups,
            random_state=random_state,
            n_parts=whole_number(n_parts, "n_parts", 2),
        )

    def units(self, n_rows: int, groups: Any = None) -> NDArray[np.intp]:  # noqa: ARG002 - as the protocol has it
        """Return the code of each row's block of time, 0 for the first, which is never tested."""
        return Timeline.of(self.time, n_rows).cut(self.n_blocks + 1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002 - scikit-learn's signature
        """Return the number of folds that have rows on both sides; without rows, the most there can be."""
        given = next((part for part in (X, self.groups, groups, self.time) if part is not None), None)
        if given is None:
            return self.n_blocks * self.n_parts
        n = n_rows(given)
        return len(self._folds(n, own_groups(self.groups, groups, n))[0])

    def n_dropped(self, X: Any, groups: Any = None) -> int:
        """Return the number of folds with rows to test but none to learn from, which `split` leaves out."""
        n = n_rows(X)
        return self._folds(n, own_groups(self.groups, groups, n))[1]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:  # noqa: ARG002 - scikit-learn's signature
        """Yield (training rows, test rows) of each fold, the earliest block first."""
        n = n_rows(X)
        folds, n_dropped = self._folds(n, own_groups(self.groups, groups, n))
        if not folds:
            raise InvalidInput(f"none of {n_dropped} folds has earlier rows of other groups: give a smaller gap")
        yield from folds

    def _folds(self, n: int, groups: NDArray[np.intp]) -> tuple[list[Fold], int]:
        timeline = Timeline.of(self.time, n)
        block = timeline.cut(self.n_blocks + 1)
        n_parts = min(self.n_parts, int(groups.max()) + 1)
        one_class = np.zeros(n, dtype=np.intp)
        part = deal(n_parts, stream(self.random_state, "parts"), classes=one_class, units=groups)
        folds, n_dropped = [], 0
        for k in range(1, int(block.max()) + 1):
            earlier = timeline.before(block == k, self.gap)
            for j in range(n_parts):
                train, test = (
                    np.flatnonzero(earlier & (part != j)),
                    np.flatnonzero((block == k) & (part == j)),
                )
                if len(test) and len(train):
                    folds.append((train, test))
                elif len(test):
                    n_dropped += 1
        return folds, n_dropped
