"""Training sets as a user asks for them: weights, roles, ensembles, seeds and groups, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes
from heldout._random import seed_of
from heldout.boosting.bags import TrainingSet
from heldout.boosting.parameters import FitPlan
from heldout.errors import InvalidInput
from heldout.resampling import Given
from heldout.trees import PREDICTED, STOPS

__all__ = ["AskedSets", "asked_sets", "checked_groups"]


@dataclass(frozen=True)
class AskedSets:
    """Training sets, what each shall predict, and which are averaged.

    Parameters
    ----------
    sets : tuple of TrainingSet
    roles : tuple of arrays of uint8, shape (n_rows,)
    ensemble_of : array of int, shape (n_sets,)
    """

    sets: tuple[TrainingSet, ...]
    roles: tuple[NDArray[np.uint8], ...]
    ensemble_of: NDArray[np.intp]


def asked_sets(
    plan: FitPlan,
    n_rows: int,
    weights: ArrayLike,
    roles: ArrayLike | None,
    ensemble_of: ArrayLike | None,
    sample_weight: NDArray[np.float64] | None,
    seeds: Sequence[int] | None,
    groups: ArrayLike | None,
) -> AskedSets:
    """Check what was asked for.

    Raises
    ------
    InvalidInput
        See `BoostedTrees.fit_replicas`.
    """
    given = Given(weights, roles)
    n_sets = given.weights.shape[1]
    draw = given.draw(n_rows, n_sets)
    times = draw.weights if sample_weight is None else np.where(sample_weight[:, None] > 0, draw.weights, np.uint8(0))
    empty = np.flatnonzero(~times.any(axis=0))
    if empty.size:
        raise InvalidInput(
            f"each training set must have a row that weighs something, got none in column {empty[0]}: "
            "leave that column out, or mend sample_weight"
        )
    labels = checked_groups(plan, groups, n_rows)
    own_seeds = _checked_seeds(seeds, n_sets, plan.growth.seed)
    return AskedSets(
        sets=tuple(TrainingSet(times[:, c], sample_weight, own_seeds[c], labels) for c in range(n_sets)),
        roles=tuple(_asked_roles(plan, draw.weights, draw.roles).T),
        ensemble_of=_checked_ensembles(ensemble_of, n_sets),
    )


def _asked_roles(plan: FitPlan, weights: NDArray[np.uint8], roles: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return predictions wanted, and rows that stop where early stopping goes by rows given."""
    if not plan.patience or plan.out_of_bag:
        wanted = weights == 0 if roles is None else (roles & PREDICTED) != 0
        return np.where(wanted, np.uint8(PREDICTED), np.uint8(0))
    if roles is None:
        raise InvalidInput(
            f"early_stopping={plan.patience} needs rows to judge the rounds by, got no roles: mark such rows by "
            'heldout.learner.STOPS alone, or set early_stopping="out_of_bag"'
        )
    both = np.argwhere(roles == STOPS | PREDICTED)
    if both.size:
        raise InvalidInput(
            f"a row that stops a model must not be predicted by it, got both in row {both[0][0]}, column {both[0][1]}: "
            "its error would have been used to choose"
        )
    lacking = np.flatnonzero(~((roles & STOPS) != 0).any(axis=0))
    if lacking.size:
        raise InvalidInput(
            f"early_stopping={plan.patience} needs rows to judge the rounds by, got none in column {lacking[0]} of "
            "roles: mark such rows by heldout.learner.STOPS alone"
        )
    return roles


def _checked_seeds(seeds: Sequence[int] | None, n_sets: int, default: int) -> list[int]:
    if seeds is None:
        return [default] * n_sets
    try:
        listed = list(seeds)
    except TypeError as error:  # Python's for what has no items
        raise InvalidInput(
            f"seeds must be a list of one number per column of weights, {n_sets}, got {seeds!r:.60}: pass a list"
        ) from error
    if len(listed) != n_sets:
        raise InvalidInput(
            f"seeds must have one number per column of weights, {n_sets}, got {len(listed)}: add or drop"
        )
    return [seed_of(seed) % 2**64 for seed in listed]


def _checked_ensembles(ensemble_of: ArrayLike | None, n_sets: int) -> NDArray[np.intp]:
    if ensemble_of is None:
        return np.arange(n_sets)
    numbers = np.asarray(ensemble_of)
    if numbers.shape != (n_sets,) or numbers.dtype.kind not in "iu":
        raise InvalidInput(
            f"ensemble_of must be {n_sets} whole numbers, one per column of weights, got shape {numbers.shape} of "
            f"{numbers.dtype}: number the ensembles from 0"
        )
    there = np.unique(numbers)
    if there[0] != 0 or there[-1] != len(there) - 1:
        raise InvalidInput(
            f"ensemble_of must number the ensembles from 0 without a gap, got {there.tolist()!r:.60}: number them anew"
        )
    return numbers.astype(np.intp)


def checked_groups(plan: FitPlan, groups: Any, n_rows: int) -> NDArray[np.intp] | None:
    """Return the number of each row's group.

    Raises
    ------
    InvalidInput
        Groups that nothing would use, or another number of them than rows.
    """
    if groups is None:
        return None
    if not plan.draws or plan.resampling is None:
        came = "replicas=1" if not plan.draws else "resampling=None"
        raise InvalidInput(
            f'groups are kept whole by resampling="groups", got groups with {came}, which draws none: '
            "ask for replicas that draw groups, or leave groups out"
        )
    return as_codes(groups, n_rows)[0]
