"""Trees that are added up: as flat arrays, and their predictions by the engine."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout import _native
from heldout.errors import InvalidInput

__all__ = ["MOST_FEATURES", "TreeEnsemble"]

MOST_FEATURES = 65_535
"""Most features that trees can ask for: a node numbers them in 16 bits."""


@dataclass(frozen=True, eq=False, repr=False)
class TreeEnsemble:
    r"""Trees whose leaf values are added to a base, tree by tree.

    A row goes left at a node where its value is at most the threshold, and where it is missing and `missing_left` says
    so. Output :math:`k` of a row is :math:`\mathrm{base}_k + \sum_{t \equiv k} v_t`, where :math:`v_t` is the value of
    the leaf that the row reaches in tree :math:`t`, trees belonging to outputs in turn, added in float64 in the order
    of the trees. A row's outputs do not depend on the rows beside it.

    Parameters
    ----------
    starts : array of int64, shape (n_trees + 1,)
        Where the nodes of each tree begin; the last entry is the number of nodes.
    feature : array of int32, shape (n_nodes,)
        -1 in a leaf.
    threshold : array of float64, shape (n_nodes,)
        0 in a leaf.
    left : array of int32, shape (n_nodes,)
        Number of the left child in its tree, behind its parent; the right child is the next. 0 in a leaf.
    missing_left : array of bool, shape (n_nodes,)
    value : array of float64, shape (n_nodes,)
        What a leaf adds; 0 elsewhere.
    gain : array of float64, shape (n_nodes,)
        By how much a split lowers the training loss, to second order; 0 in a leaf.
    count : array of int64, shape (n_nodes,)
        Training rows of the node, each as often as its whole-number weight says.
    base : array of float64, shape (n_outputs,)
    n_features : int
    ready : bool, default True
        Whether the trees are checked and made ready to predict at once, or when they are first asked to.

    Examples
    --------
    >>> import numpy as np
    >>> stump = TreeEnsemble(
    ...     starts=np.array([0, 3]), feature=np.array([0, -1, -1], np.int32), threshold=np.array([1.5, 0, 0]),
    ...     left=np.array([1, 0, 0], np.int32), missing_left=np.array([False, False, False]),
    ...     value=np.array([0, -1.0, 2.0]), gain=np.zeros(3), count=np.array([4, 2, 2]), base=np.array([10.0]),
    ...     n_features=1)
    >>> stump.raw(np.array([[1.0], [2.0], [np.nan]]))[:, 0]
    array([ 9., 12., 12.])
    """

    starts: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    gain: NDArray[np.float64]
    count: NDArray[np.int64]
    base: NDArray[np.float64]
    n_features: int
    ready: InitVar[bool] = True

    def __post_init__(self, ready: bool) -> None:
        if len(self.gain) != len(self.feature) or len(self.count) != len(self.feature):
            raise InvalidInput(
                f"gain and count must have one entry for each of {len(self.feature)} nodes, got {len(self.gain)} and "
                f"{len(self.count)}: pass zeros where they are not known"
            )
        if ready:
            self._predictor  # noqa: B018 - makes it, and so checks the arrays

    @cached_property
    def _predictor(self) -> _native.Predictor:
        return _native.Predictor(
            self.starts,
            self.feature,
            self.threshold,
            self.left,
            self.missing_left,
            self.value,
            self.n_features,
            self.base.tolist(),
        )

    def __repr__(self) -> str:
        return f"TreeEnsemble(n_trees={self.n_trees}, n_features={self.n_features}, n_outputs={self.n_outputs})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_predictor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__(ready=True)

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return self.starts.size - 1

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return self.base.size

    def raw(self, X: NDArray[np.floating[Any]], n_threads: int = 1) -> NDArray[np.float64]:
        """Return the sums over all trees.

        Parameters
        ----------
        X : array of float32 or float64, shape (n_rows, n_features)
            In any memory order; NaN is missing.

        Returns
        -------
        raw : array of float64, shape (n_rows, n_outputs)
        """
        return self._predictor.predict(X, 0, self.n_trees, n_threads)

    def add_trees(
        self, X: NDArray[np.floating[Any]], onto: NDArray[np.float64], first: int, last: int, n_threads: int = 1
    ) -> None:
        """Add trees `first` to `last` - 1 to `onto`, shape (n_rows, n_outputs), in place."""
        self._predictor.predict(X, first, last, n_threads, onto)

    def leaves(self, X: NDArray[np.floating[Any]], n_threads: int = 1) -> NDArray[np.int32]:
        """Return the number of the leaf that each row reaches in each tree, shape (n_rows, n_trees)."""
        return self._predictor.apply(X, n_threads)

    def head(self, n_trees: int) -> TreeEnsemble:
        """Return the ensemble of the first trees.

        Raises
        ------
        InvalidInput
            More trees than there are, or not a whole number of rounds.
        """
        if not 0 <= n_trees <= self.n_trees or n_trees % self.n_outputs:
            raise InvalidInput(
                f"n_trees must be from 0 to {self.n_trees} in steps of {self.n_outputs}, got {n_trees}: ask for fewer"
            )
        end = int(self.starts[n_trees])
        arrays: dict[str, Any] = {name: getattr(self, name)[:end] for name in _OF_NODES}
        return TreeEnsemble(self.starts[: n_trees + 1], **arrays, base=self.base, n_features=self.n_features)

    def of_output(self, output: int) -> TreeEnsemble:
        """Return the trees of one output.

        Raises
        ------
        InvalidInput
            No such output.
        """
        if not 0 <= output < self.n_outputs:
            raise InvalidInput(f"output must be from 0 to {self.n_outputs - 1}, got {output}: choose one of these")
        trees = np.arange(output, self.n_trees, self.n_outputs)
        lengths = np.diff(self.starts)[trees]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        nodes = np.arange(starts[-1]) + np.repeat(self.starts[trees] - starts[:-1], lengths)
        arrays: dict[str, Any] = {name: getattr(self, name)[nodes] for name in _OF_NODES}
        return TreeEnsemble(starts, **arrays, base=self.base[output : output + 1], n_features=self.n_features)

    def followed_by(self, later: TreeEnsemble) -> TreeEnsemble:
        """Return the ensemble of these trees and then those of another one with the same features and outputs."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in _OF_NODES
        }
        starts = np.concatenate([self.starts, later.starts[1:] + self.starts[-1]])
        return TreeEnsemble(starts, **arrays, base=self.base, n_features=self.n_features)


_OF_NODES = ("feature", "threshold", "left", "missing_left", "value", "gain", "count")
