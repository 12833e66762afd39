"""Why a candidate falls short: parts that sum, a share with an interval, a plan that the budget decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from heldout.auditing import shortfall
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.scoring import Scored, Setting
from heldout.auditing.selection import Selection, choose
from heldout.auditing.shortfall import EMPTY, Shortfall, measure_shortfall
from heldout.tradeoff import decompose

from .small import given_plan, line_table, scored_in, setting_of, silent, subjects_table


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(line_table())


@pytest.fixture(scope="module")
def scored(setting: Setting) -> dict[str, Scored]:
    return scored_in(setting, ["ridge", "tree", "knn"])


@pytest.fixture(scope="module")
def chosen(setting: Setting, scored: dict[str, Scored]) -> Selection:
    return choose(scored, setting, 20)


def found_by(
    setting: Setting, scored: dict[str, Scored], chosen: Selection, plan: PlanKept | None = None, clock: Any = None
) -> Shortfall:
    plan = plan or given_plan(decomposed=tuple(scored))
    return measure_shortfall(scored, chosen, setting, plan, clock or Clock(1.0), silent)


@pytest.fixture(scope="module")
def found(setting: Setting, scored: dict[str, Scored], chosen: Selection) -> Shortfall:
    return found_by(setting, scored, chosen)


def test_parts_and_shares_sum(found: Shortfall, scored: dict[str, Scored]) -> None:
    assert list(found.decompositions) == list(scored)
    lowest = [name for name in scored if found.of(name)["excess_bias"] is None]
    assert len(lowest) == 1
    for name in scored:
        fields = found.of(name)
        assert fields["variance"] + fields["bias_plus_noise"] == pytest.approx(fields["expected_loss"], rel=1e-12)
        assert (fields["excess_bias"] or 0.0) + fields["unresolved"] == pytest.approx(fields["bias_plus_noise"])
        assert fields["unresolved"] == found.of(lowest[0])["bias_plus_noise"]
        assert set(fields) == set(EMPTY)
    assert "lowest bias" in found.of(lowest[0])["reason"]


def test_the_parts_are_those_of_the_measure_itself(
    found: Shortfall, setting: Setting, scored: dict[str, Scored]
) -> None:
    twin = decompose(
        scored["ridge"].candidate.estimator,
        setting.dataset.features,
        setting.y,
        splitter=setting.splitter(),
        n_partitions=2,
        random_state=shortfall.stream_seed(setting.seed, "decomposition"),
    )
    fields = found.of("ridge")
    assert fields["variance"] == twin.variance
    assert fields["variance_ci"] == list(twin.variance_ci or ())
    assert fields["expected_loss_ci"] == list(twin.expected_loss_ci or ())
    assert fields["bias_plus_noise_ci"] == list(twin.bias_plus_noise_ci or ())
    head = fields["decomposition"]
    assert (head["n_train"], head["n_fits"], head["n_partitions"], head["label"]) == (36, 20, 2, "at n/2")
    assert (head["n_train_full"], head["metric_label"], head["loss"]) == (72, "RMSE", "squared_error")


def test_errors_at_half_and_full_size_are_in_the_same_units(found: Shortfall, scored: dict[str, Scored]) -> None:
    fields = found.of("tree")
    assert fields["error_at_half"] == pytest.approx(np.sqrt(fields["expected_loss"]))
    assert fields["error_same_loss"] == pytest.approx(scored["tree"].estimate.error)


def test_the_interval_of_the_share_is_that_of_the_variance_over_the_loss(found: Shortfall) -> None:
    for name, parts in found.decompositions.items():
        low, high = found.of(name)["variance_share_ci"]
        assert parts.variance_ci is not None
        assert low == pytest.approx(max(parts.variance_ci[0] / parts.expected_loss, 0.0))
        assert high == pytest.approx(min(parts.variance_ci[1] / parts.expected_loss, 1.0))
        assert 0 <= low <= parts.variance / parts.expected_loss <= high <= 1


def test_the_interval_of_the_share_is_not_narrower_than_a_bootstrap_of_rows(found: Shortfall) -> None:
    parts = found.decompositions["tree"]
    draws = np.random.default_rng(0).integers(90, size=(4000, 90))
    ratios = parts.variance_per_row[draws].mean(axis=1) / parts.expected_loss_per_row[draws].mean(axis=1)
    low, high = found.of("tree")["variance_share_ci"]
    assert (high - low) / 2 > 0.95 * stats.t.ppf(0.975, 89) * ratios.std()


def test_few_groups_give_parts_without_intervals() -> None:
    setting = setting_of(subjects_table(0, 5, 16), group=["subject"])
    scored = scored_in(setting, ["ridge"])
    fields = found_by(setting, scored, choose(scored, setting, 20)).of("ridge")
    assert fields["variance"] is not None
    for name in ("expected_loss_ci", "variance_ci", "variance_share_ci", "bias_plus_noise_ci", "unresolved_ci"):
        assert fields[name] is None, name


def test_copies_stand_in_one_half_of_every_cut() -> None:
    # Every row twice: halves that share copies agree too much, and the variance of the mean falls to a third.
    frame = line_table()
    doubled = setting_of(pl.concat([frame, frame]), deploy="same")
    assert doubled.halves_by is not None
    scored = scored_in(doubled, ["ridge"])
    copies = found_by(doubled, scored, choose(scored, doubled, 20)).decompositions["baseline"]
    single = setting_of(frame, deploy="same")
    scored = scored_in(single, ["ridge"])
    rows = found_by(single, scored, choose(scored, single, 20)).decompositions["baseline"]
    # Two estimates of variance / 36 from 20 pairs of halves each; a third would lie far outside.
    assert 0.5 < copies.variance / rows.variance < 2


def test_an_error_of_zero_has_no_share(found: Shortfall, setting: Setting) -> None:
    faultless = replace(found.decompositions["ridge"], expected_loss=0.0)
    assert shortfall._share_interval(faultless) is None


def test_classes_are_split_by_wrong_and_right() -> None:
    setting = setting_of(line_table(classes=3))
    scored = scored_in(setting, ["logistic"])
    fields = found_by(setting, scored, choose(scored, setting, 20)).of("logistic")
    assert (fields["decomposition"]["loss"], fields["decomposition"]["metric_label"]) == ("zero_one", "error rate")
    assert fields["error_at_half"] == fields["expected_loss"]
    assert scored["logistic"].zero_one is not None
    assert fields["error_same_loss"] == pytest.approx(scored["logistic"].zero_one.mean())


def test_an_absolute_error_has_no_twin_at_full_size_in_squared_error() -> None:
    setting = setting_of(line_table(), metric="mae")
    scored = scored_in(setting, ["ridge"])
    fields = found_by(setting, scored, choose(scored, setting, 20)).of("ridge")
    assert (fields["error_same_loss"], fields["error_at_half"]) == (None, None)
    assert fields["variance"] is not None


def test_forward_in_time_sizes_are_not_compared() -> None:
    setting = setting_of(line_table().with_columns(day=pl.int_range(90)), time=["day"], deploy="future")
    scored = scored_in(setting, ["ridge"])
    fields = found_by(setting, scored, choose(scored, setting, 20)).of("ridge")
    assert (fields["error_same_loss"], fields["error_at_half"]) == (None, None)


@pytest.mark.parametrize(("n_rows", "is_split"), [(79, False), (80, True)])
def test_fewer_than_eighty_rows_are_not_halved(n_rows: int, is_split: bool) -> None:
    setting = setting_of(line_table(n=n_rows))
    scored = scored_in(setting, ["ridge"])
    found = found_by(setting, scored, choose(scored, setting, 20))
    assert bool(found.decompositions) == is_split
    if not is_split:
        assert found.of("ridge") == EMPTY | {"reason": "79 rows are too few to train on disjoint halves"}


class Budget(Clock):
    """A clock that has so many seconds left and takes notes of what it is asked."""

    def __init__(self, left: float, budget: float = 100.0) -> None:
        super().__init__(budget)
        self.left = left
        self.asked: list[float] = []

    def used(self) -> float:
        return self.budget - self.left

    def room_for(self, seconds: float) -> bool:
        self.asked.append(seconds)
        return seconds <= self.left


def priced(scored: dict[str, Scored], seconds: float) -> dict[str, Scored]:
    """The same candidates, each having taken so many seconds for its folds."""
    return {name: replace(one, seconds=seconds) for name, one in scored.items()}


def test_the_more_time_the_more_partitions_and_candidates(
    setting: Setting, scored: dict[str, Scored], chosen: Selection
) -> None:
    # 5 fits took 1 second, so 5 folds of n partitions take n seconds, for each of 4 candidates.
    for left, partitions, n_decomposed in ((20.0, 5, 4), (19.9, 4, 4), (12.0, 3, 4), (11.9, 2, 4), (1.9, 2, 3)):
        plan = PlanKept(100.0)
        found_by(setting, priced(scored, 1.0), chosen, plan, Budget(left))
        assert (plan.n_partitions, len(plan.decomposed)) == (partitions, n_decomposed), left
    assert plan.left_out[-1].startswith("the decomposition of ")
    assert plan.fits == 3 * 2 * 5 * 2


def as_extra(scored: dict[str, Scored], name: str, seconds: float) -> dict[str, Scored]:
    """The same candidates, one of them a costly extra."""
    extra = replace(scored[name], candidate=replace(scored[name].candidate, made_of="ridge"), seconds=seconds)
    return {**priced(scored, 1.0), name: extra}


def test_an_extra_costs_the_others_no_partition_and_comes_last(
    setting: Setting, scored: dict[str, Scored], chosen: Selection
) -> None:
    lowest = min(set(scored) - {chosen.winner, "baseline"}, key=lambda name: scored[name].mean_loss.error)
    # 3 others at 5 partitions take 15 seconds, the extra 500.
    plan = PlanKept(1000.0)
    found = found_by(setting, as_extra(scored, lowest, 100.0), chosen, plan, Budget(15.0, 1000.0))
    assert plan.n_partitions == 5
    assert set(found.decompositions) == set(scored) - {lowest}
    assert plan.left_out == [f"the decomposition of {lowest}"]


def test_an_extra_that_won_is_decomposed_whatever_it_costs(
    setting: Setting, scored: dict[str, Scored], chosen: Selection
) -> None:
    plan = PlanKept(1000.0)
    found = found_by(setting, as_extra(scored, chosen.winner, 100.0), chosen, plan, Budget(15.0, 1000.0))
    assert plan.n_partitions == 2
    assert chosen.winner in found.decompositions


def test_winner_baseline_and_the_lowest_errors_come_first(
    setting: Setting, scored: dict[str, Scored], chosen: Selection
) -> None:
    plan = PlanKept(100.0)
    tree_won = replace(chosen, winner="tree")
    found = found_by(setting, priced(scored, 1.0), tree_won, plan, Budget(1.9))
    by_error = sorted(scored, key=lambda name: scored[name].mean_loss.error)
    runner_up = next(name for name in by_error if name not in {"tree", "baseline"})
    assert set(found.decompositions) == {"tree", "baseline", runner_up}
    assert plan.decomposed == tuple(name for name in scored if name in found.decompositions)
    (left_out,) = set(scored) - set(found.decompositions)
    assert f"the decomposition of {left_out}" in plan.left_out
    assert found.of(left_out)["reason"] == "there was no time left to decompose this candidate"


def test_a_cap_on_rows_is_set_only_below_the_half_and_labels_the_parts(
    setting: Setting, scored: dict[str, Scored], chosen: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three candidates at 2 partitions cost 6 seconds at least; a half has 36 rows.
    for left, floor, cap in ((6.0, 20, None), (5.0, 20, 30), (3.0, 20, 20), (3.0, 36, None), (3.0, 200, None)):
        monkeypatch.setattr(shortfall, "FEWEST_ROWS_WHEN_CAPPED", floor)
        plan = PlanKept(10.0)
        found = found_by(setting, priced(scored, 1.0), chosen, plan, Budget(left, 10.0))
        assert plan.decomposition_rows == cap, (left, floor)
        capped = [f"rows beyond {cap} per fit in the decomposition"] if cap else []
        assert [note for note in plan.left_out if note.startswith("rows")] == capped
        head = found.of("baseline")["decomposition"]
        assert (head["label"], head["n_train"]) == ((f"at {cap} rows", cap) if cap else ("at n/2", 36))


def test_a_budget_that_is_used_up_still_leaves_a_tenth(
    setting: Setting, scored: dict[str, Scored], chosen: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortfall, "FEWEST_ROWS_WHEN_CAPPED", 20)
    plan = PlanKept(50.0)
    found_by(setting, priced(scored, 1.0), chosen, plan, Budget(-5.0, 50.0))
    assert plan.decomposition_rows == 30  # 5 of the 6 seconds that it costs at least


def test_a_given_plan_is_followed_whatever_the_clock_says(
    setting: Setting, scored: dict[str, Scored], chosen: Selection, found: Shortfall
) -> None:
    plan = given_plan(decomposed=("baseline", "knn", "gone"), n_partitions=3, decomposition_rows=30)
    clock = Budget(0.0)
    given = found_by(setting, priced(scored, 1.0), chosen, plan, clock)
    assert (plan.decomposed, plan.n_partitions, plan.decomposition_rows) == (("baseline", "knn"), 3, 30)
    assert {parts.n_partitions for parts in given.decompositions.values()} == {3}
    assert {parts.label for parts in given.decompositions.values()} == {"at 30 rows"}
    assert (clock.asked, plan.left_out) == ([], [])
    assert given.of("ridge")["reason"] == "there was no time left to decompose this candidate"


def test_the_same_plan_gives_the_same_parts(
    setting: Setting, scored: dict[str, Scored], chosen: Selection, found: Shortfall
) -> None:
    again = found_by(setting, scored, chosen)
    assert again.fields == found.fields


@pytest.mark.parametrize(("call", "kept"), [(0, []), (2, ["baseline", "ridge"])])
def test_an_interrupt_keeps_the_candidates_that_are_through(
    setting: Setting,
    scored: dict[str, Scored],
    chosen: Selection,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
    kept: list[str],
) -> None:
    calls = iter(range(99))

    def stopping(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return decompose(*arguments, **options)

    monkeypatch.setattr(shortfall, "decompose", stopping)
    plan = given_plan(decomposed=tuple(scored))
    found = found_by(setting, scored, chosen, plan)
    assert list(found.decompositions) == list(plan.decomposed) == kept
    assert (plan.interrupted, plan.left_out) == (True, ["interrupted while candidates were decomposed"])
    assert found.of("knn")["variance"] is None
    assert found.of("knn")["reason"]


def test_weights_weigh_rows_in_the_parts() -> None:
    frame = line_table().with_columns(w=pl.Series(np.random.default_rng(5).integers(1, 5, 90)))
    setting = setting_of(frame, weight="w")
    scored = scored_in(setting, ["ridge"])
    found = found_by(setting, scored, choose(scored, setting, 20))
    twin = decompose(
        scored["ridge"].candidate.estimator,
        setting.dataset.features,
        setting.y,
        splitter=setting.splitter(),
        n_partitions=2,
        random_state=shortfall.stream_seed(setting.seed, "decomposition"),
        sample_weight=frame["w"].to_numpy(),
    )
    assert found.of("ridge")["variance"] == twin.variance


def test_halves_are_cut_by_whole_subjects() -> None:
    setting = setting_of(subjects_table(), group=["subject"])
    scored = scored_in(setting, ["ridge"])
    found = found_by(setting, scored, choose(scored, setting, 20)).decompositions["ridge"]
    assert found.units is not None
    assert len(np.unique(found.units)) == 14
    twin = decompose(
        scored["ridge"].candidate.estimator,
        setting.dataset.features,
        setting.y,
        splitter=setting.splitter(),
        groups=setting.dataset.groups,
        n_partitions=2,
        random_state=shortfall.stream_seed(setting.seed, "decomposition"),
    )
    assert found.variance == twin.variance


def test_ten_folds_are_thinned_to_five() -> None:
    setting = setting_of(line_table(), n_folds=10)
    scored = scored_in(setting, ["ridge"])
    found = found_by(setting, scored, choose(scored, setting, 20))
    assert found.decompositions["ridge"].n_fits == 2 * 5 * 2
