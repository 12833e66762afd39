"""Rounds of trees grown by the engine onto scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heldout import _native
from heldout.trees.binned import Binned
from heldout.trees.ensemble import TreeEnsemble

__all__ = ["Growth", "LossName", "Objective", "ValidationRows", "best_constants", "grow_rounds"]

LossName = Literal["squared_error", "logistic", "softmax"]
_LOSSES: dict[str, int] = {"squared_error": 0, "logistic": 1, "softmax": 2}

# The least hessian of a leaf, in units of the largest weight of a row that counts: below it, one row that a leaf gets
# wrong would give the leaf any value. A leaf of squared error has at least the hessian of its rows.
_LEAST_HESSIAN = {"squared_error": 0.0, "logistic": 1e-3, "softmax": 1e-3}


@dataclass(frozen=True)
class Objective:
    """What trees are fitted to.

    Parameters
    ----------
    loss : "squared_error", "logistic" or "softmax"
    target : array of float64, shape (n_rows,)
        Values; 0 or 1; or class numbers 0 to n_outputs - 1.
    weight : array of float64, shape (n_rows,), optional
        Multiplies gradient and hessian.
    count : array of uint8, shape (n_rows,), optional
        How often each row is there; 0 leaves it out.
    n_outputs : int
    """

    loss: LossName
    target: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None
    count: NDArray[np.uint8] | None = None
    n_outputs: int = 1


@dataclass(frozen=True)
class ValidationRows:
    """Rows that no tree is fitted to.

    Parameters
    ----------
    codes : array of uint8, shape (n_features, n_rows)
        By the cut points of the fit (`Binned.transform`).
    objective : Objective
    scores : array of float64, shape (n_outputs, n_rows)
        What the rows start from; updated in place.
    patience : int
        Rounds without a better loss that end the fit; 0 means never.
    """

    codes: NDArray[np.uint8]
    objective: Objective
    scores: NDArray[np.float64]
    patience: int = 0


@dataclass(frozen=True)
class Growth:
    """How trees grow.

    Parameters
    ----------
    n_rounds, first_round : int
        Rounds to grow, and those there are already (they decide which features a later tree draws).
    learning_rate : float
    max_leaves : int
    least_count : int
        Smallest count of a leaf.
    l2 : float
    max_features : float
        Share of the features that a tree may use.
    seed : int
    tuning : dict
        `few_rows`, `together_rows`, `shared_rows`, `pool_bytes`, `narrow_limit`, `most_flushed_bits`, `forced_format`
        of the engine, for tests and measurements.
    """

    n_rounds: int
    learning_rate: float = 0.1
    max_leaves: int = 31
    least_count: int = 20
    l2: float = 0.0
    max_features: float = 1.0
    seed: int = 0
    first_round: int = 0
    tuning: dict[str, int] = field(default_factory=dict)


def best_constants(objective: Objective) -> NDArray[np.float64]:
    """Return the constant score of least loss for each output: the mean, the log odds, or the log shares.

    Examples
    --------
    >>> import numpy as np
    >>> best_constants(Objective("squared_error", np.array([1.0, 2.0, 6.0])))
    array([3.])
    """
    code = loss_code(objective.loss)
    found = _native.best_constants(objective.target, objective.weight, objective.count, code, objective.n_outputs)
    return np.asarray(found, dtype=np.float64)


def grow_rounds(
    binned: Binned,
    objective: Objective,
    growth: Growth,
    scores: NDArray[np.float64],
    base: NDArray[np.float64],
    *,
    validation: ValidationRows | None = None,
    callback: Callable[[int, float | None], Any] | None = None,
    n_threads: int = 1,
) -> tuple[TreeEnsemble, list[float], int]:
    """Grow rounds of trees, one per output and round.

    Parameters
    ----------
    binned : Binned
    objective : Objective
    growth : Growth
    scores : array of float64, shape (n_outputs, n_rows)
        What the rows start from; holds what they have reached afterwards, except those of count 0.
    base : array of float64, shape (n_outputs,)
        Base of the ensemble returned.
    validation : ValidationRows, optional
    callback : callable, optional
        Called after each round with its number and the validation loss; a true answer ends the fit.
    n_threads : int
        The trees are the same to the bit for any number.

    Returns
    -------
    ensemble : TreeEnsemble
    validation_losses : list of float
    best_round : int
        Position of the lowest validation loss; -1 without validation rows, or where no round is better than those
        there were before `first_round`.
    """
    grown = _native.boost(
        binned.codes,
        list(binned.n_bins),
        objective.target,
        objective.weight,
        objective.count,
        scores,
        loss_code(objective.loss),
        engine_settings(objective, growth),
        n_threads,
        callback=callback,
        **({} if validation is None else _held_out(validation)),
    )
    return ensemble_of(grown, binned, base), grown["validation_losses"], grown["best_round"]


def ensemble_of(
    trees: Mapping[str, Any], binned: Binned, base: NDArray[np.float64], *, ready: bool = True
) -> TreeEnsemble:
    """Return trees as the engine hands them over, with thresholds in place of bins."""
    return TreeEnsemble(
        starts=trees["starts"],
        feature=trees["feature"],
        threshold=thresholds_of(binned.cut_points, trees["feature"], trees["bin"]),
        left=trees["left"],
        missing_left=trees["missing_left"],
        value=trees["value"],
        gain=trees["gain"],
        count=trees["count"],
        base=base,
        n_features=binned.n_features,
        ready=ready,
    )


def loss_code(loss: LossName) -> int:
    """Return the engine's number of a loss."""
    return _LOSSES[loss]


def engine_settings(objective: Objective, growth: Growth) -> dict[str, Any]:
    """Return what the engine is told in numbers."""
    return {
        "n_rounds": growth.n_rounds,
        "first_round": growth.first_round,
        "learning_rate": growth.learning_rate,
        "max_leaves": growth.max_leaves,
        "least_count": growth.least_count,
        "l2": growth.l2,
        "least_hessian": _LEAST_HESSIAN[objective.loss],
        "max_features": growth.max_features,
        "seed": growth.seed,
        **growth.tuning,
    }


def _held_out(validation: ValidationRows) -> dict[str, Any]:
    """Return the engine's arguments for validation rows."""
    return {
        "validation_codes": validation.codes,
        "validation_target": validation.objective.target,
        "validation_weight": validation.objective.weight,
        "validation_scores": validation.scores,
        "patience": validation.patience,
    }


def thresholds_of(
    cut_points: Sequence[NDArray[np.float64]], feature: NDArray[np.int32], bins: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the largest value that goes left at each node; 0 in a leaf, infinity behind a feature's last bin.

    A split behind the last bin sends all values left and the missing ones right.
    """
    ends = np.cumsum([cuts.size + 1 for cuts in cut_points])
    table = np.concatenate([np.append(cuts, np.inf) for cuts in cut_points])
    starts = ends - np.array([cuts.size + 1 for cuts in cut_points])
    inner = feature >= 0
    threshold = np.zeros(feature.size)
    threshold[inner] = table[starts[feature[inner]] + bins[inner]]
    return threshold
