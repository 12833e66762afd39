"""`heldout predict`: predictions of a fitted model for new rows, or the next steps of series."""

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
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="SHARE", help="Forecasts: add the interval that is to hold so many values."),
    ] = None,
    future: Annotated[
        Path | None,
        typer.Option("--future", metavar="FILE", help="Forecasts: columns known in advance, for the steps to come."),
    ] = None,
    trust: options.Trust = None,
) -> int:
    """Predict new rows with a fitted model, or forecast the next steps of series.

    One row comes out for each row that goes in, in the same order. A model of an audit of forecasts gives
    the next horizon of each series in DATA instead, whose rows need only go on from those it knows.
    Columns are checked against those of the training table: a missing column or one of another type ends
    it; levels, values and series never seen in training are told on stderr.
    """
    if out is not None:
        _check_ending(out)
    if interval is not None and not 0 < interval < 1:
        raise InvalidInput(f"--interval must lie between 0 and 1, got {interval:g}: try 0.9")
    from heldout.auditing import load
    from heldout.auditing.forecast_model import ForecastModel

    fitted = load(model, trust=tuple(trust or ()))
    if isinstance(fitted, ForecastModel):
        predictions, lines = _forecasts(fitted, data, future, interval)
    else:
        _refuse_what_forecasts_take(interval, future)
        predictions, lines = _predictions(fitted, data)
    if out is None:
        emit(predictions.write_csv().rstrip("\n"))
    else:
        buffer = io.BytesIO()
        _WRITERS[out.suffix.lower()](predictions, buffer)
        write_file(out, buffer.getvalue())
    for line in lines:
        note(line)
    return EXIT_DONE


def _predictions(fitted: Any, data: Path) -> tuple[Any, list[str]]:
    from heldout.table import read_as

    rows, notes = read_as(data, fitted.schema)
    predictions, _ = fitted.predict_with_notes(rows)
    return predictions, _note_lines(notes)


def _forecasts(fitted: Any, data: Path, future: Path | None, interval: float | None) -> tuple[Any, list[str]]:
    predictions, notes = fitted.predict_with_notes(data, future=future, interval=interval)
    return _with_plain_times(predictions), list(notes)


def _with_plain_times(frame: Any) -> Any:
    """Return dates without the hour where all are at midnight, and times without fractions of a second."""
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype != pl.Datetime("us"):
            continue
        whole_days = frame[name].dt.truncate("1d") == frame[name]
        whole_seconds = frame[name].dt.truncate("1s") == frame[name]
        if whole_days.all():
            frame = frame.with_columns(pl.col(name).dt.date())
        elif whole_seconds.all():
            frame = frame.with_columns(pl.col(name).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%d %H:%M:%S"))
    return frame


def _refuse_what_forecasts_take(interval: float | None, future: Path | None) -> None:
    if interval is not None:
        raise InvalidInput(
            f"--interval {interval:g}: this model predicts rows, and intervals of those are not there yet; leave it out"
        )
    if future is not None:
        raise InvalidInput(f"--future {future}: this model predicts rows and forecasts no series; leave it out")


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
