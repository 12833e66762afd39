"""What all tests share: the seed, where open data lies, and single-threaded numerics under parallel test workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Tests import their own small modules by name: tests/statistical.py, tests/honesty/tables.py.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "honesty")]


@pytest.fixture
def seed() -> int:
    """One fixed seed by default; HELDOUT_TEST_SEED runs the suite with another, so no test may hang on it."""
    return int(os.environ.get("HELDOUT_TEST_SEED", "0"))


@pytest.fixture(scope="session")
def open_data() -> Path:
    """The folder of open data sets beside the project, where there is one."""
    folder = Path(os.environ.get("HELDOUT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no open data sets at {folder}: set HELDOUT_DATA to run this test")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every measured rate, hits / runs, whichever worker measured it and whether it passed or not."""
    rates = [
        line
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, text in report.sections
        if "stdout" in name
        for line in text.splitlines()
        if " / " in line and "claimed" in line
    ]
    if rates:
        terminalreporter.section("rates measured (hits / runs)")
        for line in sorted(set(rates)):
            terminalreporter.line(line)
