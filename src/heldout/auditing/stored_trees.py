"""Trees of every kind as one set of flat arrays, and their predictions by the engine or by NumPy alone.

A row goes left where its value is at most the threshold, and where it is missing and `missing_left` says so.
scikit-learn's single trees and forests compare values rounded to float32 and average the leaves in the order of
the trees; our boosting and its histogram boosting compare float64 and add the leaves to a baseline. Both are repeated
here in the same order, so predictions are equal bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from heldout._threads import n_threads
from heldout.auditing.engine_trees import engine_trees
from heldout.auditing.stored_links import LINKS, check_classes, label_array, probabilities
from heldout.trees import TreeEnsemble

__all__ = ["StoredTrees", "freeze_boosting", "freeze_forest", "freeze_histogram_boosting", "freeze_tree"]


@dataclass(frozen=True, eq=False)
class StoredTrees:
    """A fitted tree, forest or boosting, as arrays.

    Parameters
    ----------
    feature, threshold, left, right, missing_left : array, shape (n_nodes,)
        Nodes of all trees one after the other. `feature` is -1 in a leaf; `left` and `right` are node numbers.
        Where the threshold is infinite, only missing values can go right.
    value : array, shape (n_nodes, n_values)
        What a leaf predicts; zeros elsewhere.
    roots : array, shape (n_trees,)
        Number of each tree's first node.
    output : array, shape (n_trees,)
        Output column that a tree adds to, when its leaves hold one value; 0 when they hold one per output.
    baseline : array, shape (n_outputs,)
        What the sum over trees starts from.
    """

    kind: ClassVar[str] = "trees"
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]
    output: NDArray[np.int32]
    baseline: NDArray[np.float64]
    n_features: int
    average: bool
    single_precision: bool
    link: str
    classes: tuple[Any, ...] | None

    def check(self) -> None:
        """Raise ValueError unless every index is in bounds and every tree ends."""
        n, n_outputs = len(self.feature), len(self.baseline)
        _check_types(self)
        if any(len(a) != n for a in (self.threshold, self.left, self.right, self.missing_left, self.value)):
            raise ValueError("the arrays of the nodes differ in length")
        if len(self.output) != len(self.roots) or not len(self.roots) or n_outputs < 1:
            raise ValueError("there are no trees, or not one output for each")
        if self.roots[0] != 0 or (np.diff(self.roots) <= 0).any() or self.roots[-1] >= n:
            raise ValueError("the trees do not follow one another")
        if ((self.output < 0) | (self.output >= n_outputs)).any() or self.value.shape[1] not in (1, n_outputs):
            raise ValueError("a tree adds to an output that is not there")
        if (self.feature < -1).any() or (self.feature >= self.n_features).any():
            raise ValueError(f"a node asks for a feature beyond the {self.n_features} there are")
        inner = np.flatnonzero(self.feature >= 0)
        if np.isnan(self.threshold).any():
            raise ValueError("a threshold is NaN")
        end = np.append(self.roots[1:], n)[np.searchsorted(self.roots, inner, side="right") - 1]
        for child in (self.left[inner], self.right[inner]):
            # Children after their parent: no node is met twice, so every row reaches a leaf.
            if ((child <= inner) | (child >= end)).any():
                raise ValueError("a node's child lies before it or outside its tree")
        leaf = self.feature < 0
        if self.left[leaf].any() or self.right[leaf].any():
            raise ValueError("a leaf has children")
        if not np.isfinite(self.value).all() or not np.isfinite(self.baseline).all():
            raise ValueError("a leaf's value or the baseline is not finite")
        check_classes(self.classes, n_outputs, self.link)

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the classes, in the order of the probabilities."""
        return label_array(self.classes)

    def _leaves(self, X: NDArray[Any], root: int) -> NDArray[np.intp]:
        node = np.full(len(X), root, np.intp)
        rows = np.arange(len(X))
        while rows.size:
            here = node[rows]
            feature = self.feature[here]
            inner = feature >= 0
            rows, here = rows[inner], here[inner]
            x = X[rows, feature[inner]]
            goes_left = np.where(np.isnan(x), self.missing_left[here], x <= self.threshold[here])
            node[rows] = np.where(goes_left, self.left[here], self.right[here])
        return node

    @cached_property
    def _engine(self) -> TreeEnsemble | None:
        return engine_trees(self)

    def raw(self, X: Any) -> NDArray[np.float64]:
        """Return the sum or mean of the leaves, shape (n_rows, n_outputs)."""
        X = np.asarray(X, dtype=np.float32 if self.single_precision else np.float64)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"X must have {self.n_features} columns, got shape {X.shape}")
        if self._engine is None:
            return self._raw_by_numpy(X)
        # Column order, because a softmax adds up rows in another order when they are contiguous.
        return np.asfortranarray(self._engine.raw(X if X.flags.forc else np.ascontiguousarray(X), n_threads(None)))

    def _raw_by_numpy(self, X: NDArray[Any]) -> NDArray[np.float64]:
        total = np.empty((len(X), len(self.baseline)), order="C" if self.average else "F")
        total[:] = self.baseline
        for root, output in zip(self.roots.tolist(), self.output.tolist(), strict=True):
            leaf = self.value[self._leaves(X, root)]
            if leaf.shape[1] == 1:
                total[:, output] += leaf[:, 0]
            else:
                total += leaf
        if self.average:
            total /= len(self.roots)
        return total

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the value or the most probable class of each row."""
        raw = self.raw(X)
        if self.classes is None:
            return np.asarray(LINKS[self.link](raw[:, 0]))
        best = (raw[:, 0] > 0).astype(int) if self.link == "expit" else np.argmax(raw, axis=1)
        return np.asarray(self.classes_[best])

    @available_if(lambda self: self.classes is not None)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, shape (n_rows, n_classes)."""
        raw = self.raw(X)
        if len(raw) == 1:  # alone it would lie contiguous, and a softmax would give other bits than beside other rows
            return probabilities(np.asfortranarray(np.repeat(raw, 2, axis=0)), self.link)[:1]
        return probabilities(raw, self.link)


