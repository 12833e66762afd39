"""Fits to many training sets in one call equal a loop of fits, whatever the fits are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special
from sklearn.base import clone

from heldout import BoostingClassifier, BoostingRegressor
from heldout.learner import PREDICTED, STOPS, ReplicatedLearner
from heldout.resampling import Groups, KFold, Subsample
from heldout.trees import Binned, Growth, Objective, best_constants, grow_replicas, grow_rounds

from reference.ensembles import walk_raw

KINDS = ("regression", "two", "five")
N = 600

# Rounds, leaves and draws of features small enough to be quick and large enough that fits differ.
SMALL: dict[str, Any] = {"n_trees": 6, "max_leaves": 8, "min_leaf_weight": 5, "random_state": 3, "max_features": 0.7}
FITS: dict[str, dict[str, Any]] = {
    "one": {},
    "bagged": {"replicas": 3},
    "subsampled": {"replicas": 5, "resampling": Subsample(0.6)},
    "all rows": {"replicas": 2, "resampling": None},
    "one, out of bag": {"early_stopping": "out_of_bag", "n_trees": 60, "learning_rate": 0.7},
    "one, folds": {"early_stopping": "out_of_bag", "resampling": KFold(5), "n_trees": 60, "learning_rate": 0.7},
    "bagged, out of bag": {"replicas": 3, "early_stopping": "out_of_bag", "n_trees": 60, "learning_rate": 0.7},
}
WEIGHTS = ("none", "whole", "large", "fractional")

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning")


def coarse(seed: int, n_rows: int = N) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """Make features of so few values that each training set has them all, and so the same cut points as the table."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n_rows, 4)).astype(float)
    X[rng.random((n_rows, 4)) < 0.05] = np.nan
    y = np.nan_to_num(X[:, 0]) * np.nan_to_num(X[:, 1]) + np.isnan(X[:, 2]) + rng.normal(size=n_rows)
    two = np.where(y > np.median(y), "yes", "no")
    five = np.digitize(y, np.quantile(y, [0.1, 0.4, 0.7, 0.9]))
    return X, {"regression": y, "two": two, "five": five}


def weight_of(kind: str, rng: np.random.Generator) -> NDArray[np.float64] | None:
    whole = rng.integers(0, 4, N).astype(float)
    return {
        "none": None,
        "whole": whole,
        "large": np.where(np.arange(N) % 50 == 0, 120.0, whole),  # times 2 and more draws: above 255
        "fractional": rng.gamma(2.0, size=N) * (rng.random(N) < 0.9),
    }[kind]


def predicted(model: Any, X: Any) -> NDArray[np.float64]:
    return np.asarray(model.predict(X) if isinstance(model, BoostingRegressor) else model.predict_proba(X))


def loop(model: Any, X: Any, y: Any, weights: Any, sample_weight: Any, wanted: Any, seeds: Any = None) -> Any:
    """Fit the training sets one after the other, each to its rows alone."""
    out = []
    for c, times in enumerate(weights.T):
        rows = np.flatnonzero((times > 0) & (1 if sample_weight is None else sample_weight > 0))
        own = clone(model) if seeds is None else clone(model).set_params(random_state=seeds[c])
        weight = times[rows] * (1.0 if sample_weight is None else sample_weight[rows])
        values = predicted(own.fit(X[rows], y[rows], sample_weight=weight), X)
        values[~wanted[:, c]] = np.nan
        out.append(values)
    return np.stack(out)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_folds_in_one_call_equal_a_loop_of_fits(kind: str, weighted: str, fit: str, make_model: Any, seed: int) -> None:
    X, targets = coarse(seed)
    rng = np.random.default_rng(seed)
    sample_weight = weight_of(weighted, rng)
    folds = rng.integers(0, 4, N)[:, None] != np.arange(4)
    model = make_model(kind, **{**SMALL, **FITS[fit]})
    together = model.fit_replicas(X, targets[kind], folds, sample_weight=sample_weight)
    apart = loop(model, X, targets[kind], folds.astype(float), sample_weight, ~folds)
    exact = model.replicas == 1
    np.testing.assert_allclose(together, apart, rtol=0 if exact else 1e-10, atol=0 if exact else 1e-12)
    assert isinstance(model, ReplicatedLearner)
    assert not [name for name in vars(model) if name.endswith("_") or name.startswith("_")]


