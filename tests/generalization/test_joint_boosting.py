"""Boosting in one call equals boosting one by one: to the bit, or to rounding where members are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import Pipeline

from heldout import _joint_fits
from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.generalization import OutOfFold, out_of_fold
from heldout.learner import ONE_BY_ONE, TOGETHER, ReplicatedLearner
from heldout.splits import GroupFolds, RandomFolds, StratifiedFolds
from heldout.table import OrdinalEncoder
from heldout.tradeoff import decompose


class PlainRegressor(BoostingRegressor):
    """The generic path of the same model."""

    fit_replicas = property()  # raises AttributeError: it is not there


class PlainClassifier(BoostingClassifier):
    """The same for classes."""

    fit_replicas = property()


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drawn features": {"max_features": 0.5},
    "stopped out of bag": {"resampling": "subsample", "early_stopping": "out_of_bag"},
    "bagged": {"replicas": 5, "resampling": "subsample"},
    "bagged and stopped": {"replicas": 5, "resampling": "subsample", "early_stopping": "out_of_bag"},
}
of_each_setting = pytest.mark.parametrize("setting", list(SETTINGS))


def few_values(seed: int, n: int = 300, n_classes: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of few distinct values, which every training part has all of: cut points are then equal, too."""
    rng = np.random.default_rng(seed)
    X = rng.integers(4, size=(n, 4)).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    y = np.nan_to_num(X[:, 0]) - np.nan_to_num(X[:, 1]) + rng.normal(size=n)
    return X, np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes)) if n_classes else y


def both(n_classes: int, setting: str) -> list[Any]:
    kinds: tuple[type, type] = (
        (BoostingClassifier, PlainClassifier) if n_classes else (BoostingRegressor, PlainRegressor)
    )
    return [kind(n_trees=12, min_leaf_weight=5, **SETTINGS[setting]) for kind in kinds]


def tolerance(setting: str) -> float:
    # The mean of members that a model keeps adds up its leaves in another order than their scores are averaged in.
    return 1e-12 if "bagged" in setting else 0.0


def assert_same(joint: OutOfFold, generic: OutOfFold, setting: str) -> None:
    assert (joint.how_fitted, joint.n_calls) == (TOGETHER, 1)
    assert (generic.how_fitted, generic.n_calls) == (ONE_BY_ONE, 0)
    rtol = tolerance(setting)
    np.testing.assert_allclose(joint.predictions, generic.predictions, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(joint.losses, generic.losses, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(joint.training_losses, generic.training_losses, rtol=rtol)
    for name, judged in joint.by_loss.items():
        np.testing.assert_array_equal(judged.losses, generic.by_loss[name].losses)


def test_boosting_fits_replicas() -> None:
    assert isinstance(BoostingRegressor(), ReplicatedLearner)
    assert isinstance(BoostingClassifier(), ReplicatedLearner)


@pytest.mark.parametrize("case", ["repeats", "groups", "weights"])
@of_each_setting
def test_values_of_all_folds_in_one_call(seed: int, setting: str, case: str) -> None:
    X, y = few_values(seed)
    splitter = GroupFolds(4, groups=np.arange(300) % 15) if case == "groups" else RandomFolds(3, 2)
    weight = np.random.default_rng(seed).uniform(0.5, 2.0, 300) if case == "weights" else None
    assert_same(
        *(
            out_of_fold(model, X, y, splitter=splitter, loss="squared_error", sample_weight=weight)
            for model in both(0, setting)
        ),
        setting,
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@of_each_setting
def test_probabilities_and_classes_of_all_folds_in_one_call(seed: int, setting: str, n_classes: int) -> None:
    X, y = few_values(seed, n_classes=n_classes)
    assert_same(
        *(
            out_of_fold(model, X, y, splitter=StratifiedFolds(4), loss="log_loss", other_losses=["zero_one"])
            for model in both(n_classes, setting)
        ),
        setting,
    )


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@of_each_setting
def test_the_parts_of_the_error_in_one_call(seed: int, setting: str, n_classes: int) -> None:
    X, y = few_values(seed, n_classes=n_classes)
    joint, generic = (
        decompose(model, X, y, loss="zero_one" if n_classes else "squared_error", n_partitions=2)
        for model in both(n_classes, setting)
    )
    assert (joint.how_fitted, generic.how_fitted) == (TOGETHER, ONE_BY_ONE)
    rtol = 0.0 if n_classes else tolerance(setting)
    for name in ("expected_loss_per_row", "variance_per_row", "per_partition"):
        np.testing.assert_allclose(getattr(joint, name), getattr(generic, name), rtol=rtol, atol=rtol)


def test_members_count_where_the_memory_of_a_call_is_reckoned(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = few_values(0)
    monkeypatch.setattr(_joint_fits, "BYTES_AT_ONCE", 10 * 300 * 8)
    calls = []
    for parameters in (
        {"replicas": 1},
        {"replicas": 5},
        {"replicas": 20},
        {"replicas": 1, "early_stopping": "out_of_bag", "resampling": "subsample"},  # eight choose the rounds
    ):
        model = BoostingRegressor(n_trees=2, **({"resampling": None} | parameters))
        calls.append(out_of_fold(model, X, y, splitter=RandomFolds(4), loss="squared_error").n_calls)
    assert calls == [1, 2, 4, 4]


def test_any_number_of_jobs_gives_the_same_bits(seed: int) -> None:
    X, y = few_values(seed)
    one, two, three = (
        out_of_fold(
            BoostingRegressor(replicas=3, resampling=None),
            X,
            y,
            splitter=RandomFolds(5),
            loss="squared_error",
            n_jobs=jobs,
        )
        for jobs in (None, 1, 3)
    )
    np.testing.assert_array_equal(one.predictions, two.predictions)
    np.testing.assert_array_equal(one.predictions, three.predictions)
    assert one.training_losses == three.training_losses


def test_encoded_once_is_encoded_in_each_fold(seed: int) -> None:
    X, y = few_values(seed)
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2] > 1, "d": X[:, 3]})
    assert_same(
        *(
            out_of_fold(
                Pipeline([("encoder", OrdinalEncoder()), ("model", model)]),
                frame,
                y,
                splitter=RandomFolds(4),
                loss="squared_error",
            )
            for model in both(0, "drawn features")
        ),
        "drawn features",
    )


def test_poisoned_targets_of_rows_held_out_change_no_prediction_for_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(200, 3)), rng.normal(size=200)
    model = BoostingRegressor(n_trees=10, replicas=5, resampling="subsample", early_stopping="out_of_bag")
    clean = out_of_fold(model, X, y, splitter=RandomFolds(4), loss="squared_error")
    for test in clean.test_rows:
        poisoned = y.copy()
        poisoned[test] = 1e6 * rng.normal(size=len(test))
        after = out_of_fold(model, X, poisoned, splitter=RandomFolds(4), loss="squared_error")
        np.testing.assert_array_equal(after.predictions[test], clean.predictions[test])


def test_shared_cut_points_change_the_error_of_continuous_features_little(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 5))
    y = X[:, 0] + np.sin(3 * X[:, 1]) + 0.5 * rng.normal(size=2000)
    joint, generic = (
        out_of_fold(model, X, y, splitter=RandomFolds(5), loss="squared_error")
        for model in (BoostingRegressor(), PlainRegressor())
    )
    difference = joint.losses - generic.losses
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(2000)
    assert joint.mean_loss == pytest.approx(generic.mean_loss, rel=0.03)