def _check_types(trees: StoredTrees) -> None:
    kinds = {"feature": "i", "left": "i", "right": "i", "roots": "i", "output": "i", "missing_left": "b"}
    kinds |= {"threshold": "f", "value": "f", "baseline": "f"}
    for name, kind in kinds.items():
        array = getattr(trees, name)
        if not isinstance(array, np.ndarray) or array.dtype.kind != kind or array.ndim != 1 + (name == "value"):
            raise ValueError(f"{name} has another type or shape than it should")
    if not isinstance(trees.n_features, int) or trees.link not in LINKS:
        raise ValueError(f"n_features is {trees.n_features!r} and link is {trees.link!r}")


def _joined(parts: list[dict[str, NDArray[Any]]], **rest: Any) -> StoredTrees:
    """Lay trees one after the other; node numbers move up by the nodes before them."""
    sizes = np.array([len(part["feature"]) for part in parts])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    shift = np.repeat(roots, sizes)
    inner = columns["feature"] >= 0
    return StoredTrees(
        feature=columns["feature"].astype(np.int32),
        threshold=np.where(inner, columns["threshold"], 0.0),
        left=np.where(inner, columns["left"] + shift, 0).astype(np.int32),
        right=np.where(inner, columns["right"] + shift, 0).astype(np.int32),
        missing_left=np.asarray(columns["missing_left"], bool) & inner,
        value=np.where(inner[:, None], 0.0, columns["value"]),
        roots=roots.astype(np.int32),
        **rest,
    )


def _tree_nodes(tree: Any) -> dict[str, NDArray[Any]]:
    nodes = tree.__getstate__()["nodes"]
    leaf = nodes["left_child"] < 0
    return {
        "feature": np.where(leaf, -1, nodes["feature"]),
        "threshold": nodes["threshold"],
        "left": nodes["left_child"].astype(np.int64),
        "right": nodes["right_child"].astype(np.int64),
        "missing_left": nodes["missing_go_to_left"].astype(bool),
        "value": tree.value[:, 0, :],
    }


