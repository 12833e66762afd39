"""A second table is opened by the first one's schema, compared with it, and never used to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.metrics import log_loss

import heldout as ho
from heldout.auditing.run import fit_on_all_rows
from heldout.auditing.second_table import SecondTable, judge_on_second_table, open_second_table
from heldout.errors import DataError, SchemaMismatch
from heldout.table import table_from_frame

from .small import candidates_in, line_table, request, setting_of, subjects_table


def opened(test: Any, first: Any, **asked: Any) -> SecondTable:
    return open_second_table(test, setting_of(first, **asked).dataset, request(**asked))


def judged_by(name: str, test: Any, first: Any, **asked: Any) -> tuple[dict[str, Any], ho.FittedModel]:
    setting = setting_of(first, **asked)
    second = open_second_table(test, setting.dataset, request(**asked))
    best = fit_on_all_rows(next(c for c in candidates_in(setting, [name]) if c.name == name), setting)
    return judge_on_second_table(second, setting.dataset, best, setting), best


def test_the_error_is_that_of_the_models_own_predictions() -> None:
    test = line_table(1, 60)
    section, best = judged_by("ridge", test, line_table())
    squared = (best.predict(test)["prediction"] - test["y"]).to_numpy() ** 2
    assert section["error"] == pytest.approx(np.sqrt(squared.mean()))
    assert section["ci_low"] < section["error"] < section["ci_high"]
    assert (section["n_rows"], section["n_target_missing"], section["accuracy"]) == (60, 0, None)
    assert (section["metric"], section["metric_label"]) == ("rmse", "RMSE")
    assert section["shift"]["verdict"] == section["verdict"]


def test_probabilities_are_judged_class_by_class() -> None:
    test = line_table(1, 60, classes=3)
    section, best = judged_by("logistic", test, line_table(classes=3))
    predicted = best.predict(test)
    probability = predicted.select([f"probability: {name}" for name in ("low", "middle", "top")]).to_numpy()
    assert section["error"] == pytest.approx(log_loss(test["y"], probability, labels=["low", "middle", "top"]))
    assert section["accuracy"] == pytest.approx((predicted["prediction"] == test["y"]).mean())


def test_an_accuracy_is_judged_by_the_predicted_classes() -> None:
    test = line_table(1, 60, classes=2)
    section, best = judged_by("logistic", test, line_table(classes=2), metric="accuracy")
    assert section["error"] == section["accuracy"] == (best.predict(test)["prediction"] == test["y"]).mean()


def test_classes_never_seen_are_counted_wrong_and_named() -> None:
    test = line_table(1, 60, classes=2)
    other = test.with_columns(y=pl.when(pl.int_range(60) < 15).then(pl.lit("novel")).otherwise("y"))
    first = line_table(classes=2)
    section, best = judged_by("logistic", other, first, metric="accuracy")
    right = (best.predict(other)["prediction"] == other["y"]).to_numpy()
    assert not right[:15].any()
    assert section["error"] == pytest.approx(right.mean())
    assert "y: classes that the first table has not, counted wrong (novel)" in section["notes"]
    smooth, _ = judged_by("logistic", other, first)
    assert np.isfinite(smooth["error"])
    assert smooth["error"] > judged_by("logistic", test, first)[0]["error"] + 2
    assert not [n for n in judged_by("logistic", test, first)[0]["notes"] if "classes" in n]


def test_a_missing_target_column_is_named_with_the_nearest() -> None:
    test = line_table(1).rename({"y": "y_"})
    for given in (test, test.to_pandas(), table_from_frame(test)):
        with pytest.raises(DataError, match=r"no target column 'y': did you mean 'y_'\?"):
            opened(given, line_table())


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(SchemaMismatch, match="lacks column 'x1'"):
        opened(line_table(1).drop("x1"), line_table())


def test_a_target_without_any_value_is_refused() -> None:
    for nothing in (pl.lit(None, pl.Float64), pl.lit(None, pl.String)):
        with pytest.raises(DataError, match="the target 'y' is missing in all 90 rows of the test table"):
            opened(line_table(1).with_columns(y=nothing), line_table())


@pytest.mark.parametrize(("value", "came"), [(pl.lit("tall"), "'tall'"), (pl.lit(float("inf")), "inf")])
def test_a_target_that_is_no_finite_number_is_refused(value: pl.Expr, came: str) -> None:
    with pytest.raises(DataError, match=f"must hold finite numbers as the first table does, got {came}"):
        opened(line_table(1).with_columns(y=value), line_table())


def test_a_target_of_lists_is_refused() -> None:
    with pytest.raises(DataError, match="y"):
        opened(line_table(1).with_columns(y=pl.concat_list("x0", "x1")), line_table())


def test_rows_without_a_target_are_dropped_and_counted() -> None:
    test = line_table(1, 60)
    holes = test.with_columns(y=pl.when(pl.int_range(60) % 3 > 0).then("y"))
    section, _ = judged_by("ridge", holes, line_table())
    expected, _ = judged_by("ridge", test.filter(pl.int_range(60) % 3 > 0), line_table())
    assert (section["n_rows"], section["n_target_missing"]) == (40, 20)
    assert section["error"] == pytest.approx(expected["error"])


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_three_rows_are_enough(classes: int, tmp_path: Path) -> None:
    test = line_table(1, 60, classes=classes).head(3)
    test.write_csv(tmp_path / "three.csv")
    name = "logistic" if classes else "ridge"
    for given in (test, tmp_path / "three.csv"):
        section, _ = judged_by(name, given, line_table(classes=classes))
        assert section["n_rows"] == 3
        assert np.isfinite(section["error"])


def test_a_file_a_path_text_and_every_kind_of_frame_give_the_same_error(tmp_path: Path) -> None:
    test = line_table(1, 60)
    path = tmp_path / "later.csv"
    test.write_csv(path)
    sections = [
        judged_by("ridge", given, line_table())[0]
        for given in (path, str(path), test, test.to_pandas(), test.to_arrow(), table_from_frame(test))
    ]
    assert {round(section["error"], 9) for section in sections} == {round(sections[0]["error"], 9)}
    assert [section["name"] for section in sections[:3]] == ["later.csv", "later.csv", "frame"]


def test_labels_that_look_like_numbers_in_three_rows_keep_their_class(tmp_path: Path) -> None:
    codes = np.array(["007", "A1", "12"])
    first = line_table(classes=3).with_columns(y=pl.col("y").replace_strict(["low", "middle", "top"], codes.tolist()))
    path = tmp_path / "numbers.csv"
    pl.DataFrame({"x0": [0.1, 0.2, 0.3], "x1": [1.0, 2.0, 3.0], "y": ["007", "12", "007"]}).write_csv(path)
    second = opened(path, first)
    assert [second.classes[code] for code in second.y] == ["007", "12", "007"]
    assert second.classes == ("007", "12", "A1")


def test_number_classes_are_matched_by_value(tmp_path: Path) -> None:
    first = line_table(classes=3).with_columns(y=pl.col("y").replace_strict(["low", "middle", "top"], [1, 2, 10]))
    for values in ([1, 10, 2], [1.0, 10.0, 2.0]):
        test = pl.DataFrame({"x0": [0.1] * 3, "x1": [1.0] * 3, "y": values})
        test.write_csv(tmp_path / "t.csv")
        for given in (test, tmp_path / "t.csv"):
            second = opened(given, first)
            assert second.classes == ("1", "2", "10")
            assert second.y.tolist() == [0, 2, 1]


@pytest.mark.parametrize("values", [["yes", "no", "yes"], ["yes", "yes", "yes"], ["no"]])
def test_yes_and_no_mean_the_same_in_both_tables(values: list[str], tmp_path: Path) -> None:
    first = line_table(classes=2).with_columns(y=pl.col("y").replace_strict({"low": "no", "middle": "yes"}))
    test = pl.DataFrame({"x0": [0.1] * len(values), "x1": [1.0] * len(values), "y": values})
    test.write_csv(tmp_path / "t.csv")
    for given in (test, tmp_path / "t.csv"):
        second = opened(given, first)
        assert second.classes == ("no", "yes")
        assert [second.classes[code] for code in second.y] == values


def test_columns_of_another_kind_in_a_few_rows_are_read_as_the_first_table(tmp_path: Path) -> None:
    # Zip codes that all look like numbers here; the first table has one with a letter.
    zips = np.array(["80331", "12345", "N1"])[np.arange(90) % 3]
    first = line_table().with_columns(zip=pl.Series(zips))
    path = tmp_path / "t.csv"
    pl.DataFrame({"x0": [0.1], "x1": [1.0], "zip": ["80331"], "y": [1.0]}).write_csv(path)
    assert opened(path, first).features["zip"].to_list() == ["80331"]


def test_groups_of_the_second_table_widen_the_interval() -> None:
    first, test = subjects_table(), subjects_table(1)
    whole, _ = judged_by("ridge", test, first, group=["subject"])
    alone, _ = judged_by("ridge", test.drop("subject"), first, group=["subject"])
    assert whole["error"] == pytest.approx(alone["error"])
    assert whole["ci_high"] - whole["ci_low"] > 1.3 * (alone["ci_high"] - alone["ci_low"])
    assert "groups" in whole["method"]


def test_several_group_columns_are_one_unit_and_a_missing_one_is_a_unit() -> None:
    frame = subjects_table().with_columns(half=pl.int_range(84) % 2)
    test = frame.with_columns(subject=pl.when(pl.col("subject") != "s00").then("subject"))
    second = opened(test, frame, group=["subject", "half"])
    assert second.groups is not None
    keys = test.select(pl.concat_str(pl.col("subject").fill_null("?"), "half", separator="|")).to_series().to_list()
    assert len(np.unique(second.groups)) == len(set(keys)) == 28
    assert len(set(zip(keys, second.groups.tolist(), strict=True))) == 28
    assert opened(test.drop("half"), frame, group=["subject", "half"]).groups is None


def test_few_groups_are_indicative() -> None:
    section, _ = judged_by("ridge", subjects_table(1, 8, 8), subjects_table(), group=["subject"])
    assert section["indicative"]


def test_the_two_tables_are_compared_target_included() -> None:
    moved = line_table(1).with_columns(pl.col("x1") + 5, pl.col("y") + 40)
    section, _ = judged_by("ridge", moved, line_table())
    shifted = {one["column"] for one in section["shift"]["findings"]}
    assert {"x1", "y"} <= shifted
    assert section["verdict"]
    assert any(note.startswith("x1: outside range in") for note in section["notes"])


def test_columns_with_a_role_are_no_news_but_others_are() -> None:
    first = subjects_table().with_columns(w=pl.lit(1.0) + pl.int_range(84) % 2, day=pl.int_range(84), id=pl.lit("a"))
    asked = {"group": ["subject"], "time": ["day"], "weight": "w", "drop": ["id"], "deploy": "new-groups"}
    notes = opened(first.with_columns(more=pl.lit(1)), first, **asked).notes
    assert [note.column for note in notes if note.what == "extra column"] == ["more"]


def test_weights_of_the_test_table_are_said_to_be_unused() -> None:
    first = line_table().with_columns(w=pl.lit(1.0) + pl.int_range(90) % 2)
    section, _ = judged_by("ridge", first, first, weight="w")
    assert section["notes"] == ["rows of the test table count equally; their weights are not used"]
    assert judged_by("ridge", line_table(), line_table())[0]["notes"] == []


class Recorder(BaseEstimator):
    """An estimator that remembers the kinds of frames it was handed."""

    kinds: list[tuple[type, list[str]]] = []  # noqa: RUF012 - clones must share it

    def fit(self, X: Any, y: Any) -> Recorder:
        self.note(X)
        self.values_ = np.asarray(y)
        return self

    def note(self, X: Any) -> int:
        self.kinds.append((type(X), list(X.column_names if isinstance(X, pa.Table) else X.columns)))
        return len(X)


class RecordingRegressor(RegressorMixin, Recorder):
    def predict(self, X: Any) -> Any:
        return np.full(self.note(X), float(self.values_.mean()))


class RecordingClassifier(ClassifierMixin, Recorder):
    def fit(self, X: Any, y: Any) -> Any:
        self.classes_ = np.unique(y)
        return super().fit(X, y)

    def predict(self, X: Any) -> Any:
        return np.full(self.note(X), self.classes_[-1])

    def predict_proba(self, X: Any) -> Any:
        return np.tile([0.25, 0.75], (self.note(X), 1))


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize("test_kind", ["pandas", "polars", "arrow", "file"])
@pytest.mark.parametrize("classes", [0, 2])
def test_the_users_estimator_sees_his_own_kind_of_frame_here_too(
    kind: str, test_kind: str, classes: int, tmp_path: Path
) -> None:
    first, test = line_table(classes=classes), line_table(1, 12, classes=classes)
    test = test.select("y", "x1", "x0").with_columns(extra=pl.lit(3))
    test.write_csv(tmp_path / "t.csv")

    def made(frame: pl.DataFrame, kind: str) -> Any:
        if kind == "file":
            return tmp_path / "t.csv"
        return {"pandas": frame.to_pandas(), "polars": frame, "arrow": frame.to_arrow()}[kind]

    setting = setting_of(made(first, kind))
    mine = RecordingClassifier() if classes else RecordingRegressor()
    own = candidates_in(setting, ["baseline", ("mine", mine)])[-1]
    Recorder.kinds.clear()
    best = fit_on_all_rows(own, setting)
    judge_on_second_table(
        open_second_table(made(test, test_kind), setting.dataset, request()), setting.dataset, best, setting
    )
    best.predict(made(test, "polars" if test_kind == "file" else test_kind))
    expected = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table}[kind]
    assert len(Recorder.kinds) >= 3
    assert {seen for seen, _ in Recorder.kinds} == {expected}
    assert all(columns == ["x0", "x1"] for _, columns in Recorder.kinds)


def test_the_choice_is_the_same_with_and_without_a_second_table() -> None:
    options = {"candidates": ["ridge", "tree"], "time_budget": 0.3, "n_jobs": 1, "deploy": "same"}
    first = ho.audit(line_table(), "y", **options)
    # A second table in which the target is noise: had it a say, nothing would be chosen as before.
    noise = line_table(1).with_columns(y=pl.Series(np.random.default_rng(0).normal(50, 9, 90)))
    again = ho.audit(line_table(), "y", test=noise, plan=first.document, **options)
    assert first.document["test"] is None
    assert again.document["test"]["error"] > 10 * again.document["winner"]["error"]
    for section in ("winner", "differences", "split", "iid", "predictions", "verdict", "advice"):
        assert without_seconds(again.document[section]) == without_seconds(first.document[section]), section
    for mine, other in zip(again.document["candidates"], first.document["candidates"], strict=True):
        assert without_seconds(mine) == without_seconds(other)


def without_seconds(section: Any) -> Any:
    return {k: v for k, v in section.items() if k != "seconds"} if isinstance(section, dict) else section


def test_a_second_table_that_cannot_be_used_is_told_before_any_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fitted(*_: Any) -> None:
        raise AssertionError("a candidate was fitted")

    monkeypatch.setattr("heldout.auditing.run.score_candidates", fitted)
    with pytest.raises(DataError, match="no target column 'y'"):
        ho.audit(line_table(), "y", test=line_table(1).drop("y"), n_jobs=1)


def test_rows_without_a_target_leave_groups_and_the_users_own_frame_too() -> None:
    first, test = subjects_table(), subjects_table(1)
    holes = test.with_columns(y=pl.when(pl.int_range(84) % 3 > 0).then("y"))
    kept = holes.filter(pl.col("y").is_not_null())
    asked = {"group": ["subject"]}
    expected, _ = judged_by("ridge", kept, first, **asked)
    section, _ = judged_by("ridge", holes, first, **asked)
    for name in ("error", "ci_low", "ci_high"):
        assert section[name] == pytest.approx(expected[name])
    setting = setting_of(first.to_pandas(), **asked)
    own = candidates_in(setting, ["baseline", ("mine", LinearRegression())])[-1]
    best = fit_on_all_rows(own, setting)
    errors = [
        judge_on_second_table(
            open_second_table(table.to_pandas(), setting.dataset, request(**asked)), setting.dataset, best, setting
        )["error"]
        for table in (holes, kept)
    ]
    assert errors[0] == pytest.approx(errors[1])


def test_a_target_of_lists_beside_a_group_is_refused() -> None:
    test = subjects_table(1).with_columns(y=pl.concat_list("x", "mark"))
    with pytest.raises(DataError, match="y"):
        opened(test, subjects_table(), group=["subject"])


def test_kinds_asked_for_features_do_not_disturb_the_target() -> None:
    first = line_table().with_columns(code=pl.int_range(90) % 5)
    second = opened(first, first, types={"code": "category"})
    assert second.features["code"].to_list() == [str(row % 5) for row in range(90)]


def test_a_classifier_without_probabilities_is_judged_by_its_classes() -> None:
    first, test = line_table(classes=2), line_table(1, 60, classes=2)
    setting = setting_of(first, metric="accuracy")
    own = candidates_in(setting, ["baseline", ("mine", RidgeClassifier())])[-1]
    best = fit_on_all_rows(own, setting)
    section = judge_on_second_table(
        open_second_table(test, setting.dataset, request(metric="accuracy")), setting.dataset, best, setting
    )
    assert section["accuracy"] == section["error"] == (best.predict(test)["prediction"] == test["y"]).mean()


def test_a_table_does_not_differ_from_itself() -> None:
    for classes in (0, 3):
        table = line_table(classes=classes)
        section, _ = judged_by("logistic" if classes else "ridge", table, table)
        assert section["shift"]["n_duplicates"] == 90
        assert {one["statistic"] for one in section["shift"]["findings"]} <= {"exact duplicates"}
