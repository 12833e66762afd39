"""Folds fitted in one call equal folds fitted one by one, bit for bit, and the result says which it was."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from heldout import _joint_fits
from heldout.errors import InvalidInput
from heldout.generalization import OutOfFold, out_of_fold
from heldout.learner import ONE_BY_ONE, TOGETHER, RowwiseTransformer
from heldout.splits import BlockedTime, GroupFolds, GroupTime, RandomFolds, StratifiedFolds
from heldout.table import OrdinalEncoder, ScaledEncoder

from replicated import (
    CALLS,
    LoopedClassifier,
    LoopedRegressor,
    LoopedRidge,
    PlainClassifier,
    PlainRegressor,
    PlainRidge,
    few_values,
)


@pytest.fixture(autouse=True)
def no_calls_yet() -> None:
    CALLS.clear()


def assert_same(one: OutOfFold, other: OutOfFold) -> None:
    np.testing.assert_array_equal(one.predictions, other.predictions)
    np.testing.assert_array_equal(one.losses, other.losses)
    assert one.fold_losses == other.fold_losses
    assert one.training_losses == other.training_losses
    assert (one.n_fits, one.fold_sizes, one.repeat_of) == (other.n_fits, other.fold_sizes, other.repeat_of)
    assert one.n_folds_left_out == other.n_folds_left_out
    assert set(one.by_loss) == set(other.by_loss)
    for name, judged in one.by_loss.items():
        np.testing.assert_array_equal(judged.losses, other.by_loss[name].losses)
        assert judged.training_losses == other.by_loss[name].training_losses


def compare(together: Any, plain: Any, X: Any, y: Any, **arguments: Any) -> OutOfFold:
    """Return the result of the joint path, after holding it equal to the generic one."""
    joint, generic = (out_of_fold(model, X, y, **arguments) for model in (together, plain))
    assert (generic.how_fitted, generic.n_calls) == (ONE_BY_ONE, 0)
    assert_same(joint, generic)
    return joint


SPLITS = {
    "random": lambda _: RandomFolds(5, random_state=3),
    "repeated": lambda _: RandomFolds(4, 3, random_state=3),
    "groups": lambda n: GroupFolds(4, groups=np.arange(n) % 9),
    "scikit-learn": lambda _: KFold(3),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("split", list(SPLITS))
def test_regression_in_one_call_equals_one_by_one(seed: int, split: str, weighted: bool) -> None:
    X, y = few_values(seed)
    weight = np.random.default_rng(seed).uniform(0.5, 2.0, len(y)) if weighted else None
    arguments = {"splitter": SPLITS[split](len(y)), "loss": "squared_error", "sample_weight": weight}
    joint = compare(
        LoopedRegressor(max_features=2, min_samples_leaf=3),
        PlainRegressor(max_features=2, min_samples_leaf=3),
        X,
        y,
        other_losses=["absolute_error"],
        **arguments,
    )
    assert (joint.how_fitted, joint.n_calls, len(CALLS)) == (TOGETHER, 1, 1)
    np.testing.assert_array_equal(CALLS[0]["weights"].sum(axis=0), [train for train, _ in joint.fold_sizes])
    assert len(set(CALLS[0]["seeds"])) == len(joint.fold_sizes)
    linear = compare(LoopedRidge(), PlainRidge(), X, y, **arguments)
    assert linear.n_calls == 1


@pytest.mark.parametrize("loss", ["log_loss", "zero_one"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_in_one_call_equal_one_by_one(seed: int, loss: str, n_classes: int) -> None:
    X, y = few_values(seed, n_classes=n_classes)
    arguments = {
        "splitter": StratifiedFolds(5, 2),
        "loss": loss,
        "other_losses": ["zero_one"] if loss == "log_loss" else [],
        "sample_weight": np.random.default_rng(seed).uniform(0.5, 2.0, len(y)),
    }
    models = (model(max_features=2, min_samples_leaf=4) for model in (LoopedClassifier, PlainClassifier))
    joint = compare(*models, X, y, **arguments)
    assert (joint.how_fitted, joint.n_calls) == (TOGETHER, 1)
    labelled = compare(
        *(model(min_samples_leaf=4) for model in (LoopedClassifier, PlainClassifier)),
        X,
        np.array(["low", "middle", "top"])[y],
        **arguments,
    )
    assert labelled.n_calls == 1


def test_the_targets_of_rows_held_out_reach_no_fit(seed: int) -> None:
    X, y = few_values(seed)
    clean = out_of_fold(LoopedRegressor(), X, y, splitter=RandomFolds(3), loss="squared_error")
    for column, test in enumerate(clean.test_rows):
        assert not CALLS[0]["weights"][test, column].any()
    assert (CALLS[0]["roles"] == 2).all()


def test_a_seed_of_the_users_own_is_kept_and_one_that_is_open_drawn_per_fold(seed: int) -> None:
    X, y = few_values(seed)
    arguments = {"splitter": RandomFolds(4), "loss": "squared_error", "random_state": seed + 5}
    compare(
        LoopedRegressor(max_features=1, random_state=7),
        PlainRegressor(max_features=1, random_state=7),
        X,
        y,
        **arguments,
    )
    assert CALLS[-1]["seeds"] is None
    first = compare(LoopedRegressor(max_features=1), PlainRegressor(max_features=1), X, y, **arguments)
    other = out_of_fold(
        LoopedRegressor(max_features=1), X, y, splitter=RandomFolds(4), loss="squared_error", random_state=1
    )
    assert not np.array_equal(first.losses, other.losses)


def test_with_a_deadline_each_repeat_is_a_call_of_its_own() -> None:
    X, y = few_values(0)
    arguments = {"splitter": RandomFolds(4, 3), "loss": "squared_error"}
    late = compare(LoopedRegressor(), PlainRegressor(), X, y, deadline=time.monotonic() - 1, **arguments)
    assert (late.n_repeats, late.n_fits, late.n_folds_left_out, late.n_calls) == (1, 4, 8, 1)
    early = compare(LoopedRegressor(), PlainRegressor(), X, y, deadline=time.monotonic() + 3600, **arguments)
    assert (early.n_repeats, early.n_calls) == (3, 3)
    assert [call["weights"].shape[1] for call in CALLS] == [4, 4, 4, 4]


@pytest.mark.parametrize(("n_classes", "calls"), [(0, [3, 3, 1]), (3, [1] * 7)])
def test_what_would_fill_the_memory_is_several_calls(
    monkeypatch: pytest.MonkeyPatch, n_classes: int, calls: list[int]
) -> None:
    X, y = few_values(0, n_classes=n_classes)
    monkeypatch.setattr(_joint_fits, "BYTES_AT_ONCE", 3 * 90 * 8)
    models = (LoopedClassifier, PlainClassifier) if n_classes else (LoopedRegressor, PlainRegressor)
    joint = compare(
        *(model() for model in models), X, y, splitter=RandomFolds(7), loss="brier" if n_classes else "squared_error"
    )
    assert [call["weights"].shape[1] for call in CALLS] == calls
    assert joint.n_calls == len(calls)


def test_the_jobs_are_the_threads_of_the_call_unless_the_learner_names_its_own() -> None:
    class Threaded(LoopedRidge):
        def __init__(self, n_jobs: int | None = None) -> None:
            super().__init__()
            self.n_jobs = n_jobs

    Threaded.__module__ = "replicated"
    X, y = few_values(0)
    for own, asked in ((None, 3), (None, None), (2, 3)):
        out_of_fold(Threaded(n_jobs=own), X, y, splitter=RandomFolds(3), loss="squared_error", n_jobs=asked)
    assert [call["n_jobs"] for call in CALLS] == [3, None, 2]


# -- what is fitted one by one -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "splitter",
    [BlockedTime(4), GroupTime(2, groups=np.arange(90) % 3), TimeSeriesSplit(4)],
    ids=["blocks", "groups and time", "scikit-learn"],
)
def test_rows_predicted_forward_in_time_are_fitted_one_by_one(splitter: Any) -> None:
    X, y = few_values(0)
    result = compare(LoopedRegressor(), PlainRegressor(), X, y, splitter=splitter, loss="squared_error")
    assert (result.how_fitted, result.n_calls, CALLS) == (ONE_BY_ONE, 0, [])


@pytest.mark.parametrize("classes", [None, range(3), range(4)], ids=["known", "as codes", "one never seen"])
def test_a_class_that_a_training_part_lacks_is_fitted_one_by_one(classes: Any) -> None:
    X, y = few_values(1, n_classes=2)
    y[7] = 2
    result = compare(
        LoopedClassifier(), PlainClassifier(), X, y, splitter=RandomFolds(5), loss="log_loss", classes=classes
    )
    assert (result.how_fitted, CALLS) == (ONE_BY_ONE, [])


def test_a_class_that_no_row_has_is_fitted_one_by_one() -> None:
    """Every training part holds the classes that there are, but the predictions have a column more."""
    X, y = few_values(1, n_classes=2)
    result = compare(
        LoopedClassifier(), PlainClassifier(), X, y, splitter=StratifiedFolds(5), loss="log_loss", classes=range(3)
    )
    assert (result.how_fitted, CALLS) == (ONE_BY_ONE, [])


def test_a_table_of_one_class_is_predicted_without_a_fit() -> None:
    X, _ = few_values(0)
    result = out_of_fold(LoopedClassifier(), X, np.zeros(90, int), splitter=RandomFolds(3), loss="log_loss")
    assert (result.n_fits, result.how_fitted, CALLS) == (0, ONE_BY_ONE, [])


def test_classes_known_beforehand_and_all_there_are_one_call() -> None:
    X, y = few_values(1, n_classes=3)
    result = compare(
        LoopedClassifier(), PlainClassifier(), X, y, splitter=StratifiedFolds(5), loss="log_loss", classes=range(3)
    )
    assert result.n_calls == 1


class Doubled(LoopedRidge):
    """Somebody's own predictions, of which the inherited fit_replicas knows nothing."""

    def predict(self, X: Any) -> Any:
        return 2.0 * super().predict(X)


