"""The command line: one module per command, which parses, calls and prints.

Every command returns its exit code: 0 done, 1 a ``--fail-on`` condition holds, 2 a usage or data error (one
line on stderr), 130 interrupted. stdout carries the result alone; progress and notes go to stderr.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NoReturn

import typer

import heldout
from heldout.cli.audit import audit
from heldout.cli.decompose import decompose
from heldout.cli.demo import demo
from heldout.cli.evaluate import evaluate
from heldout.cli.failures import EXIT_INTERRUPTED, EXIT_USAGE, complain, explain, report_fault
from heldout.cli.iid import iid
from heldout.cli.output import emit
from heldout.cli.predict import predict

__all__ = ["app", "main", "run"]

_COMPLETION = "_HELDOUT_COMPLETE"

# Plain help, not rich markup: importing rich for it would double the time of `heldout --help`.
app = typer.Typer(
    name="heldout",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

# What each command is for, in one line that somebody could type.
_EXAMPLES: dict[Callable[..., int], str] = {
    audit: "heldout audit patients.csv --target outcome --group subject --drop id --out report",
    iid: "heldout iid sales.csv --target revenue --time day",
    evaluate: "heldout evaluate patients.csv --target outcome --group subject --candidate boosting",
    decompose: "heldout decompose patients.csv --target outcome --group subject --candidate tree",
    predict: "heldout predict report/model.heldout new.csv --out predictions.csv",
    demo: "heldout demo --out demo",
}
for _command, _example in _EXAMPLES.items():
    app.command(epilog=f"Example:  {_example}")(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        emit(f"heldout {heldout.__version__}")
        raise typer.Exit


@app.callback()
def _heldout(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find out how well a model will do on unseen data, why it falls short, and what would do better.

    Start with: heldout audit data.csv --target COLUMN
    """


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never prints a traceback for what the user can mend.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process when not given.

    Examples
    --------
    >>> from heldout.cli import run
    >>> run(["--version"])
    heldout 0.1.0
    0
    """
    command = typer.main.get_command(app)
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        return _invoke(command, arguments)
    except (SystemExit, typer.Exit) as stop:
        code = getattr(stop, "exit_code", getattr(stop, "code", 0))
        return code if isinstance(code, int) else EXIT_USAGE
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted before anything was finished: nothing was written")
        return EXIT_INTERRUPTED
    except Exception as error:
        message = explain(error, arguments)
        if message is None:
            return report_fault(error)
        complain(message)
        return EXIT_USAGE


def _invoke(command: Any, arguments: list[str]) -> int:
    if _COMPLETION in os.environ:  # the shell asks for completions, not for a run
        command(args=arguments, prog_name="heldout")
    # Context and invocation by hand: `command.main` would print usage errors and interrupts its own way.
    with command.make_context("heldout", arguments, obj=shlex.join(["heldout", *arguments])) as context:
        code = command.invoke(context)
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Run the command of the process and leave with its exit code."""
    if not sys.warnoptions:  # stderr is for what the user can act on; PYTHONWARNINGS and -W still show all
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"  # processes that fit models inherit it
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:  # a file is UTF-8, as those that are read
            sys.stdout.reconfigure(encoding="utf-8")
    raise SystemExit(run())
