"""`heldout demo`: the audit of a small real table that ships with the package."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from heldout.cli.audit import perform_audit, summary
from heldout.cli.failures import EXIT_DONE, EXIT_INTERRUPTED
from heldout.cli.output import emit

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the table and its report go.")] = Path(
        "heldout-demo"
    ),
) -> int:
    """Audit a small real table that ships with heldout.

    15 speakers say 11 vowels, so whole speakers have to be held out. Copies the table (990 rows; UCI,
    CC BY 4.0) into DIR, runs the command it prints, and writes the report beside it.
    """
    from heldout.auditing.result import check_folder
    from heldout.examples import copy_vowel, vowel_plan_path

    check_folder(out)
    table = copy_vowel(out)
    # A written plan instead of the clock's: the same numbers on every machine, fast or slow.
    plan = table.with_name(vowel_plan_path().name)
    choices = ["--target", "Class", "--group", "SpeakerNumber", "--drop", "TT", "--plan", str(plan), "--out", str(out)]
    command = shlex.join(["heldout", "audit", str(table), *choices])
    arguments: dict[str, Any] = {
        "group": ["SpeakerNumber"],
        "drop": ["TT"],
        "plan": json.loads(plan.read_text("utf-8")),
        "command": command,
    }
    emit(f"$ {command}\n")
    document, interrupted = perform_audit(table, "Class", out, arguments)
    emit(summary(document, out.resolve()))
    return EXIT_INTERRUPTED if interrupted else EXIT_DONE