class Nested(LoopedRidge):
    """Has an open seed that no call can set."""

    def __init__(self, inner: Any = None) -> None:
        super().__init__()
        self.inner = inner

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"inner": self.inner} | ({"inner__random_state": None} if deep and self.inner is None else {})

    def set_params(self, **parameters: Any) -> Nested:
        self.inner = parameters.get("inner__random_state", self.inner)
        return self


@pytest.mark.parametrize("model", [Doubled(), Nested(), PlainRidge()], ids=["changed", "nested seed", "has none"])
def test_learners_that_cannot_be_trusted_with_one_call_are_fitted_one_by_one(model: Any) -> None:
    X, y = few_values(0)
    result = out_of_fold(model, X, y, splitter=RandomFolds(3), loss="squared_error")
    assert (result.how_fitted, CALLS) == (ONE_BY_ONE, [])


def test_a_classifier_that_is_judged_by_numbers_is_fitted_one_by_one() -> None:
    X, y = few_values(0, n_classes=3)
    result = compare(
        LoopedClassifier(), PlainClassifier(), X, y.astype(float), splitter=RandomFolds(3), loss="absolute_error"
    )
    assert CALLS == []
    assert result.how_fitted == ONE_BY_ONE


class Flat(LoopedRidge):
    def fit_replicas(self, X: Any, *_: Any, **__: Any) -> Any:
        return np.zeros(len(X))


