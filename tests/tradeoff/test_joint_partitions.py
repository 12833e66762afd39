"""Parts of the error from one call equal parts from fits one by one, bit for bit."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import Pipeline

from heldout import _joint_fits
from heldout.errors import InvalidInput
from heldout.learner import ONE_BY_ONE, TOGETHER
from heldout.splits import BlockedTime, GroupFolds
from heldout.table import OrdinalEncoder
from heldout.tradeoff import Decomposition, decompose

from replicated import (
    CALLS,
    LoopedClassifier,
    LoopedRegressor,
    LoopedRidge,
    PlainClassifier,
    PlainRegressor,
    few_values,
)


@pytest.fixture(autouse=True)
def no_calls_yet() -> None:
    CALLS.clear()


def compare(together: Any, plain: Any, X: Any, y: Any, **arguments: Any) -> Decomposition:
    """Return the result of the joint path, after holding it equal to the generic one."""
    joint, generic = (decompose(model, X, y, **arguments) for model in (together, plain))
    assert (generic.how_fitted, generic.n_calls) == (ONE_BY_ONE, 0)
    for name in ("expected_loss_per_row", "variance_per_row", "bias_plus_noise_per_row", "per_partition"):
        np.testing.assert_array_equal(getattr(joint, name), getattr(generic, name))
    for name in ("variance", "variance_ci", "bias_plus_noise_ci", "n_fits", "n_partitions", "n_train", "label"):
        assert getattr(joint, name) == getattr(generic, name)
    return joint


@pytest.mark.parametrize("case", ["plain", "weights", "groups", "cut sizes", "two jobs"])
def test_all_halves_of_all_partitions_are_one_call_and_equal_separate_fits(seed: int, case: str) -> None:
    X, y = few_values(seed)
    arguments: dict[str, Any] = {
        "plain": {},
        "weights": {"sample_weight": np.random.default_rng(seed).uniform(0.5, 2.0, 90)},
        "groups": {"groups": np.arange(90) % 9, "splitter": GroupFolds(3, groups=np.arange(90) % 9)},
        "cut sizes": {"max_rows": 20},
        "two jobs": {"n_jobs": 2},
    }[case]
    models = (model(max_features=2, min_samples_leaf=3) for model in (LoopedRegressor, PlainRegressor))
    joint = compare(*models, X, y, n_partitions=3, random_state=seed, **arguments)
    assert (joint.how_fitted, joint.n_calls, len(CALLS)) == (TOGETHER, 1, 1)
    weights = CALLS[0]["weights"]
    assert weights.shape[1] == joint.n_fits
    assert not (weights[:, ::2] & weights[:, 1::2]).any()  # the halves of a pair share no row
    assert not (weights & (CALLS[0]["roles"] > 0)).any()  # and none is asked about a row that it was shown
    assert len(set(CALLS[0]["seeds"])) == joint.n_fits


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_most_probable_class_is_what_predict_gives(seed: int, n_classes: int) -> None:
    X, y = few_values(seed, n=150)
    labels = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    models = [model(max_features=2, min_samples_leaf=2) for model in (LoopedClassifier, PlainClassifier)]
    joint = compare(*models, X, labels, loss="zero_one", n_partitions=2)
    assert joint.n_calls == 1
    with_hole = compare(*models, X, 2 * labels, loss="zero_one", n_partitions=2, classes=range(2 * n_classes))
    assert with_hole.n_calls == 1
    assert with_hole.variance == joint.variance


def test_a_class_that_a_half_lacks_is_fitted_one_by_one() -> None:
    X, y = few_values(1)
    labels = (y > 0).astype(int)
    labels[3] = 2
    result = compare(LoopedClassifier(), PlainClassifier(), X, labels, loss="zero_one", n_partitions=2)
    assert (result.how_fitted, CALLS) == (ONE_BY_ONE, [])


def test_rows_predicted_forward_in_time_are_fitted_one_by_one() -> None:
    X, y = few_values(0)
    compare(LoopedRegressor(), PlainRegressor(), X, y, splitter=BlockedTime(3), n_partitions=2)
    assert CALLS == []


def test_with_a_deadline_each_partition_is_a_call_of_its_own_and_two_are_always_made() -> None:
    X, y = few_values(0)
    late = compare(LoopedRegressor(), PlainRegressor(), X, y, deadline=time.monotonic() - 1)
    assert (late.n_partitions, late.n_calls) == (2, 2)
    early = compare(LoopedRegressor(), PlainRegressor(), X, y, deadline=time.monotonic() + 3600)
    assert (early.n_partitions, early.n_calls) == (5, 5)


def test_what_would_fill_the_memory_is_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = few_values(0)
    monkeypatch.setattr(_joint_fits, "BYTES_AT_ONCE", 7 * 90 * 8)
    joint = compare(LoopedRegressor(), PlainRegressor(), X, y, n_partitions=2)
    assert [call["weights"].shape[1] for call in CALLS] == [7, 7, 6]
    assert joint.n_calls == 3


def test_a_pipeline_is_one_call_where_it_learns_nothing_before_its_model(seed: int) -> None:
    X, y = few_values(seed)
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1] > 2, "c": np.where(X[:, 2] == 0, np.nan, X[:, 2])})
    pipelines = [
        Pipeline([("encoder", OrdinalEncoder()), ("model", model)]) for model in (LoopedRegressor(), PlainRegressor())
    ]
    assert compare(*pipelines, frame, y, n_partitions=2).n_calls == 1


class WithoutNumbers(LoopedRidge):
    def fit_replicas(self, X: Any, y: Any, weights: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002 - the protocol's
        return np.full(weights.T.shape, np.nan)


class WithoutProbabilities(LoopedClassifier):
    def fit_replicas(self, X: Any, y: Any, weights: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002 - the protocol's
        return np.full((*weights.T.shape, 2), np.inf)


@pytest.mark.parametrize(
    ("model", "loss", "said"),
    [
        (WithoutNumbers(), "squared_error", "must predict finite numbers, got nan"),
        (WithoutProbabilities(), "zero_one", "WithoutProbabilities must give finite probabilities, got inf"),
    ],
)
def test_predictions_that_are_no_numbers_are_refused(model: Any, loss: Any, said: str) -> None:
    X, y = few_values(0)
    with pytest.raises(InvalidInput, match=said):
        decompose(model, X, y if loss == "squared_error" else y > 0, loss=loss, n_partitions=2)
