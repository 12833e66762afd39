"""Training sets that share no row: replicas of one another, as if the data had been drawn again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, whole_number
from heldout.errors import InvalidInput
from heldout.splits.dealing import deal

__all__ = ["disjoint_training_sets"]


def disjoint_training_sets(
    rows: ArrayLike,
    n_sets: int,
    *,
    y: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    stratify: bool = False,
    rng: np.random.Generator,
) -> list[NDArray[np.intp]]:
    """Cut `rows` into disjoint parts of nearly equal size.

    Parameters
    ----------
    rows : array of int, shape (n_rows_to_cut,)
        Row numbers in the whole table.
    n_sets : int
        Number of parts.
    y, groups : arrays of shape (n_rows_of_table,), optional
        Classes and group labels of the whole table, looked up by `rows`.
    stratify : bool, default False
        Give every part an equal share of each class, as far as it goes.
    rng : numpy Generator

    Returns
    -------
    list of arrays of int
        Sorted row numbers; whole groups when `groups` is given.

    Raises
    ------
    InvalidInput
        More parts than rows or groups, `stratify` without `y`, or `y` or `groups` shorter than the table.

    Examples
    --------
    >>> import numpy as np
    >>> parts = disjoint_training_sets(np.arange(10), 2, rng=np.random.default_rng(0))
    >>> [len(part) for part in parts], sorted(np.concatenate(parts).tolist()) == list(range(10))
    ([5, 5], True)
    """
    whole_number(n_sets, "n_sets", 1)
    rows = np.asarray(rows, dtype=np.intp)
    units = None if groups is None else as_codes(_looked_up(groups, rows, "groups"), len(rows))[0]
    classes = np.zeros(len(rows), dtype=np.intp)
    if stratify:
        if y is None:
            raise InvalidInput("stratify=True deals the classes evenly, got no y: pass y or stratify=False")
        classes = as_codes(_looked_up(y, rows, "y"), len(rows), "y")[0]
    n_units = len(rows) if units is None else int(units.max(initial=-1)) + 1
    if n_units < n_sets:
        what = "rows" if units is None else "groups"
        raise InvalidInput(f"n_sets={n_sets} needs as many {what}, got {n_units}: ask for fewer sets")
    part = deal(n_sets, rng, classes=classes, units=units)
    return [np.sort(rows[part == k]) for k in range(n_sets)]


def _looked_up(labels: ArrayLike, rows: NDArray[np.intp], what: str) -> NDArray[np.generic]:
    values = np.asarray(labels)
    if len(rows) and rows.max() >= len(values):
        raise InvalidInput(f"{what} must have one value per row of the table, got {len(values)} for row {rows.max()}")
    return np.asarray(values[rows])
