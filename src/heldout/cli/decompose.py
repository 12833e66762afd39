"""`heldout decompose`: how much of a candidate's error is variance."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from heldout.cli import options
from heldout.cli.failures import EXIT_DONE
from heldout.cli.output import as_json, emit
from heldout.cli.single_stage import Request, Stage, fits_in_threads, open_stage, wrapped

__all__ = ["decompose", "decomposition_text"]

PARTS = ("expected_loss", "variance", "bias_plus_noise")
LOSS_LABELS = {"squared_error": "mean squared error", "zero_one": "error rate"}


def decompose(
    data: options.Data,
    target: options.Target,
    candidate: options.Candidate = None,
    group: options.Group = None,
    time: options.Time = None,
    drop: options.Drop = None,
    types: options.Type = None,
    deploy: options.Deploy = "auto",
    horizon: options.Horizon = 0,
    task: options.Task = None,
    partitions: Annotated[
        int, typer.Option("--partitions", metavar="N", min=2, help="Cuts of each training part into halves.")
    ] = 5,
    confidence_level: options.ConfidenceLevel = 0.95,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    print_json: options.Json = False,
) -> int:
    """Split a candidate's error into variance and bias plus noise.

    Each training part is cut in two disjoint halves, and a model is fitted on each: how far the two disagree is the
    variance of a model trained on half the rows. Squared error, or zero-one loss for classes (Kohavi and Wolpert).
    """
    request = Request(
        data=data, target=target, group=group, time=time, drop=drop, types=types, deploy=deploy, horizon=horizon,
        task=task, seed=seed, threads=threads, confidence_level=confidence_level,
    )  # fmt: skip
    document = _decompose_candidate(open_stage(request, candidate or "forest"), partitions)
    emit(as_json(document) if print_json else decomposition_text(document))
    return EXIT_DONE


def _decompose_candidate(stage: Stage, n_partitions: int) -> dict[str, Any]:
    from heldout.auditing.document import plain
    from heldout.auditing.shortfall import decompose_candidate

    with fits_in_threads():
        parts = decompose_candidate(stage.candidate, stage.setting, n_partitions=n_partitions)
    fields = [name + ending for name in PARTS for ending in ("", "_ci", "_standard_error")]
    values = {field: getattr(parts, field) for field in fields}
    kept = ("loss", "label", "method", "n_train", "n_fits", "n_partitions", "n_units", "confidence_level")
    document: dict[str, Any] = plain(
        {
            "name": stage.candidate.name,
            "candidate_label": stage.candidate.label,
            "split": stage.heading,
            **{field: getattr(parts, field) for field in kept},
            **values,
        }
    )
    return document


def _ends(document: dict[str, Any], name: str) -> tuple[float | None, float | None, float]:
    low, high = document[f"{name}_ci"] or (None, None)
    return low, high, document["confidence_level"]


def decomposition_text(document: dict[str, Any]) -> str:
    """Return the parts as lines of text."""
    from heldout.auditing.wording import interval, percent

    def line(name: str, words: str) -> str:
        share = document[name] / document["expected_loss"] if document["expected_loss"] else None
        value = interval(document[name], *_ends(document, name))
        return f"  {words:<16} {value}" + (f", {percent(share)} of it" if share is not None else "")

    whole = interval(document["expected_loss"], *_ends(document, "expected_loss"))
    heading = f"{document['candidate_label']}: {LOSS_LABELS[document['loss']]} {whole} {document['label']}"
    size = f"trained on {document['n_train']:,} rows; {document['n_fits']} fits"
    return "\n".join(
        [
            wrapped(document["split"], f"{heading} ({size})"),
            line("variance", "variance"),
            line("bias_plus_noise", "bias plus noise"),
            wrapped("With one target per row, bias and noise cannot be told apart."),
        ]
    )
