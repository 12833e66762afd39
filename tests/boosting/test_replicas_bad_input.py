"""What is refused of replicas: what was expected, what came, what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from heldout import BoostingClassifier, BoostingRegressor
from heldout.errors import InvalidInput
from heldout.resampling import Blocks, Bootstrap, Disjoint, Given, KFold

N = 60
MODELS = (BoostingRegressor, BoostingClassifier)
OUT_OF_BAG = {"early_stopping": "out_of_bag"}

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning")


@pytest.fixture(name="X")
def small_matrix(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(N, 3))


@pytest.fixture
def y() -> NDArray[np.float64]:
    return np.arange(N) % 2.0


def bags(**cells: Any) -> NDArray[Any]:
    """Return two bags with one cell changed: the value `cell` in row 5 of column 1."""
    weights = np.ones((N, 2), dtype=float)
    weights[::2, 0] = weights[1::2, 1] = 0
    weights[5, 1] = cells["cell"]
    return weights


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"replicas": 0}, "replicas must be a whole number from 1 to 65535, got 0"),
        ({"replicas": -1}, "replicas must be a whole number from 1 to 65535, got -1"),
        ({"replicas": 2.0}, "replicas must be .*, got 2.0"),
        ({"replicas": True}, "replicas must be .*, got True"),
        ({"replicas": 65_536}, "replicas must be .*, got 65536"),
        ({"early_stopping": "oob"}, "early_stopping must be True, False, \"out_of_bag\" or .*, got 'oob'"),
        ({"early_stopping": ["out_of_bag"]}, r"early_stopping must be .*, got \['out_of_bag'\]"),
        ({"replicas": 2, "early_stopping": 3}, 'got early_stopping=3 and no X_val: .* or early_stopping="out_of_bag"'),
        ({"resampling": "jackknife"}, "resampling must be one of .*, got 'jackknife'"),
        ({"resampling": "blocks"}, r"resampling 'blocks' has no default: pass heldout.resampling.Blocks\(length="),
        ({"resampling": 3.5}, "resampling must be a name, .*, got 3.5"),
        ({"resampling": Bootstrap}, "resampling must be an object, got the class Bootstrap"),
        (
            {"replicas": 2, "resampling": np.ones((N - 1, 2))},
            rf"weights must have shape \({N}, 2\), got \({N - 1}, 2\)",
        ),
        ({"replicas": 3, "resampling": np.ones((N, 2))}, rf"weights must have shape \({N}, 3\), got \({N}, 2\)"),
        ({"replicas": 2, "resampling": bags(cell=-1)}, "weights must be .*, got -1.0 in row 5, column 1"),
        ({"replicas": 2, "resampling": bags(cell=256)}, "weights must be .*, got 256.0 in row 5, column 1"),
        ({"replicas": 2, "resampling": bags(cell=0.5)}, "weights must be .*, got 0.5 in row 5, column 1"),
        ({"replicas": 2, "resampling": np.eye(N, 2) * [1, 0]}, "every replica a row, got only 0 in column 1"),
        ({"replicas": 2, "resampling": Blocks(N)}, f"length must be below the number of rows, got {N}"),
        ({"replicas": 2, "resampling": Disjoint(N + 1)}, f"sizes must be at most {N}, the number of rows, got {N + 1}"),
        ({"replicas": 4, "resampling": KFold(3)}, r"KFold\(k=3.*needs a multiple of 3 replicas, got n_replicas=4"),
        ({"replicas": 2, "resampling": "groups"}, "groups"),
        ({"warm_start": True, "replicas": 2}, "warm_start goes on with a single model, got replicas=2"),
        ({"warm_start": True, **OUT_OF_BAG}, 'warm_start goes on .*, got early_stopping="out_of_bag"'),
        ({**OUT_OF_BAG, "resampling": None}, "needs rows out of bag, got resampling=None, which leaves no row out"),
        ({**OUT_OF_BAG, "replicas": 3, "resampling": None}, "needs rows out of bag, got resampling=None"),
        (
            {**OUT_OF_BAG, "replicas": 2, "resampling": np.ones((N, 2))},
            f"needs rows out of bag, got Given.* that leaves none of {N} rows out",
        ),
        ({**OUT_OF_BAG, "resampling": np.ones((N, 4))}, f"got Given.* that leaves none of {N} rows out"),
        (
            {**OUT_OF_BAG, "resampling": Given(bags(cell=1), np.zeros((N, 2)))},
            f"got Given.* that leaves none of {N} rows out",
        ),
    ],
)
def test_replicas_that_cannot_be_are_refused(
    model: Any, parameters: dict[str, Any], message: str, X: Any, y: Any
) -> None:
    fitted = model(**parameters)
    with pytest.raises(InvalidInput, match=message):
        fitted.fit(X, y)
    assert not [name for name in vars(fitted) if name.endswith("_")]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        (
            OUT_OF_BAG,
            {"X_val": np.zeros((5, 3)), "y_val": np.zeros(5)},
            "rows out of bag, got X_val too: leave out X_val",
        ),
        ({"replicas": 2}, {"X_val": np.zeros((5, 3))}, "belong together, got no y_val"),
        ({"replicas": 2}, {"X_val": np.zeros((5, 2)), "y_val": np.zeros(5)}, r"got shapes \(5, 2\) and \(5,\)"),
        ({}, {"groups": np.zeros(N)}, "groups are kept whole by .*, got groups with replicas=1"),
        ({"replicas": 2, "resampling": None}, {"groups": np.zeros(N)}, "got groups with resampling=None"),
        ({"replicas": 2}, {"groups": np.zeros(N)}, r"Bootstrap\(\) draws single rows and would tear groups apart"),
        ({"replicas": 2, "resampling": "groups"}, {"groups": np.zeros(N - 1)}, rf"groups must have shape \({N},\)"),
        (
            {"replicas": 2, "resampling": bags(cell=1)},
            {"groups": np.arange(N) // 4},
            "weights must be constant within a group, got 0 and 1 in group 0",
        ),
        ({"replicas": 2}, {"sample_weight": np.zeros(N)}, f"above 0 somewhere, got {N} zeros"),
        (OUT_OF_BAG, {"sample_weight": np.eye(N)[3]}, 'early_stopping="out_of_bag" needs two rows .*, got n_samples=1'),
    ],
)
def test_arguments_that_contradict_the_replicas_are_refused(
    model: Any, parameters: dict[str, Any], arguments: dict[str, Any], message: str, X: Any, y: Any
) -> None:
    with pytest.raises(InvalidInput, match=message):
        model(**parameters).fit(X, y, **arguments)


@pytest.mark.parametrize(("size", "came"), [(1e200, "1e+200"), (1e-200, "1e-200")])
def test_targets_whose_squares_do_not_fit_cannot_be_judged_out_of_bag(size: float, came: str, X: Any, y: Any) -> None:
    message = f"y must be between 1e-150 and .* in size, got {came}".replace("+", r"\+")
    for parameters in ({"replicas": 2}, OUT_OF_BAG):
        with pytest.raises(InvalidInput, match=message):
            BoostingRegressor(**parameters).fit(X, y * size)
        with pytest.raises(InvalidInput, match=message):
            BoostingRegressor(**parameters).fit_replicas(X, y * size, np.ones((N, 1)))
    every = BoostingRegressor(replicas=2, resampling=None).fit(X, y * size)
    np.testing.assert_allclose(every.predict(X), BoostingRegressor().fit(X, y * size).predict(X), rtol=1e-10)


def test_a_constant_target_has_no_error(X: Any) -> None:
    for parameters in ({"replicas": 5}, OUT_OF_BAG):
        model = BoostingRegressor(n_trees=3, random_state=0, **parameters).fit(X, np.full(N, 7.0))
        assert model.oob_error_.error == model.oob_error_.ci_high == 0.0
        assert model.bagging_gain_ == 0.0


def test_one_replica_has_no_spread(X: Any, y: Any) -> None:
    for parameters in ({}, OUT_OF_BAG):
        number = BoostingRegressor(n_trees=2, **parameters).fit(X, y)
        classes = BoostingClassifier(n_trees=2, **parameters).fit(X, y)
        for ask in (number.predict, classes.predict_proba):
            with pytest.raises(InvalidInput, match="return_std needs several replicas, got a model of one"):
                ask(X, return_std=True)
        with pytest.raises(AttributeError, match="members_ is there with replicas=2 or more, got a BoostingRegressor"):
            number.members_  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize("model", MODELS)
def test_what_needs_a_fit_says_so(model: Any, X: Any, y: Any) -> None:
    fresh = model(replicas=3)
    for ask in (
        lambda: fresh.members_,
        lambda: fresh.out_of_bag_importances(X, y),
        lambda: fresh.n_trees_,
        lambda: (fresh.predict if model is BoostingRegressor else fresh.predict_proba)(X, return_std=True),
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            ask()


def test_warm_start_does_not_go_on_with_several_replicas(X: Any, y: Any) -> None:
    model = BoostingRegressor(replicas=3, n_trees=4, random_state=0).fit(X, y)
    before = dict(vars(model))
    model.set_params(replicas=1, warm_start=True, n_trees=6)
    with pytest.raises(InvalidInput, match="goes on with a single model, got one of 3 replicas: fit a new model"):
        model.fit(X, y)
    assert model.ensemble_ is before["ensemble_"]


@pytest.mark.parametrize("early_stopping", [False, "out_of_bag"])
def test_a_replica_without_one_class_predicts_it_all_the_same(early_stopping: Any, X: Any, y: Any) -> None:
    three = np.arange(N) % 3
    for target in (y, three):
        weights = np.ones((N, 2), dtype=int)
        weights[target == 0, 0] = 0
        weights[::7, 1] = 0
        model = BoostingClassifier(replicas=2, resampling=weights, n_trees=30, early_stopping=early_stopping)
        probability, std = model.fit(X, target).predict_proba(X, return_std=True)
        for values in (probability, std, model.oob_prediction_[np.isfinite(model.oob_prediction_[:, 0])]):
            assert np.isfinite(values).all()
        assert np.isfinite(model.oob_error_.error)


def test_too_many_columns_are_refused_of_replicas_too(monkeypatch: pytest.MonkeyPatch, X: Any, y: Any) -> None:
    monkeypatch.setattr("heldout.boosting.fitting.MOST_FEATURES", 2)
    for ask in (
        lambda: BoostingRegressor(replicas=2).fit(X, y),
        lambda: BoostingRegressor().fit_replicas(X, y, np.ones((N, 1))),
    ):
        with pytest.raises(InvalidInput, match="X must have at most 2 columns, got 3"):
            ask()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": np.ones((N - 1, 2))}, rf"weights must have shape \({N}, 2\), got \({N - 1}, 2\)"),
        ({"weights": np.ones(N)}, rf"weights must have two dimensions.*got shape \({N},\)"),
        ({"weights": np.full((N, 2), 256)}, "weights must be whole numbers from 0 to 255, got 256 in row 0, column 0"),
        ({"weights": np.full((N, 2), -1)}, "weights must be whole numbers from 0 to 255, got -1 in row 0, column 0"),
        ({"weights": np.full((N, 2), 0.5)}, "weights must be whole numbers from 0 to 255, got 0.5 in row 0"),
        ({"weights": np.eye(N, 2) * [1, 0]}, "weights must give every replica a row, got only 0 in column 1"),
        ({"roles": np.zeros((N, 3))}, rf"roles must have the shape of weights, \({N}, 2\), got \({N}, 3\)"),
        ({"roles": np.full((N, 2), 4)}, "roles must be whole numbers from 0 to 3, got 4"),
        ({"roles": np.full((N, 2), 1)}, "roles must not have bit 1 where the weight is above 0, got 1 in row 0"),
        ({"ensemble_of": [0]}, r"ensemble_of must be 2 whole numbers, .* got shape \(1,\) of int64"),
        ({"ensemble_of": [0.0, 1.0]}, r"ensemble_of must be 2 whole numbers, .* of float64"),
        ({"ensemble_of": [0, 2]}, r"ensemble_of must number the ensembles from 0 without a gap, got \[0, 2\]"),
        ({"seeds": [1]}, "seeds must have one number per column of weights, 2, got 1"),
        ({"seeds": [1, -1]}, "random_state must be 0 or more, got -1"),
        (
            {"sample_weight": np.arange(N) < 5, "weights": np.eye(N, 2, -4)},
            "that weighs something, got none in column 1",
        ),
        ({"sample_weight": -np.ones(N)}, "sample_weight must be finite and at least 0, got -1.0 in row 0"),
        ({"groups": np.zeros(N)}, 'groups are kept whole by resampling="groups", got groups with replicas=1'),
        ({"X": np.zeros((N, 0))}, "0 feature"),
        ({"y": np.zeros(N - 1)}, "inconsistent numbers of samples"),
    ],
)
def test_training_sets_that_cannot_be_are_refused(arguments: dict[str, Any], message: str, X: Any, y: Any) -> None:
    weights = np.column_stack([np.arange(N) % 2, np.ones(N)])
    given = {"X": X, "y": y, "weights": weights, **arguments}
    model = BoostingRegressor()
    with pytest.raises(ValueError, match=message):
        model.fit_replicas(**given)
    assert vars(model) == vars(BoostingRegressor())


@pytest.mark.parametrize(
    ("parameters", "roles", "message"),
    [
        ({"early_stopping": 3}, None, "early_stopping=3 needs rows to judge the rounds by, got no roles"),
        ({"early_stopping": 3}, [[3, 3]], "stops a model must not be predicted by it, got both in row 1, column 0"),
        ({"early_stopping": True}, [[1, 2]], "early_stopping=20 needs rows .* got none in column 1 of roles"),
        ({"replicas": 2, "resampling": "groups"}, None, "groups"),
        ({"replicas": 2, "resampling": np.ones((N - 1, 2))}, None, rf"weights must have shape \({N}, 2\)"),
    ],
)
def test_training_sets_that_contradict_the_parameters_are_refused(
    parameters: dict[str, Any], roles: Any, message: str, X: Any, y: Any
) -> None:
    weights = np.column_stack([np.arange(N) % 2 == 0] * 2)
    asked = None if roles is None else np.where(weights, 0, roles)
    with pytest.raises(InvalidInput, match=message):
        BoostingRegressor(**parameters).fit_replicas(X, y, weights, asked)
