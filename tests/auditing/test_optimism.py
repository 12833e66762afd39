"""What a random split would have promised is measured with equal sizes, and its gap has an interval that holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heldout.auditing import optimism
from heldout.auditing.optimism import (
    Gap,
    Optimism,
    PlannedFolds,
    chosen_at_random,
    fewest_units,
    linearised,
    measure_optimism,
)
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.scoring import Setting, score_once
from heldout.generalization.paired import inflation
from heldout.losses import METRICS
from heldout.splits import predicts_forward

from .small import candidates_in, given_plan, line_table, scored_in, setting_of, silent, subjects_table
from statistical import assert_rate, power


@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(sorted(METRICS)),
    scale=st.floats(1e-3, 1e3),
)
def test_a_small_change_of_the_losses_moves_the_metric_as_their_linearisation(
    seed: int, name: str, scale: float
) -> None:
    metric, rng = METRICS[name], np.random.default_rng(seed)
    losses = scale * (0.5 + rng.random(30))
    change = 1e-5 * scale * rng.normal(size=30)
    moved = metric.from_mean_loss((losses + change).mean()) - metric.from_mean_loss(losses.mean())
    slope = linearised(losses, metric) / losses
    assert moved == pytest.approx((slope * change).mean(), rel=1e-3, abs=1e-8 * scale)


def test_the_linearised_rmse_has_its_closed_form_and_skips_rows_never_tested() -> None:
    losses = np.array([1.0, 4.0, np.nan, 7.0])
    np.testing.assert_allclose(linearised(losses, METRICS["rmse"]), losses / (2 * 2.0), rtol=1e-6)
    np.testing.assert_allclose(linearised(losses, METRICS["mse"]), losses, rtol=1e-6)
    np.testing.assert_allclose(linearised(losses, METRICS["accuracy"]), -losses, rtol=1e-6)


def measured(setting: Setting, entries: list[str], winner: str, plan: PlanKept | None = None) -> dict[str, Optimism]:
    plan = plan or PlanKept(1e6)
    return measure_optimism(scored_in(setting, entries), winner, setting, plan, Clock(plan.time_budget), silent)


@pytest.fixture(scope="module")
def subjects() -> Setting:
    return setting_of(subjects_table(), group=["subject"])


@pytest.fixture(scope="module")
def days() -> Setting:
    return setting_of(line_table().with_columns(day=pl.int_range(90)), time=["day"], deploy="future")


def splits_of(monkeypatch: pytest.MonkeyPatch, setting: Setting) -> list[PlannedFolds]:
    """The safe folds, and the random ones that `score_once` is asked for."""
    seen: list[PlannedFolds] = []
    rows = np.empty((setting.n_rows, 1))
    safe = PlannedFolds(list(setting.splitter().split(rows, setting.y, setting.dataset.groups)))

    def watching(candidate: Any, within: Setting, splitter: PlannedFolds) -> Any:
        seen.append(splitter)
        return score_once(candidate, within, splitter)

    monkeypatch.setattr(optimism, "score_once", watching)
    measured(setting, ["baseline"], "baseline")
    return [safe, *seen]


@pytest.mark.parametrize("name", ["subjects", "days"])
def test_both_splits_have_the_same_sizes_fold_by_fold(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting: Setting = request.getfixturevalue(name)
    safe, random = splits_of(monkeypatch, setting)
    assert [(len(a), len(b)) for a, b in safe.folds] == [(len(a), len(b)) for a, b in random.folds]
    expected = list(setting.splitter().split(np.empty((setting.n_rows, 1)), setting.y, setting.dataset.groups))
    for (train, test), (again, tested) in zip(safe.folds, expected, strict=True):
        np.testing.assert_array_equal(train, again)
        np.testing.assert_array_equal(test, tested)
    for train, test in random.folds:
        assert not set(train) & set(test)
    if name == "subjects":
        codes = setting.dataset.groups
        assert codes is not None
        assert any(set(codes[train]) & set(codes[test]) for train, test in random.folds)


def test_planned_folds_are_a_splitter() -> None:
    folds = PlannedFolds([(np.array([0, 1]), np.array([2])), (np.array([2]), np.array([0, 1]))])
    assert folds.get_n_splits() == 2
    assert [test.tolist() for _, test in folds.split(np.empty((3, 1)))] == [[2], [0, 1]]


def test_a_split_that_recognises_subjects_promises_too_much() -> None:
    # Twelve rows each: the ten nearest neighbours of a row are of its own subject.
    subjects = setting_of(subjects_table(0, 14, 12), group=["subject"])
    found = measured(subjects, ["knn"], "knn")["knn"].main
    assert found.gap == pytest.approx(found.error_safe - found.error_random)
    assert found.ci_low is not None
    assert found.ci_low > 0


def test_the_gap_and_its_interval_are_those_of_a_loop_over_the_folds(
    subjects: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe, random = splits_of(monkeypatch, subjects)
    y, groups = subjects.y, subjects.dataset.groups
    by_row = []
    for folds in (safe, random):
        losses = np.empty(len(y))
        for train, test in folds.folds:
            losses[test] = (y[test] - y[train].mean()) ** 2
        by_row.append(losses)
    found = measured(subjects, ["baseline"], "baseline")["baseline"].main
    a, b = by_row
    assert found.error_safe == pytest.approx(np.sqrt(a.mean()))
    assert found.error_random == pytest.approx(np.sqrt(b.mean()))
    moved = a / (2 * np.sqrt(a.mean())) - b / (2 * np.sqrt(b.mean()))
    sums = np.bincount(groups, weights=moved - moved.mean())
    n_units = len(sums)
    error = inflation("group", 5) * np.sqrt(n_units / (n_units - 1) * np.square(sums).sum()) / len(y)
    reach = stats.t.ppf(0.975, n_units - 1) * error
    assert found.ci_low == pytest.approx(found.gap - reach, rel=1e-4)
    assert found.ci_high == pytest.approx(found.gap + reach, rel=1e-4)


def test_over_blocks_the_pairs_are_the_folds(days: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    safe, random = splits_of(monkeypatch, days)
    y, pairs, errors = days.y, [], []
    for (train, test), (other_train, other_test) in zip(safe.folds, random.folds, strict=True):
        pairs.append(
            (
                np.square(y[test] - y[train].mean()).mean(),
                np.square(y[other_test] - y[other_train].mean()).mean(),
            )
        )
        errors.append(len(test))
    means = np.average(pairs, axis=0, weights=errors)
    moved = [a / (2 * np.sqrt(means[0])) - b / (2 * np.sqrt(means[1])) for a, b in pairs]
    reach = stats.t.ppf(0.975, len(pairs) - 1) * stats.sem(moved)
    found = measured(days, ["baseline"], "baseline")["baseline"].main
    assert found.gap == pytest.approx(np.sqrt(means[0]) - np.sqrt(means[1]))
    assert found.ci_low == pytest.approx(found.gap - reach, rel=1e-4)
    assert found.ci_high == pytest.approx(found.gap + reach, rel=1e-4)


@pytest.mark.parametrize(("n_subjects", "has_interval"), [(5, False), (6, True)])
def test_six_subjects_give_an_interval_and_five_the_gap_alone(n_subjects: int, has_interval: bool) -> None:
    setting = setting_of(subjects_table(0, n_subjects, 10), group=["subject"])
    found = measured(setting, ["baseline"], "baseline")["baseline"].main
    assert (found.ci_low is not None) == (found.ci_high is not None) == has_interval
    assert np.isfinite(found.gap)


@pytest.mark.parametrize(("n_blocks", "has_interval"), [(2, False), (3, True)])
def test_three_periods_give_an_interval_and_two_the_gap_alone(n_blocks: int, has_interval: bool) -> None:
    frame = line_table().with_columns(day=pl.int_range(90))
    setting = setting_of(frame, n_folds=n_blocks, time=["day"], deploy="future")
    found = measured(setting, ["baseline"], "baseline")["baseline"].main
    assert (found.ci_low is not None) == has_interval


def test_an_interval_needs_three_blocks_or_six_groups(subjects: Setting, days: Setting) -> None:
    assert (fewest_units(days), fewest_units(subjects)) == (3, 6)


@pytest.mark.parametrize("metric", ["log_loss", "error_rate", "accuracy"])
def test_classes_have_a_gap_in_accuracy_beside_that_of_the_metric(metric: str) -> None:
    frame = subjects_table()
    frame = frame.with_columns(y=pl.Series(np.where(frame["y"] > frame["y"].median(), "high", "low")))
    setting = setting_of(frame, group=["subject"], metric=metric)
    found = measured(setting, ["knn"], "knn")["knn"]
    if metric == "accuracy":
        assert found.accuracy is None
        assert found.main.gap < 0
        return
    assert found.accuracy is not None
    assert found.main.gap > 0
    assert found.accuracy.gap == pytest.approx(found.accuracy.error_safe - found.accuracy.error_random)
    assert found.accuracy.gap < 0
    if metric == "error_rate":
        assert found.accuracy.error_safe == pytest.approx(1 - found.main.error_safe)
        assert (found.accuracy.ci_low, found.accuracy.ci_high) == pytest.approx(
            (-found.main.ci_high, -found.main.ci_low), rel=1e-6
        )


def gap(promised: float) -> Optimism:
    return Optimism(Gap(promised, 1.0, 1.0 - promised, None, None), None)


def test_a_random_split_chooses_by_its_own_errors() -> None:
    found = {"ridge": gap(0.4), "knn": gap(0.2), "tree": gap(0.3)}
    assert chosen_at_random(found, METRICS["rmse"]) == "knn"
    assert chosen_at_random(found, METRICS["accuracy"]) == "ridge"
    assert chosen_at_random({}, METRICS["rmse"]) is None


class Budget(Clock):
    """A clock that allows a number of extras."""

    extras = 0

    def room_for(self, seconds: float) -> bool:  # noqa: ARG002 - the clock's signature
        self.extras -= 1
        return self.extras >= 0


def test_the_winner_is_always_measured_and_others_while_there_is_room(subjects: Setting) -> None:
    scored = scored_in(subjects, ["ridge", "tree", "knn"])
    for extras, expected in ((0, ["ridge"]), (1, ["ridge", "knn"]), (9, ["ridge", "knn", "tree"])):
        plan, clock = PlanKept(1.0), Budget(1.0)
        clock.extras = extras
        found = measure_optimism(scored, "ridge", subjects, plan, clock, silent)
        assert list(found) == list(plan.split_at_random) == expected
        left = [name for name in ("knn", "tree") if name not in expected]
        assert plan.left_out == ([f"the random split of {', '.join(left)}"] if left else [])
        assert plan.fits == 5 * len(expected)


def test_extras_are_measured_last(subjects: Setting) -> None:
    scored = scored_in(subjects, ["ridge", "tree", "knn"])
    scored["knn"] = replace(scored["knn"], candidate=replace(scored["knn"].candidate, made_of="tree"))
    clock = Budget(1.0)
    clock.extras = 9
    found = measure_optimism(scored, "ridge", subjects, PlanKept(1.0), clock, silent)
    assert list(found) == ["ridge", "tree", "knn"]


def test_random_folds_are_fitted_as_those_in_order_of_time_are() -> None:
    rows = np.arange(40)
    folds = [(rows[rows % 4 != k], rows[rows % 4 == k]) for k in range(4)]
    for scheme, forward in (("random", False), ("group", False), ("blocked_time", True)):
        assert predicts_forward(PlannedFolds(folds, scheme), folds) == forward


def test_where_a_baseline_wins_one_model_is_measured_whatever_the_budget(subjects: Setting) -> None:
    plan, clock = PlanKept(1.0), Budget(1.0)
    clock.extras = 0
    found = measure_optimism(scored_in(subjects, ["ridge", "knn"]), "baseline", subjects, plan, clock, silent)
    assert list(found) == ["baseline", "knn"]


def test_the_safe_error_is_that_of_the_first_repeat(subjects: Setting) -> None:
    scored = scored_in(subjects, ["ridge"], n_repeats=2)
    found = measure_optimism(scored, "ridge", subjects, PlanKept(1e6), Clock(1e6), silent)["ridge"].main
    again = score_once(scored["ridge"].candidate, subjects, subjects.splitter(0))
    assert found.error_safe == pytest.approx(np.sqrt(again.losses.mean()), rel=1e-12)


def test_a_given_plan_is_followed_and_gives_the_same_numbers(subjects: Setting) -> None:
    scored = scored_in(subjects, ["ridge", "knn"])
    clock = Budget(1.0)
    clock.extras = 9
    first = measure_optimism(scored, "ridge", subjects, PlanKept(1.0), clock, silent)
    again = measure_optimism(scored, "ridge", subjects, given_plan(split_at_random=("knn", "gone")), Clock(1.0), silent)
    assert list(again) == ["knn"]
    assert again["knn"] == first["knn"]


def test_an_interrupt_keeps_the_candidates_that_are_through(subjects: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    scored, calls = scored_in(subjects, ["ridge", "knn"]), iter(range(99))

    def stopping(*arguments: Any) -> Any:
        if next(calls) == 1:  # ridge took one; that of knn is not finished
            raise KeyboardInterrupt
        return score_once(*arguments)

    monkeypatch.setattr(optimism, "score_once", stopping)
    plan, clock = PlanKept(1.0), Budget(1.0)
    clock.extras = 9
    found = measure_optimism(scored, "ridge", subjects, plan, clock, silent)
    assert list(found) == list(plan.split_at_random) == ["ridge"]
    assert plan.interrupted
    assert plan.left_out == ["interrupted while the random split was measured"]


@pytest.mark.slow
def test_on_independent_rows_forward_chaining_shows_no_gap(seed: int) -> None:
    runs = covered = 0
    for run in range(200):
        frame = line_table(1000 * seed + run).with_columns(day=pl.int_range(90))
        setting = setting_of(frame, n_folds=8, time=["day"], deploy="future", seed=run)
        (ridge,) = (c for c in candidates_in(setting, ["ridge"]) if c.name == "ridge")
        scored = scored_in(setting, [ridge])
        found = measure_optimism(scored, "ridge", setting, PlanKept(1.0), Budget(1.0), silent)["ridge"].main
        assert found.ci_low is not None
        assert found.ci_high is not None
        runs += 1
        covered += found.ci_low <= 0 <= found.ci_high
    print(f"power against a true rate of 0.8: {power(runs, 0.95, 0.8):.2f}")
    assert_rate("gap of independent rows covered 0", covered, runs, at_least=0.95)


@pytest.mark.slow
def test_on_rows_whose_groups_mean_nothing_whole_groups_show_no_gap(seed: int) -> None:
    runs = covered = 0
    for run in range(200):
        frame = line_table(1000 * seed + run).with_columns(who=pl.int_range(90) % 15)
        setting = setting_of(frame, group=["who"], deploy="new-groups", seed=run)
        scored = scored_in(setting, ["ridge"])
        found = measure_optimism(scored, "ridge", setting, PlanKept(1.0), Budget(1.0), silent)["ridge"].main
        assert found.ci_low is not None
        assert found.ci_high is not None
        runs += 1
        covered += found.ci_low <= 0 <= found.ci_high
    print(f"power against a true rate of 0.8: {power(runs, 0.95, 0.8):.2f}")
    assert_rate("gap of meaningless groups covered 0", covered, runs, at_least=0.95)
