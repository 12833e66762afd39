"""The plan: a budget that caps extras, counts that can be repeated, and notes of what was left out."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.auditing.plan import Clock, PlanKept, fold_count
from heldout.errors import DataError, InvalidInput

names = st.lists(st.sampled_from(["baseline", "ridge", "tree", "mine"]), unique=True).map(tuple)
counts = st.integers(0, 10_000)
plans = st.builds(
    PlanKept,
    time_budget=st.floats(0.1, 1e6),
    n_folds=counts,
    n_repeats=counts,
    n_permutations=counts,
    decomposed=names,
    n_partitions=counts,
    decomposition_rows=st.one_of(st.none(), counts),
    n_resamples=counts,
    split_at_random=names,
    extra_candidates=names,
    left_out=st.lists(st.text(), unique=True),
)


@given(plan=plans)
def test_a_plan_comes_back_from_its_report(plan: PlanKept) -> None:
    written = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    again = PlanKept.from_document({"plan": written})
    assert again.given
    assert again.to_dict() == plan.to_dict()


def test_a_repeated_plan_is_not_interrupted_because_the_first_was() -> None:
    plan = PlanKept(5.0, n_folds=10)
    plan.interrupt("interrupted while candidates were scored")
    assert plan.interrupted
    again = PlanKept.from_document({"plan": plan.to_dict()})
    assert not again.interrupted
    assert again.left_out == ["interrupted while candidates were scored"]


@pytest.mark.parametrize("document", [{}, {"plan": None}, {"plan": [1]}])
def test_a_document_without_a_plan_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"no plan in it: pass a report\.json"):
        PlanKept.from_document(document)


@pytest.mark.parametrize(
    ("field", "value", "came"),
    [
        ("n_folds", "ten", "'ten'"),
        ("n_partitions", None, "NoneType"),
        ("decomposed", 3, "int"),
        ("extra_candidates", 3, "int"),
        ("time_budget", None, "NoneType"),
        ("decomposition_rows", "all", "'all'"),
    ],
)
def test_a_damaged_plan_is_refused(field: str, value: object, came: str) -> None:
    with pytest.raises(DataError, match=rf"the plan in that report is damaged .*{came}"):
        PlanKept.from_document({"plan": PlanKept(1.0).to_dict() | {field: value}})


def test_a_plan_that_lacks_a_count_names_it() -> None:
    plan = PlanKept(1.0).to_dict()
    del plan["n_resamples"]
    with pytest.raises(DataError, match=r"damaged \(KeyError: 'n_resamples'\)"):
        PlanKept.from_document({"plan": plan})


def test_a_plan_of_before_there_were_extra_candidates_has_none() -> None:
    plan = PlanKept(1.0, extra_candidates=("bagged-boosting",)).to_dict()
    del plan["extra_candidates"]
    assert PlanKept.from_document({"plan": plan}).extra_candidates == ()


@pytest.mark.parametrize("budget", [0.0, -1.0, math.nan, math.inf])
def test_a_budget_must_be_a_positive_finite_time(budget: float) -> None:
    with pytest.raises(InvalidInput, match=f"got {budget}"):
        Clock(budget)


class Ticking:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    clock = Ticking()
    monkeypatch.setattr("heldout.auditing.plan.time.monotonic", clock)
    return clock


def test_extras_may_use_half_of_the_budget_and_no_more(ticking: Ticking) -> None:
    clock = Clock(10.0, started=100.0)
    assert clock.room_for(5.0)
    assert not clock.room_for(5.001)
    ticking.now = 104.0
    assert clock.used() == 4.0
    assert clock.room_for(1.0)
    assert not clock.room_for(1.001)
    ticking.now = 106.0
    assert not clock.room_for(0.0)


def test_stages_share_the_time_without_gap_or_overlap(ticking: Ticking) -> None:
    clock = Clock(10.0, started=100.0, _stage_started=100.0)
    for stage, end in (("reading", 101.0), ("iid", 103.5), ("reading", 104.0)):
        ticking.now = end
        clock.finish_stage(stage)
    assert clock.seconds == {"reading": 1.5, "iid": 2.5}
    assert sum(clock.seconds.values()) == clock.used()


def test_what_is_left_out_is_noted_once_and_only_where_the_clock_decides() -> None:
    plan = PlanKept(1.0)
    plan.leave_out("two repeats")
    plan.leave_out("two repeats")
    assert plan.left_out == ["two repeats"]
    repeated = PlanKept(1.0, given=True)
    repeated.leave_out("two repeats")
    assert repeated.left_out == []


def test_an_interrupt_is_noted_once_in_a_repeated_plan_too() -> None:
    plan = PlanKept(1.0, given=True)
    plan.interrupt("interrupted here")
    plan.interrupt("interrupted here")
    assert plan.left_out == ["interrupted here"]


@pytest.mark.parametrize(
    ("n_rows", "scheme", "folds"),
    [
        (20, "random", 10),
        (4_999, "stratified", 10),
        (5_000, "group", 5),
        (20, "blocked_time", 8),
        (9_999, "group_time", 8),
    ],
)
def test_ten_folds_on_small_tables_five_on_large_ones_eight_blocks_of_time(
    n_rows: int, scheme: str, folds: int
) -> None:
    assert fold_count(n_rows, scheme) == folds


def test_a_plan_of_another_table_or_seed_is_said_to_be_one() -> None:
    document = {"seed": 3, "data": {"sha256": "aa"}}
    plan = PlanKept(1.0, given=True)
    plan.note_other_seed(document, 3)
    plan.note_other_table(document, "aa")
    plan.note_other_table(document, None)
    plan.note_other_table(None, "bb")
    assert plan.left_out == []
    plan.note_other_seed(document, 4)
    plan.note_other_table(document, "bb")
    plan.note_other_table(document, "bb")
    assert plan.left_out == [
        "the plan given was carried out with seed 3, this audit has seed 4",
        "the plan given was made for another table",
    ]
