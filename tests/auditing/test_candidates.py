"""Candidates are what was asked for, simplest first, the baselines always among them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from heldout.auditing.baselines import LastValueClassifier, LastValueRegressor
from heldout.auditing.candidates import Candidate, default_candidates, resolve_candidates
from heldout.errors import InvalidInput


def names(entries: object, task: str = "regression", **options: bool) -> list[str]:
    return [candidate.name for candidate in resolve_candidates(entries, task, **options)]


def test_all_built_in_candidates_come_simplest_first() -> None:
    assert names(None) == ["baseline", "ridge", "tree", "knn", "forest", "boosting"]
    assert names(None, "classification")[:2] == ["baseline", "logistic"]


def test_ordered_rows_add_the_last_value_as_a_baseline() -> None:
    candidates = default_candidates("regression", ordered=True)
    assert [c.name for c in candidates if c.is_baseline] == ["baseline", "last-value"]


def test_named_candidates_keep_the_baseline_and_the_order_of_simplicity() -> None:
    assert names("forest,ridge") == ["baseline", "ridge", "forest"]


def test_an_own_estimator_joins_the_built_in_ones() -> None:
    assert names([("mine", Lasso())])[-1] == "mine"
    assert len(names([("mine", Lasso())])) == 7


def test_an_own_estimator_beside_named_ones_joins_those_only() -> None:
    assert names(["ridge", ("mine", Lasso())]) == ["baseline", "ridge", "mine"]


def test_an_importable_estimator_is_named_by_its_class() -> None:
    (lasso,) = [c for c in resolve_candidates(["sklearn.linear_model:Lasso"], "regression") if c.is_foreign]
    assert (lasso.name, type(lasso.estimator)) == ("Lasso", Lasso)


@pytest.mark.parametrize(
    ("entries", "came"),
    [
        (["forrest"], "forrest"),
        (["sklearn.linear_model:Lassso"], "Lassso"),
        (["no_such_module:Model"], "no_such_module"),
        ([("mine", object())], "'mine' has no method fit"),
        ([42], "42"),
        ([("twin", Lasso()), ("twin", Lasso())], "'twin'"),
    ],
)
def test_what_is_no_candidate_is_named(entries: list[object], came: str) -> None:
    with pytest.raises(InvalidInput, match=came):
        resolve_candidates(entries, "regression")


def test_a_ready_candidate_passes_through() -> None:
    mine = Candidate("mine", "my model", Lasso(), is_foreign=True)
    assert resolve_candidates([mine], "regression")[-1].label == "my model"


def test_the_last_value_is_the_last_target() -> None:
    model = LastValueRegressor().fit(np.zeros((3, 1)), [1.0, 5.0, 3.0])
    assert model.predict(np.zeros((2, 1))).tolist() == [3.0, 3.0]


def test_last_class_probabilities_sum_to_one_and_persist_as_often_as_seen() -> None:
    # a a b b a a: 3 of 5 steps stay; add-one smoothing gives (3 + 1) / (5 + 2)
    model = LastValueClassifier().fit(np.zeros((6, 1)), ["a", "a", "b", "b", "a", "a"])
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 1))), [[4 / 7, 3 / 7]])
    assert model.predict(np.zeros((1, 1))).tolist() == ["a"]


def test_a_last_class_that_came_alone_is_certain() -> None:
    model = LastValueClassifier().fit(np.zeros((3, 1)), [7, 7, 7])
    assert model.predict_proba(np.zeros((2, 1))).tolist() == [[1.0], [1.0]]
