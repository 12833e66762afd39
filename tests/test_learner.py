"""What the measures ask of a model, and how they copy, seed and fit it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import BaggingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.learner import (
    Learner,
    ReplicatedLearner,
    fit_with_weight,
    group_parameter,
    groups_for,
    seeded_clone,
    weight_parameter,
)


class Remembering(BaseEstimator):
    """A learner that remembers how it was fitted."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Remembering:  # noqa: ARG002 - the signature of a learner
        self.weight_ = sample_weight
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_a_learner_is_what_can_be_fitted_and_predict() -> None:
    assert isinstance(Ridge(), Learner)
    assert isinstance(Remembering(), Learner)
    assert not isinstance(StandardScaler(), Learner)
    assert not isinstance(Ridge(), ReplicatedLearner)


def test_open_seeds_are_set_by_name_and_purpose_and_given_ones_stay() -> None:
    model = Pipeline(
        [("bag", BaggingRegressor(DecisionTreeRegressor())), ("tree", RandomForestRegressor(random_state=5))]
    )
    seeds = {
        name: value
        for name, value in seeded_clone(model, 0, "fold", 1).get_params().items()
        if name.endswith("random_state")
    }
    assert set(seeds) == {"bag__random_state", "bag__estimator__random_state", "tree__random_state"}
    assert seeds["tree__random_state"] == 5
    assert all(isinstance(value, int) for value in seeds.values())
    assert len(set(seeds.values())) == 3
    assert model.get_params()["bag__random_state"] is None


@pytest.mark.parametrize(
    ("seed", "names", "same"), [(0, ("fold", 1), True), (0, ("fold", 2), False), (1, ("fold", 1), False)]
)
def test_equal_purposes_give_equal_seeds(seed: int, names: tuple[str | int, ...], same: bool) -> None:
    first = seeded_clone(DecisionTreeRegressor(), 0, "fold", 1).random_state
    assert (seeded_clone(DecisionTreeRegressor(), seed, *names).random_state == first) == same


def test_a_copy_is_not_fitted_and_not_the_original() -> None:
    fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    copy = seeded_clone(fitted, 0)
    assert copy is not fitted
    assert not hasattr(copy, "coef_")


def test_the_name_of_the_weights_is_found_in_nested_pipelines() -> None:
    inner = make_pipeline(StandardScaler(), Ridge())
    assert weight_parameter(Ridge()) == "sample_weight"
    assert weight_parameter(inner) == "ridge__sample_weight"
    assert weight_parameter(Pipeline([("outer", inner)])) == "outer__ridge__sample_weight"
    assert weight_parameter(KNeighborsRegressor()) is None
    assert weight_parameter(make_pipeline(StandardScaler(), KNeighborsRegressor())) is None


def test_a_weighted_line_is_the_line_of_copied_rows() -> None:
    rng = np.random.default_rng(0)
    X, y, weight = rng.normal(size=(30, 2)), rng.normal(size=30), rng.integers(0, 4, 30).astype(float)
    copies = np.repeat(np.arange(30), weight.astype(int))
    for model in (LinearRegression(), make_pipeline(LinearRegression())):
        weighted = fit_with_weight(model, X, y, weight).predict(X)
        np.testing.assert_allclose(weighted, LinearRegression().fit(X[copies], y[copies]).predict(X))


def test_weights_reach_only_a_learner_that_takes_them() -> None:
    X, y, weight = np.zeros((3, 1)), np.arange(3.0), np.array([1.0, 2.0, 3.0])
    model = Remembering()
    assert fit_with_weight(model, X, y, weight) is model
    assert model.weight_ is weight
    assert fit_with_weight(Remembering(), X, y, None).weight_ is None
    neighbours = fit_with_weight(KNeighborsRegressor(1), X, y, weight)
    assert neighbours.n_samples_fit_ == 3


class Grouped(Remembering):
    """A learner that may be told groups."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Grouped:
        self.groups_ = groups
        super().fit(X, y, sample_weight)
        return self


class InNeedOfGroups(Grouped):
    """One that says it needs them."""

    needs_groups = True


def test_groups_are_needed_by_those_that_say_so() -> None:
    assert group_parameter(InNeedOfGroups()) == "groups"
    assert group_parameter(Pipeline([("outer", make_pipeline(InNeedOfGroups()))])) == "outer__inneedofgroups__groups"
    assert [group_parameter(model) for model in (Ridge(), Grouped(), Remembering(), Pipeline([("a", Grouped())]))] == [
        None
    ] * 4


@pytest.mark.parametrize("kind", [BoostingRegressor, BoostingClassifier])
def test_boosting_needs_groups_only_where_it_draws_them(kind: type) -> None:
    assert group_parameter(kind(replicas=2, resampling="groups")) == "groups"
    assert group_parameter(kind(resampling="groups", early_stopping="out_of_bag")) == "groups"
    for setting in ({}, {"resampling": "groups"}, {"replicas": 2}, {"replicas": 2, "resampling": None}):
        assert group_parameter(kind(**setting)) is None


def test_groups_are_told_to_those_that_need_them_beside_weights() -> None:
    X, y, weight, groups = np.zeros((3, 1)), np.zeros(3), np.array([1.0, 2.0, 3.0]), ["b", "a", "b"]
    model = InNeedOfGroups()
    labels = groups_for(model, groups, 3)
    fit_with_weight(model, X, y, weight, labels)
    assert model.groups_.tolist() == groups
    assert model.weight_ is weight
    assert fit_with_weight(Grouped(), X, y, None, labels).groups_ is None
    assert groups_for(Grouped(), groups, 3) is None
    assert groups_for(model, None, 3) is None
