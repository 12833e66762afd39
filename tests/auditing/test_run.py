"""The main job from end to end: stages in order, an interrupt at each of them, plans repeated, weights, seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

import heldout as ho
from heldout.auditing import optimism, run, scoring, shortfall
from heldout.errors import DataError, InvalidInput

from .small import given_plan, line_table, subjects_table

QUICK: dict[str, Any] = {"candidates": ["ridge"], "time_budget": 0.3, "n_jobs": 1}


def audited(frame: Any, **options: Any) -> ho.Audit:
    return ho.audit(frame, "y", **(QUICK | options))


def by_subject(**options: Any) -> ho.Audit:
    return audited(subjects_table(), group="subject", **options)


def numbers(document: dict[str, Any]) -> Any:
    """The document without what differs from run to run: times and dates."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: stripped(v) for k, v in value.items() if k not in {"seconds", "created", "time_budget"}}
        return [stripped(item) for item in value] if isinstance(value, list) else value

    return stripped(document)


# -- an interrupt at each stage -----------------------------------------------------------------------------------


def stop_in(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, call: int = 0) -> None:
    """Press Ctrl-C in one call of a stage, counted from 0."""
    whole, calls = getattr(module, name), iter(range(10_000))

    def stopping(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(module, name, stopping)


# stage, where it is stopped, which call, and whether the model, the parts of the error and the gap are there after it
STOPS = {
    "second candidate": (scoring, "score_once", 1, (True, False, False)),
    "choice": (run, "choose", 0, (True, False, False)),
    "first decomposition": (shortfall, "decompose", 0, (True, False, False)),
    "second decomposition": (shortfall, "decompose", 1, (True, True, False)),
    "random split of the winner": (optimism, "score_once", 0, (True, True, False)),
    "final fit": (run, "fit_on_all_rows", 0, (False, True, True)),
    "test table": (run, "judge_on_second_table", 0, (True, True, True)),
}


@pytest.mark.parametrize("stage", STOPS)
def test_an_interrupt_keeps_what_is_finished_and_can_be_saved(
    stage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, name, call, (has_model, has_parts, has_gap) = STOPS[stage]
    stop_in(monkeypatch, module, name, call)
    audit = by_subject(test=subjects_table(1))
    document = audit.document
    assert audit.interrupted
    assert document["interrupted"]
    assert any("interrupted" in note for note in document["plan"]["left_out"])
    assert (audit.best is not None) == has_model
    assert any(candidate["variance"] is not None for candidate in document["candidates"]) == has_parts
    assert bool(audit.decompositions) == has_parts
    assert (document["optimism"]["gap"] is not None) == has_gap
    assert has_gap or "interrupted" in document["optimism"]["reason"]
    assert document["test"] is None
    assert document["winner"]["name"] in {candidate["name"] for candidate in document["candidates"]}
    assert all(candidate["variance"] is not None or candidate["reason"] for candidate in document["candidates"])
    assert document["verdict"]
    folder = audit.save(tmp_path / "out")
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == document
    assert (folder / "report.html").stat().st_size > 1_000
    assert (folder / "model.heldout").exists() == has_model


@pytest.mark.parametrize(
    ("module", "name"),
    [(run, "load_table"), (run, "open_second_table"), (run, "check_rows"), (scoring, "score_once")],
)
def test_an_interrupt_before_any_candidate_is_through_goes_on_up(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_in(monkeypatch, module, name)
    with pytest.raises(KeyboardInterrupt):
        by_subject(test=subjects_table(1))


def test_a_second_interrupt_in_the_choice_ends_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "choose", stopping)
    with pytest.raises(KeyboardInterrupt):
        by_subject()


def test_a_choice_that_was_interrupted_is_the_same_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = by_subject()
    stop_in(monkeypatch, run, "choose")
    stopped = by_subject(plan=whole.document)
    assert stopped.document["winner"] == whole.document["winner"]


def test_the_plan_of_an_interrupted_audit_is_repeated_without_being_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        stop_in(patch, shortfall, "decompose", 1)
        stopped = by_subject()
    again = by_subject(plan=stopped.document, test=subjects_table(1))
    assert not again.interrupted
    assert again.document["interrupted"] is False
    assert again.document["winner"]["error"] == stopped.document["winner"]["error"]
    assert again.document["test"] is not None
    assert [c["variance"] for c in again.document["candidates"]] == [
        c["variance"] for c in stopped.document["candidates"]
    ]


# -- plans, seeds, jobs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [audited, by_subject], ids=["rows", "subjects"])
def test_a_plan_read_back_gives_the_same_document(make: Callable[..., ho.Audit]) -> None:
    arguments: dict[str, Any] = {} if make is by_subject else {"frame": line_table()}
    first = make(**arguments, candidates=["ridge", "tree"], time_budget=0.6)
    read_back = json.loads(json.dumps(first.document))
    again = make(**arguments, candidates=["ridge", "tree"], time_budget=0.01, plan=read_back, n_jobs=2)
    assert numbers(again.document) == numbers(first.document)


def test_a_plan_decides_folds_repeats_and_permutations() -> None:
    first = audited(line_table(), deploy="same").document
    plan = first["plan"] | {"n_folds": 4, "n_repeats": 2, "n_permutations": 99, "n_resamples": 10}
    found = audited(line_table(), deploy="same", plan={"plan": plan}).document
    assert (found["split"]["n_folds"], found["split"]["n_repeats"], found["iid"]["n_permutations"]) == (4, 2, 99)
    assert {candidate["n_fits"] for candidate in found["candidates"]} == {8}
    assert {round(10 * share) / 10 == share for share in found["winner"]["share_of_resamples_won"].values()} == {True}


def test_another_seed_deals_other_folds() -> None:
    first, same, other = (audited(line_table(), deploy="same", random_state=seed) for seed in (0, np.int64(0), 1))
    plan = first.document
    same, other = (audited(line_table(), deploy="same", random_state=seed, plan=plan) for seed in (np.int64(0), 1))
    assert same.document["winner"]["error"] == first.document["winner"]["error"]
    assert other.document["winner"]["error"] != first.document["winner"]["error"]
    assert (first.document["seed"], same.document["seed"], other.document["seed"]) == (0, 0, 1)


@pytest.mark.parametrize("state", [None, np.random.default_rng(3)], ids=["fresh", "generator"])
def test_a_seed_that_was_drawn_is_written_and_repeats_the_audit(state: Any) -> None:
    first = audited(line_table(), random_state=state, deploy="same").document
    again = audited(line_table(), random_state=first["seed"], deploy="same", plan=first).document
    assert again["winner"] == first["winner"]
    assert again["candidates"][1]["error"] == first["candidates"][1]["error"]


@pytest.mark.parametrize(
    "options",
    [
        {"group": "subject", "time": "day", "deploy": "new-groups,future"},
        {"time": "day", "horizon": 12},
    ],
    ids=["groups and time", "horizon"],
)
def test_a_plan_repeats_ordered_audits_block_by_block(options: dict[str, Any]) -> None:
    frame = subjects_table(0, 12, 15).with_columns(day=pl.Series(np.tile(np.arange(15), 12)))
    first = audited(frame, **options).document
    again = audited(frame, plan=first, **options).document
    assert again["split"] == first["split"]
    assert again["winner"] == first["winner"]
    assert first["split"]["n_folds"] <= 8


def test_the_scale_of_the_weights_changes_nothing() -> None:
    frame = line_table(classes=2).with_columns(w=pl.Series(np.random.default_rng(0).uniform(0.5, 2, 90)))
    small = frame.with_columns(w=pl.col("w") / 1000)
    one, two = (audited(table, weight="w", candidates=["logistic"], deploy="same") for table in (frame, small))
    assert one.document["winner"]["error"] == pytest.approx(two.document["winner"]["error"], rel=1e-6)
    np.testing.assert_allclose(
        one.best.estimator.predict_proba(frame.drop("y", "w")),
        two.best.estimator.predict_proba(frame.drop("y", "w")),
        rtol=1e-4,
    )


def test_equal_generators_give_equal_audits() -> None:
    plan = audited(line_table(), deploy="same").document
    one, two = (audited(line_table(), deploy="same", random_state=np.random.default_rng(3), plan=plan) for _ in "ab")
    assert one.document["winner"] == two.document["winner"]


def test_what_is_wrong_with_an_argument_is_told_before_the_table_is_read() -> None:
    for options, came in (
        ({"time_budget": 0}, "got 0"),
        ({"confidence_level": 2}, "got 2"),
        ({"deploy": "never"}, "got 'never'"),
        ({"horizon": -3}, "got -3"),
        ({"random_state": -1}, "got -1"),
    ):
        with pytest.raises(InvalidInput, match=came):
            ho.audit("no_such_file.csv", "y", **(QUICK | options))
    with pytest.raises(DataError, match="no plan in it"):
        ho.audit("no_such_file.csv", "y", plan={}, **QUICK)
    with pytest.raises(DataError, match=r"no_such_file\.csv"):
        ho.audit("no_such_file.csv", "y", **QUICK)


def test_progress_names_the_stages_in_their_order() -> None:
    seen: list[str] = []
    by_subject(test=subjects_table(1), progress=lambda stage, *_: seen.append(stage))
    assert list(dict.fromkeys(seen)) == [
        "reading", "iid", "candidates", "decomposition", "random split", "fitting", "test",
    ]  # fmt: skip


def test_names_and_commands_are_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    line_table().write_csv(path)
    plain = audited(path).document
    assert (plain["data"]["name"], plain["command"]) == ("line.csv", None)
    named = audited(path, name="the line", command="heldout audit line.csv").document
    assert (named["data"]["name"], named["command"]) == ("the line", "heldout audit line.csv")
    assert named["data"]["sha256"] == plain["data"]["sha256"] is not None
    assert named["data"]["n_columns"] == 3
    assert named["data"]["n_features"] == 2


def test_what_is_asked_for_reaches_its_stage() -> None:
    frame = line_table().with_columns(code=pl.int_range(90) % 7, day=pl.int_range(90), whole=pl.int_range(90) % 4)
    asked = audited(frame, types={"code": "category"}, drop=["x1", "whole"], metric="mae", confidence_level=0.8)
    assert asked.best is not None
    assert asked.best.schema.names == ("x0", "code", "day")
    assert asked.best.schema["code"].kind == "category"
    assert asked.document["winner"]["metric"] == asked.best.metric == "mae"
    assert asked.document["split"]["confidence_level"] == 0.8
    assert {candidate["confidence_level"] for candidate in asked.document["candidates"]} == {0.8}
    later = audited(frame, time="day", horizon=3)
    assert later.document["split"]["gap"] == 3
    assert later.document["data"]["n_columns"] == 6
    number = ho.audit(frame, "whole", task="regression", **QUICK)
    assert number.document["data"]["task"] == "regression"
    first = audited(line_table(classes=2), candidates=["logistic"], positive="low")
    assert first.best is not None
    assert first.best.positive == "low"
    subjects = subjects_table()
    assert audited(subjects, group="subject", deploy="same").document["split"]["scheme"] == "random"


def test_a_lower_confidence_level_gives_narrower_intervals_everywhere() -> None:
    wide = audited(subjects_table(), group="subject")
    narrow = audited(
        subjects_table(), group="subject", confidence_level=0.5, plan=wide.document, test=subjects_table(1)
    )
    wide = audited(subjects_table(), group="subject", plan=wide.document, test=subjects_table(1))

    def widths(document: dict[str, Any]) -> dict[str, float]:
        (ridge,) = (c for c in document["candidates"] if c["name"] == "ridge")
        found = dict.fromkeys(("error",), ridge["ci_high"] - ridge["ci_low"])
        for name in ("expected_loss_ci", "variance_ci", "variance_share_ci", "bias_plus_noise_ci", "unresolved_ci"):
            found[name] = ridge[name][1] - ridge[name][0]
        for name in ("winner", "optimism", "test"):
            found[name] = document[name]["ci_high"] - document[name]["ci_low"]
        (difference,) = document["differences"]
        return found | {"difference": difference["ci_high"] - difference["ci_low"]}

    before, after = widths(wide.document), widths(narrow.document)
    assert all(after[name] < 0.6 * before[name] for name in before), (before, after)


# -- the model that comes out ------------------------------------------------------------------------------------


def test_the_model_is_the_winner_fitted_on_all_rows() -> None:
    frame = line_table(noise=0.1)
    audit = audited(frame, candidates=["baseline", ("mine", LinearRegression())], deploy="same")
    assert audit.document["winner"]["name"] == "mine"
    assert audit.best is not None
    twin = LinearRegression().fit(frame.select("x0", "x1").to_numpy(), frame["y"].to_numpy())
    new = line_table(1, 10)
    np.testing.assert_allclose(
        audit.best.predict(new)["prediction"], twin.predict(new.select("x0", "x1").to_numpy()), rtol=1e-9
    )


def test_the_manifest_repeats_the_report() -> None:
    audit = by_subject()
    assert audit.best is not None
    manifest, document = audit.best.manifest, audit.document
    assert manifest["verdict"] == document["verdict"]
    assert (manifest["target"], manifest["candidate"]) == ("y", document["winner"]["name"])
    assert (manifest["split"], manifest["metric"]) == ("group", "rmse")
    for name in ("error", "ci_low", "ci_high"):
        assert manifest[name] == document["winner"][name]
    assert manifest["trained_on"] == {"n_rows": 84, "sha256": None}


class Recorder(RegressorMixin, BaseEstimator):
    """An estimator that remembers the kinds of frames it was handed."""

    kinds: list[type] = []  # noqa: RUF012 - clones must share it

    def fit(self, X: Any, y: Any) -> Recorder:
        self.kinds.append(type(X))
        self.line_ = LinearRegression().fit(np.asarray(X, float), y)
        return self

    def predict(self, X: Any) -> Any:
        self.kinds.append(type(X))
        return self.line_.predict(np.asarray(X, float))


def test_the_users_estimator_sees_his_own_kind_of_frame_in_every_stage() -> None:
    Recorder.kinds.clear()
    frame = subjects_table().to_pandas()
    audit = audited(
        frame,
        group="subject",
        candidates=["baseline", ("mine", Recorder())],
        time_budget=5,
        test=subjects_table(1).to_pandas(),
    )
    assert set(audit.decompositions) >= {"mine"}
    assert {c["name"] for c in audit.document["optimism"]["by_candidate"]} >= {"mine"}
    assert set(Recorder.kinds) == {pd.DataFrame}
    if audit.document["winner"]["name"] == "mine":
        assert audit.best is not None
        audit.best.predict(frame)
        assert set(Recorder.kinds) == {pd.DataFrame}


# -- weights -----------------------------------------------------------------------------------------------------


def test_whole_weights_are_as_good_as_copies_held_out_together() -> None:
    # Each row is a unit; a copy belongs to the unit of its row, so folds test the same units in both tables.
    rng = np.random.default_rng(8)
    weight = rng.integers(1, 4, 90)
    frame = line_table().with_columns(unit=pl.Series([f"u{row:02d}" for row in range(90)]), w=pl.Series(weight))
    copies = frame[np.repeat(np.arange(90), weight)]
    options = {"group": "unit", "deploy": "new-groups", "candidates": ["baseline", ("line", LinearRegression())]}
    weighted = audited(frame, weight="w", **options)
    copied = audited(copies, drop=["w"], **options)
    assert weighted.best is not None
    assert copied.best is not None
    # The fit on all rows has no folds: it is the same to rounding.
    new = line_table(1, 20).with_columns(w=pl.lit(1.0), unit=pl.lit("new"))
    np.testing.assert_allclose(
        weighted.best.predict(new)["prediction"], copied.best.predict(new)["prediction"], rtol=1e-6
    )
    # The folds are dealt by rows, so they differ; the errors agree up to that.
    for one, other in zip(weighted.document["candidates"], copied.document["candidates"], strict=True):
        assert one["error"] == pytest.approx(other["error"], rel=0.03), one["name"]


def test_rows_of_weight_zero_are_as_good_as_gone() -> None:
    frame = line_table().with_columns(w=pl.Series(np.arange(90) % 3 > 0, dtype=pl.Float64))
    weighted = audited(frame, weight="w", deploy="same")
    gone = audited(frame.filter(pl.col("w") > 0).drop("w"), deploy="same", plan=weighted.document)
    assert weighted.document["data"]["n_rows"] == 60
    assert gone.document["winner"]["error"] == pytest.approx(weighted.document["winner"]["error"])


# -- the whole of it ---------------------------------------------------------------------------------------------


def test_a_winner_without_any_error_shows_a_signal() -> None:
    # The class is a column: nothing is left to err about.
    frame = line_table(classes=2)
    frame = frame.with_columns(same=pl.col("y"))
    audit = audited(frame, candidates=["tree"], metric="accuracy", deploy="same")
    assert audit.document["winner"]["error_before_correction"] == 1.0
    assert audit.document["winner"]["improvement"] == pytest.approx(1.0)
    assert "below predicting the class shares" in audit.verdict
    assert "no_signal" not in {piece["action"] for piece in audit.advice}


def test_a_higher_accuracy_is_a_better_one() -> None:
    audit = audited(line_table(classes=2), candidates=["logistic"], metric="accuracy", deploy="same")
    winner, (baseline, logistic) = audit.document["winner"], audit.document["candidates"]
    assert winner["name"] == "logistic"
    assert logistic["error"] > baseline["error"]
    assert 0 < winner["improvement"] < 1
    assert winner["ci_low"] < winner["error"] < winner["ci_high"] <= 1 + 1e-9
    assert winner["error"] == pytest.approx(logistic["error"] + winner["correction"])


def test_pure_noise_is_called_no_signal_without_talk_of_groups() -> None:
    frame = line_table().with_columns(y=pl.Series(np.random.default_rng(4).normal(size=90)))
    audit = audited(frame, deploy="same")
    assert audit.document["winner"]["name"] == "baseline"
    assert audit.advice[0]["action"] == "no_signal"
    assert "too few" not in audit.verdict


def test_few_subjects_give_points_and_say_so() -> None:
    audit = audited(subjects_table(0, 4, 12), group="subject", candidates=["knn"])
    winner = audit.document["winner"]
    assert winner["ci_low"] is winner["improvement_ci"] is None
    assert winner["indicative"]
    assert "indicative: few groups" in audit.verdict
    assert audit.document["split"]["n_folds"] == 4


def test_a_budget_that_is_spent_leaves_out_repeats_and_says_so() -> None:
    audit = audited(line_table(), deploy="same", time_budget=1e-6)
    plan = audit.document["plan"]
    assert plan["n_repeats"] == 1
    assert plan["n_partitions"] == 2
    assert "2 of 3 repeats of the folds" in plan["left_out"]
    assert {"baseline", "ridge"} == set(plan["decomposed"])


def test_a_budget_that_is_spent_leaves_out_extras_first_and_so_does_its_plan() -> None:
    first = audited(line_table(), deploy="same", candidates=None, time_budget=1e-6)
    assert first.document["plan"]["left_out"][0] == "the candidate bagged boosting"
    again = audited(line_table(), deploy="same", candidates=None, time_budget=1e6, plan=first.document)
    for audit in (first, again):
        assert "bagged-boosting" not in [candidate["name"] for candidate in audit.document["candidates"]]
        assert "bagged-boosting" not in [candidate.name for candidate in audit.candidates]
        assert audit.document["plan"]["extra_candidates"] == []
    assert numbers(again.document) == numbers(first.document)


@pytest.mark.parametrize("classes", [0, 2])
def test_boosting_is_fitted_together_where_encoding_learns_nothing_and_the_report_says_so(classes: int) -> None:
    names = ["baseline", "boosting", "bagged-boosting"]
    plan = {"plan": given_plan(n_folds=4, n_repeats=2, decomposed=tuple(names)).to_dict()}
    frame = line_table(classes=classes).with_columns(flag=pl.col("x1") > 0)
    one, two = (audited(frame, deploy="same", candidates=names, plan=plan, n_jobs=jobs) for jobs in (1, 2))
    assert numbers(one.document) == numbers(two.document)
    together = [c["name"] for c in one.document["candidates"] if c["how_fitted"] == "together, cut points shared"]
    assert together == names[1:]
    assert [c["decomposition"]["how_fitted"] for c in one.document["candidates"]] == [
        "one by one",
        "together, cut points shared",
        "together, cut points shared",
    ]
    named = frame.with_columns(word=pl.Series(["a", "b", "c"] * 30))
    apart = audited(named, deploy="same", candidates=names, plan=plan)
    assert {c["how_fitted"] for c in apart.document["candidates"]} == {"one by one"}


def test_rows_in_order_of_time_are_fitted_one_by_one() -> None:
    frame = line_table().with_columns(day=pl.int_range(90))
    audit = audited(frame, time="day", deploy="future", candidates=["boosting"])
    assert {c["how_fitted"] for c in audit.document["candidates"]} == {"one by one"}


def test_the_splitter_of_the_audit_is_the_one_the_verdict_rests_on() -> None:
    audit = by_subject()
    frame = subjects_table()
    folds = list(audit.splitter.split(frame, frame["y"].to_numpy()))
    assert len(folds) == audit.document["split"]["n_folds"] == 10
    assert audit.iid.choice.scheme == audit.document["split"]["scheme"] == "group"
    assert [candidate.name for candidate in audit.candidates] == ["baseline", "ridge"]


# -- tables that leave little to train on, and candidates that fail ------------------------------------------------


@pytest.mark.slow
def test_a_short_table_in_time_order_is_audited_with_all_candidates() -> None:
    rows = np.arange(22)
    frame = pl.DataFrame({"t": rows, "x": np.sin(rows), "y": np.where(rows * 7 % 5 < 2, "a", "b")})
    result = ho.audit(frame, "y", time="t", time_budget=1.0, n_jobs=1)
    assert "knn" in [candidate["name"] for candidate in result.document["candidates"]]


def test_two_groups_leave_no_halves_and_the_report_says_so() -> None:
    draws = np.random.default_rng(0)
    frame = pl.DataFrame({"who": ["a", "b"] * 60, "x": draws.normal(size=120), "y": draws.normal(size=120)})
    result = audited(frame, group="who")
    assert not result.decompositions
    assert "two disjoint halves" in result.document["candidates"][0]["reason"]


def test_one_column_to_drop_needs_no_list() -> None:
    frame = line_table().rename({"x": "long name"}) if "x" in line_table().columns else line_table()
    name = next(column for column in frame.columns if column != "y")
    extra = frame.with_columns(pl.Series("kept", np.random.default_rng(1).normal(size=frame.height)))
    assert name not in audited(extra, drop=name).best.schema.names


def test_a_group_that_is_no_name_is_refused() -> None:
    with pytest.raises(DataError, match="the group column is 3, expected a name as text"):
        audited(line_table(), group=3)
