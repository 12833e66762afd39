"""Candidates are scored on common folds; repeats are averaged per row; an interrupt keeps what is finished."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from heldout.auditing import scoring
from heldout.auditing.candidates import Candidate
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.scoring import Setting, mean_loss_metric, score_candidates, score_once, summarise, zero_one_losses
from heldout.losses import METRICS

from .small import candidates_in, given_plan, line_table, scored_in, setting_of, silent, subjects_table


def test_losses_are_those_of_a_loop_over_the_folds() -> None:
    setting = setting_of(line_table())
    own = scored_in(setting, [("plain", LinearRegression()), "ridge"])["plain"]
    X, y = line_table().select("x0", "x1").to_numpy(), setting.y
    expected = np.full(len(y), np.nan)
    for train, test in setting.splitter().split(X, y):
        expected[test] = (LinearRegression().fit(X[train], y[train]).predict(X[test]) - y[test]) ** 2
    np.testing.assert_allclose(own.folds.losses, expected)
    assert own.estimate.error == pytest.approx(np.sqrt(expected.mean()))
    assert own.mean_loss.error == pytest.approx(expected.mean())
    assert own.zero_one is None
    assert own.area_under_curve is None


def test_the_mean_baseline_with_weights_has_its_closed_form() -> None:
    frame = line_table().with_columns(w=pl.Series(np.random.default_rng(3).integers(1, 6, 90)))
    setting = setting_of(frame, weight="w")
    found = scored_in(setting, ["baseline"])["baseline"]
    y, w = setting.y, frame["w"].to_numpy()
    total = 0.0
    for train, test in setting.splitter().split(np.empty((90, 1)), y):
        mean = np.average(y[train], weights=w[train])
        total += float((w[test] * (y[test] - mean) ** 2).sum())
    assert found.estimate.error == pytest.approx(np.sqrt(total / w.sum()))


def test_equal_weights_change_nothing() -> None:
    frame = line_table()
    plain = scored_in(setting_of(frame), ["ridge", "tree"])
    weighted = scored_in(setting_of(frame.with_columns(w=pl.lit(2.5)), weight="w"), ["ridge", "tree"])
    for name, found in plain.items():
        assert weighted[name].estimate.error == pytest.approx(found.estimate.error)


def test_repeats_are_averaged_row_by_row_and_counted() -> None:
    # Classes of unlike size: of equal ones two definitions of the area agree.
    setting = setting_of(line_table(n=120, classes=3).filter((pl.col("y") != "low") | (pl.int_range(120) % 2 == 0)))
    (logistic,) = [c for c in candidates_in(setting, ["logistic"]) if c.name == "logistic"]
    parts = [score_once(logistic, setting, setting.splitter(repeat)) for repeat in range(3)]
    joined = summarise(logistic, parts, 1.0, setting)
    np.testing.assert_allclose(joined.folds.losses, np.mean([part.losses for part in parts], axis=0))
    np.testing.assert_allclose(joined.zero_one, np.mean([zero_one_losses(part) for part in parts], axis=0))
    assert joined.folds.n_fits == 15
    assert joined.folds.n_repeats == 3
    assert len(joined.folds.fold_losses) == len(joined.folds.test_rows) == len(joined.folds.training_losses) == 15
    areas = [
        roc_auc_score(setting.y, part.predictions / part.predictions.sum(axis=1, keepdims=True), multi_class="ovr")
        for part in parts
    ]
    assert joined.area_under_curve == pytest.approx(np.mean(areas))
    np.testing.assert_array_equal(joined.folds.predictions, parts[0].predictions)


def test_each_repeat_deals_other_folds_from_the_same_seed() -> None:
    setting = setting_of(line_table())

    def tested(repeat: int) -> list[list[int]]:
        return [test.tolist() for _, test in setting.splitter(repeat).split(np.empty((90, 1)))]

    assert tested(0) == tested(0)
    assert tested(0) != tested(1)


def test_estimators_draw_from_the_seed_of_the_audit() -> None:
    setting = setting_of(line_table())
    (forest,) = (c for c in candidates_in(setting, ["forest"]) if c.name == "forest")
    same, again, other = (
        score_once(forest, replace(setting, seed=seed), setting.splitter()).predictions for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()


def test_two_classes_have_the_area_of_another_library() -> None:
    setting = setting_of(line_table(classes=2))
    found = scored_in(setting, ["logistic"])["logistic"]
    assert found.area_under_curve == pytest.approx(roc_auc_score(setting.y, found.folds.predictions[:, 1]))


def test_a_class_that_was_never_tested_has_no_area() -> None:
    # The rarest class comes only in the first rows, which forward chaining never tests.
    y = np.array(["rare"] * 4 + ["low", "top"] * 43)
    frame = line_table().with_columns(y=pl.Series(y), day=pl.int_range(90))
    setting = setting_of(frame, time=["day"], deploy="future")
    assert scored_in(setting, ["logistic"])["logistic"].area_under_curve is None


@pytest.mark.parametrize("metric", ["accuracy", "error_rate"])
def test_without_probabilities_there_is_no_area_but_an_accuracy(metric: str) -> None:
    setting = setting_of(line_table(classes=2), metric=metric)
    found = scored_in(setting, ["logistic"])["logistic"]
    assert found.area_under_curve is None
    np.testing.assert_array_equal(found.zero_one, found.folds.losses)
    held = setting.y != found.folds.predictions
    assert found.estimate.error == pytest.approx(held.mean() if metric == "error_rate" else 1 - held.mean())


def test_a_mean_loss_metric_is_the_mean_loss_whatever_the_metric() -> None:
    for metric in METRICS.values():
        made = mean_loss_metric(metric)
        assert made.from_mean_loss(1.7) == 1.7
        assert not made.higher_is_better
        assert made.loss is metric.loss


class Recorder(RegressorMixin, BaseEstimator):
    """An estimator that remembers the kinds of frames it was handed."""

    kinds: list[tuple[type, list[str]]] = []  # noqa: RUF012 - clones must share it

    def fit(self, X: Any, y: Any) -> Recorder:
        self.kinds.append((type(X), list(X.columns)))
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> Any:
        self.kinds.append((type(X), list(X.columns)))
        return np.full(len(X), self.mean_)


def test_an_estimator_of_the_users_own_gets_slices_of_his_own_kind_of_frame() -> None:
    frame = line_table()
    for given, kind in ((frame.to_pandas(), pd.DataFrame), (frame, pl.DataFrame)):
        Recorder.kinds.clear()
        scored_in(setting_of(given), ["ridge", ("mine", Recorder())])
        assert {seen for seen, _ in Recorder.kinds} == {kind}
        assert all(columns == ["x0", "x1"] for _, columns in Recorder.kinds)


class Budget:
    """A clock that allows a number of extras."""

    def __init__(self, extras: int) -> None:
        self.extras = extras
        self.asked: list[float] = []

    def room_for(self, seconds: float) -> bool:
        self.asked.append(seconds)
        self.extras -= 1
        return self.extras >= 0


@pytest.mark.parametrize(("extras", "repeats"), [(0, 1), (1, 2), (5, 3)])
def test_repeats_are_run_while_the_budget_has_room(extras: int, repeats: int) -> None:
    setting, plan, clock = setting_of(line_table()), PlanKept(1.0), Budget(extras)
    found = score_candidates(candidates_in(setting, ["baseline"]), setting, plan, clock, silent)  # type: ignore[arg-type]
    assert plan.n_repeats == found["baseline"].folds.n_repeats == repeats
    note = f"{3 - repeats} of 3 repeats of the folds"
    assert plan.left_out == ([note] if repeats < 3 else [])
    assert plan.fits == 5 * repeats


def test_one_more_repeat_is_expected_to_cost_what_those_so_far_have_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 4.0, 10.0, 12.0, 20.0, 21.0])  # the first repeat takes 4 seconds, the second 2, the third 1
    monkeypatch.setattr(scoring, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    setting, clock = setting_of(line_table()), Budget(9)
    found = score_candidates(candidates_in(setting, ["baseline"]), setting, PlanKept(1.0), clock, silent)  # type: ignore[arg-type]
    assert clock.asked == [4.0, 3.0]
    assert found["baseline"].seconds == 7.0


def with_an_extra(setting: Setting) -> list[Candidate]:
    """A baseline, a model, an extra that repeats it four times, and one of the user's own behind."""
    baseline, ridge, tree, mine = candidates_in(setting, ["ridge", "tree", ("mine", LinearRegression())])
    return [baseline, ridge, replace(tree, made_of="ridge", times=4), mine]


