"""The members of a model of several replicas: what each predicts, and which rows each has left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.trees import PREDICTED, TreeEnsemble

__all__ = ["Members", "packed_rows", "parts_of"]

_FLOATS_AT_ONCE = 2**19
"""Scores of members held at a time: 4 MB."""


@dataclass(frozen=True, eq=False, repr=False)
class Members:
    """What members have beyond the structure of their trees, which they share with the model.

    Parameters
    ----------
    value : array of float64, shape (n_nodes,)
        Leaves of each member, not divided by their number.
    count : array of int64, shape (n_nodes,), optional
        Training rows of each node; by default as the model has them.
    base : array of float64, shape (n_replicas * n_outputs,)
    n_replicas : int
    left_out : array of uint8, shape (ceil(n_rows / 8), n_replicas)
        Bits of the training rows that each replica may predict because it has not seen them (`packed_rows`).
    n_rows : int
        Training rows.
    """

    value: NDArray[np.float64]
    count: NDArray[np.int64] | None
    base: NDArray[np.float64]
    n_replicas: int
    left_out: NDArray[np.uint8]
    n_rows: int

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_trees"}

    def trees(self, ensemble: TreeEnsemble) -> TreeEnsemble:
        """Return the members' trees, made of the model's on first use: output k * n_outputs + o is replica k's o."""
        made: TreeEnsemble | None = self.__dict__.get("_trees")
        if made is None:
            count = ensemble.count if self.count is None else self.count
            made = replace(ensemble, value=self.value, count=count, base=self.base)
            object.__setattr__(self, "_trees", made)
        return made

    def scores(
        self, ensemble: TreeEnsemble, X: NDArray[np.floating[Any]], n_threads: int
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield the scores of all members, shape (rows, n_replicas, n_outputs), some rows at a time."""
        trees = self.trees(ensemble)
        for part in parts_of(len(X), trees.n_outputs):
            yield part, trees.raw(X[part], n_threads).reshape(part.stop - part.start, self.n_replicas, -1)

    def has_left_out(self) -> NDArray[np.bool_]:
        """Return which rows each replica has left out, shape (n_rows, n_replicas)."""
        return np.unpackbits(self.left_out, axis=0, count=self.n_rows).astype(bool)


def parts_of(n_rows: int, n_scores: int) -> Iterator[slice]:
    """Yield rows, so many at a time that so many scores of each take some megabytes."""
    step = max(1, _FLOATS_AT_ONCE // n_scores)
    for first in range(0, n_rows, step):
        yield slice(first, min(first + step, n_rows))


def packed_rows(left_out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack the roles of rows that replicas left out, one bit for each row to be predicted.

    Examples
    --------
    >>> packed_rows(np.array([[3], [0], [2]], dtype=np.uint8))
    array([[160]], dtype=uint8)
    """
    return np.packbits((left_out & PREDICTED) != 0, axis=0)
