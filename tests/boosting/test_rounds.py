"""Rounds: added to, watched, and ended early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heldout import BoostingRegressor
from heldout.boosting import Round
from heldout.boosting.fitting import as_before_unless_done
from heldout.errors import InvalidInput

from reference.ensembles import assert_same_bits

KINDS = ("regression", "two", "five")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_features", [1.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_warm_start_equals_the_uninterrupted_fit(
    kind: str, max_features: float, weighted: bool, table: Any, make_model: Any, seed: int
) -> None:
    y = table.target_of(kind)
    weight = np.random.default_rng(seed).gamma(2.0, size=len(y)) if weighted else None
    parameters = {"max_features": max_features, "random_state": 5}
    whole = make_model(kind, n_trees=17, **parameters).fit(table.X, y, sample_weight=weight)
    parts = make_model(kind, n_trees=1, warm_start=True, n_jobs=2, **parameters)
    for n_trees in (1, 6, 6, 17):
        parts.set_params(n_trees=n_trees).fit(table.X, y, sample_weight=weight)
        assert parts.n_trees_ == n_trees
    assert_same_bits(whole.ensemble_, parts.ensemble_)


def test_without_warm_start_a_fit_begins_anew(table: Any) -> None:
    model = BoostingRegressor(n_trees=5).fit(table.X, table.y)
    first = model.ensemble_
    assert_same_bits(first, model.fit(table.X, table.y).ensemble_)
    assert model.fit(table.X[:, :2], table.y).n_features_in_ == 2


def test_a_warm_start_with_validation_rows_continues_the_losses(table: Any) -> None:
    held = {"X_val": table.X[2000:], "y_val": table.y[2000:]}
    whole = BoostingRegressor(n_trees=12).fit(table.X[:2000], table.y[:2000], **held)
    parts = BoostingRegressor(n_trees=4, warm_start=True).fit(table.X[:2000], table.y[:2000], **held)
    parts.set_params(n_trees=12).fit(table.X[:2000], table.y[:2000], **held)
    assert whole.validation_losses_.tolist() == parts.validation_losses_.tolist()
    assert len(whole.validation_losses_) == 12


def test_a_warm_start_after_an_early_stop_drops_the_losses_of_rounds_not_kept(table: Any) -> None:
    held = {"X_val": table.X[300:], "y_val": table.y[300:]}
    model = BoostingRegressor(n_trees=400, warm_start=True, early_stopping=3, learning_rate=0.5, min_leaf_weight=1)
    model.fit(table.X[:300], table.y[:300], **held)
    kept = model.n_trees_
    assert kept < len(model.validation_losses_) < 400
    model.set_params(n_trees=kept + 2, early_stopping=False).fit(table.X[:300], table.y[:300], **held)
    assert len(model.validation_losses_) == kept + 2 == model.n_trees_


def test_warm_start_refuses_what_does_not_continue(table: Any, make_model: Any) -> None:
    model = BoostingRegressor(n_trees=5, warm_start=True).fit(table.X, table.y)
    with pytest.raises(InvalidInput, match="at least the 5 rounds that warm_start has, got 4"):
        model.set_params(n_trees=4).fit(table.X, table.y)
    with pytest.raises(ValueError, match=r"X has 2 features.*expecting 11"):
        model.set_params(n_trees=6).fit(table.X[:, :2], table.y)
    classifier = make_model("two", n_trees=5, warm_start=True).fit(table.X, table.two)
    with pytest.raises(InvalidInput, match=r"classes it began with, \['no', 'yes'\], got \[0, 10"):
        classifier.set_params(n_trees=6).fit(table.X, table.five)


def test_warm_start_refuses_rows_that_are_cut_otherwise(table: Any, seed: int) -> None:
    model = BoostingRegressor(n_trees=100, warm_start=True).fit(table.X, table.y)
    other = table.X + np.random.default_rng(seed).normal(size=table.X.shape)
    with pytest.raises(InvalidInput, match=r"rows that it began with.*got [3-5]\d\d different cut points of column 0"):
        model.set_params(n_trees=101).fit(other, table.y)
    assert model.n_trees_ == 100
    coarse = BoostingRegressor(n_trees=10, warm_start=True, min_leaf_weight=1).fit(table.X[:100].round(), table.y[:100])
    coarse.set_params(n_trees=20).fit(table.X[100:].round(), table.y[100:])  # few values have the same cut points
    assert coarse.n_trees_ == 20


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_keeps_the_best_round(kind: str, table: Any, make_model: Any) -> None:
    y = table.target_of(kind)
    held = {"X_val": table.X[600:], "y_val": y[600:]}
    patient = make_model(kind, n_trees=300, learning_rate=0.4, min_leaf_weight=2, early_stopping=7)
    patient.fit(table.X[:600], y[:600], **held)
    losses = patient.validation_losses_
    best = int(np.argmin(losses))
    assert patient.n_trees_ == best + 1
    assert len(losses) == best + 1 + 7 < 300
    short = make_model(kind, n_trees=best + 1, learning_rate=0.4, min_leaf_weight=2).fit(table.X[:600], y[:600])
    assert_same_bits(patient.ensemble_, short.ensemble_)


def test_true_means_20_rounds_of_patience(table: Any) -> None:
    held = {"X_val": table.X[300:], "y_val": table.y[300:]}
    one = BoostingRegressor(n_trees=400, learning_rate=0.4, min_leaf_weight=2, early_stopping=True)
    other = BoostingRegressor(n_trees=400, learning_rate=0.4, min_leaf_weight=2, early_stopping=20)
    assert_same_bits(
        one.fit(table.X[:300], table.y[:300], **held).ensemble_,
        other.fit(table.X[:300], table.y[:300], **held).ensemble_,
    )
    assert one.n_trees_ + 20 == len(one.validation_losses_)


def test_validation_rows_alone_change_no_tree(table: Any) -> None:
    held = {"X_val": table.X[:100] * 2, "y_val": table.y[:100]}
    one = BoostingRegressor(n_trees=5).fit(table.X, table.y)
    other = BoostingRegressor(n_trees=5).fit(table.X, table.y, **held)
    assert_same_bits(one.ensemble_, other.ensemble_)
    assert one.validation_losses_.shape == (0,)


def test_a_callback_is_told_of_each_round_once(table: Any) -> None:
    told: list[Round] = []
    model = BoostingRegressor(n_trees=9).fit(table.X, table.y, callback=told.append)
    assert told == [Round(number, None) for number in range(1, 10)]
    told.clear()
    model.fit(table.X, table.y, X_val=table.X, y_val=table.y, callback=told.append)
    assert [each.validation_loss for each in told] == model.validation_losses_.tolist()
    told.clear()
    model.set_params(warm_start=True, n_trees=11).fit(table.X, table.y, callback=told.append)
    assert [each.number for each in told] == [10, 11]


@pytest.mark.parametrize("answer", [True, 1, np.True_])
def test_a_true_answer_of_the_callback_ends_the_fit(answer: Any, table: Any) -> None:
    model = BoostingRegressor(n_trees=50)
    model.fit(table.X, table.y, callback=lambda each: answer if each.number == 4 else None)
    assert_same_bits(model.ensemble_, BoostingRegressor(n_trees=4).fit(table.X, table.y).ensemble_)


def test_what_a_callback_raises_comes_out_and_leaves_the_model_as_it_was(table: Any) -> None:
    def fail(each: Round) -> None:
        raise ZeroDivisionError(f"in round {each.number}")

    model = BoostingRegressor(n_trees=5).fit(table.X, table.y)
    before = model.ensemble_
    with pytest.raises(ZeroDivisionError, match="in round 1"):
        model.fit(table.X[:, :3], table.y, callback=fail)
    assert model.ensemble_ is before
    assert model.n_features_in_ == 11
    fresh = BoostingRegressor()
    with pytest.raises(ZeroDivisionError):
        fresh.fit(table.X, table.y, callback=fail)
    assert not [name for name in vars(fresh) if name.endswith("_")]


def test_a_classifier_whose_fit_fails_keeps_its_classes(table: Any, make_model: Any) -> None:
    model = make_model("two", n_trees=3).fit(table.X, table.two)
    with pytest.raises(InvalidInput, match="y_val holds"):
        model.fit(table.X, table.five, X_val=table.X, y_val=table.two)
    assert set(model.predict(table.X)) <= {"yes", "no"}


def test_a_failing_fit_never_hides_the_model_that_there_was() -> None:
    seen: list[bool] = []

    class Watched(dict[str, Any]):
        """A namespace that looks, after each change, whether the model is there."""

        def watch(self) -> None:
            seen.append("ensemble_" in self)

        def clear(self) -> None:
            super().clear()
            self.watch()

        def update(self, *given: Any, **named: Any) -> None:
            super().update(*given, **named)
            self.watch()

        def __delitem__(self, name: str) -> None:
            super().__delitem__(name)
            self.watch()

    class Bare:
        """Holds the watched namespace in the place where attributes are."""

        __slots__ = ("__dict__",)

    estimator = Bare()
    estimator.__dict__ = Watched(ensemble_="old", n_trees=3)

    def fit_that_is_broken_off() -> None:
        with as_before_unless_done(estimator):
            estimator.__dict__["ensemble_"] = "new"
            estimator.__dict__["classes_"] = [1]
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        fit_that_is_broken_off()
    assert dict(estimator.__dict__) == {"ensemble_": "old", "n_trees": 3}
    assert seen == [True, True]
