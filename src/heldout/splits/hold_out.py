"""One part of the rows set aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, n_rows, whole_number
from heldout._random import seed_of, stream
from heldout.errors import InvalidInput
from heldout.splits.splitter import Fold, Frozen, Scheme, own_groups
from heldout.splits.timeline import Timeline

__all__ = ["HoldOut"]


class HoldOut(Frozen):
    """One test part: random rows, whole groups, or the last rows in time.

    Parameters
    ----------
    fraction : float, default 0.2
        Share of the rows to test, above 0 and below 1. Groups are taken whole, in random order, while that
        comes nearer to the share; equal times are never parted.
    n_repeats : int, default 1
        Times the test part is drawn afresh; with `time` there is only one.
    random_state : None, int or numpy generator, default 0
    groups, time : arrays of shape (n_rows,), optional
        At most one of them.

    Raises
    ------
    InvalidInput
        A fraction outside (0, 1), both `groups` and `time`, and in `split` arrays of another length or too
        few rows, groups or distinct times to part.

    Examples
    --------
    >>> train, test = next(HoldOut(0.25, time=[3, 1, 2, 4]).split(range(4)))
    >>> train, test
    (array([0, 1, 2]), array([3]))
    """

    fraction: float
    n_repeats: int
    random_state: Any
    groups: ArrayLike | None
    time: ArrayLike | None

    def __init__(
        self,
        fraction: float = 0.2,
        n_repeats: int = 1,
        random_state: Any = 0,
        groups: ArrayLike | None = None,
        time: ArrayLike | None = None,
    ) -> None:
        if not 0 < fraction < 1:
            raise InvalidInput(f"fraction must lie between 0 and 1, got {fraction!r}: 0.2 tests a fifth of the rows")
        if groups is not None and time is not None:
            raise InvalidInput("HoldOut takes groups or time, got both: use GroupTime")
        self._set(
            fraction=fraction,
            n_repeats=whole_number(n_repeats, "n_repeats", 1),
            random_state=random_state,
            groups=groups,
            time=time,
        )

    @property
    def scheme(self) -> Scheme:
        """The name of the scheme: random, group or blocked_time."""
        if self.groups is not None:
            return "group"
        return "random" if self.time is None else "blocked_time"

    def units(self, n_rows: int, groups: Any = None) -> NDArray[np.intp] | None:  # noqa: ARG002 - as the protocol has it
        """Return group codes, or the codes of distinct times, or None."""
        if self.groups is not None:
            return as_codes(self.groups, n_rows)[0]
        return None if self.time is None else Timeline.of(self.time, n_rows).rank

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002 - scikit-learn's signature
        """Return the number of repeats."""
        return 1 if self.time is not None else self.n_repeats

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:  # noqa: ARG002 - scikit-learn's signature
        """Yield (training rows, test rows), once per repeat."""
        n = n_rows(X)
        if n < 2:
            raise InvalidInput(f"HoldOut needs at least 2 rows, got {n}")
        seed = seed_of(self.random_state)
        for repeat in range(self.get_n_splits()):
            test = self._tested(n, stream(seed, "hold out", repeat))
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def _tested(self, n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        if self.time is not None:
            unit = Timeline.of(self.time, n).rank
            order = np.arange(int(unit.max()), -1, -1)
        else:
            unit = np.arange(n) if self.groups is None else own_groups(self.groups, None, n)
            order = rng.permutation(int(unit.max()) + 1)
        taken = np.cumsum(np.bincount(unit)[order])
        # At least one unit on either side, else as near to the share as whole units come.
        n_taken = 1 + int(np.argmin(np.abs(taken[:-1] - self.fraction * n)))
        return np.isin(unit, order[:n_taken])
