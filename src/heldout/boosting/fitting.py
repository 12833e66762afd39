"""The stages of a boosting fit: bin, start from the best constant or the rounds there are, grow, keep the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from heldout.boosting.features import native_floats, usable_features
from heldout.boosting.parameters import FitPlan
from heldout.errors import InvalidInput
from heldout.trees import (
    MAX_BINS,
    MOST_FEATURES,
    Binned,
    Objective,
    TreeEnsemble,
    ValidationRows,
    best_constants,
    grow_rounds,
)

__all__ = [
    "Round",
    "as_before_unless_done",
    "check_columns",
    "checked_validation",
    "fit_rounds",
    "told_of_rounds",
    "with_weights_below_1",
]


@dataclass(frozen=True)
class Round:
    """What a callback is told after a round.

    Parameters
    ----------
    number : int
        From 1 on.
    validation_loss : float or None
        Half the mean squared error, or the mean log loss, of the validation rows; without such rows that of the rows
        out of bag by which several replicas are judged; None where there are neither.
    """

    number: int
    validation_loss: float | None


def told_of_rounds(callback: Callable[[Round], Any] | None) -> Callable[[int, float | None], bool] | None:
    """Return what the engine calls after a round: it counts rounds from 0."""
    return None if callback is None else (lambda number, loss: bool(callback(Round(number + 1, loss))))


@contextmanager
def as_before_unless_done(estimator: Any) -> Iterator[None]:
    """Put all attributes back if the fit inside fails: a model half old and half new would predict nonsense."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:
        # In this order: at no time does another thread that predicts see no model.
        estimator.__dict__.update(before)
        for name in set(estimator.__dict__) - set(before):
            del estimator.__dict__[name]
        raise


def fit_rounds(
    estimator: Any,
    plan: FitPlan,
    X: NDArray[np.floating[Any]],
    weight: NDArray[np.float64] | None,
    objective: Objective,
    X_val: Any,
    target_val: NDArray[np.float64] | None,
    callback: Callable[[Round], Any] | None,
) -> None:
    """Grow the rounds that `plan` asks for and put what came of it onto the estimator.

    Cut points come from rows and their weights alone: weights of classes, which come from targets, shape no bin.

    Raises
    ------
    InvalidInput
        `early_stopping` without validation rows, half of them given, other columns than `X`, or fewer rounds asked for
        than a warm start has.
    """
    check_columns(X)
    before = _rounds_before(estimator, plan)
    objective, plan = with_weights_below_1(objective, plan)
    held = checked_validation(estimator, plan, X, X_val, target_val)
    binned = Binned.from_array(X, weight, plan.value_bins, n_threads=plan.n_threads)
    if before is not None:
        _check_that_bins_continue(before, binned)
    base = best_constants(objective) if before is None else before.base
    n_before = 0 if before is None else before.n_trees // before.n_outputs
    validation = None
    if held is not None and target_val is not None:
        validation = ValidationRows(
            codes=binned.transform(held),
            objective=Objective(objective.loss, target_val, n_outputs=objective.n_outputs),
            scores=_scores(before, base, held, plan.n_threads),
            patience=plan.patience,
        )
    grown, losses, best = grow_rounds(
        binned,
        objective,
        replace(plan.growth, n_rounds=plan.growth.n_rounds - n_before, first_round=n_before),
        _scores(before, base, X, plan.n_threads),
        base,
        validation=validation,
        callback=told_of_rounds(callback),
        n_threads=plan.n_threads,
    )
    # A warm start may add nothing: its best round can be one there was before.
    if plan.patience and (best >= 0 or before is not None):
        grown = grown.head((best + 1) * grown.n_outputs)
    estimator.ensemble_ = grown if before is None else before.followed_by(grown)
    estimator.validation_losses_ = _losses_of_rounds(estimator, n_before, losses)


def check_columns(X: NDArray[np.floating[Any]]) -> None:
    """Raise InvalidInput where there are more columns than a tree can ask for."""
    if X.shape[1] > MOST_FEATURES:
        raise InvalidInput(f"X must have at most {MOST_FEATURES} columns, got {X.shape[1]}: leave out some")


