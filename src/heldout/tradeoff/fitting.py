"""Pairs of fits on disjoint halves of each training part, and their predictions for the held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._arrays import take_rows
from heldout._random import stream, stream_seed
from heldout.errors import InvalidInput
from heldout.learner import fit_with_weight, seeded_clone
from heldout.splits import disjoint_training_sets

__all__ = ["Pair", "Rows", "checked_values", "cut_in_halves", "fit_and_predict"]

SMALLEST_HALF = 2


@dataclass(frozen=True)
class Pair:
    """Two disjoint training sets and the held-out rows both are asked about."""

    halves: tuple[NDArray[np.intp], NDArray[np.intp]]
    n_training: int
    test: NDArray[np.intp]
    seeds: tuple[int, int]


def cut_in_halves(
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    partition: int,
    *,
    codes: NDArray[np.intp] | None,
    groups: NDArray[np.intp] | None,
    max_rows: int | None,
    seed: int,
) -> list[Pair]:
    """Cut the training part of every fold afresh, whatever the learner.

    The cut hangs on seed, partition and fold alone: candidates decomposed with one seed see the same halves,
    and their differences are paired in the cuts too. A training part too small to cut (the first of a forward
    chain, or one that holds a single group) is passed over; its rows then count as not tested.

    Raises
    ------
    InvalidInput
        No training part can be cut in two halves of at least two rows.
    """
    pairs = []
    for fold, (train, test) in enumerate(folds):
        n_units = len(train) if groups is None else len(np.unique(groups[train]))
        if n_units < 2:
            continue
        rng = stream(seed, "tradeoff halves", partition, fold)
        halves = disjoint_training_sets(train, 2, y=codes, groups=groups, stratify=codes is not None, rng=rng)
        if min(len(half) for half in halves) < SMALLEST_HALF:
            continue
        if max_rows is not None:
            halves = [rng.choice(half, max_rows, replace=False) if len(half) > max_rows else half for half in halves]
        seeds = (
            stream_seed(seed, "tradeoff fit", partition, fold, 0),
            stream_seed(seed, "tradeoff fit", partition, fold, 1),
        )
        pairs.append(Pair((np.sort(halves[0]), np.sort(halves[1])), len(train), test, seeds))
    if not pairs:
        largest = max((len(train) for train, _ in folds), default=0)
        raise InvalidInput(
            f"a training part must give two disjoint halves of {SMALLEST_HALF} rows or more, the largest has "
            f"{largest} rows{'' if groups is None else ' in whole groups'}: use more rows, groups or folds"
        )
    return pairs


@dataclass(frozen=True)
class Rows:
    """What every pair is cut from; `groups` are labels for an estimator that needs them."""

    X: Any
    y: NDArray[Any]
    weight: NDArray[np.float64] | None
    classification: bool
    groups: NDArray[Any] | None = None


def fit_and_predict(estimator: Any, rows: Rows, pair: Pair) -> NDArray[Any]:
    """Return the predictions of both fits for the held-out rows, shape (2, n_test)."""
    X_test = take_rows(rows.X, pair.test)
    predictions = [
        _predict_from(estimator, rows, half, X_test, len(pair.test), seed)
        for half, seed in zip(pair.halves, pair.seeds, strict=True)
    ]
    return np.stack(predictions)


def _predict_from(
    estimator: Any, rows: Rows, half: NDArray[np.intp], X_test: Any, n_test: int, seed: int
) -> NDArray[Any]:
    target = rows.y[half]
    weight = None if rows.weight is None else rows.weight[half]
    groups = None if rows.groups is None else rows.groups[half]
    if not rows.classification:
        fitted = fit_with_weight(seeded_clone(estimator, seed), take_rows(rows.X, half), target, weight, groups)
        return checked_values(fitted.predict(X_test), n_test).astype(np.float64)
    present, local = np.unique(target, return_inverse=True)
    if len(present) == 1:
        # Many classifiers refuse one class; whatever they were, they could only answer with it.
        return np.full(n_test, present[0])
    # Codes 0 .. k-1 without holes, as some libraries demand, when the half lacks a class.
    fitted = fit_with_weight(seeded_clone(estimator, seed), take_rows(rows.X, half), local, weight, groups)
    return np.asarray(present[checked_values(fitted.predict(X_test), n_test).astype(np.intp)])


def checked_values(prediction: Any, n_test: int) -> NDArray[Any]:
    """Return one finite prediction per row.

    Raises
    ------
    InvalidInput
        Another shape, or predictions that are not finite.
    """
    values = np.asarray(prediction)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n_test,):
        raise InvalidInput(
            f"the estimator must predict one value per row, shape ({n_test},), got {values.shape}: "
            "give an estimator with a single output"
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise InvalidInput(f"the estimator must predict finite numbers, got {bad}: scale or impute its inputs")
    return values
