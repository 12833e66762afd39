"""What bad input gets: one line (what, where, how to mend it), exit code 2, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from .conftest import small_frame

ROWS = [f"{i * 0.5},{'ab'[i % 2]},{i * i % 7}.5" for i in range(40)]


def csv(*rows: str, header: str = "x,who,y") -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def with_last(rows: list[str], row: str) -> bytes:
    return csv(*rows[:-1], row)


def dated(dates: list[str]) -> bytes:
    return csv(*(f"{i},{date},{i * i % 7}.5" for i, date in enumerate(dates)), header="x,when,y")


ISO = [f"2024-01-{1 + i % 28:02d}" for i in range(40)]

BAD_TABLES: dict[str, tuple[bytes, list[str], list[str]]] = {
    "empty": (b"", [], ["table.csv", "empty"]),
    "header only": (csv(), [], ["table.csv"]),
    "not UTF-8": (csv(*ROWS[:-1], "3,caf\xe9,1.5").replace("\u00e9".encode(), b"\xe9"), [], ["UTF-8", "line 41"]),
    "ragged": (csv(*ROWS[:10], "1,b", *ROWS[11:]), [], ["line 12"]),
    "duplicate column names": (csv(*ROWS, header="x,x,y"), [], ["'x'"]),
    "target constant": (csv(*(f"{i},a,3" for i in range(40))), [], ["'y'", "constant"]),
    "target all missing": (csv(*(f"{i},a," for i in range(40))), [], ["'y'", "missing"]),
    "target infinite": (with_last(ROWS, "1,a,inf"), [], ["'y'", "infinite", "line 41"]),
    "fewer than 20 rows": (csv(*ROWS[:12]), [], ["12 rows", "20"]),
    "one group only": (csv(*(f"{i},a,{i * i % 7}.5" for i in range(40))), ["--group", "who"], ["'who'", "'a'"]),
    "unparseable times": (dated([*ISO[:-1], "yesterday"]), ["--time", "when"], ["'when'", "yesterday", "line 41"]),
    "mixed date formats": (
        dated([*ISO[:20], *(f"{1 + i % 28}/01/2024" for i in range(20))]),
        ["--time", "when"],
        ["'when'"],
    ),
    "text as time": (csv(*ROWS), ["--time", "who"], ["'who'"]),
    "unknown target": (csv(*ROWS, header="x,who,outcome"), [], ["'y'", "outcome"]),
    "unknown group": (csv(*ROWS), ["--group", "whom"], ["'whom'", "'who'"]),
    "unknown time": (csv(*ROWS), ["--time", "whose"], ["'whose'", "'who'"]),
    "unknown drop": (csv(*ROWS), ["--drop", "x,wo"], ["'wo'", "'who'"]),
    "unknown weight": (csv(*ROWS), ["--weight", "xx"], ["'xx'", "'x'"]),
    "unknown typed column": (csv(*ROWS), ["--type", "whom=category"], ["'whom'", "'who'"]),
    "target as group": (csv(*ROWS), ["--group", "y"], ["'y'", "target"]),
    "unknown positive": (csv(*ROWS), ["--positive", "yes"], ["'yes'"]),
    "unknown metric": (csv(*ROWS), ["--metric", "rmsee"], ["'rmsee'", "rmse"]),
    "unknown candidate": (csv(*ROWS), ["--candidates", "forrest"], ["'forrest'", "forest"]),
    "module that is not there": (csv(*ROWS), ["--candidates", "no.such:thing"], ["no.such:thing"]),
    "no groups for new groups": (csv(*ROWS), ["--deploy", "new-groups"], ["new-groups", "group"]),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_that_cannot_be_audited_gets_one_line_and_leaves_no_folder(
    case: str, tmp_path: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    content, options, fragments = BAD_TABLES[case]
    path, folder = tmp_path / "table.csv", tmp_path / "out"
    path.write_bytes(content)
    outcome = heldout("audit", path, "--target", "y", "--out", folder, *options)
    is_one_line(outcome, *fragments)
    assert not folder.exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["table.csv"]


def test_a_file_that_is_not_there_gets_one_line(
    tmp_path: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    outcome = heldout("audit", tmp_path / "absent.csv", "--target", "y", "--out", tmp_path / "out")
    is_one_line(outcome, "absent.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--metric"], ["--metric"]),
        (["--grop", "x"], ["--grop", "--group", "heldout audit --help"]),
        (["--deploy", "tomorrow"], ["tomorrow", "future"]),
        (["--task", "ranking"], ["ranking", "classification"]),
        (["--confidence-level", "95"], ["95", "0.95"]),
        (["--time-budget", "0"], ["--time-budget"]),
        (["--time-budget", "soon"], ["soon"]),
        (["--seed", "-1"], ["-1", "0"]),
        (["--seed=-1"], ["'-1'"]),
        (["--threads", "0"], ["--threads"]),
        (["--type", "x"], ["COLUMN=KIND", "'x'"]),
        (["--type", "x=colour"], ["'colour'", "category"]),
        (["--fail-on", "rain"], ["rain", "baseline"]),
        (["--plan", "absent.json"], ["absent.json"]),
    ],
)
def test_a_wrong_option_gets_one_line_before_any_work(
    options: list[str], fragments: list[str], table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    folder = table.parent / "out"
    is_one_line(heldout("audit", table, "--target", "outcome", "--out", folder, *options), *fragments)
    assert not folder.exists()


def test_a_missing_argument_and_an_unknown_command_get_one_line(
    heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    is_one_line(heldout("audit"), "DATA", "heldout audit --help")
    is_one_line(heldout("audit", "x.csv"), "--target")
    is_one_line(heldout("adit"), "'adit'", "heldout --help")


@pytest.mark.parametrize("command", ["audit", "demo"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_work_begins(
    command: str,
    table: Path,
    heldout: Callable[..., Any],
    is_one_line: Callable[..., None],
    stand_in: Callable[..., Any],
) -> None:
    audit = stand_in()
    arguments = [table, "--target", "outcome"] if command == "audit" else []
    before = table.read_bytes()
    outcome = heldout(command, *arguments, "--out", table / "below")
    is_one_line(outcome, str(table / "below"), "--out")
    assert audit.calls == []
    assert table.read_bytes() == before


@pytest.mark.parametrize(("content", "fragment"), [(b"{", "not JSON"), (b"[]", "no report"), (b"{}", "no plan")])
def test_a_plan_that_is_no_report_is_refused(
    content: bytes, fragment: str, table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    plan, folder = table.with_name("plan.json"), table.parent / "out"
    plan.write_bytes(content)
    outcome = heldout("audit", table, "--target", "outcome", "--plan", plan, "--out", folder)
    is_one_line(outcome, fragment)
    assert not folder.exists()


def test_a_column_name_with_line_breaks_does_not_break_the_one_line(
    tmp_path: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    path = tmp_path / "table.csv"
    small_frame().rename({"outcome": "out\ncome"}).write_csv(path)
    is_one_line(heldout("audit", path, "--target", "outcome", "--out", tmp_path / "out"), "outcome")


def test_a_fault_of_our_own_is_told_apart_from_bad_input(
    table: Path, heldout: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("heldout.auditing.audit", broken)
    outcome = heldout("audit", table, "--target", "outcome", "--out", table.parent / "out")
    assert outcome.code == 70
    assert "ZeroDivisionError: a fault" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("heldout: this is a fault in heldout")


@pytest.mark.parametrize(
    ("error", "fragment"),
    [
        (MemoryError(), "not enough memory"),
        (PermissionError(13, "Permission denied", "x.csv"), "x.csv: Permission denied"),
    ],
)
def test_what_the_machine_refuses_gets_one_line(
    error: Exception,
    fragment: str,
    table: Path,
    heldout: Callable[..., Any],
    is_one_line: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("heldout.auditing.audit", refused)
    is_one_line(heldout("audit", table, "--target", "outcome", "--out", table.parent / "out"), fragment)


def test_iid_without_a_target_needs_rows_too(
    tmp_path: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    path = tmp_path / "table.csv"
    pl.DataFrame({"x": [1.0, 2.0, 3.0]}).write_csv(path)
    is_one_line(heldout("iid", path), "3 rows", "20")
