"""Targets as the engine takes them: finite float64, or class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.boosting.features import float_cells
from heldout.errors import InvalidInput

__all__ = ["check_squares", "class_codes", "finite_target", "judged_target", "target_unguessed"]

_LARGEST_TARGET = 1e307  # so that the difference of two targets, and what a tree adds to it, stay finite
_LEAST_SPREAD = 2.0**-1021  # so that some row is 2^-1022 off the mean, the least that float64 holds with all digits
_LARGEST_SQUARED = 1e150  # whose squares float64 can add up


def class_codes(y: NDArray[Any], classes: NDArray[Any], name: str = "y_val") -> NDArray[np.float64]:
    """Return the class number of each row; raise InvalidInput for a class that `classes` lacks."""
    if y.ndim != 1:
        raise InvalidInput(f"{name} must have one dimension, got shape {y.shape}: pass one label per row")
    position = {label: code for code, label in enumerate(classes.tolist())}
    try:
        unknown = [label for label in y.tolist() if label not in position]
    except TypeError as error:
        raise InvalidInput(f"{name} must hold classes of y, got {error}: pass one label per row") from None
    if unknown:
        raise InvalidInput(
            f"{name} holds {unknown[0]!r}, which is no class of y: the classes are {classes.tolist()}, "
            "so leave such rows out" + (" of X_val and y_val" if name == "y_val" else "")
        )
    return np.array([position[label] for label in y.tolist()], dtype=np.float64)


def target_unguessed(y: Any, name: str) -> Any:
    """Return a target for numbers as an array, objects as float64; raise InvalidInput for words, dates, categories."""
    remedy = "encode it, or use BoostingClassifier"
    if y is None:
        return None
    if isinstance(y, np.ma.MaskedArray):
        raise InvalidInput(f"{name} is a masked array, whose mask would be lost: leave the masked rows out")
    if str(getattr(y, "dtype", "")) == "category":
        raise InvalidInput(f"{name} must be numbers, got dtype category: {remedy}")
    try:
        array = np.asarray(y)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} must be numbers, got a {type(y).__name__} of none: {remedy}") from None
    return float_cells(array, name, remedy) if array.dtype.kind == "O" else array


def finite_target(y: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return numbers as float64, and raise InvalidInput for all else: numbers in words and dates are not guessed at."""
    try:
        if y.dtype.kind not in "biufO":
            raise TypeError
        target = np.ascontiguousarray(y, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(
            f"{name} must be numbers, got dtype {y.dtype}: encode it, or use BoostingClassifier"
        ) from None
    bad = np.flatnonzero(~(np.abs(target) <= _LARGEST_TARGET))
    if bad.size:
        raise InvalidInput(
            f"{name} must be finite and at most {_LARGEST_TARGET:g} in size, got {target.flat[bad[0]]} in row "
            f"{bad[0]}: drop or mend it, or divide all targets by one number"
        )
    spread = float(np.ptp(target)) if target.size else 0.0
    if 0.0 < spread < _LEAST_SPREAD:
        raise InvalidInput(
            f"{name} must be constant or differ by {_LEAST_SPREAD:g} somewhere, got at most {spread:g}: float64 holds "
            "few digits of such numbers, so multiply all targets by one number"
        )
    return target


def judged_target(y: NDArray[Any]) -> NDArray[np.float64]:
    """Return validation targets; raise InvalidInput also where float64 cannot hold their squares."""
    target = finite_target(y, "y_val")
    check_squares(target, "y_val")
    return target


def check_squares(target: NDArray[np.float64], name: str) -> None:
    """Raise InvalidInput where float64 cannot hold the squares of targets that are judged."""
    largest = float(np.max(np.abs(target), initial=0.0))
    if largest > _LARGEST_SQUARED or 0.0 < largest < 1.0 / _LARGEST_SQUARED:
        raise InvalidInput(
            f"{name} must be between {1.0 / _LARGEST_SQUARED:g} and {_LARGEST_SQUARED:g} in size, got {largest:g}: "
            "its squared error would not fit float64, so divide all targets by the same number"
        )
