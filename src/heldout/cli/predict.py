"""`heldout predict`: predictions of a fitted model for new rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from heldout.cli import options
from heldout.cli.failures import EXIT_DONE
from heldout.cli.output import emit, note, write_file
from heldout.errors import DataError, InvalidInput

__all__ = ["predict"]

_WRITERS: dict[str, Callable[[Any, io.BytesIO], Any]] = {
    ".csv": lambda frame, buffer: frame.write_csv(buffer),
    ".tsv": lambda frame, buffer: frame.write_csv(buffer, separator="\t"),
    ".jsonl": lambda frame, buffer: frame.write_ndjson(buffer),
    ".parquet": lambda frame, buffer: frame.write_parquet(buffer),
}


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.heldout written by heldout audit.")],
    data: options.Data,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write .csv, .tsv, .jsonl or .parquet instead of stdout."),
    ] = None,
    trust: options.Trust = None,
    interval: Annotated[float | None, typer.Option("--interval", hidden=True)] = None,
) -> int:
    """Predict new rows with a fitted model.

    One row comes out for each row that goes in, in the same order. Columns are checked against those of
    the training table: a missing column or one of another type ends it; levels and values never seen in
    training are told on stderr.
    """
    if interval is not None:
        raise InvalidInput("--interval: prediction intervals are not there yet; leave it out to get predictions")
    if out is not None:
        _check_ending(out)
    from heldout.auditing import load
    from heldout.table import read_as

    fitted = load(model, trust=tuple(trust or ()))
    rows, notes = read_as(data, fitted.schema)
    predictions, _ = fitted.predict_with_notes(rows)
    if out is None:
        emit(predictions.write_csv().rstrip("\n"))
    else:
        buffer = io.BytesIO()
        _WRITERS[out.suffix.lower()](predictions, buffer)
        write_file(out, buffer.getvalue())
    for line in _note_lines(notes):
        note(line)
    return EXIT_DONE


def _check_ending(out: Path) -> None:
    if out.suffix.lower() not in _WRITERS:
        raise InvalidInput(f"--out {out}: unknown ending {out.suffix!r}; choose one of {', '.join(_WRITERS)}")
    if not out.absolute().parent.is_dir():
        raise DataError(f"--out {out}: there is no folder {out.parent}; make it first")


def _note_lines(notes: Iterable[Any]) -> list[str]:
    notes = list(notes)
    lines = [
        f"{one.column}: {one.what} in {one.n_rows:,} {'row' if one.n_rows == 1 else 'rows'}"
        + ("" if one.example == "missing" else f" (such as {one.example})")
        for one in notes
        if one.what != "extra column"
    ]
    extra = [one.column for one in notes if one.what == "extra column"]
    if extra:
        shown = ", ".join(extra[:8]) + (f" and {len(extra) - 8} more" if len(extra) > 8 else "")
        lines.append(f"columns that the model does not use: {shown}")
    return lines
