"""Row weights as the engine takes them: how often a row is there, and what multiplies its derivatives."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import checked_weight
from heldout.errors import InvalidInput
from heldout.learner import MOST_TIMES

__all__ = [
    "balanced_factors",
    "counts_and_factors",
    "factors_of_classes",
    "factors_together",
    "is_balanced",
    "row_weights",
]


def row_weights(sample_weight: ArrayLike | None, n_rows: int) -> NDArray[np.float64] | None:
    """Return the weight of each row, or None where all are 1; one number is the weight of every row.

    Raises
    ------
    InvalidInput
        Another shape, weights that are negative or not finite, or nothing but zeros.

    Examples
    --------
    >>> row_weights(2, 3), row_weights([1, 1], 2)
    (array([2., 2., 2.]), None)
    """
    if sample_weight is None:
        return None
    scalar_array = type(sample_weight) is np.ndarray and sample_weight.ndim == 0
    one_for_all = scalar_array or isinstance(sample_weight, int | float | np.number)
    weight = checked_weight(np.full(n_rows, sample_weight) if one_for_all else sample_weight, n_rows)
    return None if (weight == 1).all() else weight


def counts_and_factors(
    sample_weight: ArrayLike | None, n_rows: int
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float64] | None]:
    """Split row weights into multiplicities and factors.

    Whole numbers up to 255 say how often a row is there, so a weight of 3 equals three copies, in leaf sizes too. Other
    weights multiply the derivatives of a row that is there once. A row of weight 0 is not there.

    Returns
    -------
    count : array of uint8, shape (n_rows,), or None where each row is there once
    factor : array of float64, shape (n_rows,), or None where all are 1

    Raises
    ------
    InvalidInput
        Another shape, weights that are negative or not finite, or nothing but zeros.

    Examples
    --------
    >>> counts_and_factors([1, 3, 0], 3)
    (array([1, 3, 0], dtype=uint8), None)
    >>> counts_and_factors([0.5, 2.0], 2)
    (None, array([0.5, 2. ]))
    """
    weight = row_weights(sample_weight, n_rows)
    if weight is None:
        return None, None
    if weight.max() <= MOST_TIMES and (weight == np.floor(weight)).all():
        return weight.astype(np.uint8), None
    there = (weight > 0).astype(np.uint8)
    return (None if there.all() else there), np.ascontiguousarray(weight)


def factors_of_classes(
    class_weight: Any, classes: NDArray[Any], codes: NDArray[np.intp], count: NDArray[np.uint8] | None
) -> NDArray[np.float64] | None:
    """Return the factor of each row's class, or None without class weights.

    Parameters
    ----------
    class_weight : None, "balanced" or mapping of class to weight
        "balanced" makes all classes weigh the same: n_rows / (n_classes * rows of the class). A class that the mapping
        lacks has weight 1.
    classes : array, shape (n_classes,)
    codes : array of int, shape (n_rows,)
        Class number of each row.
    count : array of uint8, shape (n_rows,), optional
        How often each row is there.

    Raises
    ------
    InvalidInput
        Another kind of class weight, an unknown class, or a weight that is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> factors_of_classes("balanced", np.array(["a", "b"]), np.array([0, 0, 0, 1]), None)
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    if class_weight is None:
        return None
    if is_balanced(class_weight):
        return balanced_factors(codes, len(classes), count)[codes]
    if not isinstance(class_weight, Mapping):
        raise InvalidInput(
            f"class_weight must be None, 'balanced' or a dict of weights, got {class_weight!r}: pass one"
        )
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown:
        raise InvalidInput(f"class_weight names {unknown[0]!r}, which is no class of y: the classes are {labels}")
    factors = np.ones(len(labels))
    for label, weight in class_weight.items():
        is_number = isinstance(weight, int | float | np.integer | np.floating) and not isinstance(weight, bool)
        plain = weight.item() if isinstance(weight, np.generic) else weight
        if not is_number or not 0 < plain <= sys.float_info.max:
            raise InvalidInput(f"the weight of class {label!r} must be above 0 and finite, got {weight!r:.60}: mend it")
        factors[labels.index(label)] = weight
    return None if (factors == 1).all() else factors[codes]


def is_balanced(class_weight: Any) -> bool:
    """Say whether all classes shall weigh the same.

    Examples
    --------
    >>> is_balanced("balanced"), is_balanced({"a": 2.0})
    (True, False)
    """
    return isinstance(class_weight, str) and class_weight == "balanced"


def balanced_factors(codes: NDArray[np.intp], n_classes: int, count: NDArray[np.uint8] | None) -> NDArray[np.float64]:
    """Return the factor of each class by which all weigh the same: n_rows / (n_classes * rows of the class).

    Examples
    --------
    >>> import numpy as np
    >>> balanced_factors(np.array([0, 0, 0, 1]), 2, np.array([1, 1, 0, 2], dtype=np.uint8))
    array([1., 1.])
    """
    sizes = np.bincount(codes, weights=count, minlength=n_classes)
    return np.asarray(sizes.sum() / (n_classes * np.maximum(sizes, 1)), dtype=np.float64)


def factors_together(
    by_class: NDArray[np.float64] | None, factor: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return the product of both factors of each row; raise InvalidInput where float64 cannot hold it.

    Examples
    --------
    >>> import numpy as np
    >>> factors_together(np.array([1.0, 2.0]), np.array([0.5, 3.0]))
    array([0.5, 6. ])
    """
    if by_class is None or factor is None:
        return factor if by_class is None else by_class
    with np.errstate(over="ignore", under="ignore"):
        together = by_class * factor
    bad = np.flatnonzero(~np.isfinite(together) | ((together == 0) & (factor > 0)))
    if bad.size:
        raise InvalidInput(
            f"class_weight times sample_weight must fit float64, got {by_class[bad[0]]:g} times {factor[bad[0]]:g} "
            f"in row {bad[0]}: divide the weights by their mean"
        )
    return np.ascontiguousarray(together)
