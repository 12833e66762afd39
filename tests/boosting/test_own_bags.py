"""Bags of the user's own: an array of all rows of the table, whichever are trained on, or a scheme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from heldout import BoostingRegressor
from heldout.errors import InvalidInput
from heldout.learner import PREDICTED, STOPS
from heldout.resampling import Draw, Given

from reference.ensembles import assert_same_bits, same_bits

N = 200

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning")

KINDS = ("regression", "two", "five")
FITS: tuple[dict[str, Any], ...] = (
    {"replicas": 3},
    {"replicas": 3, "early_stopping": "out_of_bag"},
    {"early_stopping": "out_of_bag"},
)
SMALL: dict[str, Any] = {"n_trees": 20, "min_leaf_weight": 5, "learning_rate": 0.5, "random_state": 0}


@pytest.fixture(name="X")
def coarse_matrix(seed: int) -> NDArray[np.float64]:
    """Of so few values that any large part of the rows has the same cut points as all."""
    return np.random.default_rng(seed).integers(0, 4, (N, 3)).astype(float)


@pytest.fixture
def targets(X: Any, seed: int) -> dict[str, NDArray[Any]]:
    y = X[:, 0] * X[:, 1] + np.random.default_rng([seed, 1]).normal(size=N)
    five = np.digitize(y, np.quantile(y, [0.1, 0.4, 0.7, 0.9]))
    return {"regression": y, "two": np.where(y > np.median(y), "yes", "no"), "five": five}


@pytest.fixture
def bags(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 2]).poisson(1.0, (N, 3))


@pytest.mark.parametrize("fit", FITS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_weight_0_are_left_out_of_the_bags_too(
    kind: str, fit: Any, X: Any, targets: Any, bags: Any, make_model: Any, seed: int
) -> None:
    """The fit is that to the other rows with their lines of the array, roles included."""
    y = targets[kind]
    weight = np.random.default_rng([seed, 3]).integers(0, 3, N)
    roles = np.where(bags == 0, np.where(np.arange(N)[:, None] % 7, STOPS | PREDICTED, 0), 0)
    there = weight > 0
    model = make_model(kind, resampling=Given(bags, roles), **fit, **SMALL).fit(X, y, sample_weight=weight)
    alone = make_model(kind, resampling=Given(bags[there], roles[there]), **fit, **SMALL)
    alone.fit(X[there], y[there], sample_weight=weight[there])
    assert_same_bits(model.ensemble_, alone.ensemble_)
    assert same_bits(model.oob_prediction_[there], alone.oob_prediction_)
    assert not model.oob_members_[~there].any()


@pytest.mark.parametrize("fit", FITS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_each_training_set_takes_its_rows_of_the_bags(
    kind: str, fit: Any, X: Any, targets: Any, bags: Any, make_model: Any
) -> None:
    y = targets[kind]
    folds = np.arange(N)[:, None] % 4 != np.arange(4)
    model = make_model(kind, resampling=bags, **fit, **SMALL)
    together = model.fit_replicas(X, y, folds)
    for fold, rows in enumerate(folds.T):
        alone = clone(model).set_params(resampling=bags[rows]).fit(X[rows], y[rows])
        predicted = alone.predict(X[~rows]) if kind == "regression" else alone.predict_proba(X[~rows])
        np.testing.assert_allclose(together[fold, ~rows], predicted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("fit", FITS, ids=str)
def test_a_bag_whose_rows_all_weigh_nothing_is_refused(fit: Any, X: Any, targets: Any, bags: Any) -> None:
    bags[:, 1] = np.arange(N) < 30
    weight = (np.arange(N) >= 30).astype(float)
    model = BoostingRegressor(resampling=bags, **fit)
    message = f"every replica one of the {N - 30} rows that are trained on, got only others of {N} in column 1"
    with pytest.raises(InvalidInput, match=message):
        model.fit(X, targets["regression"], sample_weight=weight)
    with pytest.raises(InvalidInput, match=message):
        model.fit_replicas(X, targets["regression"], weight[:, None])


def test_an_array_of_another_table_is_refused_though_its_rows_would_do(X: Any, targets: Any, bags: Any) -> None:
    weight = (np.arange(N) >= 30).astype(float)
    with pytest.raises(InvalidInput, match=rf"weights must have shape \({N}, 3\), got \({N - 30}, 3\)"):
        BoostingRegressor(replicas=3, resampling=bags[30:]).fit(X, targets["regression"], sample_weight=weight)


class Own:
    """A scheme that draws what it is told to."""

    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn

    def __repr__(self) -> str:
        return "Own()"

    def draw(self, n_rows: int, n_replicas: int, *, groups: Any = None, random_state: Any = 0) -> Any:  # noqa: ARG002
        return self.drawn


@pytest.mark.parametrize("dtype", ["u1", "i8", "f8"])
def test_a_scheme_of_the_users_equals_its_array(dtype: str, X: Any, targets: Any, bags: Any) -> None:
    y = targets["regression"]
    own = BoostingRegressor(replicas=3, resampling=Own(Draw(bags.astype(dtype))), **SMALL).fit(X, y)
    given = BoostingRegressor(replicas=3, resampling=bags, **SMALL).fit(X, y)
    assert_same_bits(own.ensemble_, given.ensemble_)
    assert same_bits(own.oob_prediction_, given.oob_prediction_)


def changed(value: float) -> NDArray[np.float64]:
    weights = np.ones((N, 3))
    weights[7, 1] = value
    return weights


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (np.ones((N, 3), dtype=np.uint8), "must return a heldout.resampling.Draw, got ndarray"),
        (Draw(changed(300).astype(np.int64)), "weights must be whole numbers .*, got 300 in row 7, column 1"),
        (Draw(changed(-1).astype(np.int64)), "weights must be whole numbers .*, got -1 in row 7, column 1"),
        (Draw(changed(0.5)), "weights must be whole numbers .*, got 0.5 in row 7, column 1"),
        (Draw(np.eye(N, 3) * [1, 0, 1]), "weights must give every replica a row, got only 0 in column 1"),
        (Draw(np.ones((N, 4))), rf"weights must have shape \({N}, 3\), got \({N}, 4\)"),
        (Draw(np.ones((N, 3)), np.ones((N, 3))), "roles must not have bit 1 where the weight is above 0, got 1 in row"),
        (Draw(np.ones((N, 3)), np.full((N, 3), 4)), "roles must be whole numbers from 0 to 3, got 4"),
    ],
)
def test_what_a_scheme_of_the_users_draws_is_checked(drawn: Any, message: str, X: Any, targets: Any) -> None:
    model = BoostingRegressor(replicas=3, resampling=Own(drawn))
    for ask in (lambda: model.fit(X, targets["regression"]), lambda: model.fit_replicas(X, X[:, 0], np.ones((N, 1)))):
        with pytest.raises(InvalidInput, match=rf"draw of Own\(\) .*{message}"):
            ask()


def test_a_scheme_of_the_users_may_not_tear_groups_apart(X: Any, targets: Any, bags: Any) -> None:
    model = BoostingRegressor(replicas=3, resampling=Own(Draw(bags)))
    with pytest.raises(InvalidInput, match=r"draw of Own\(\) .* weights must be constant within a group"):
        model.fit(X, targets["regression"], groups=np.zeros(N))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit", FITS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_no_bag_are_never_fitted(
    kind: str, fit: Any, weighted: bool, X: Any, targets: Any, bags: Any, make_model: Any, seed: int
) -> None:
    """With poisoned targets they change their own errors, and nothing else; the model is one of the other rows."""
    kept_out = np.arange(N) < 40
    bags[kept_out] = 0
    bags[40:44] = 1
    roles = np.where(bags == 0, np.where(kept_out[:, None], PREDICTED, STOPS | PREDICTED), 0)
    weight = np.random.default_rng([seed, 3]).gamma(2.0, size=N) if weighted else None
    y = targets[kind]
    poisoned = y.copy()
    poisoned[kept_out] = 1e9 if kind == "regression" else y[-1]
    model, other = (
        make_model(kind, resampling=Given(bags, roles), **fit, **SMALL).fit(X, target, sample_weight=weight)
        for target in (y, poisoned)
    )
    assert_same_bits(model.ensemble_, other.ensemble_)
    assert same_bits(model.oob_prediction_, other.oob_prediction_)
    assert model.oob_members_[kept_out].all()
    assert model.oob_error_.error != other.oob_error_.error
    alone = make_model(kind, resampling=Given(bags[40:], roles[40:]), **fit, **SMALL)
    alone.fit(X[40:], y[40:], sample_weight=None if weight is None else weight[40:])
    assert_same_bits(model.ensemble_, alone.ensemble_)
