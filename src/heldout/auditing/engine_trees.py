"""Stored trees handed to the engine, where it can take them: the same bits as by NumPy, much faster.

It takes trees that are added up over float64, belong to the outputs in turn, and ask for at most 254 different
thresholds of a feature. In its trees the right child follows the left one, so nodes are numbered anew, level by level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heldout.trees import MAX_BINS, MOST_FEATURES, TreeEnsemble

if TYPE_CHECKING:
    from heldout.auditing.stored_trees import StoredTrees

__all__ = ["engine_trees"]


def engine_trees(trees: StoredTrees) -> TreeEnsemble | None:
    """Return the same trees for the engine, or None where it cannot take them.

    Parameters
    ----------
    trees : StoredTrees
        Checked.
    """
    n_outputs = len(trees.baseline)
    in_turn = np.array_equal(trees.output, np.arange(len(trees.output)) % n_outputs)
    if trees.average or trees.single_precision or trees.value.shape[1] != 1 or not in_turn:
        return None
    if not 1 <= trees.n_features <= MOST_FEATURES or _most_thresholds(trees.feature, trees.threshold) > MAX_BINS:
        return None
    order = _by_level(trees)
    if order is None:
        return None
    starts = np.append(trees.roots, len(trees.feature)).astype(np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    feature = trees.feature[order].astype(np.int32)
    left = np.where(trees.feature >= 0, trees.left, 0)
    within = place[left[order]] - np.repeat(starts[:-1], np.diff(starts))
    return TreeEnsemble(
        starts=starts,
        feature=feature,
        threshold=trees.threshold[order].astype(np.float64),
        left=np.where(feature >= 0, within, 0).astype(np.int32),
        missing_left=np.ascontiguousarray(trees.missing_left[order]),
        value=trees.value[order, 0].astype(np.float64),
        gain=np.zeros(len(order)),
        count=np.zeros(len(order), np.int64),
        base=trees.baseline.astype(np.float64),
        n_features=trees.n_features,
    )


def _most_thresholds(feature: NDArray[np.int32], threshold: NDArray[np.float64]) -> int:
    """Return the largest number of different thresholds that a feature has."""
    order = np.lexsort((threshold, feature))
    feature, threshold = feature[order], threshold[order]
    is_new = np.append(True, (feature[1:] != feature[:-1]) | (threshold[1:] != threshold[:-1]))
    return int(np.bincount(feature[is_new & (feature >= 0)], minlength=1).max())


def _by_level(trees: StoredTrees) -> NDArray[Any] | None:
    """Return the nodes by tree and level, siblings side by side; None where a node has not one parent."""
    inner = trees.feature >= 0
    children = np.column_stack([trees.left, trees.right])
    n_parents = np.bincount(children[inner].ravel(), minlength=len(inner))
    n_parents[trees.roots] += 1
    if (n_parents != 1).any():  # nobody grows such trees, but a file may hold them
        return None
    levels: list[NDArray[Any]] = [trees.roots]
    while (parents := levels[-1][inner[levels[-1]]]).size:
        levels.append(children[parents].ravel())
    order = np.concatenate(levels)
    tree = np.searchsorted(trees.roots, order, side="right")
    return order[np.argsort(tree, kind="stable")]
