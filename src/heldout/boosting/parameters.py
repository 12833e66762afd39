"""What a boosting estimator is told, checked once before a fit."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from heldout._random import seed_of
from heldout._threads import n_threads
from heldout.errors import InvalidInput
from heldout.resampling import Given, Resampling, find_resampling
from heldout.trees import MAX_BINS, Growth

__all__ = ["DEFAULT_PATIENCE", "FitPlan", "checked_plan"]

DEFAULT_PATIENCE = 20
"""Rounds without a better loss that end a fit with `early_stopping=True` or `"out_of_bag"`."""

_MOST_REPLICAS = 65_535

# Beyond twice the step to the minimum each round is worse than the one before, until nothing holds the numbers.
_MOST_LEARNING_RATE = 2.0

_MOST_ROUNDS = 2**31 - 1  # the engine counts them in 32 bits


@dataclass(frozen=True)
class FitPlan:
    """Checked parameters, in the engine's terms.

    Parameters
    ----------
    growth : Growth
    value_bins : int
        Most bins of values a feature gets, beside the one for missing values.
    patience : int
        0 means that nothing stops the fit early.
    n_threads : int
    n_replicas : int
        Members of the model.
    resampling : Resampling or None
        How rows are drawn for each replica; None gives all rows to each.
    out_of_bag : bool
        Whether the rounds are judged by the rows that each replica left out.
    """

    growth: Growth
    value_bins: int
    patience: int
    n_threads: int
    n_replicas: int = 1
    resampling: Resampling | None = None
    out_of_bag: bool = False

    @property
    def draws(self) -> bool:
        """Whether the model, or the choice of its rounds, takes replicas."""
        return self.n_replicas > 1 or self.out_of_bag

    @property
    def needs_groups(self) -> bool:
        """Whether replicas are drawn by a scheme that says it cannot do without the groups of rows."""
        return self.draws and bool(getattr(self.resampling, "needs_groups", False))


def checked_plan(estimator: Any) -> FitPlan:
    """Check the parameters of a boosting estimator.

    Raises
    ------
    InvalidInput
        A parameter of another kind or out of range.
    """
    if not isinstance(estimator.warm_start, bool | np.bool_):
        raise InvalidInput(f"warm_start must be True or False, got {estimator.warm_start!r:.60}: choose one")
    patience, out_of_bag = _patience(estimator.early_stopping)
    plan = FitPlan(
        growth=Growth(
            n_rounds=_whole(estimator, "n_trees", 1),
            learning_rate=_number(estimator, "learning_rate", above=0.0, most=_MOST_LEARNING_RATE),
            max_leaves=_whole(estimator, "max_leaves", 1, 2**20),
            least_count=max(1, math.ceil(_number(estimator, "min_leaf_weight", least=0.0, most=2.0**31))),
            l2=_number(estimator, "l2", least=0.0),
            max_features=_number(estimator, "max_features", above=0.0, most=1.0),
            seed=seed_of(estimator.random_state) % 2**64,
        ),
        value_bins=min(_whole(estimator, "max_bins", 2, MAX_BINS + 1), MAX_BINS),
        patience=patience,
        n_threads=n_threads(estimator.n_jobs),
        n_replicas=_whole(estimator, "replicas", 1, _MOST_REPLICAS),
        resampling=None if estimator.resampling is None else find_resampling(estimator.resampling),
        out_of_bag=out_of_bag,
    )
    _check_together(estimator, plan)
    return plan


def _check_together(estimator: Any, plan: FitPlan) -> None:
    """Raise InvalidInput for parameters that contradict each other."""
    if plan.out_of_bag and plan.resampling is None:
        raise InvalidInput(
            'early_stopping="out_of_bag" needs rows out of bag, got resampling=None, which leaves no row out: pass a '
            "resampling, or X_val and y_val with early_stopping=True"
        )
    if isinstance(plan.resampling, Given) and (plan.n_replicas > 1 or not plan.out_of_bag):
        _check_columns(plan.resampling.weights.shape[1], plan)
    if estimator.warm_start and plan.draws:
        what = f"replicas={plan.n_replicas}" if plan.n_replicas > 1 else 'early_stopping="out_of_bag"'
        raise InvalidInput(f"warm_start goes on with a single model, got {what}: set warm_start=False, or fit anew")


def _check_columns(n_columns: int, plan: FitPlan) -> None:
    """Raise InvalidInput for an array of bags that is not one column per replica."""
    if not plan.draws:
        raise InvalidInput(
            f"resampling has a bag in each of {n_columns} column(s), got replicas=1, which draws none: set "
            f'replicas={n_columns}, or early_stopping="out_of_bag" to let them choose the rounds of one model'
        )
    if n_columns != plan.n_replicas:
        raise InvalidInput(
            f"resampling must have one column per replica, got {n_columns} column(s) and replicas={plan.n_replicas}: "
            f"set replicas={n_columns}"
        )


def _whole(estimator: Any, name: str, least: int, most: int = _MOST_ROUNDS) -> int:
    value = getattr(estimator, name)
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise InvalidInput(
            f"{name} must be a whole number from {least} to {most}, got {value!r:.60}: choose one in that range"
        )
    return int(value)


def _number(
    estimator: Any, name: str, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf
) -> float:
    value = getattr(estimator, name)
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    # Compared as Python's numbers: one that is too large for a float is compared without being made one.
    plain = value.item() if isinstance(value, np.generic) else value
    if not is_number or not (plain >= least and plain > above and plain <= min(most, sys.float_info.max)):
        low = f"above {above:g}" if above > -math.inf else f"at least {least:g}"
        high = f" and at most {most:g}" if most < math.inf else ""
        raise InvalidInput(f"{name} must be a finite number {low}{high}, got {value!r:.60}: choose one in that range")
    return float(value)


def _patience(early_stopping: Any) -> tuple[int, bool]:
    """Return the rounds without a better loss that end a fit, and whether rows out of bag judge."""
    if isinstance(early_stopping, bool | np.bool_):
        return (DEFAULT_PATIENCE if early_stopping else 0), False
    if isinstance(early_stopping, int | np.integer) and early_stopping > 0:
        return min(int(early_stopping), _MOST_ROUNDS), False
    if isinstance(early_stopping, str) and early_stopping == "out_of_bag":
        return DEFAULT_PATIENCE, True
    raise InvalidInput(
        'early_stopping must be True, False, "out_of_bag" or a number of rounds above 0, got '
        f"{early_stopping!r:.60}: give the rounds without a better loss that end the fit"
    )
