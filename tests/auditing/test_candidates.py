"""Candidates are what was asked for, simplest first, the baselines always among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Lasso

from heldout import audit
from heldout.auditing.baselines import LastValueClassifier, LastValueRegressor
from heldout.auditing.candidates import Candidate, Task, blamed_on, default_candidates, resolve_candidates
from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.errors import DataError, InvalidInput


def names(entries: object, task: str = "regression", **options: bool) -> list[str]:
    return [candidate.name for candidate in resolve_candidates(entries, task, **options)]


def test_all_built_in_candidates_come_simplest_first() -> None:
    assert names(None) == ["baseline", "ridge", "tree", "knn", "forest", "boosting", "bagged-boosting"]
    assert names(None, "classification")[:2] == ["baseline", "logistic"]
    assert names(None, "classification")[-1] == "bagged-boosting"


def test_boosting_is_the_engines_with_fewer_rounds_for_many_classes() -> None:
    (regression,) = [c for c in default_candidates("regression") if c.name == "boosting"]
    (classes,) = [c for c in default_candidates("classification", n_classes=11) if c.name == "boosting"]
    model = regression.estimator[-1]
    assert isinstance(model, BoostingRegressor)
    assert (model.n_trees, model.early_stopping, model.random_state) == (100, False, None)
    assert isinstance(classes.estimator[-1], BoostingClassifier)
    assert classes.estimator[-1].n_trees == 27


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_bagged_boosting_is_ten_of_the_boosting_before_it(task: Task) -> None:
    *_, plain, bagged = default_candidates(task, independent=False, n_classes=11)
    expected = plain.estimator[-1].get_params() | {"replicas": 10, "resampling": "subsample"}
    assert bagged.estimator[-1].get_params() == expected
    assert (bagged.name, bagged.label) == ("bagged-boosting", "bagged boosting")
    assert (bagged.made_of, bagged.times) == (plain.name, 10)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_independent_rows_out_of_bag_choose_the_rounds(task: Task) -> None:
    *_, plain, bagged = default_candidates(task, n_classes=11)
    model = bagged.estimator[-1]
    assert model.early_stopping == "out_of_bag"
    assert model.n_trees == 3 * plain.estimator[-1].n_trees
    assert bagged.times == 20


@pytest.mark.parametrize(("group", "stops"), [(None, "out_of_bag"), ("place", False)])
def test_only_the_split_of_single_rows_stops_out_of_bag(group: str | None, stops: object) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=120), "y": rng.normal(size=120), "place": np.arange(120) % 12})
    frame = frame if group else frame.drop("place")
    found = audit(frame, target="y", group=group, candidates=["bagged-boosting"], time_budget=1, random_state=0)
    (bagged,) = (c for c in found.candidates if c.name == "bagged-boosting")
    assert bagged.estimator[-1].early_stopping == stops


def test_copies_that_are_kept_together_choose_no_rounds() -> None:
    """A row whose copy was learned from would ask for too many."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})
    found = audit(pl.concat([frame, frame]), target="y", candidates=["bagged-boosting"], time_budget=1, random_state=0)
    (bagged,) = (c for c in found.candidates if c.name == "bagged-boosting")
    assert bagged.estimator[-1].early_stopping is False


def test_an_extra_that_is_asked_for_by_name_is_none() -> None:
    def extras(entries: object) -> list[str]:
        return [c.name for c in resolve_candidates(entries, "regression") if c.is_extra]  # type: ignore[arg-type]

    assert extras(None) == extras([("mine", Lasso())]) == ["bagged-boosting"]
    assert extras("ridge,bagged-boosting") == extras(["bagged-boosting", ("mine", Lasso())]) == []


def test_ordered_rows_add_the_last_value_as_a_baseline() -> None:
    candidates = default_candidates("regression", ordered=True)
    assert [c.name for c in candidates if c.is_baseline] == ["baseline", "last-value"]


def test_named_candidates_keep_the_baseline_and_the_order_of_simplicity() -> None:
    assert names("forest,ridge") == ["baseline", "ridge", "forest"]


def test_an_own_estimator_joins_the_built_in_ones() -> None:
    assert names([("mine", Lasso())])[-1] == "mine"
    assert len(names([("mine", Lasso())])) == 8


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


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_nearest_neighbours_make_do_with_the_rows_there_are(task: Task) -> None:
    (knn,) = [c for c in resolve_candidates("knn", task) if c.name == "knn"]
    few = pl.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    model = knn.estimator.fit(few, [0, 1, 1, 1])
    if task == "classification":
        assert model.predict_proba(few)[0].tolist() == [0.25, 0.75]
    else:
        assert model.predict(few).tolist() == [0.75] * 4


@pytest.mark.parametrize("entry", [("mine", Lasso), "own_broken:Needy", "own_broken:quits"])
def test_a_class_and_what_fails_when_it_is_made_are_named(
    entry: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "class Needy:\n    def __init__(self, depth): ...\ndef __getattr__(name): raise SystemExit(3)\n"
    (tmp_path / "own_broken.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidInput, match=r"candidate '(mine|own_broken)"):
        resolve_candidates([entry], "regression")


def test_what_the_users_own_raises_is_the_users_to_mend() -> None:
    own, ours = Candidate("mine", "mine", Lasso(), is_foreign=True), Candidate("ridge", "ridge", Lasso())
    with pytest.raises(InvalidInput, match=r"candidate 'mine' failed \(RuntimeError: broken in two lines\): mend it"), \
            blamed_on(own):  # fmt: skip
        raise RuntimeError("broken\nin two lines")
    with pytest.raises(RuntimeError, match="broken"), blamed_on(ours):
        raise RuntimeError("broken")
    with pytest.raises(DataError, match="mend the table"), blamed_on(own):
        raise DataError("mend the table")


def test_what_heldout_says_of_the_users_own_keeps_its_words_and_names_it() -> None:
    own, ours = Candidate("mine", "mine", Lasso(), is_foreign=True), Candidate("ridge", "ridge", Lasso())
    with pytest.raises(InvalidInput, match=r"^candidate 'mine': alpha must be 1, got 2: mend it$"), blamed_on(own):
        raise InvalidInput("alpha must be 1, got 2: mend it")
    with pytest.raises(InvalidInput, match=r"^alpha must be 1"), blamed_on(ours):
        raise InvalidInput("alpha must be 1, got 2: mend it")
