"""A small table on disk, and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from heldout.cli import run


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def heldout(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command in this process: a new interpreter for each test would cost seconds."""

    def call(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def small_frame(n_rows: int = 80) -> pl.DataFrame:
    """Rows with a number, a category, a group of four rows and a target that the number explains."""
    draws = np.random.default_rng(7)
    x = draws.normal(size=n_rows)
    return pl.DataFrame(
        {
            "x": x.round(4),
            "colour": np.array(["red", "green", "blue"])[draws.integers(3, size=n_rows)],
            "subject": [f"s{row // 4:02d}" for row in range(n_rows)],
            "outcome": (2 * x + draws.normal(scale=0.3, size=n_rows)).round(4),
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    small_frame().write_csv(path)
    return path


def assert_one_line(outcome: Outcome, *fragments: str) -> None:
    """What bad input gets: exit code 2, nothing on stdout, one line on stderr that names what is wrong."""
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("heldout: ")
    for fragment in fragments:
        assert fragment in lines[0]


@pytest.fixture
def is_one_line() -> Callable[..., None]:
    return assert_one_line


def report_document(**changes: Any) -> dict[str, Any]:
    """The parts of a report that the command line looks at."""
    document: dict[str, Any] = {
        "verdict": "Rows are held out at random. Ridge regression: RMSE 0.31.",
        "winner": {"label": "ridge regression", "improvement_ci": [0.6, 0.9]},
        "optimism": {
            "metric": "rmse",
            "metric_label": "RMSE",
            "error_random": None,
            "error_safe": None,
            "ci_low": None,
        },
        "test": None,
    }
    return document | changes


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    return report_document


class StandInAudit:
    """An audit that is already done, for tests of what the command line does around one."""

    def __init__(self, document: dict[str, Any], interrupted: bool = False) -> None:
        self.document, self.interrupted = document, interrupted
        self.calls: list[dict[str, Any]] = []

    def __call__(self, data: Path, target: str, **arguments: Any) -> StandInAudit:
        self.calls.append({"data": data, "target": target, **arguments})
        arguments["progress"]("iid", 0, 1)
        return self

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text("{}")

    def to_dict(self) -> dict[str, Any]:
        return self.document


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., StandInAudit]:
    def install(document: dict[str, Any] | None = None, *, interrupted: bool = False) -> StandInAudit:
        audit = StandInAudit(document or report_document(), interrupted)
        monkeypatch.setattr("heldout.auditing.audit", audit)
        return audit

    return install
