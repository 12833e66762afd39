"""`heldout audit`: one table in, a verdict, a report and a model out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from heldout.cli import options
from heldout.cli.conditions import broken_conditions, parse_conditions
from heldout.cli.failures import EXIT_CONDITION, EXIT_DONE, EXIT_INTERRUPTED
from heldout.cli.output import as_json, emit, note
from heldout.cli.progress import progress_on
from heldout.errors import DataError

__all__ = ["audit", "perform_audit", "summary"]

DEFAULT_FOLDER = Path("heldout-report")


def audit(
    context: typer.Context,
    data: options.Data,
    target: options.Target,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Rows kept aside: compared and scored, never used for choice."),
    ] = None,
    group: options.Group = None,
    time: options.Time = None,
    drop: options.Drop = None,
    types: options.Type = None,
    weight: options.Weight = None,
    positive: options.Positive = None,
    deploy: options.Deploy = "auto",
    horizon: options.StepsAhead = 0,
    known: options.Known = None,
    task: options.Task = None,
    metric: options.Metric = None,
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            "--candidates",
            metavar="NAME,NAME",
            help="Only these, and the baseline; package.module:estimator for one of your own. Forecasts: "
            "seasonal-naive, drift, ridge, attention, ...",
        ),
    ] = None,
    time_budget: options.TimeBudget = 120.0,
    confidence_level: options.ConfidenceLevel = 0.95,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Where report.html, report.json, model.heldout go."),
    ] = DEFAULT_FOLDER,
    print_json: options.Json = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="iid,baseline",
            help="Exit with 1 if a random split would have lied, or nothing beats the baseline.",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="A report.json whose plan is repeated to the bit."),
    ] = None,
) -> int:
    """Find out how well a model will do on new rows, and why.

    Finds out which rows depend on each other, holds rows out accordingly, compares candidates, splits
    their error into variance and bias, and writes DIR/report.html, DIR/report.json and DIR/model.heldout.
    With --time, --horizon and a number as target it forecasts: the last part of time is held out, and
    naive forecasts, models on lags and attention stand side by side.
    """
    conditions = parse_conditions(fail_on)
    arguments = {
        "test": test,
        "group": group,
        "time": time,
        "drop": options.split_names(drop),
        "types": options.column_types(types),
        "weight": weight,
        "positive": positive,
        "deploy": deploy,
        "horizon": horizon,
        "known": options.split_names(known),
        "task": task,
        "metric": metric,
        "candidates": options.candidate_names(candidates),
        "time_budget": time_budget,
        "confidence_level": confidence_level,
        "random_state": seed,
        "n_jobs": threads,
        "plan": None if plan is None else _read_plan(plan),
        "command": context.obj,
    }
    document, interrupted = perform_audit(data, target, out, arguments)
    emit(as_json(document) if print_json else summary(document, out))
    return _exit_code(document, conditions, interrupted)


def perform_audit(data: Path, target: str, out: Path, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Run the audit, write its folder, and return the report's document and whether it was interrupted."""
    from heldout.auditing import audit as run_audit
    from heldout.auditing.result import check_folder

    check_folder(out)

    with progress_on() as progress:
        result = run_audit(data, target, progress=progress, **arguments)
    result.save(out)
    return result.to_dict(), bool(result.interrupted)


def summary(document: dict[str, Any], out: Path) -> str:
    """Return what an audit prints: the summary, and where the report lies."""
    from heldout.report import summary_text

    return f"{summary_text(document)}\n\nReport: {out / 'report.html'}"


def _exit_code(document: Mapping[str, Any], conditions: list[str], interrupted: bool) -> int:
    if interrupted:
        note("interrupted: this report holds what was finished, and names what was left out")
        return EXIT_INTERRUPTED
    broken = broken_conditions(document, conditions)
    for sentence in broken:
        note(sentence)
    return EXIT_CONDITION if broken else EXIT_DONE


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"--plan {path}: {(error.strerror or str(error)).lower()}; give an earlier report.json"
        ) from error
    except ValueError as error:
        raise DataError(f"--plan {path}: not JSON ({error}); give the report.json of an earlier audit") from error
    if not isinstance(document, dict):
        raise DataError(f"--plan {path}: holds no report; give the report.json of an earlier audit")
    return document
