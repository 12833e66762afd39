"""Ensembles read back: rows walked node by node in plain NumPy, leaves replayed from the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.trees import TreeEnsemble

ARRAYS = ("starts", "feature", "threshold", "left", "missing_left", "value", "gain", "count", "base")


def assert_same_bits(one: TreeEnsemble, other: TreeEnsemble) -> None:
    """Fail unless all arrays of two ensembles have the same bytes."""
    for name in ARRAYS:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype, f"{name}: {a.dtype} and {b.dtype}"
        assert a.shape == b.shape, f"{name}: {a.shape} and {b.shape}"
        assert a.tobytes() == b.tobytes(), f"{name} differs at {np.flatnonzero(a != b)[:5]}"
    assert one.n_features == other.n_features


def same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Say whether two arrays have one dtype, one shape and the same bytes (so that -0.0 is not 0.0)."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def walk_leaves(ensemble: TreeEnsemble, X: NDArray[Any]) -> NDArray[np.int64]:
    """Return the leaf that each row reaches in each tree, shape (n_rows, n_trees): x <= threshold goes left."""
    X = np.asarray(X, dtype=np.float64)
    rows = np.arange(len(X))
    found = np.empty((len(X), ensemble.starts.size - 1), dtype=np.int64)
    for tree, start in enumerate(ensemble.starts[:-1]):
        at = np.zeros(len(X), dtype=np.int64)
        while True:
            node = start + at
            feature = ensemble.feature[node]
            inner = feature >= 0
            if not inner.any():
                break
            x = X[rows, np.maximum(feature, 0)]
            goes_left = np.where(np.isnan(x), ensemble.missing_left[node], x <= ensemble.threshold[node])
            at = np.where(inner, ensemble.left[node] + ~goes_left, at)
        found[:, tree] = at
    return found


def walk_raw(ensemble: TreeEnsemble, X: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sums over all trees, added in float64 in their order, shape (n_rows, n_outputs)."""
    leaves = walk_leaves(ensemble, X)
    n_outputs = ensemble.base.size
    scores = np.tile(ensemble.base, (len(leaves), 1))
    for tree, start in enumerate(ensemble.starts[:-1]):
        scores[:, tree % n_outputs] += ensemble.value[start + leaves[:, tree]]
    return scores
