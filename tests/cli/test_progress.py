from __future__ import annotations

import io
import re

import pytest

from heldout.cli.progress import PlainProgress, TerminalProgress, progress_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_quick_run_prints_no_progress() -> None:
    stream = io.StringIO()
    with PlainProgress(stream) as progress:
        for done in range(3):
            progress("candidates", done, 3)
    assert stream.getvalue() == ""


def test_plain_progress_tells_stage_steps_and_the_time_left_at_most_once_in_a_while() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, every=5.0, clock=clock)
    progress("reading", 0, 1)
    clock.now = 6.0
    progress("candidates", 0, 4)
    clock.now = 8.0
    progress("candidates", 1, 4)
    clock.now = 12.0
    progress("candidates", 2, 4)
    # Two steps took 6 seconds, so two more take 6.
    assert stream.getvalue().splitlines() == [
        "   6 s  candidates: 0 of 4",
        "  12 s  candidates: 2 of 4, about 6 s left",
    ]


def test_a_stage_of_one_step_is_named_without_counting() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, every=1.0, clock=clock)
    clock.now = 2.0
    progress("iid", 0, 1)
    assert stream.getvalue() == "   2 s  iid\n"


def test_a_closed_pipe_does_not_end_the_work() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    clock = Clock()
    progress = PlainProgress(Closed(), every=1.0, clock=clock)
    clock.now = 2.0
    progress("iid", 0, 1)


@pytest.fixture
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal()


def test_a_terminal_gets_bars_with_the_time_left_and_is_left_clean(a_terminal: Terminal) -> None:
    with progress_on(a_terminal) as progress:
        assert isinstance(progress, TerminalProgress)
        progress("candidates", 0, 3)
        progress("candidates", 1, 3)
        progress("decomposition", 0, 2)
    drawn = a_terminal.getvalue()
    assert "candidates" in drawn
    assert "1/3" in drawn
    assert "decomposition" in drawn
    # Transient bars: the last thing sent erases lines.
    assert re.search(r"\x1b\[2K[^a-z]*$", drawn)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_plain_lines_can_be_asked_for(
    name: str, value: str, a_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert isinstance(progress_on(a_terminal), PlainProgress)


def test_a_pipe_gets_plain_lines() -> None:
    assert isinstance(progress_on(io.StringIO()), PlainProgress)
