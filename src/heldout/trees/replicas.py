"""Replicas: many boosters grown at once over one binned matrix, judged by the rows that each has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout import _native
from heldout.learner import PREDICTED, STOPS
from heldout.trees.binned import Binned
from heldout.trees.ensemble import TreeEnsemble
from heldout.trees.growth import Growth, Objective, engine_settings, ensemble_of, loss_code

__all__ = ["PREDICTED", "STOPS", "GrownEnsemble", "Replication", "grow_replicas"]


@dataclass(frozen=True, eq=False)
class Replication:
    """Which rows each replica is fitted to, which it is judged by, and which replicas belong together.

    Parameters
    ----------
    weights : array of uint8, shape (n_rows, n_replicas)
        How often each row is in the bag of each replica; 0 leaves it out. Fortran order spares a copy.
    roles : array of uint8, shape (n_rows, n_replicas), optional
        Bits: `STOPS`, the row counts in the curve of its ensemble (only where the weight is 0); `PREDICTED`, its
        prediction is wanted: held out where the weight is 0, fitted where it is not. By default both bits where the
        weight is 0 and none elsewhere.
    ensemble_of : array of int, shape (n_replicas,), optional
        Ensembles, numbered from 0 on, that replicas belong to: each has one curve, one number of rounds, one
        prediction per row, of the mean score. By default all replicas are one ensemble.
    seeds : tuple of int, optional
        One per replica, for the features that its trees draw. By default all have that of the growth.
    rounds : tuple of int, optional
        Rounds of each ensemble; by default those of the growth.
    patience : int, default 0
        Rounds without a better loss that end an ensemble, which then keeps those up to the best one; 0 means never.
    ensemble_size : int, default 0
        Members whose error the curve of squared error estimates (see `GrownEnsemble.curve`); 0 means the replicas of
        the ensemble. With 1 the curve is that of single members, for any loss.
    refit_counts : array of uint8, shape (n_rows, n_ensembles), optional
        How often each row counts when the leaves of an ensemble are filled anew after its last round, the structures of
        the trees kept.
    class_factors : array of float64, shape (n_replicas, n_classes), optional
        What multiplies the weights of each class's rows, replica by replica.
    refit_class_factors : array of float64, shape (n_ensembles, n_classes), optional
        The same where leaves are filled anew.
    curve_weight : array of float64, shape (n_rows,), optional
        How much each row counts in the curves.
    """

    weights: NDArray[np.uint8]
    roles: NDArray[np.uint8] | None = None
    ensemble_of: NDArray[np.intp] | None = None
    seeds: tuple[int, ...] | None = None
    rounds: tuple[int, ...] | None = None
    patience: int = 0
    ensemble_size: int = 0
    refit_counts: NDArray[np.uint8] | None = None
    class_factors: NDArray[np.float64] | None = None
    refit_class_factors: NDArray[np.float64] | None = None
    curve_weight: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class GrownEnsemble:
    r"""What has become of the replicas of one ensemble.

    Attributes
    ----------
    members : TreeEnsemble or None
        All trees: output :math:`k \cdot` `n_outputs` :math:`+ o` is score :math:`o` of replica :math:`k`. Trees stand
        round by round, of each round replica by replica. None where trees were not kept.
    averaged : TreeEnsemble or None
        The same trees with leaves and bases divided by the number of replicas: the mean score. Shares all other arrays.
    refitted : TreeEnsemble or None
        The mean score of the same structures with leaves filled anew from all refit rows.
    rows : array of int, shape (m,)
        Rows whose prediction is wanted by some member, ascending.
    mean, variance : arrays of float64, shape (n_outputs, m)
        Of the scores of those members (divisor: members - 1; NaN for one member).
    n_members : array of int32, shape (m,)
    refit_mean : array of float64, shape (n_outputs, m), or None
        Mean score of the refitted members; None without refit, or with default roles.
    curve : array of float64, shape (n_rounds_grown,)
        Loss after each round over the rows that stop. Log loss is that of the mean score of the members that have not
        seen the row. Half the squared error is corrected to an ensemble of :math:`S` = `ensemble_size` members: a row
        of :math:`m` members with the mean error :math:`e` and the variance :math:`V` counts
        :math:`(e^2 - V / m + V / S) / 2`, which is unbiased for independent members; :math:`V` of a row with one member
        is pooled over the others, where it counts :math:`m - 1` times.
    members_per_row : float
        Members that a row of the curve is judged by, on average.
    best_round : int
        The first of the lowest loss of the curve; -1 without one.
    n_rounds : int
        Rounds kept.
    """

    members: TreeEnsemble | None
    averaged: TreeEnsemble | None
    refitted: TreeEnsemble | None
    rows: NDArray[np.intp]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    n_members: NDArray[np.int32]
    refit_mean: NDArray[np.float64] | None
    curve: NDArray[np.float64]
    members_per_row: float
    best_round: int
    n_rounds: int


def grow_replicas(
    binned: Binned,
    objective: Objective,
    growth: Growth,
    replication: Replication,
    *,
    keep_trees: bool = True,
    callback: Callable[[int, float | None], Any] | None = None,
    n_threads: int = 1,
) -> tuple[GrownEnsemble, ...]:
    """Grow replicas round by round, all from one binned matrix.

    Replica k is, to the bit, what `grow_rounds` makes of the same `binned` with ``count=weights[:, k]``, the best
    constant of its own rows as base, and its seed.

    Parameters
    ----------
    binned : Binned
    objective : Objective
        Its `count` is not read: that is `replication.weights`.
    growth : Growth
    replication : Replication
    keep_trees : bool, default True
        Whether trees are returned; predictions and curves do not need them.
    callback : callable, optional
        Called after each round with its number and the loss of the first ensemble that still grows (None without a
        curve); a true answer ends the fit.
    n_threads : int
        The result is the same to the bit for any number.

    Returns
    -------
    ensembles : tuple of GrownEnsemble

    Examples
    --------
    >>> import numpy as np
    >>> X, weights = np.arange(8.0)[:, None], np.array([[1, 0], [0, 1]] * 4, dtype=np.uint8)
    >>> (grown,) = grow_replicas(
    ...     Binned.from_array(X), Objective("squared_error", X[:, 0]), Growth(20, least_count=1), Replication(weights))
    >>> grown.mean.round(1)
    array([[1.4, 2.1, 3.1, 3.9, 4.9, 5.6, 6.6, 5.6]])
    """
    weights = replication.weights
    together = np.zeros(weights.shape[1], np.intp)
    ensemble_of = together if replication.ensemble_of is None else np.asarray(replication.ensemble_of)
    sizes = np.bincount(ensemble_of)
    seeds = replication.seeds or (growth.seed,) * weights.shape[1]
    grown = _native.boost_replicas(
        binned.codes,
        list(binned.n_bins),
        objective.target,
        objective.weight,
        loss_code(objective.loss),
        objective.n_outputs,
        engine_settings(objective, growth),
        _replica_by_replica(weights),
        None if replication.roles is None else _replica_by_replica(replication.roles),
        ensemble_of.tolist(),
        list(seeds),
        list(replication.rounds or (growth.n_rounds,) * len(sizes)),
        [replication.ensemble_size or int(size) for size in sizes],
        None if replication.refit_counts is None else _replica_by_replica(replication.refit_counts),
        replication.class_factors,
        replication.refit_class_factors,
        replication.curve_weight,
        replication.patience,
        keep_trees,
        n_threads,
        callback,
    )
    return tuple(_ensemble(one, binned, objective.n_outputs) for one in grown)


def _replica_by_replica(columns: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(columns.T)


def _ensemble(grown: dict[str, Any], binned: Binned, n_outputs: int) -> GrownEnsemble:
    members = averaged = refitted = None
    if grown["trees"] is not None:
        members = ensemble_of(grown["trees"], binned, grown["bases"], ready=False)
        averaged, refitted = _averaged(members, n_outputs), _refitted(members, grown, n_outputs)
    return GrownEnsemble(
        members=members,
        averaged=averaged,
        refitted=refitted,
        rows=grown["rows"].astype(np.intp),
        mean=grown["mean"],
        variance=grown["variance"],
        n_members=grown["n_members"],
        refit_mean=grown["refit_mean"] if grown["refit_mean"].size else None,
        curve=grown["curve"],
        members_per_row=grown["members_per_row"],
        best_round=grown["best_round"],
        n_rounds=grown["n_rounds"],
    )


def _averaged(members: TreeEnsemble, n_outputs: int) -> TreeEnsemble:
    n_replicas = members.base.size // n_outputs
    base = members.base.reshape(n_replicas, n_outputs).mean(axis=0)
    return replace(members, value=members.value / n_replicas, base=base, ready=False)


def _refitted(members: TreeEnsemble, grown: dict[str, Any], n_outputs: int) -> TreeEnsemble | None:
    trees = grown["trees"]
    if "refit_value" not in trees:
        return None
    value = trees["refit_value"] / (members.base.size // n_outputs)
    return replace(members, value=value, count=trees["refit_count"], base=grown["refit_base"], ready=False)
