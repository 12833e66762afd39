"""How the command line fails: exit codes, and one line that says what, where and how to mend it."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import typer

from heldout.cli.output import note
from heldout.errors import HeldoutError

__all__ = [
    "EXIT_CONDITION",
    "EXIT_DONE",
    "EXIT_FAULT",
    "EXIT_INTERRUPTED",
    "EXIT_USAGE",
    "complain",
    "explain",
    "report_fault",
]

EXIT_DONE = 0
EXIT_CONDITION = 1
EXIT_USAGE = 2
EXIT_FAULT = 70  # EX_SOFTWARE of sysexits.h: 1 and 2 already mean something else here
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Older typer takes click's exceptions, newer has its own; BadParameter < UsageError < ClickException in both.
_CLICK_EXCEPTION: type[BaseException] = typer.BadParameter.__mro__[2]


def complain(message: str) -> None:
    """Print one line on stderr, whatever line breaks the message had."""
    note("heldout: " + " ".join(message.split()))


def explain(error: Exception, arguments: Sequence[str] = ()) -> str | None:
    """Return what the user did not get right and how to mend it, or None where the fault is ours."""
    if isinstance(error, _CLICK_EXCEPTION):
        return _usage(error, arguments)
    if isinstance(error, HeldoutError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory for this table: give fewer rows or columns, or a machine with more"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}: check the path and its permissions"
    return None


def _usage(error: BaseException, arguments: Sequence[str]) -> str:
    message = getattr(error, "format_message", lambda: str(error))().strip().rstrip(".")
    given = _given(getattr(getattr(error, "param", None), "opts", ()), arguments)
    if given is not None and given not in message:
        message += f", got {given!r}"
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "heldout"
    return f"{message} (see '{path} --help')"


def _given(names: Sequence[str], arguments: Sequence[str]) -> str | None:
    """Return the value that followed an option, which typer does not always name."""
    for word, follower in zip(arguments, [*arguments[1:], None], strict=True):
        name, equals, value = word.partition("=")
        if name in names and name.startswith("-"):
            return value if equals else follower
    return None


def report_fault(error: Exception) -> int:
    """Print the traceback of a fault of heldout's own, and what to do with it."""
    traceback.print_exception(error)
    complain("this is a fault in heldout, not in your data: please report it with the lines above")
    return EXIT_FAULT
