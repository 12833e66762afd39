"""The fits of all partitions, by one call of a learner that can, else one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._joint_fits import JointFits, TrainingSets, joint_fits
from heldout._threads import fitted_beside
from heldout.errors import InvalidInput
from heldout.tradeoff.fitting import Pair, Rows, checked_values, fit_and_predict

__all__ = ["FittedPartitions", "fit_partitions"]

FEWEST_PARTITIONS = 2  # made whatever the time: their spread is the Monte-Carlo error


@dataclass
class FittedPartitions:
    """Predictions of the partitions made in time, one list per partition with shape (2, n_test) for each pair.

    `n_calls` of `fit_replicas` made them, 0 if each was a fit of its own.
    """

    predictions: list[list[NDArray[Any]]] = field(default_factory=list)
    n_calls: int = 0


def fit_partitions(
    estimator: Any,
    table: Rows,
    partitions: Sequence[list[Pair]],
    *,
    together: bool,
    n_jobs: int | None,
    deadline: float | None,
) -> FittedPartitions:
    """Fit both halves of every pair and predict its held-out rows, one partition after the other.

    Parameters
    ----------
    estimator : scikit-learn estimator
    table : Rows
    partitions : sequence of lists of Pair
    together : bool
        Whether the models may share what is learned of `X` alone. They do where the estimator can fit many training
        sets at once: all partitions in one call, or each in one of its own where there is a deadline.
    n_jobs : int, optional
    deadline : float, optional
        No further partition is begun after it, once there are two.
    """
    joint = _joint(estimator, table, partitions, n_jobs) if together else None
    done = FittedPartitions()
    first = 0
    for portion in [partitions] if joint is not None and deadline is None else [[pairs] for pairs in partitions]:
        if deadline is not None and len(done.predictions) >= FEWEST_PARTITIONS and time.monotonic() >= deadline:
            break
        if joint is None:
            done.predictions += [
                fitted_beside(fit_and_predict, [(estimator, table, pair) for pair in pairs], n_jobs)
                for pairs in portion
            ]
            continue
        last = first + 2 * sum(len(pairs) for pairs in portion)
        came = (_values(fit, table, joint.learner) for fit in joint.predictions(first, last))
        done.predictions += [[np.stack([next(came), next(came)]) for _ in pairs] for pairs in portion]
        done.n_calls += len(joint.calls(first, last))
        first = last
    return done


def _joint(estimator: Any, table: Rows, partitions: Sequence[list[Pair]], n_jobs: int | None) -> JointFits | None:
    pairs = [pair for partition in partitions for pair in partition]
    sets = TrainingSets(
        rows=[half for pair in pairs for half in pair.halves],
        asked=[pair.test for pair in pairs for _ in pair.halves],
        purposes=[(seed,) for pair in pairs for seed in pair.seeds],
        groups=table.groups,
    )
    # Codes without holes, as a separate fit is told them.
    told = np.unique(table.y, return_inverse=True)[1] if table.classification else table.y
    return joint_fits(
        estimator, table.X, told, sets, classification=table.classification, weight=table.weight, n_jobs=n_jobs
    )


def _values(came: NDArray[np.float64], table: Rows, learner: Any) -> NDArray[Any]:
    """Return one prediction per row: the value, or the most probable class, of several the first."""
    if not table.classification:
        return checked_values(came, len(came))
    if not np.isfinite(came).all():
        bad = came[~np.isfinite(came)][0]
        raise InvalidInput(f"fit_replicas of {type(learner).__name__} must give finite probabilities, got {bad}")
    return np.asarray(np.unique(table.y)[came.argmax(axis=1)])
