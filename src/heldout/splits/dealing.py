"""Deal rows or whole units over folds: as even as can be, by rows and by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["deal", "is_class_target"]


def is_class_target(y: NDArray[np.generic]) -> bool:
    """Say whether `y` holds classes: anything but floating-point numbers."""
    return y.dtype.kind not in "fc"


def deal(
    n_folds: int,
    rng: np.random.Generator,
    *,
    classes: NDArray[np.intp],
    units: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Return the fold of each row.

    Units of several rows go first, the largest first (longest processing time, Graham 1969), each to the fold
    that stays nearest to equal shares. Single rows then fill each class up to one level, what is left over
    going to the folds with the fewest rows. Without larger units, fold sizes and the counts of every class
    therefore differ by at most one between folds.

    Parameters
    ----------
    n_folds : int
    rng : numpy Generator
    classes : array of int, shape (n_rows,)
        Code of the class of each row; all zero when there is nothing to stratify by.
    units : array of int, shape (n_rows,), optional
        Rows with equal codes stay together.

    Returns
    -------
    array of int, shape (n_rows,)
    """
    n_classes = int(classes.max()) + 1 if len(classes) else 1
    counts = np.zeros((n_folds, n_classes), dtype=np.intp)
    fold = np.full(len(classes), -1, dtype=np.intp)
    single = np.ones(len(classes), dtype=bool)
    if units is not None:
        single = np.bincount(units)[units] == 1
        _deal_units(fold, counts, classes, units, single, rng)
    # The order of classes and rows is shuffled so that no fold is favoured by how the file is sorted.
    shuffled = rng.permutation(np.flatnonzero(single))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    ends = np.cumsum(np.bincount(classes[by_class], minlength=n_classes))
    for code in rng.permutation(n_classes):
        rows = by_class[(ends[code - 1] if code else 0) : ends[code]]
        added = _fill(counts[:, code], counts.sum(axis=1), len(rows), rng)
        counts[:, code] += added
        fold[rows] = np.repeat(np.arange(n_folds), added)
    return fold


def _fill(have: NDArray[np.intp], totals: NDArray[np.intp], n_new: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return how many of `n_new` rows each fold gets so that `have` ends as level as can be."""
    order = np.lexsort((rng.permutation(len(have)), totals, have))
    added = np.zeros_like(have)
    # Raise the lowest folds to the next level, one fold more at a time, while the rows last.
    left, filled = n_new, have[order].astype(np.intp)
    lowest = 1
    while lowest < len(filled) and left >= (need := lowest * int(filled[lowest] - filled[lowest - 1])):
        filled[:lowest] = filled[lowest]
        left -= need
        lowest += 1
    level, over = divmod(left, lowest)
    filled[:lowest] += level
    added[order] = filled - have[order]
    # All folds in the trough are level now; those with the fewest rows in all take the remainder.
    trough = order[:lowest]
    after = totals[trough] + added[trough]
    takers = trough[np.lexsort((rng.permutation(lowest), after))[:over]]
    added[takers] += 1
    return added


def _deal_units(
    fold: NDArray[np.intp],
    counts: NDArray[np.intp],
    classes: NDArray[np.intp],
    units: NDArray[np.intp],
    single: NDArray[np.bool_],
    rng: np.random.Generator,
) -> None:
    """Deal the units of two rows and more, writing `fold` and `counts`."""
    rows = np.flatnonzero(~single)
    if not len(rows):
        return
    rows = rows[np.argsort(units[rows], kind="stable")]
    parts = np.split(rows, np.flatnonzero(np.diff(units[rows])) + 1)
    order = rng.permutation(len(parts))
    sizes = np.array([len(parts[i]) for i in order])
    n_folds, n_classes = counts.shape
    loads = np.zeros(n_folds)
    # Sum of squared shares, of each class and (as weighty as all classes together) of all rows: least when
    # equal.
    class_weight = 1.0 / np.maximum(np.bincount(classes, minlength=n_classes), 1).astype(float) ** 2
    load_weight = n_classes / len(classes) ** 2
    for index in order[np.argsort(-sizes, kind="stable")]:
        part = parts[index]
        codes, times = np.unique(classes[part], return_counts=True)
        cost = len(part) * load_weight * (2 * loads + len(part))
        if n_classes > 1:
            cost = cost + (2 * counts[:, codes] + times) @ (times * class_weight[codes])
        best = np.flatnonzero(cost == cost.min())
        chosen = int(best[rng.integers(len(best))])
        fold[part] = chosen
        counts[chosen, codes] += times
        loads[chosen] += len(part)
