"""What ours does in one call: a bag, moments over bootstraps, pairs of disjoint training sets, folds; and K fits."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from boosting_laws import Drawn
from boosting_peers import BINS, LEAF_ROWS, LEAVES, RATE, ROUNDS, Contender, Fitted, Setting
from machine import usable_processors
from replicas_peers import BAGGED, Moments, without_known_warnings


def regressor(**options: Any) -> Any:
    """Return our estimator at the settings of all, not fitted."""
    from heldout import BoostingRegressor

    shape = {"n_trees": ROUNDS, "max_leaves": LEAVES, "max_bins": BINS, "min_leaf_weight": LEAF_ROWS, "l2": 0.0}
    return BoostingRegressor(**shape, learning_rate=RATE, **options)


def bagged(n_replicas: int) -> Contender:
    """Return bagged boosters of ours, with out-of-bag predictions and their curve."""

    def fit(X: Any, y: Any, loss: str, setting: Setting) -> Fitted:
        assert loss == "squared"
        model = regressor(replicas=n_replicas, resampling="bootstrap", random_state=0, n_jobs=setting.threads)
        with without_known_warnings():
            model.fit(X, y)
        assert len(model.oob_curve_.loss) == ROUNDS

        def more() -> dict[str, float]:
            seen = ~np.isnan(model.oob_prediction_)
            loss = float(np.mean(np.square(y[seen] - model.oob_prediction_[seen])))
            return {"out_of_bag_loss": loss, "pickled_bytes": len(pickle.dumps(model))}

        def size() -> tuple[int, int]:
            trees = model.ensemble_
            return int(trees.n_trees), int((trees.feature < 0).sum())

        return Fitted(model.predict, size, more)

    return Contender(f"heldout, {n_replicas} replicas", "heldout", fit, (Setting(),))


BAGGED_OURS = bagged(BAGGED)


@dataclass(frozen=True)
class Table:
    """Training rows and test rows in one matrix; the bins are those of the training rows."""

    binned: Any
    target: Any
    n_training: int


def table_of(drawn: Drawn) -> Table:
    """Bin a table with its test rows, whose targets are left out: no replica can see them."""
    from heldout.trees import Binned

    n_training, n_test = len(drawn.y), len(drawn.y_test)
    shapes_cuts = np.concatenate([np.ones(n_training), np.zeros(n_test)])
    X = np.concatenate([drawn.X, drawn.X_test])
    binned = Binned.from_array(X, shapes_cuts, n_threads=usable_processors())
    return Table(binned, np.concatenate([drawn.y, np.zeros(n_test)]), n_training)


def growth() -> Any:
    """Return the settings of all, for the engine."""
    from heldout.trees import Growth

    return Growth(n_rounds=ROUNDS, learning_rate=RATE, max_leaves=LEAVES, least_count=LEAF_ROWS)


def grow_on_test_rows(table: Table, weights: Any, ensemble_of: Any = None) -> Sequence[Any]:
    """Grow a replica per column of weights of the training rows; ask for the predictions of the test rows.

    Test rows have weight 0 everywhere; other rows that a replica has not seen are not predicted.
    """
    from heldout.trees import PREDICTED, Objective, Replication, grow_replicas

    n_rows = table.binned.n_rows
    counts = np.zeros((n_rows, weights.shape[1]), dtype=np.uint8, order="F")
    counts[: table.n_training] = weights
    roles = np.zeros_like(counts)
    roles[table.n_training :] = PREDICTED
    replication = Replication(counts, roles=roles, ensemble_of=ensemble_of)
    objective = Objective("squared_error", table.target)
    threads = usable_processors()
    return grow_replicas(table.binned, objective, growth(), replication, keep_trees=False, n_threads=threads)


def decompose_by_bootstraps(drawn: Drawn, n_replicas: int, seed: int) -> Moments:
    """Return the moments of mlxtend's decomposition, from one call."""
    from heldout.resampling import Bootstrap

    weights = Bootstrap().draw(len(drawn.y), n_replicas, random_state=seed).weights
    (grown,) = grow_on_test_rows(table_of(drawn), weights)
    bias = float(np.mean(np.square(grown.mean[0] - drawn.y_test)))
    variance = float(np.mean(grown.variance[0])) * (n_replicas - 1) / n_replicas
    return Moments(bias + variance, bias, variance)


def variances_of_bootstraps(drawn: Drawn, n_groups: int, size: int, seed: int) -> Any:
    """Return the mean and the mean variance (ddof 1) over each group of bootstraps: (n_groups, n_test), (n_groups,)."""
    from heldout.resampling import Bootstrap

    weights = Bootstrap().draw(len(drawn.y), n_groups * size, random_state=seed).weights
    groups = grow_on_test_rows(table_of(drawn), weights, np.repeat(np.arange(n_groups), size))
    return np.stack([one.mean[0] for one in groups]), np.array([np.mean(one.variance[0]) for one in groups])


def variance_of_sets(drawn: Drawn, n_sets: int, seed: int) -> float:
    """Return the variance (ddof 1) between so many training sets without a common row, averaged over the test rows."""
    from heldout.resampling import Disjoint

    n_training = len(drawn.y)
    weights = Disjoint(n_training // n_sets).draw(n_training, n_sets, random_state=seed).weights
    (grown,) = grow_on_test_rows(table_of(drawn), weights)
    return float(np.mean(grown.variance[0]))


def variances_of_halves(drawn: Drawn, n_pairs: int, seed: int) -> Any:
    """Return the mean variance over the test rows from each pair of disjoint halves, in one call; shape (n_pairs,)."""
    from heldout.resampling import Disjoint

    n_training = len(drawn.y)
    weights = Disjoint(n_training // 2).draw(n_training, 2 * n_pairs, random_state=seed).weights
    pairs = grow_on_test_rows(table_of(drawn), weights, np.repeat(np.arange(n_pairs), 2))
    return np.array([np.mean(pair.variance[0]) for pair in pairs])


def predict_folds(drawn: Drawn, n_folds: int, n_repeats: int, seed: int) -> Any:
    """Predict all folds of all repeats in one call; shape (n_folds * n_repeats, n_rows), NaN where not held out."""
    from heldout.resampling import KFold

    drawing = KFold(n_folds, n_repeats).draw(len(drawn.y), n_folds * n_repeats, random_state=seed)
    return regressor().fit_replicas(drawn.X, drawn.y, drawing.weights, drawing.roles)


def fit_one_by_one(drawn: Drawn, bags: Sequence[Any]) -> list[Any]:
    """Fit a booster on each bag of row numbers, as a user would without replicas; nothing is predicted."""
    return [regressor().fit(drawn.X[rows], drawn.y[rows]) for rows in bags]


def grow_one_by_one(binned: Any, target: Any, weights: Any) -> list[Any]:
    """Grow a booster for each column of weights on the same bins."""
    from heldout.trees import Objective, best_constants, grow_rounds

    found = []
    for k in range(weights.shape[1]):
        objective = Objective("squared_error", target, count=np.ascontiguousarray(weights[:, k]))
        base = best_constants(objective)
        scores = np.tile(base[:, None], (1, len(target)))
        found.append(grow_rounds(binned, objective, growth(), scores, base, n_threads=usable_processors())[0])
    return found


def grow_together(binned: Any, target: Any, weights: Any) -> Any:
    """Grow the same boosters in one call, with predictions and curve of the rows out of bag."""
    from heldout.trees import Objective, Replication, grow_replicas

    objective = Objective("squared_error", target)
    return grow_replicas(binned, objective, growth(), Replication(weights), n_threads=usable_processors())