@pytest.mark.parametrize(("left", "kept"), [(52.0, True), (51.9, False)])
def test_an_extra_is_scored_only_where_all_repeats_fit_with_it(
    monkeypatch: pytest.MonkeyPatch, left: float, kept: bool
) -> None:
    # Baseline, ridge and the user's own take 1, 2 and 11 seconds: 3 repeats of 4 times ridge, and 2 of all, are 52.
    ticks = iter([0.0, 1.0, 1.0, 3.0, 3.0, 14.0, *np.arange(14.0, 100.0)])
    monkeypatch.setattr(scoring, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    setting, plan = setting_of(line_table()), PlanKept(1.0)
    clock = SimpleNamespace(room_for=lambda seconds: seconds <= left)
    found = score_candidates(with_an_extra(setting), setting, plan, clock, silent)  # type: ignore[arg-type]
    assert list(found) == ["baseline", "ridge", *(["tree"] if kept else []), "mine"]
    assert plan.extra_candidates == (("tree",) if kept else ())
    assert ("the candidate a single tree" in plan.left_out) == (not kept)
    assert {one.folds.n_repeats for one in found.values()} == {plan.n_repeats} == {3}


@pytest.mark.parametrize("named", [(), ("tree",)])
def test_a_given_plan_says_which_extras_are_scored(named: tuple[str, ...]) -> None:
    setting, seen = setting_of(line_table()), []
    plan = given_plan(extra_candidates=named, n_repeats=2)
    found = score_candidates(with_an_extra(setting), setting, plan, Budget(0), lambda *step: seen.append(step[1]))  # type: ignore[arg-type]
    assert ("tree" in found) == bool(named)
    assert (plan.extra_candidates, plan.left_out) == (named, [])
    assert len(seen) == len(set(seen)) == 2 * len(found)


def test_a_given_plan_asks_no_clock() -> None:
    setting, clock = setting_of(line_table()), Budget(0)
    plan = given_plan(n_repeats=2)
    score_candidates(candidates_in(setting, ["baseline"]), setting, plan, clock, silent)  # type: ignore[arg-type]
    assert (plan.n_repeats, clock.asked, plan.left_out) == (2, [], [])


def test_one_repeat_is_all_where_time_has_one_order_or_rows_are_plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    ordered = setting_of(line_table().with_columns(day=pl.int_range(90)), time=["day"], deploy="future")
    plain = setting_of(line_table())
    for setting, wanted in ((ordered, 1), (plain, 3)):
        plan = PlanKept(1.0)
        score_candidates(candidates_in(setting, ["baseline"]), setting, plan, Budget(9), silent)  # type: ignore[arg-type]
        assert (plan.n_repeats, plan.left_out) == (wanted, [])
    monkeypatch.setattr(scoring, "ROWS_FOR_WALD", 90)
    plan = PlanKept(1.0)
    score_candidates(candidates_in(plain, ["baseline"]), plain, plan, Budget(9), silent)  # type: ignore[arg-type]
    assert plan.n_repeats == 1


def stop_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Press Ctrl-C in the given call of `score_once`, counted from 0."""
    whole, calls = score_once, iter(range(1000))

    def stopping(*arguments: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(scoring, "score_once", stopping)


@pytest.mark.parametrize(("call", "kept", "repeats"), [(1, ["baseline"], 1), (2, None, 1), (4, None, 2), (5, None, 2)])
def test_an_interrupt_keeps_candidates_and_repeats_that_are_through(
    monkeypatch: pytest.MonkeyPatch, call: int, kept: list[str] | None, repeats: int
) -> None:
    setting, plan = setting_of(line_table()), given_plan(n_repeats=3)
    stop_at(monkeypatch, call)
    found = score_candidates(candidates_in(setting, ["ridge"]), setting, plan, Clock(1.0), silent)
    assert list(found) == (kept or ["baseline", "ridge"])
    assert {one.folds.n_repeats for one in found.values()} == {repeats}
    assert plan.n_repeats == repeats
    assert plan.interrupted
    assert plan.left_out == ["interrupted while candidates were scored"]
    assert plan.fits == 5 * repeats * len(found)


def test_an_interrupt_before_any_candidate_is_through_goes_on_up(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, plan = setting_of(line_table()), given_plan()
    stop_at(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        score_candidates(candidates_in(setting, ["ridge"]), setting, plan, Clock(1.0), silent)
    assert not plan.interrupted


def test_progress_counts_every_candidate_of_every_repeat() -> None:
    setting, seen = setting_of(line_table()), []
    candidates = candidates_in(setting, ["ridge"])
    plan = given_plan(n_repeats=2)
    score_candidates(candidates, setting, plan, Clock(1.0), lambda *step: seen.append(step))
    assert seen == [("candidates", done, 4) for done in range(4)]


def test_folds_hold_out_whole_subjects_and_units_are_the_subjects() -> None:
    setting = setting_of(subjects_table(), group=["subject"])
    assert (setting.scheme, setting.is_ordered) == ("group", False)
    assert setting.units is not None
    np.testing.assert_array_equal(setting.units, setting.dataset.groups)
    assert setting_of(line_table()).units is None


def test_few_groups_allow_no_more_folds_than_groups() -> None:
    assert setting_of(subjects_table(0, 4, 10), n_folds=0, group=["subject"]).n_folds == 4


def test_the_area_is_missing_where_one_repeat_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = setting_of(line_table(classes=2))
    (found,) = (c for c in candidates_in(setting, ["logistic"]) if c.name == "logistic")
    parts = [score_once(found, setting, setting.splitter(repeat)) for repeat in range(2)]
    areas = iter([0.8, None])
    monkeypatch.setattr(scoring, "_one_area", lambda *_: next(areas))
    assert summarise(found, parts, 1.0, setting).area_under_curve is None


def test_the_users_estimator_and_ours_stand_on_the_same_folds() -> None:
    setting = setting_of(line_table())
    found = scored_in(setting, ["baseline", ("mine", DummyRegressor())])
    np.testing.assert_allclose(found["mine"].folds.losses, found["baseline"].folds.losses)