class Lacking(LoopedRidge):
    def fit_replicas(self, X: Any, y: Any, weights: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002 - the protocol's
        return np.full(weights.T.shape, np.nan)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Flat(), r"fit_replicas of Flat must return shape \(3, 90\), got \(90,\)"),
        (Lacking(), "Lacking must predict finite numbers, got nan"),
    ],
)
def test_answers_of_another_shape_or_without_numbers_are_refused(model: Any, said: str) -> None:
    X, y = few_values(0)
    with pytest.raises(InvalidInput, match=said):
        out_of_fold(model, X, y, splitter=RandomFolds(3), loss="squared_error")


# -- pipelines ---------------------------------------------------------------------------------------------


def frame_of(X: np.ndarray, kind: str) -> Any:
    columns: dict[str, Any] = {f"n{j}": X[:, j] for j in range(X.shape[1])}
    columns["n1"] = np.where(X[:, 1] == 0, np.nan, X[:, 1])
    columns["flag"] = X[:, 0] > 2
    columns["nothing"] = np.full(len(X), np.nan)
    return {"pandas": pd.DataFrame, "polars": pl.DataFrame}[kind](columns)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_pipeline_that_learns_nothing_before_its_model_is_one_call(seed: int, kind: str) -> None:
    X, y = few_values(seed)
    joint = compare(
        *(
            Pipeline([("encoder", OrdinalEncoder()), ("skip", "passthrough"), ("model", model)])
            for model in (LoopedRegressor(max_features=2), PlainRegressor(max_features=2))
        ),
        frame_of(X, kind),
        y,
        splitter=RandomFolds(4, 2),
        loss="squared_error",
        sample_weight=np.random.default_rng(seed).uniform(0.5, 2.0, len(y)),
    )
    assert (joint.how_fitted, joint.n_calls) == (TOGETHER, 1)


