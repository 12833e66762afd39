"""Baselines of forecasts as JSON and arrays: which reader each has, and what its parts must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.errors import ModelFileError
from heldout.sequence.baselines import Combination, FittedBaseline
from heldout.sequence.baselines.combination import FittedCombination
from heldout.sequence.baselines.naive import FittedNaive
from heldout.sequence.baselines.ridge import FittedRidge
from heldout.sequence.baselines.theta import FittedTheta

__all__ = ["READERS", "baseline_from_parts", "baseline_to_parts"]

Arrays = Mapping[str, NDArray[Any]]
Reader = Callable[[Mapping[str, Any], Arrays, int], Any]


def _naive(meta: Mapping[str, Any], arrays: Arrays, horizon: int) -> Any:  # noqa: ARG001 - one reader as another
    _check_names(arrays, set())
    return FittedNaive.from_parts(dict(meta), dict(arrays))


def _ridge(meta: Mapping[str, Any], arrays: Arrays, horizon: int) -> Any:
    _check_names(arrays, {"weights"})
    weights = arrays["weights"]
    if weights.dtype != np.float64 or weights.ndim != 2 or weights.shape[1] != horizon or len(weights) < 2:
        raise ValueError(f"weights of shape {weights.shape} do not forecast {horizon} steps")
    if not np.isfinite(weights).all():
        raise ValueError("a weight is not finite")
    return FittedRidge.from_parts(dict(meta), dict(arrays))


def _theta(meta: Mapping[str, Any], arrays: Arrays, horizon: int) -> Any:  # noqa: ARG001 - one reader as another
    _check_names(arrays, set())
    share = meta["trend_share"]
    if share is not None and not 0 <= float(share) <= 1:
        raise ValueError(f"the share of the trend is {share}")
    return FittedTheta.from_parts(dict(meta), {})


def _combination(meta: Mapping[str, Any], arrays: Arrays, horizon: int) -> Any:
    names = [part["name"] for part in meta["parts"]]
    if names != list(Combination.parts):
        raise ValueError(f"the combination is of {names}, not of {list(Combination.parts)}")
    _check_names(arrays, {name for name in arrays if name.startswith(("0.", "1."))})
    for k, part in enumerate(meta["parts"]):
        own = {name.removeprefix(f"{k}."): array for name, array in arrays.items() if name.startswith(f"{k}.")}
        READERS[part["name"]](part, own, horizon)
    return FittedCombination.from_parts(dict(meta), dict(arrays))


#: By name; each takes JSON, arrays and the horizon.
READERS: dict[str, Reader] = {
    "last-value": _naive,
    "seasonal-naive": _naive,
    "drift": _naive,
    "theta": _theta,
    "ridge": _ridge,
    "theta-and-ridge": _combination,
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


def baseline_from_parts(meta: Mapping[str, Any], arrays: Arrays, horizon: int) -> Any:
    """Return the baseline that `baseline_to_parts` was called on, its parts checked.

    Parameters
    ----------
    meta : mapping
    arrays : mapping of str to array
    horizon : int
        Steps that it must forecast.

    Raises
    ------
    KeyError, TypeError, ValueError
        These are not the parts of a baseline.
    """
    return READERS[meta["name"]](meta, arrays, horizon)