def freeze_forest(model: Any) -> StoredTrees | None:
    """Return a fitted forest of scikit-learn as arrays; None if it has several targets."""
    return _freeze_averaged(model, model.estimators_)


def freeze_tree(model: Any) -> StoredTrees | None:
    """Return a fitted single tree of scikit-learn as arrays; None if it has several targets."""
    return _freeze_averaged(model, [model])


def _freeze_averaged(model: Any, trees: list[Any]) -> StoredTrees | None:
    if model.n_outputs_ != 1:
        return None
    is_classifier = hasattr(model, "classes_")
    parts = [_tree_nodes(tree.tree_) for tree in trees]
    return _joined(
        parts,
        output=np.zeros(len(trees), np.int32),
        baseline=np.zeros(parts[0]["value"].shape[1]),
        n_features=int(model.n_features_in_),
        average=True,
        single_precision=True,
        link="identity",
        classes=tuple(model.classes_.tolist()) if is_classifier else None,
    )


def freeze_boosting(model: Any) -> StoredTrees:
    """Return a fitted boosting of heldout as arrays."""
    trees: TreeEnsemble = model.ensemble_
    classes = tuple(model.classes_.tolist()) if hasattr(model, "classes_") else None
    # A single class has one output too: the softmax of one score is 1.
    link = "identity" if classes is None else "expit" if len(classes) == 2 else "softmax"
    inner, first = trees.feature >= 0, np.repeat(trees.starts[:-1], np.diff(trees.starts))
    left = np.where(inner, trees.left + first, 0)
    return StoredTrees(
        feature=trees.feature,
        threshold=trees.threshold,
        left=left.astype(np.int32),
        right=np.where(inner, left + 1, 0).astype(np.int32),
        missing_left=trees.missing_left & inner,
        value=trees.value[:, None],
        roots=trees.starts[:-1].astype(np.int32),
        output=np.arange(trees.n_trees, dtype=np.int32) % trees.n_outputs,
        baseline=trees.base,
        n_features=trees.n_features,
        average=False,
        single_precision=False,
        link=link,
        classes=classes,
    )


_HISTOGRAM_LINKS = {
    "IdentityLink": "identity",
    "LogLink": "exp",
    "LogitLink": "expit",
    "MultinomialLogit": "softmax",
}


def freeze_histogram_boosting(model: Any) -> StoredTrees | None:
    """Return a fitted histogram boosting of scikit-learn as arrays; None if it splits on categories natively."""
    link = _HISTOGRAM_LINKS.get(type(model._loss.link).__name__)
    predictors = [tree for step in model._predictors for tree in step]
    if link is None or not predictors or any(tree.nodes["is_categorical"].any() for tree in predictors):
        return None
    parts = []
    for tree in predictors:
        nodes = tree.nodes
        leaf = nodes["is_leaf"].astype(bool)
        parts.append(
            {
                "feature": np.where(leaf, -1, nodes["feature_idx"]),
                "threshold": nodes["num_threshold"],
                "left": nodes["left"].astype(np.int64),
                "right": nodes["right"].astype(np.int64),
                "missing_left": nodes["missing_go_to_left"].astype(bool),
                "value": nodes["value"][:, None],
            }
        )
    n_outputs = int(model.n_trees_per_iteration_)
    return _joined(
        parts,
        output=np.tile(np.arange(n_outputs, dtype=np.int32), len(model._predictors)),
        # scikit-learn adds to zeros, which turns -0.0 into 0.0.
        baseline=np.broadcast_to(np.ravel(model._baseline_prediction), (n_outputs,)) + 0.0,
        n_features=int(model.n_features_in_),
        average=False,
        single_precision=False,
        link=link,
        classes=tuple(model.classes_.tolist()) if hasattr(model, "classes_") else None,
    )
