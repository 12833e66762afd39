"""The sections of the report hold plain, finite values that agree with each other."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix

import heldout as ho
from heldout.auditing.document import optimism_section, plain, predictions_section, versions_section
from heldout.auditing.optimism import Gap, Optimism

from .small import line_table, scored_in, setting_of, subjects_table

numbers = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text())
numpy_numbers = st.one_of(
    st.floats(width=32).map(np.float32),
    st.integers(-(2**31), 2**31 - 1).map(np.int64),
    st.booleans().map(np.bool_),
    st.lists(st.floats()).map(np.array),
    st.floats().map(np.array),
)
values = st.recursive(
    st.one_of(numbers, numpy_numbers),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(st.text(), inner)),
    max_leaves=12,
)


@given(value=values)
def test_plain_values_survive_strict_json(value: Any) -> None:
    made = plain(value)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert plain(made) == made


def test_numbers_that_are_not_finite_become_null_wherever_they_stand() -> None:
    nested = {"a": [math.nan, (math.inf, 1.5)], 3: np.array([[1.0, -np.inf], [np.nan, 2.0]]), "b": np.float64("nan")}
    assert plain(nested) == {"a": [None, [None, 1.5]], "3": [[1.0, None], [None, 2.0]], "b": None}


def test_kinds_of_numbers_are_kept() -> None:
    made = plain([np.int64(3), np.float32(0.5), np.bool_(True), np.array(7), "text", None])
    assert made == [3, 0.5, True, 7, "text", None]
    assert [type(value) for value in made] == [int, float, bool, int, str, type(None)]


def test_a_scatter_has_at_most_so_many_points_and_keeps_the_extremes(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = setting_of(line_table())
    scored = scored_in(setting)["ridge"]
    whole = predictions_section(scored, setting)
    assert whole["kind"] == "scatter"
    assert whole["n_rows"] == len(whole["x"]) == len(whole["y"]) == 90
    order = np.argsort(setting.y, kind="stable")
    assert whole["x"] == setting.y[order].tolist()
    assert whole["y"] == scored.folds.predictions[order].tolist()
    monkeypatch.setattr("heldout.auditing.document.MOST_POINTS", 20)
    some = predictions_section(scored, setting)
    assert (len(some["x"]), some["n_rows"]) == (20, 90)
    assert (some["x"][0], some["x"][-1]) == (setting.y.min(), setting.y.max())
    assert set(zip(some["x"], some["y"], strict=True)) <= set(zip(whole["x"], whole["y"], strict=True))


def test_rows_that_no_fold_tested_are_not_shown() -> None:
    frame = line_table().with_columns(day=pl.int_range(90))
    setting = setting_of(frame, time=["day"], deploy="future")
    scored = scored_in(setting, ["ridge"])["ridge"]
    shown = predictions_section(scored, setting)
    assert 0 < shown["n_rows"] == int(np.isfinite(scored.folds.losses).sum()) < 90
    assert None not in shown["y"]


@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
def test_confusion_counts_are_those_of_another_library(metric: str) -> None:
    setting = setting_of(line_table(classes=3), metric=metric)
    scored = scored_in(setting, ["logistic"])["logistic"]
    shown = predictions_section(scored, setting)
    held = scored.folds.predictions
    codes = held.argmax(axis=1) if held.ndim == 2 else held
    assert shown["classes"] == ["low", "middle", "top"]
    assert shown["counts"] == confusion_matrix(setting.y, codes).tolist()
    assert np.trace(shown["counts"]) / shown["n_rows"] == pytest.approx(accuracy_score(setting.y, codes))


def test_the_versions_are_those_that_run() -> None:
    versions = versions_section()
    assert versions["numpy"] == np.__version__
    assert versions["polars"] == pl.__version__
    assert set(versions) == {"python", "heldout", "numpy", "scipy", "scikit-learn", "polars"}


def test_a_random_split_that_was_not_measured_says_why() -> None:
    at_random, whole = setting_of(line_table()), setting_of(subjects_table(), group=["subject"])
    assert (at_random.scheme, whole.scheme) == ("random", "group")
    for setting, reason in ((at_random, "at random already"), (whole, "interrupted")):
        section = optimism_section({}, scored_in(setting), "ridge", setting)
        assert section["name"] == "ridge"
        assert section["gap"] is section["error_random"] is section["accuracy_gap_ci"] is None
        assert reason in section["reason"]


TABLES: dict[str, tuple[pl.DataFrame, dict[str, Any]]] = {
    "numbers": (line_table(), {"candidates": ["ridge"]}),
    "classes": (line_table(classes=3), {"candidates": ["logistic"]}),
    "accuracy": (line_table(classes=2), {"candidates": ["logistic"], "metric": "accuracy"}),
    "subjects": (subjects_table(), {"candidates": ["ridge"], "group": "subject"}),
    "few subjects": (subjects_table(0, 4, 10), {"candidates": ["ridge"], "group": "subject"}),
    "days": (line_table().with_columns(day=pl.int_range(90)), {"candidates": ["ridge"], "time": "day"}),
    "subjects and days": (
        subjects_table().with_columns(day=pl.int_range(84) % 6),
        {"candidates": ["ridge"], "group": "subject", "time": "day", "deploy": "new-groups,future"},
    ),
    "few rows": (line_table(n=30), {"candidates": ["ridge"]}),
}


@pytest.fixture(scope="module", params=TABLES)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    frame, options = TABLES[request.param]
    return ho.audit(frame, "y", time_budget=0.3, n_jobs=1, **options).document


def test_every_document_is_strict_json(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_top_level_is_the_one_that_is_promised(document: dict[str, Any]) -> None:
    assert set(document) == {
        "schema", "verdict", "verdict_parts", "data", "iid", "split", "candidates", "winner", "differences",
        "optimism", "test", "advice", "predictions", "plan", "seed", "versions", "seconds", "command", "created",
        "interrupted",
    }  # fmt: skip
    assert datetime.fromisoformat(document["created"]).tzinfo == UTC
    assert document["schema"] == 1


def test_the_winner_is_one_of_the_candidates_and_agrees_with_it(document: dict[str, Any]) -> None:
    winner = document["winner"]
    (candidate,) = [c for c in document["candidates"] if c["name"] == winner["name"]]
    assert candidate["tied"]
    assert winner["error_before_correction"] == candidate["error"]
    assert winner["error"] == pytest.approx(candidate["error"] + winner["correction"])
    assert winner["accuracy"] == candidate["accuracy"]
    assert {d["name"] for d in document["differences"]} == {c["name"] for c in document["candidates"]} - {
        winner["name"]
    }
    tied = {c["label"] for c in document["candidates"] if c["tied"]} - {winner["label"]}
    assert set(winner["tied_with"]) == tied
    assert sum(winner["share_of_resamples_won"].values()) == pytest.approx(1)
    if winner["ci_low"] is None:
        assert winner["note"]
    else:
        assert winner["ci_low"] <= winner["error"] <= winner["ci_high"]


def test_parts_of_an_error_sum_to_it_or_say_why_they_are_missing(document: dict[str, Any]) -> None:
    for candidate in document["candidates"]:
        if candidate["variance"] is None:
            assert candidate["reason"]
            continue
        assert candidate["variance"] + candidate["bias_plus_noise"] == pytest.approx(
            candidate["expected_loss"], rel=1e-12, abs=1e-12
        )
        if candidate["excess_bias"] is None:
            assert candidate["unresolved"] == pytest.approx(candidate["bias_plus_noise"])
            assert candidate["reason"]
        else:
            assert candidate["excess_bias"] + candidate["unresolved"] == pytest.approx(candidate["bias_plus_noise"])


def test_counts_of_the_table_are_those_of_the_table(request: pytest.FixtureRequest, document: dict[str, Any]) -> None:
    (frame, options), data = TABLES[request.node.callspec.params["document"]], document["data"]
    assert (data["n_rows"], data["n_columns"]) == frame.shape
    labels = sorted(set(frame["y"].to_list())) if frame["y"].dtype == pl.String else None
    assert data["classes"] == labels
    assert data["task"] == ("regression" if labels is None else "classification")
    if "group" in options:
        assert data["groups"] == {"columns": ["subject"], "n_groups": frame["subject"].n_unique()}
    else:
        assert data["groups"] is None
    assert data["time"] == ({"columns": ["day"]} if "time" in options else None)


def test_shares_of_right_rows_follow_from_the_confusion_counts(document: dict[str, Any]) -> None:
    shown, winner = document["predictions"], document["winner"]
    if shown["kind"] == "scatter":
        assert winner["accuracy"] is winner["auc"] is None
        return
    if document["plan"]["n_repeats"] == 1:  # the counts are those of the first repeat
        assert winner["accuracy"] == pytest.approx(np.trace(shown["counts"]) / shown["n_rows"])
    else:
        assert winner["accuracy"] > 0.5
    if winner["metric"] == "accuracy":
        assert winner["accuracy"] == pytest.approx(winner["error_before_correction"])


def test_an_improvement_in_percent_is_a_hundred_times_the_share(document: dict[str, Any]) -> None:
    winner = document["winner"]
    assert winner["improvement_percent"] == pytest.approx(100 * winner["improvement"])
    if winner["improvement_ci"] is not None:
        low, high = winner["improvement_ci"]
        assert low <= winner["improvement"] <= high


def test_a_gap_is_shown_for_the_candidate_that_a_random_split_would_have_chosen() -> None:
    setting = setting_of(subjects_table(), group=["subject"])
    scored = scored_in(setting, ["ridge", "knn"])
    ridge = Optimism(Gap(2.0, 3.0, 1.0, 0.5, 1.5), Gap(0.7, 0.6, -0.1, -0.2, 0.0))
    knn = Optimism(Gap(1.0, 4.0, 3.0, 2.5, 3.5), Gap(0.9, 0.5, -0.4, -0.5, -0.3))
    section = optimism_section({"ridge": ridge, "knn": knn}, scored, "ridge", setting)
    assert section["name"] == "knn"
    assert [section[name] for name in ("error_random", "error_safe", "gap", "ci_low", "ci_high")] == [1, 4, 3, 2.5, 3.5]
    assert (section["accuracy_random"], section["accuracy_safe"], section["accuracy_gap"]) == (0.9, 0.5, -0.4)
    assert section["accuracy_gap_ci"] == [-0.5, -0.3]
    assert section["reason"] is None
    assert [one["name"] for one in section["by_candidate"]] == ["ridge", "knn"]
    assert section["by_candidate"][0]["error_random"] == 2.0
    assert optimism_section({"ridge": ridge}, scored, "knn", setting)["name"] == "ridge"


def test_every_missing_gap_has_its_reason(document: dict[str, Any]) -> None:
    optimism = document["optimism"]
    assert (optimism["gap"] is None) == (optimism["reason"] is not None)
    if optimism["gap"] is not None:
        assert optimism["gap"] == pytest.approx(optimism["error_safe"] - optimism["error_random"])


def test_seconds_by_stage_add_up_to_the_total(document: dict[str, Any]) -> None:
    seconds = dict(document["seconds"])
    total = seconds.pop("total")
    assert sum(seconds.values()) <= total
    assert {"reading", "iid", "candidates", "choice", "fitting"} <= set(seconds)


def test_the_fits_of_the_plan_hold_those_of_all_stages(document: dict[str, Any]) -> None:
    folds = sum(c["n_fits"] for c in document["candidates"])
    halves = sum(c["decomposition"]["n_fits"] for c in document["candidates"] if c["decomposition"])
    folds_of_a_repeat = document["candidates"][0]["n_fits"] // document["plan"]["n_repeats"]
    gaps = folds_of_a_repeat * len(document["optimism"]["by_candidate"])
    assert document["plan"]["fits"] == folds + halves + gaps + 1
    assert document["plan"]["rows"] == document["data"]["n_rows"]


def test_an_audit_of_few_groups_gives_points_without_intervals() -> None:
    frame, options = TABLES["few subjects"]
    found = ho.audit(frame, "y", time_budget=0.3, n_jobs=1, **options).document
    assert found["winner"]["indicative"]
    assert found["winner"]["improvement_ci"] is None
    assert found["optimism"]["ci_low"] is None
    assert found["optimism"]["gap"] is not None
