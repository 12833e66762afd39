"""Groups that a measure is told reach the fits that need them, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.errors import InvalidInput
from heldout.generalization import estimate_error, out_of_fold
from heldout.learner import ONE_BY_ONE, TOGETHER, seeded_clone
from heldout.resampling import Groups
from heldout.splits import GroupFolds, RandomFolds
from heldout.tradeoff import decompose

N_GROUPS = 30
GROUPS = np.array([f"g{code}" for code in np.arange(300) % N_GROUPS])
DRAWS_GROUPS: dict[str, Any] = {"n_trees": 8, "min_leaf_weight": 5, "replicas": 4, "resampling": Groups(0.6)}


class PlainRegressor(BoostingRegressor):
    """The generic path of the same model."""

    fit_replicas = property()  # raises AttributeError: it is not there


class PlainClassifier(BoostingClassifier):
    """The same for classes."""

    fit_replicas = property()


class Remembering(DummyRegressor):
    """A learner that cannot be fitted without groups, and checks that they came with their rows."""

    def fit(self, X: Any, y: Any, groups: Any) -> Remembering:
        np.testing.assert_array_equal(groups, GROUPS[np.asarray(X)[:, -1].astype(int)])
        super().fit(X, y)
        return self


def table(seed: int, n_classes: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of few values, which every training part has all of; groups have levels of their own."""
    rng = np.random.default_rng(seed)
    X = rng.integers(3, size=(300, 3)).astype(float)
    y = X[:, 0] + rng.normal(size=N_GROUPS)[np.arange(300) % N_GROUPS] + rng.normal(size=300)
    return X, np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes)) if n_classes else y


@pytest.mark.parametrize("stopping", [False, "out_of_bag"])
@pytest.mark.parametrize("n_classes", [0, 3])
def test_folds_in_one_call_equal_folds_one_by_one(seed: int, n_classes: int, stopping: Any) -> None:
    X, y = table(seed, n_classes)
    kinds: list[type] = [BoostingClassifier, PlainClassifier] if n_classes else [BoostingRegressor, PlainRegressor]
    together, apart = (
        out_of_fold(
            kind(early_stopping=stopping, **DRAWS_GROUPS),
            X,
            y,
            splitter=GroupFolds(4),
            loss="log_loss" if n_classes else "squared_error",
            groups=GROUPS,
        )
        for kind in kinds
    )
    assert (together.how_fitted, apart.how_fitted) == (TOGETHER, ONE_BY_ONE)
    np.testing.assert_allclose(together.losses, apart.losses, rtol=1e-11, atol=1e-11)


def test_folds_equal_fits_that_are_told_the_groups_of_their_rows(seed: int) -> None:
    X, y = table(seed)
    model, splitter = BoostingRegressor(**DRAWS_GROUPS), GroupFolds(3)
    came = out_of_fold(model, X, y, splitter=splitter, loss="squared_error", groups=GROUPS, random_state=seed)
    for fold, (train, test) in enumerate(splitter.split(X, y, GROUPS)):
        alone = seeded_clone(model, seed, fold).fit(X[train], y[train], groups=GROUPS[train])
        np.testing.assert_allclose(came.predictions[test], alone.predict(X[test]), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n_classes", [0, 2])
def test_parts_of_the_error_in_one_call_equal_those_one_by_one(seed: int, n_classes: int) -> None:
    X, y = table(seed, n_classes)
    kinds: list[type] = [BoostingClassifier, PlainClassifier] if n_classes else [BoostingRegressor, PlainRegressor]
    together, apart = (
        decompose(
            kind(**DRAWS_GROUPS), X, y, loss="zero_one" if n_classes else "squared_error", groups=GROUPS, n_partitions=2
        )
        for kind in kinds
    )
    assert (together.how_fitted, apart.how_fitted) == (TOGETHER, ONE_BY_ONE)
    assert together.variance == pytest.approx(apart.variance, rel=1e-9)
    assert together.expected_loss == pytest.approx(apart.expected_loss, rel=1e-9)


def test_an_estimator_of_the_users_gets_the_labels_of_its_own_rows(seed: int) -> None:
    X, y = table(seed)
    numbered = np.column_stack([X, np.arange(300)])
    for model in (Remembering(), Pipeline([("same", FunctionTransformer()), ("model", Remembering())])):
        assert estimate_error(model, numbered, y, metric="mse", groups=GROUPS).method == "corrected_t_groups"
        assert decompose(model, numbered, y, groups=GROUPS, n_partitions=2).n_units == N_GROUPS


def test_boosting_in_a_pipeline_gets_groups_by_the_name_of_its_step(seed: int) -> None:
    X, y = table(seed)
    alone = estimate_error(PlainRegressor(random_state=1, **DRAWS_GROUPS), X, y, metric="mse", groups=GROUPS)
    behind = Pipeline([("same", FunctionTransformer()), ("model", BoostingRegressor(random_state=1, **DRAWS_GROUPS))])
    assert estimate_error(behind, X, y, metric="mse", groups=GROUPS).error == alone.error


@pytest.mark.parametrize("setting", [{}, {"replicas": 5, "resampling": "subsample"}, {"resampling": "groups"}])
@pytest.mark.parametrize("kind", [BoostingRegressor, PlainRegressor])
def test_boosting_that_draws_no_groups_is_fitted_as_without_them(kind: type, setting: Any, seed: int) -> None:
    X, y = table(seed)
    model = kind(n_trees=5, **setting)
    folds = list(GroupFolds(3).split(X, y, GROUPS))

    class Fixed:
        def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:  # noqa: ARG002 - scikit-learn's signature
            return folds

    told, untold = (
        out_of_fold(model, X, y, splitter=Fixed(), loss="squared_error", groups=groups) for groups in (GROUPS, None)
    )
    np.testing.assert_array_equal(told.predictions, untold.predictions)


def test_a_learner_whose_fit_replicas_knows_no_groups_is_fitted_one_by_one(seed: int) -> None:
    class Needs(BaseEstimator):
        needs_groups = True

        def fit(self, X: Any, y: Any, groups: Any = None) -> Needs:  # noqa: ARG002 - the signature of a learner
            self.mean_, self.n_groups_ = float(np.mean(y)), len(np.unique(groups))
            return self

        def predict(self, X: Any) -> Any:
            return np.full(len(X), float(self.n_groups_))

        def fit_replicas(self, X: Any, y: Any, weights: Any, roles: Any = None, **rest: Any) -> Any:  # noqa: ARG002 - as called
            raise AssertionError("it would not know the groups")

    X, y = table(seed)
    came = out_of_fold(Needs(), X, y, splitter=GroupFolds(3), loss="squared_error", groups=GROUPS)
    assert came.how_fitted == ONE_BY_ONE
    np.testing.assert_array_equal(came.predictions, 20.0)  # two thirds of 30 groups were trained on


def test_groups_of_another_length_are_refused_where_a_fit_needs_them(seed: int) -> None:
    X, y = table(seed)
    with pytest.raises(InvalidInput, match=r"groups must have shape \(300,\), got \(299,\): pass one value per row"):
        out_of_fold(
            BoostingRegressor(**DRAWS_GROUPS), X, y, splitter=RandomFolds(2), loss="squared_error", groups=GROUPS[:299]
        )
