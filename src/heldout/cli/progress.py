"""Progress on stderr: bars on a terminal, a line now and then elsewhere, each stage with the time left."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

__all__ = ["PlainProgress", "Progress", "TerminalProgress", "progress_on"]


class Progress(Protocol):
    """What a command hands to the audit: called with the stage, steps done and steps in all."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note of `done` of `total` steps of `stage`."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End, leaving the terminal clean."""
        ...


def progress_on(stream: TextIO | None = None) -> Progress:
    """Return bars when `stream` (stderr) is a terminal that wants them, else plain lines.

    NO_COLOR and TERM=dumb ask for plain lines.
    """
    stream = sys.stderr if stream is None else stream
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return PlainProgress(stream) if plain or not stream.isatty() else TerminalProgress(stream)


class PlainProgress:
    """A line at most every `every` seconds, so that a log shows life and a quick run is silent.

    Examples
    --------
    >>> import sys
    >>> ticks = iter([0.0, 1.0, 1.0, 7.0])
    >>> progress = PlainProgress(sys.stdout, every=5.0, clock=lambda: next(ticks))
    >>> progress("candidates", 0, 4)
    >>> progress("candidates", 3, 4)
       7 s  candidates: 3 of 4, about 2 s left
    """

    def __init__(self, stream: TextIO, *, every: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._every = every
        self._clock = clock
        self._began = self._printed = clock()
        self._stage: str | None = None
        self._stage_began = self._began

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Print a line when the last one is long enough ago."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._stage_began = stage, self._clock()
        if now - self._printed < self._every:
            return
        self._printed = now
        left = _time_left(now - self._stage_began, done, total)
        steps = f": {done} of {total}" if total > 1 else ""
        line = f"{now - self._began:4.0f} s  {stage}{steps}{left}"
        with contextlib.suppress(BrokenPipeError):
            print(line, file=self._stream, flush=True)


def _time_left(elapsed: float, done: int, total: int) -> str:
    if not 0 < done < total:
        return ""
    return f", about {elapsed * (total - done) / done:.0f} s left"


class TerminalProgress:
    """One bar per stage with the time left, drawn by rich and gone when the work is done."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Begin drawing."""
        self._bars.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Wipe the bars."""
        self._bars.__exit__(kind, value, trace)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of `stage`."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)
