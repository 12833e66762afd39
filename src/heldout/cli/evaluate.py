"""`heldout evaluate`: the error of one candidate, or of predictions made elsewhere, with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from heldout.cli import options
from heldout.cli.failures import EXIT_DONE
from heldout.cli.output import as_json, emit
from heldout.cli.progress import progress_on
from heldout.cli.single_stage import Request, Stage, fits_in_threads, open_stage, wrapped
from heldout.errors import InvalidInput

__all__ = ["evaluate", "evaluation_text"]


def evaluate(
    data: options.Data,
    target: options.Target,
    candidate: options.Candidate = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions", metavar="FILE", help="A table with predictions made elsewhere, one for each row of DATA."
        ),
    ] = None,
    prediction: Annotated[
        str | None,
        typer.Option("--prediction", metavar="COLUMN", help="Its column: values, classes or probabilities."),
    ] = None,
    group: options.Group = None,
    time: options.Time = None,
    drop: options.Drop = None,
    types: options.Type = None,
    positive: options.Positive = None,
    deploy: options.Deploy = "auto",
    horizon: options.Horizon = 0,
    task: options.Task = None,
    metric: options.Metric = None,
    confidence_level: options.ConfidenceLevel = 0.95,
    time_budget: options.TimeBudget = 120.0,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    print_json: options.Json = False,
) -> int:
    """Estimate the error on new rows, with its interval.

    Of one candidate (forest when none is named): rows are held out as the audit would hold them out. Or, with
    --predictions and --prediction, of held-out predictions made elsewhere; with --prediction alone they are a column
    of DATA.
    """
    request = Request(
        data=data, target=target, group=group, time=time, drop=drop, types=types, deploy=deploy, horizon=horizon,
        task=task, seed=seed, threads=threads, positive=positive, metric=metric, confidence_level=confidence_level,
    )  # fmt: skip
    if prediction is not None or predictions is not None:
        if prediction is None:
            raise InvalidInput("--predictions needs --prediction COLUMN, to know which column holds them")
        if candidate is not None:
            raise InvalidInput("--candidate and --prediction exclude each other: leave one out")
        document = _evaluate_column(request, predictions or data, prediction)
    else:
        document = _evaluate_candidate(open_stage(request, candidate or "forest"), time_budget)
    emit(as_json(document) if print_json else evaluation_text(document))
    return EXIT_DONE


def _evaluate_column(request: Request, file: Path, column: str) -> dict[str, Any]:
    from heldout.cli.predictions_elsewhere import evaluate_predictions

    estimate, metric, heading = evaluate_predictions(request, file, column)
    return error_document(estimate, name=column, label=column, metric_label=metric.label, split=heading)


def _evaluate_candidate(stage: Stage, time_budget: float) -> dict[str, Any]:
    from heldout.auditing.plan import Clock, PlanKept
    from heldout.auditing.scoring import score_candidates

    setting, candidate = stage.setting, stage.candidate
    with fits_in_threads(), progress_on() as progress:
        scored = score_candidates([candidate], setting, PlanKept(time_budget), Clock(time_budget), progress)
    estimate = scored[candidate.name].estimate
    return error_document(
        estimate, name=candidate.name, label=candidate.label, metric_label=setting.metric.label, split=stage.heading
    )


def error_document(estimate: Any, *, name: str, label: str, metric_label: str, split: str | None) -> dict[str, Any]:
    """Return an error estimate as plain JSON values, without the losses of single rows."""
    from heldout.auditing.document import plain

    kept = (
        "metric", "error", "ci_low", "ci_high", "standard_error", "confidence_level", "training_error", "method",
        "estimand", "indicative", "note", "n_fits", "n_rows", "n_units",
    )  # fmt: skip
    values = {field: getattr(estimate, field) for field in kept}
    head = {"name": name, "label": label, "metric_label": metric_label, "split": split}
    document: dict[str, Any] = plain({**head, **values})
    return document


def evaluation_text(document: dict[str, Any]) -> str:
    """Return the result as at most a screen of text."""
    from heldout.auditing.wording import interval, number

    error = interval(document["error"], document["ci_low"], document["ci_high"], document["confidence_level"])
    training = document["training_error"]
    return wrapped(
        document["split"],
        f"{document['label']}: {document['metric_label']} {error}",
        None if training is None else f"On training rows: {number(training)} (the gap is not the variance)",
        f"Method: {document['method']}; {document['n_fits']} fits, {document['n_rows']:,} rows, "
        f"{document['n_units']:,} independent units{', indicative only' if document['indicative'] else ''}",
        f"Estimand: {document['estimand']}",
        document["note"] and f"Note: {document['note']}",
    )
