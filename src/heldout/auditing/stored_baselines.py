"""Baselines of forecasts as JSON and arrays: which reader each has, and what its parts must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.errors import ModelFileError
from heldout.sequence.baselines import Combination, FittedBaseline
from heldout.sequence.baselines.boosting import FittedBoosting
from heldout.sequence.baselines.combination import FittedCombination
from heldout.sequence.baselines.lag_features import LagRows
from heldout.sequence.baselines.naive import FittedNaive
from heldout.sequence.baselines.ridge import FittedRidge
from heldout.sequence.baselines.theta import FittedTheta
from heldout.sequence.windows import Windows

__all__ = ["READERS", "baseline_from_parts", "baseline_to_parts"]

_TREES = ("starts", "feature", "threshold", "left", "missing_left", "value", "gain", "count", "base")
_MOST_FEATURES, _LONGEST = 64, 1_000_000

Arrays = Mapping[str, NDArray[Any]]
Reader = Callable[[Mapping[str, Any], Arrays, Windows], Any]


def _naive(meta: Mapping[str, Any], arrays: Arrays, windows: Windows) -> Any:  # noqa: ARG001 - one reader as another
    _check_names(arrays, set())
    return FittedNaive.from_parts(dict(meta), dict(arrays))


def _ridge(meta: Mapping[str, Any], arrays: Arrays, windows: Windows) -> Any:
    _check_names(arrays, {"weights"})
    weights = arrays["weights"]
    if weights.dtype != np.float64 or weights.ndim != 2 or weights.shape[1] != windows.horizon or len(weights) < 2:
        raise ValueError(f"weights of shape {weights.shape} do not forecast {windows.horizon} steps")
    if not np.isfinite(weights).all():
        raise ValueError("a weight is not finite")
    return FittedRidge.from_parts(dict(meta), dict(arrays))


def _theta(meta: Mapping[str, Any], arrays: Arrays, windows: Windows) -> Any:  # noqa: ARG001 - one reader as another
    _check_names(arrays, set())
    share = meta["trend_share"]
    if share is not None and not 0 <= float(share) <= 1:
        raise ValueError(f"the share of the trend is {share}")
    return FittedTheta.from_parts(dict(meta), {})


def _combination(meta: Mapping[str, Any], arrays: Arrays, windows: Windows) -> Any:
    names = [part["name"] for part in meta["parts"]]
    if names != list(Combination.parts):
        raise ValueError(f"the combination is of {names}, not of {list(Combination.parts)}")
    _check_names(arrays, {name for name in arrays if name.startswith(("0.", "1."))})
    for k, part in enumerate(meta["parts"]):
        own = {name.removeprefix(f"{k}."): array for name, array in arrays.items() if name.startswith(f"{k}.")}
        READERS[part["name"]](part, own, windows)
    return FittedCombination.from_parts(dict(meta), dict(arrays))


def _boosting(meta: Mapping[str, Any], arrays: Arrays, windows: Windows) -> Any:
    _check_names(arrays, set(_TREES) if arrays else set())
    history, told = windows.sequences, meta["features"]
    for name in ("lags", "spans", "drifts", "cycles"):
        steps = told[name]
        if len(steps) > _MOST_FEATURES or not all(type(n) is int and 1 <= n <= _LONGEST for n in steps):
            raise ValueError(f"the {name} of boosting are {steps[:3]}")
    if told["season"] != history.season or told["calendar"] is not (history.calendar and history.step.regular):
        raise ValueError("boosting knows another season or calendar than the history")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all() and name != "threshold":
            raise ValueError(f"the {name} of a tree is not finite")
    fitted = FittedBoosting.from_parts(dict(meta), {name: array.copy() for name, array in arrays.items()})
    first = np.zeros(1, np.intp)
    rows, _ = LagRows(fitted.features, windows).rows(first, first, first + 1)
    if fitted.trees is not None and (fitted.trees.n_features, fitted.trees.n_outputs) != (rows.shape[1], 1):
        raise ValueError(f"the trees take {fitted.trees.n_features} features, the history gives {rows.shape[1]}")
    return fitted


#: By name; each takes JSON, arrays and windows of the history.
READERS: dict[str, Reader] = {
    "last-value": _naive,
    "seasonal-naive": _naive,
    "drift": _naive,
    "theta": _theta,
    "ridge": _ridge,
    "theta-and-ridge": _combination,
    "boosting": _boosting,
}


def _check_names(arrays: Arrays, wanted: set[str]) -> None:
    if set(arrays) != wanted:
        raise ValueError(f"a baseline of arrays {sorted(wanted)} has {sorted(arrays)}")


def baseline_to_parts(baseline: FittedBaseline) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a baseline as plain JSON and arrays.

    Raises
    ------
    ModelFileError
        It has no reader.
    """
    if baseline.name not in READERS:
        raise ModelFileError(f"the baseline {baseline.name!r} cannot be stored: choose one of {', '.join(READERS)}")
    return baseline.to_parts()


def baseline_from_parts(meta: Mapping[str, Any], arrays: Arrays, windows: Windows) -> Any:
    """Return the baseline that `baseline_to_parts` was called on, its parts checked.

    Parameters
    ----------
    meta : mapping
    arrays : mapping of str to array
    windows : Windows
        Of the history, with the horizon that it must forecast.

    Raises
    ------
    KeyError, TypeError, ValueError
        These are not the parts of a baseline.
    """
    return READERS[meta["name"]](meta, arrays, windows)
