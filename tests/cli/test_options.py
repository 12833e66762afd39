from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heldout.cli.options import candidate_names, column_types, split_names
from heldout.errors import InvalidInput


def test_every_option_of_the_audit_reaches_it(
    table: Path, heldout: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    audit = stand_in()
    plan = table.with_name("plan.json")
    plan.write_text('{"plan": {"n_folds": 3}}')
    arguments = (
        f"--target outcome --test {table} --group subject --group colour --time a --time b --drop c,d --known e,f "
        "--type x=text --weight w --positive yes --deploy new-groups,future --horizon 4 --task regression --metric mae "
        f"--candidates ridge,tree --time-budget 7 --confidence-level 0.9 --seed 3 --threads 2 --plan {plan}"
    ).split()
    outcome = heldout("audit", table, *arguments, "--out", table.parent / "out")
    assert outcome.code == 0
    (call,) = audit.calls
    call.pop("progress")
    assert call.pop("command") == " ".join(
        ["heldout", "audit", str(table), *arguments, "--out", str(table.parent / "out")]
    )
    assert call == {
        "data": table,
        "target": "outcome",
        "test": table,
        "group": ["subject", "colour"],
        "time": ["a", "b"],
        "drop": ["c", "d"],
        "known": ["e", "f"],
        "types": {"x": "text"},
        "weight": "w",
        "positive": "yes",
        "deploy": "new-groups,future",
        "horizon": 4,
        "task": "regression",
        "metric": "mae",
        "candidates": ["ridge", "tree"],
        "time_budget": 7.0,
        "confidence_level": 0.9,
        "random_state": 3,
        "n_jobs": 2,
        "plan": {"plan": {"n_folds": 3}},
    }


def test_more_threads_than_any_machine_has_are_no_fault(
    table: Path, heldout: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    audit = stand_in()
    outcome = heldout("audit", table, "--target", "outcome", "--threads", "9" * 20, "--out", table.parent / "out")
    assert outcome.code == 0
    assert audit.calls[0]["n_jobs"] == 1024


def test_what_is_not_given_is_left_to_the_audit(
    table: Path, heldout: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    audit = stand_in()
    heldout("audit", table, "--target", "outcome", "--out", table.parent / "out")
    (call,) = audit.calls
    assert call["deploy"] == "auto"
    assert call["time_budget"] == 120.0
    assert not any(
        call[name] for name in ("test", "group", "time", "drop", "known", "types", "weight", "candidates", "plan")
    )
    assert call["n_jobs"] is None


def test_the_two_parts_of_a_deployment_may_be_written_in_any_order(
    table: Path, heldout: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    audit = stand_in()
    heldout("audit", table, "--target", "y", "--deploy", "future, new-groups", "--out", table.parent / "out")
    assert audit.calls[0]["deploy"] == "new-groups,future"


def test_names_are_split_at_commas_and_quoted_ones_are_kept_whole() -> None:
    assert split_names(["a, b", '"x, y",a', ""]) == ["a", "b", "x, y"]
    assert split_names(None) == []


def test_a_column_type_may_hold_an_equals_sign_in_the_column_name() -> None:
    assert column_types(["a=b=number"]) == {"a=b": "number"}
    assert column_types([]) is None


@pytest.mark.parametrize("value", ["x", "=number", "x=", "x=int"])
def test_a_column_type_that_cannot_be_read_is_named(value: str) -> None:
    with pytest.raises(InvalidInput, match=f"--type .*{value}"):
        column_types([value])


def test_a_module_of_the_users_is_looked_for_in_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/somewhere"])
    assert candidate_names(["ridge"]) == ["ridge"]
    assert sys.path == ["/somewhere"]
    assert candidate_names(["ridge,mine:Model"]) == ["ridge", "mine:Model"]
    assert sys.path == ["", "/somewhere"]
    assert candidate_names(None) is None