@pytest.mark.parametrize("weighted", ["none", "whole", "fractional"])
@pytest.mark.parametrize("kind", KINDS)
def test_multiplicities_are_copies_of_rows(kind: str, weighted: str, make_model: Any, seed: int) -> None:
    X, targets = coarse(seed)
    rng = np.random.default_rng(seed)
    sample_weight = weight_of(weighted, rng)
    weights = rng.poisson(1.0, (N, 3))
    model = make_model(kind, **SMALL)
    together = model.fit_replicas(X, targets[kind], weights, sample_weight=sample_weight)
    for c in range(3):
        copies = rng.permutation(np.repeat(np.arange(N), weights[:, c]))
        own = None if sample_weight is None else sample_weight[copies]
        alone = predicted(clone(model).fit(X[copies], targets[kind][copies], sample_weight=own), X)
        held = weights[:, c] == 0
        np.testing.assert_array_equal(together[c, held], alone[held])
        assert np.isnan(together[c, ~held]).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", KINDS)
def test_sets_share_nothing_but_cut_points(kind: str, fit: str, table: Any, make_model: Any, seed: int) -> None:
    """Of smooth features, which each set would cut elsewhere."""
    X, y = table.X[:N], table.target_of(kind)[:N]
    weights = np.random.default_rng(seed).poisson(1.0, (N, 3))
    model = make_model(kind, **{**SMALL, **FITS[fit]})
    together = model.fit_replicas(X, y, weights, seeds=[5, 6, 7])
    for c in range(3):
        (alone,) = model.fit_replicas(X, y, weights[:, [c]], seeds=[5 + c])
        np.testing.assert_array_equal(together[c], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_alone_grows_the_same(kind: str, table: Any, make_model: Any, seed: int) -> None:
    X, y = table.X[:N], table.target_of(kind)[:N]
    weights = np.random.default_rng(seed).poisson(1.0, (N, 2)).astype(np.uint8)
    together = make_model(kind, **SMALL).fit_replicas(X, y, weights)
    codes = y if kind == "regression" else np.unique(y, return_inverse=True)[1].astype(float)
    binned = Binned.from_array(X)
    for c in range(2):
        objective = {
            "regression": Objective("squared_error", codes, None, weights[:, c]),
            "two": Objective("logistic", codes, None, weights[:, c]),
            "five": Objective("softmax", codes, None, weights[:, c], n_outputs=5),
        }[kind]
        base = best_constants(objective)
        scores = np.repeat(base[:, None], N, axis=1)
        growth = Growth(6, max_leaves=8, least_count=5, max_features=0.7, seed=3)
        trees, _, _ = grow_rounds(binned, objective, growth, scores, base)
        raw = walk_raw(trees, X)
        values = {
            "regression": lambda raw: raw[:, 0],
            "two": lambda raw: np.column_stack([1 - special.expit(raw[:, 0]), special.expit(raw[:, 0])]),
            "five": lambda raw: special.softmax(raw, axis=1),
        }[kind](raw)
        held = weights[:, c] == 0
        np.testing.assert_allclose(together[c, held], values[held], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_rows_left_out_change_nothing(kind: str, fit: str, make_model: Any, seed: int) -> None:
    X, targets = coarse(seed)
    rng = np.random.default_rng(seed)
    folds = rng.integers(0, 3, N)[:, None] != np.arange(3)
    model = make_model(kind, **{**SMALL, **FITS[fit]})
    before = model.fit_replicas(X, targets[kind], folds)
    for c in range(3):
        poisoned = targets[kind].copy()
        held = np.flatnonzero(~folds[:, c])
        poisoned[held] = 1e6 if kind == "regression" else rng.permutation(poisoned[held])
        np.testing.assert_array_equal(model.fit_replicas(X, poisoned, folds[:, [c]])[0], before[c])


@pytest.mark.parametrize("fit", FITS)
def test_sets_of_one_ensemble_are_averaged_by_score(fit: str, seed: int) -> None:
    X, targets = coarse(seed)
    weights = np.random.default_rng(seed).poisson(1.0, (N, 5))
    for kind in KINDS:
        model = BoostingRegressor() if kind == "regression" else BoostingClassifier()
        model.set_params(**{**SMALL, **FITS[fit]})
        seeds = [1, 2, 3, 4, 5]
        everywhere = np.full((N, 5), PREDICTED)
        single = model.fit_replicas(X, targets[kind], weights, everywhere, seeds=seeds)
        scores = single if kind == "regression" else np.log(single)
        held = weights == 0
        for roles, counts in ((None, held.T), (everywhere, np.ones((5, N), bool))):
            averaged = model.fit_replicas(X, targets[kind], weights, roles, [1, 0, 1, 1, 0], seeds=seeds)
            for ensemble, own in enumerate(([1, 4], [0, 2, 3])):
                each = counts[own] if kind == "regression" else counts[own][:, :, None]
                m = each.sum(axis=0)
                with np.errstate(invalid="ignore"):
                    mean = np.where(each, scores[own], 0.0).sum(axis=0) / m
                    expected = mean if kind == "regression" else special.softmax(mean, axis=1)
                np.testing.assert_allclose(averaged[ensemble], expected, rtol=1e-9)


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_only_stop_are_validation_rows(kind: str, replicas: int, make_model: Any, seed: int) -> None:
    X, targets = coarse(seed)
    y = targets[kind]
    part = np.random.default_rng(seed).integers(0, 3, N)
    parameters = {**SMALL, "n_trees": 60, "learning_rate": 0.7, "early_stopping": 4, "replicas": replicas}
    model = make_model(kind, **parameters)
    weights = np.column_stack([part == 0, part == 1])
    roles = np.column_stack(
        [np.select([part == 1, part == 2], [STOPS, PREDICTED]), np.where(part == 2, STOPS, PREDICTED)]
    )
    together = model.fit_replicas(X, y, weights, roles)
    for c, (training, stopping) in enumerate([(0, 1), (1, 2)]):
        rows, held = part == training, part == stopping
        alone = clone(model).fit(X[rows], y[rows], X_val=X[held], y_val=y[held])
        assert alone.n_trees_ < 60
        wanted = roles[:, c] == PREDICTED
        np.testing.assert_allclose(together[c, wanted], predicted(alone, X[wanted]), rtol=1e-10)
        assert np.isnan(together[c, ~wanted]).all()


def test_fitted_values_are_the_training_predictions(seed: int) -> None:
    X, targets = coarse(seed)
    y = targets["regression"]
    for fit in FITS.values():
        model = BoostingRegressor(**{**SMALL, **fit})
        (fitted,) = model.fit_replicas(X, y, np.ones((N, 1)), np.full((N, 1), PREDICTED))
        np.testing.assert_allclose(fitted, clone(model).fit(X, y).predict(X), rtol=1e-10)


@pytest.mark.parametrize("fit", ["one", "bagged", "one, out of bag"])
def test_balanced_classes_are_balanced_in_each_set(fit: str, seed: int) -> None:
    X, targets = coarse(seed)
    y = (targets["regression"] > 3).astype(int)
    folds = np.random.default_rng(seed).integers(0, 3, N)[:, None] != np.arange(3)
    for class_weight in ("balanced", {1: 4.0}):
        model = BoostingClassifier(class_weight=class_weight, **{**SMALL, **FITS[fit]})
        apart = loop(model, X, y, folds.astype(float), None, ~folds)
        np.testing.assert_allclose(model.fit_replicas(X, y, folds), apart, rtol=1e-10)


def test_a_weight_of_a_row_left_out_does_not_set_the_scale(seed: int) -> None:
    X, targets = coarse(seed)
    y = targets["two"]
    weight = np.where(np.arange(N) == 7, 1e300, 0.5)
    weights = np.ones((N, 1))
    weights[7] = 0
    model = BoostingClassifier(**SMALL)
    (heavy,) = model.fit_replicas(X, y, weights, sample_weight=weight)
    rows = weights[:, 0] > 0
    alone = clone(model).fit(X[rows], y[rows], sample_weight=weight[rows])
    np.testing.assert_array_equal(heavy[7], alone.predict_proba(X[7:8])[0])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_predicts_the_same(kind: str, fit: str, make_model: Any, seed: int) -> None:
    X, targets = coarse(seed)
    weights = np.random.default_rng(seed).poisson(1.0, (N, 3))
    model = make_model(kind, **{**SMALL, **FITS[fit]})
    one, three = (model.set_params(n_jobs=n).fit_replicas(X, targets[kind], weights) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_groups_reach_the_draws_of_each_set(seed: int) -> None:
    X, targets = coarse(seed)
    groups = np.random.default_rng(seed).integers(0, 40, N)
    folds = groups[:, None] % 4 != np.arange(4)
    model = BoostingRegressor(replicas=3, resampling=Groups(), **SMALL)
    together = model.fit_replicas(X, targets["regression"], folds, groups=groups)
    for c in range(4):
        rows = folds[:, c]
        alone = clone(model).fit(X[rows], targets["regression"][rows], groups=groups[rows])
        np.testing.assert_allclose(together[c, ~rows], alone.predict(X[~rows]), rtol=1e-10)


def test_a_class_absent_from_a_set_keeps_finite_predictions(seed: int) -> None:
    X, targets = coarse(seed)
    for kind in ("two", "five"):
        y = targets[kind]
        weights = np.column_stack([y != np.unique(y)[0], np.ones(N)])
        for fit in FITS.values():
            found = BoostingClassifier(**{**SMALL, **fit}).fit_replicas(X, y, weights, np.full((N, 2), PREDICTED))
            assert np.isfinite(found).all()
            np.testing.assert_allclose(found.sum(axis=2), 1.0)
            assert (found[0, :, 0] < 0.01).all()


@pytest.mark.parametrize(
    ("parameters", "weighted", "n_calls"),
    [
        ({}, "none", 1),
        ({}, "whole", 1),
        ({}, "fractional", 1),
        ({"replicas": 3}, "none", 1),
        ({"replicas": 3}, "fractional", 1),
        ({"replicas": 3, "early_stopping": "out_of_bag"}, "whole", 1),
        ({"replicas": 3, "early_stopping": "out_of_bag"}, "fractional", 1),
        ({"early_stopping": "out_of_bag"}, "none", 2),  # to choose the rounds, then to fit
        ({"class_weight": {"yes": 2.0}}, "fractional", 1),
        ({"class_weight": "balanced"}, "none", 1),
    ],
)
def test_folds_are_one_call_of_the_engine(
    parameters: dict[str, Any], weighted: str, n_calls: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, targets = coarse(seed)
    rng = np.random.default_rng(seed)
    calls = []

    def counted(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return grow_replicas(*given, **named)

    monkeypatch.setattr("heldout.boosting.replication.grow_replicas", counted)
    folds = rng.integers(0, 5, N)[:, None] != np.arange(5)
    model = BoostingClassifier(n_trees=3, random_state=0, **parameters)
    model.fit_replicas(X, targets["two"], folds, sample_weight=weight_of(weighted, rng))
    assert len(calls) == n_calls


cells = st.sampled_from([np.nan, -np.inf, np.inf, -1.0, 0.0, 0.5, 2.0, 1e300])


@pytest.mark.filterwarnings("ignore:no row is out:UserWarning")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_small_tables_hold_no_surprise(kind: str, data: st.DataObject) -> None:
    n_rows, n_sets = data.draw(st.integers(2, 25)), data.draw(st.integers(1, 3))
    X = np.array(data.draw(st.lists(cells, min_size=2 * n_rows, max_size=2 * n_rows))).reshape(n_rows, 2)
    whole = st.lists(st.integers(0, 3), min_size=n_rows, max_size=n_rows)
    codes = np.array(data.draw(whole))
    y = {"regression": codes * 1.5, "two": codes > 1, "five": codes}[kind]
    weights = np.array([data.draw(whole) for _ in range(n_sets)]).T
    weights[data.draw(st.integers(0, n_rows - 1))] = 2
    weights[data.draw(st.integers(0, n_rows - 1))] = 1
    sample_weight = None if data.draw(st.booleans()) else data.draw(st.sampled_from([1.0, 2.0, 0.3])) + codes
    parameters = {**data.draw(st.sampled_from(list(FITS.values()))), "n_trees": data.draw(st.integers(1, 25))}
    if "resampling" in parameters or "early_stopping" in parameters:
        parameters["resampling"] = "subsample" if (weights > 0).sum(axis=0).min() > 1 else None
    if parameters.get("early_stopping") and parameters["resampling"] is None:
        del parameters["early_stopping"]
    kinds = BoostingRegressor if kind == "regression" else BoostingClassifier
    model = kinds(min_leaf_weight=1, random_state=0, **parameters)
    roles = np.where(weights == 0, PREDICTED, data.draw(st.sampled_from([0, PREDICTED])))
    together = model.fit_replicas(X, y, weights, roles, sample_weight=sample_weight)
    assert np.array_equal(np.isnan(together).reshape(n_sets, n_rows, -1).any(axis=2), roles.T == 0)
    for c in range(n_sets):
        (alone,) = model.fit_replicas(X, y, weights[:, [c]], roles[:, [c]], sample_weight=sample_weight)
        np.testing.assert_array_equal(together[c], alone)
    model.fit(X, y, sample_weight=sample_weight)
    if hasattr(model, "oob_members_"):
        missed = np.isnan(model.oob_prediction_).reshape(n_rows, -1).any(axis=1)
        assert np.array_equal(missed, model.oob_members_ == 0)
        assert np.isfinite(model.oob_error_.error)


@pytest.mark.parametrize("parameters", [{}, {"replicas": 2, "early_stopping": "out_of_bag"}], ids=str)
def test_a_row_that_would_only_stop_is_not_predicted(parameters: Any, seed: int) -> None:
    """Models that choose no rounds by rows given, or none at all, have no use for that role."""
    X = np.random.default_rng(seed).normal(size=(90, 2))
    weights = (np.arange(90)[:, None] % 3 != np.arange(3)).astype(np.uint8)
    roles = np.where(weights == 0, STOPS | PREDICTED, 0).astype(np.uint8)
    roles[:20] &= STOPS
    predicted = BoostingRegressor(n_trees=5, random_state=0, **parameters).fit_replicas(X, X[:, 0], weights, roles)
    np.testing.assert_array_equal(np.isnan(predicted), (roles & PREDICTED).T == 0)


def test_each_set_has_the_rounds_that_its_own_replicas_choose(seed: int) -> None:
    """Balanced classes weigh otherwise in every set, and sets of other sizes stop elsewhere."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] + rng.normal(size=300) > 0.5).astype(int)
    weights = np.zeros((300, 3), dtype=np.uint8)
    weights[:40, 0], weights[:150, 1], weights[:280, 2] = 1, 1, 1
    model = BoostingClassifier(
        n_trees=60, min_leaf_weight=3, class_weight="balanced", early_stopping="out_of_bag", random_state=0
    )
    together = model.fit_replicas(X, y, weights)
    for column in range(3):
        alone = model.fit_replicas(X, y, weights[:, [column]])
        np.testing.assert_array_equal(together[column], alone[0])