def test_a_pipeline_that_learns_from_other_rows_is_fitted_one_by_one() -> None:
    X, y = few_values(0)
    for steps in ([StandardScaler()], [ScaledEncoder()], [OrdinalEncoder(kinds={"x0": "category"})]):
        result = compare(
            make_pipeline(*steps, LoopedRidge()),
            make_pipeline(*steps, PlainRidge()),
            X,
            y,
            splitter=RandomFolds(3),
            loss="squared_error",
        )
        assert (result.how_fitted, CALLS) == (ONE_BY_ONE, [])


def test_a_column_without_values_in_one_training_part_only_is_fitted_one_by_one() -> None:
    X, y = few_values(0)
    X[:, 0] = np.nan
    X[:30, 0] = 1.0  # the first of three folds holds all values there are
    pipelines = [
        Pipeline([("encoder", OrdinalEncoder()), ("model", model)]) for model in (LoopedRegressor(), PlainRegressor())
    ]
    result = compare(*pipelines, X, y, splitter=KFold(3), loss="squared_error")
    assert (result.how_fitted, CALLS) == (ONE_BY_ONE, [])


def test_encoders_say_whether_rows_are_encoded_one_by_one() -> None:
    assert isinstance(OrdinalEncoder(), RowwiseTransformer)
    assert not isinstance(ScaledEncoder(), RowwiseTransformer)


class Unweighted(LoopedRegressor):
    """A learner whose `fit` takes no weights."""

    def fit(self, X: Any, y: Any) -> Unweighted:
        return super().fit(X, y)

    def fit_replicas(self, *arguments: Any, **named: Any) -> Any:
        return super().fit_replicas(*arguments, **named)


def test_weights_go_only_to_a_learner_whose_fit_takes_them() -> None:
    X, y = few_values(0)
    sets = _joint_fits.TrainingSets([np.arange(60)], [np.arange(90)], [(0,)])
    for learner, weight in ((LoopedRegressor(), np.ones(90)), (Unweighted(), None)):
        joint = _joint_fits.joint_fits(learner, X, y, sets, classification=False, weight=np.ones(90))
        np.testing.assert_array_equal(joint.weight, weight)


@pytest.mark.parametrize(("times", "possible"), [(255, True), (256, False)])
def test_a_row_that_is_there_more_often_than_a_byte_counts_is_fitted_one_by_one(times: int, possible: bool) -> None:
    X, y = few_values(0)
    sets = _joint_fits.TrainingSets([np.repeat([3, 4], [times, 1])], [np.arange(90)], [(0,)])
    joint = _joint_fits.joint_fits(LoopedRegressor(), X, y, sets, classification=False)
    assert (joint is not None) == possible
