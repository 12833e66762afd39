"""What replicas refuse: arrays that do not fit the table or each other, and roles that would mislead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heldout import _native
from heldout.trees import PREDICTED, STOPS, Replication

from reference.replica_cases import make_case

N_ROWS = 30


def arguments(**others: Any) -> dict[str, Any]:
    """Two replicas of one ensemble: of the first 20 rows and of the last 20."""
    case = make_case(0, "squared_error", n_rows=N_ROWS)
    weights = np.zeros((2, N_ROWS), dtype=np.uint8)
    weights[0, :20], weights[1, 10:] = 1, 2
    return {
        "codes": case.binned.codes,
        "n_bins": list(case.binned.n_bins),
        "target": case.objective.target,
        "weight": None,
        "loss": 0,
        "n_outputs": 1,
        "settings": {
            "n_rounds": 3,
            "first_round": 0,
            "learning_rate": 0.1,
            "max_leaves": 4,
            "least_count": 1,
            "l2": 0.0,
            "least_hessian": 0.0,
            "max_features": 1.0,
            "seed": 0,
        },
        "weights": weights,
        "roles": None,
        "ensemble_of": [0, 0],
        "seeds": [0, 1],
        "rounds": [3],
        "sizes": [2],
        **others,
    }


def counts(*shape: int, value: int = 1) -> np.ndarray:
    return np.full(shape, value, dtype=np.uint8)


def roles_with(value: int, replica: int, row: int) -> np.ndarray:
    found = np.where(arguments()["weights"] == 0, STOPS | PREDICTED, 0).astype(np.uint8)
    found[replica, row] = value
    return found


REFUSED = {
    "weights of too few rows": ({"weights": counts(2, N_ROWS - 1)}, "weights must have .* one entry per table row"),
    "weights of no replica": ({"weights": counts(0, N_ROWS), "ensemble_of": [], "seeds": []}, "weights must have one"),
    "a replica of no rows": ({"weights": np.stack([counts(N_ROWS), counts(N_ROWS, value=0)])}, "a replica has no rows"),
    "a replica of rows without weight": ({"weight": np.r_[np.zeros(20), np.ones(10)]}, "no rows"),
    "roles of other rows": ({"roles": counts(2, N_ROWS + 1, value=0)}, "roles must have the shape of weights"),
    "roles of other replicas": ({"roles": counts(3, N_ROWS, value=0)}, "roles must have the shape of weights"),
    "a role beyond both bits": ({"roles": roles_with(4, 0, 25)}, "a role must be 0, 1, 2 or 3"),
    "a fitted row that stops": ({"roles": roles_with(STOPS, 0, 3)}, "fitted to must not stop it"),
    "a fitted row that stops and is wanted": ({"roles": roles_with(3, 1, 12)}, "fitted to must not stop it"),
    "an ensemble too many": ({"ensemble_of": [0, 2], "rounds": [3] * 3, "sizes": [1] * 3}, "ensemble has no replica"),
    "no ensemble 0": ({"ensemble_of": [1, 1], "rounds": [3] * 2, "sizes": [1] * 2}, "an ensemble has no replica"),
    "an unknown ensemble": ({"ensemble_of": [0, 1]}, "there is no such ensemble"),
    "a negative ensemble": ({"ensemble_of": [0, -1]}, "there is no such ensemble"),
    "ensembles of other replicas": ({"ensemble_of": [0, 0, 0]}, "each replica needs an ensemble and a seed"),
    "too few seeds": ({"seeds": [1]}, "each replica needs an ensemble and a seed"),
    "no ensembles": ({"rounds": [], "sizes": []}, "each ensemble needs a number of rounds and a size"),
    "too many sizes": ({"sizes": [2, 2]}, "each ensemble needs a number of rounds and a size"),
    "no rounds": ({"rounds": [0]}, "rounds and sizes must be above 0"),
    "a size below 1": ({"sizes": [-2]}, "rounds and sizes must be above 0"),
    "refit counts of replicas": ({"refit_counts": counts(2, N_ROWS)}, "refit_counts must have one row per ensemble"),
    "refit counts of few rows": ({"refit_counts": counts(1, 5)}, "refit_counts must have .* one entry per table row"),
    "no rows to refit": ({"refit_counts": counts(1, N_ROWS, value=0)}, "an ensemble has no rows .* to refit"),
    "weights of the curve too few": ({"curve_weight": np.ones(4)}, "curve_weight must have one entry per row"),
    "a target too long": ({"target": np.zeros(N_ROWS + 1)}, "target must have one entry per row"),
    "sample weights too few": ({"weight": np.ones(3)}, "weight must have one entry per row"),
    "two outputs of squared error": ({"n_outputs": 2}, "n_outputs"),
    "two outputs of logistic loss": ({"n_outputs": 2, "loss": 1, "target": np.zeros(N_ROWS)}, "n_outputs"),
    "no outputs": ({"n_outputs": 0}, "n_outputs must be .* above 0"),
    "an unknown loss": ({"loss": 3}, "loss must be 0, 1 or 2"),
    "a class beyond the outputs": ({"loss": 2, "n_outputs": 2, "target": np.full(N_ROWS, 2.0)}, "class number"),
    "bins of other features": ({"n_bins": [5]}, "n_bins must have one entry per feature"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case: str) -> None:
    others, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        _native.boost_replicas(**arguments(**others))


def test_what_fits_is_not_refused() -> None:
    (grown,) = _native.boost_replicas(**arguments())
    assert (grown["n_rounds"], grown["rows"].tolist()) == (3, [*range(10), *range(20, 30)])
    fitted = {"roles": roles_with(PREDICTED, 0, 3), "refit_counts": counts(1, N_ROWS), "curve_weight": np.ones(N_ROWS)}
    assert _native.boost_replicas(**arguments(**fitted))[0]["refit_mean"].shape == (1, 20)


def test_a_setting_that_nobody_knows_is_refused() -> None:
    settings = {**arguments()["settings"], "max_leafs": 3}
    with pytest.raises(ValueError, match="max_leafs"):
        _native.boost_replicas(**arguments(settings=settings))


@pytest.mark.parametrize("ensemble_of", [(0, 1, 0), [0, 1, 0], np.array([0, 1, 0], dtype=np.uint8)])
def test_ensembles_are_numbered_in_any_sequence(ensemble_of: Any) -> None:
    case = make_case(0, "squared_error", n_rows=N_ROWS)
    weights = np.ones((N_ROWS, 3), dtype=np.uint8)
    weights[:10, 1] = 0
    grown = case.replicas(Replication(weights, ensemble_of=ensemble_of))
    assert [one.members.n_outputs for one in grown] == [2, 1]


def test_a_replica_of_rows_without_weight_is_refused_in_any_loss() -> None:
    for loss in ("squared_error", "logistic", "softmax"):
        case = make_case(0, loss, n_rows=N_ROWS)
        objective = replace(case.objective, weight=np.r_[np.zeros(20), np.ones(10)])
        weights = arguments()["weights"].T
        with pytest.raises(ValueError, match="no rows"):
            replace(case, objective=objective).replicas(Replication(weights))
