"""Write docs/command_line.md from the command line itself: ``python docs/make_command_line.py``.

A test holds the page equal to what this script makes, so the two cannot drift apart. The page is made from the options
and not from the text of ``--help``, whose layout changes with the version of typer.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import typer

from heldout.cli import app

PAGE = Path(__file__).with_name("command_line.md")

HEAD = """# The command line

<!-- Made by docs/make_command_line.py: change the options in src/heldout/cli, then run it. -->

`heldout COMMAND --help` says the same on the terminal. stdout carries the result alone (text, or JSON with
`--json`); progress and notes go to stderr: bars on a terminal, plain lines elsewhere or when `NO_COLOR` is set.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a `--fail-on` condition holds; everything is written all the same |
| 2 | a usage or data error: one line on stderr says what, where and how to mend it; nothing is written |
| 70 | a fault in heldout: please report it with the lines printed |
| 130 | interrupted (Ctrl-C): what was finished is written |
"""

# What each condition of --fail-on means is too long for its help text.
CONDITIONS = """
`--fail-on iid` holds when more rows of the `--test` file are exact copies of training rows than values that repeat by
chance explain, or when the interval of the gap between the safe and the random split lies above 2 % of the error.
`--fail-on baseline` holds when the interval of the improvement over the baseline reaches 0, or is not known.
"""


def page() -> str:
    """Return the page as Markdown."""
    group: Any = typer.main.get_command(app)
    return HEAD + "".join(_section(name, command) for name, command in group.commands.items())


def _section(name: str, command: Any) -> str:
    required = [_placeholder(parameter) for parameter in command.params if parameter.required]
    lines = [f"\n## heldout {name}\n", inspect.cleandoc(command.help), ""]
    lines += ["    " + " ".join(["heldout", name, *required, "[options]"]), ""]
    lines += ["| argument or option | meaning | default |", "|---|---|---|"]
    lines += [_row(parameter) for parameter in command.params if not parameter.hidden]
    lines += ["", f"`{command.epilog.removeprefix('Example:').strip()}`", ""]
    return "\n".join(lines) + (CONDITIONS if name == "audit" else "")


def _placeholder(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    return f"{parameter.opts[0]} {parameter.metavar}"


def _row(parameter: Any) -> str:
    names = parameter.metavar
    if parameter.param_type_name != "argument":
        names = ", ".join(sorted(parameter.opts, key=len, reverse=True))
        names += f" {parameter.metavar}" if parameter.metavar else ""
    default = "required" if parameter.required else _default(parameter.default)
    return f"| `{_cell(names)}` | {_cell(parameter.help)} | {_cell(default)} |"


def _default(value: Any) -> str:
    return "" if value is None or value is False else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