def _losses_of_rounds(estimator: Any, n_before: int, losses: list[float]) -> NDArray[np.float64]:
    """Put losses behind those of the rounds before, NaN where these were not judged; a stop may have dropped some."""
    earlier = estimator.validation_losses_[:n_before] if n_before else np.empty(0)
    if not losses and not earlier.size:
        return np.empty(0)
    return np.concatenate([earlier, np.full(n_before - earlier.size, np.nan), losses])


def with_weights_below_1(objective: Objective, plan: FitPlan) -> tuple[Objective, FitPlan]:
    """Divide weights and l2 by one power of two: leaves stay the same to the bit, and float32 holds derivatives."""
    if objective.weight is None:
        return objective, plan
    exponent = int(np.frexp(objective.weight.max())[1])
    with np.errstate(over="ignore", under="ignore"):
        weight = np.ldexp(objective.weight, -exponent)
        l2 = float(min(np.ldexp(plan.growth.l2, -exponent), np.finfo(np.float64).max))
    return replace(objective, weight=weight), replace(plan, growth=replace(plan.growth, l2=l2))


def _rounds_before(estimator: Any, plan: FitPlan) -> TreeEnsemble | None:
    before: TreeEnsemble | None = getattr(estimator, "ensemble_", None) if estimator.warm_start else None
    if before is None:
        return None
    if before_members := estimator.__dict__.get("_members"):
        raise InvalidInput(
            f"warm_start goes on with a single model, got one of {before_members.n_replicas} replicas: fit a new model"
        )
    n_rounds = before.n_trees // before.n_outputs
    if plan.growth.n_rounds < n_rounds:
        raise InvalidInput(
            f"n_trees must be at least the {n_rounds} rounds that warm_start has, got {plan.growth.n_rounds}: "
            "ask for more"
        )
    return before


def _check_that_bins_continue(before: TreeEnsemble, binned: Binned) -> None:
    """Raise InvalidInput where the thresholds there are and the cut points to come are too many for one byte a cell."""
    for feature in np.unique(before.feature[before.feature >= 0]):
        there = before.threshold[before.feature == feature]
        together = np.union1d(there[np.isfinite(there)], binned.cut_points[feature])
        if together.size >= MAX_BINS:
            raise InvalidInput(
                "warm_start needs the rows that it began with, or ones that are cut into the same bins, "
                f"got {together.size} different cut points of column {feature}: pass the same X, or fit a new model"
            )


def checked_validation(
    estimator: Any, plan: FitPlan, X: NDArray[Any], X_val: Any, target_val: NDArray[np.float64] | None
) -> NDArray[np.floating[Any]] | None:
    """Return validation rows as the engine reads them, None without; raise InvalidInput where they do not fit."""
    if (X_val is None) != (target_val is None):
        lacking = "X_val" if X_val is None else "y_val"
        raise InvalidInput(f"X_val and y_val belong together, got no {lacking}: pass both or neither")
    if X_val is None:
        if plan.patience and not plan.out_of_bag:
            raise InvalidInput(
                f"early_stopping needs rows to judge the rounds by, got early_stopping={plan.patience} and no X_val: "
                'pass X_val and y_val to fit, or early_stopping="out_of_bag"'
            )
        return None
    X_val = usable_features(X_val, "X_val")
    held = check_array(
        X_val, dtype=[np.float64, np.float32], ensure_all_finite=False, ensure_min_samples=0, input_name="X_val"
    )
    if not held.shape[0] or held.shape[1] != X.shape[1] or target_val is None or target_val.shape != (held.shape[0],):
        came = None if target_val is None else target_val.shape
        raise InvalidInput(
            f"X_val must have rows and {X.shape[1]} columns, and y_val one value per row, got shapes {held.shape} "
            f"and {came}: pass rows like those of X"
        )
    validate_data(estimator, X_val, reset=False, skip_check_array=True)  # the same names in the same order
    return native_floats(held)


def _scores(
    before: TreeEnsemble | None, base: NDArray[np.float64], X: NDArray[np.floating[Any]], n_threads: int
) -> NDArray[np.float64]:
    if before is not None:
        return np.ascontiguousarray(before.raw(X, n_threads).T)
    return np.repeat(base[:, None], X.shape[0], axis=1)
