"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from heldout.errors import InvalidInput

__all__ = [
    "Candidate",
    "ConfidenceLevel",
    "Data",
    "Deploy",
    "Drop",
    "Group",
    "Horizon",
    "Json",
    "Known",
    "Metric",
    "Positive",
    "Seed",
    "StepsAhead",
    "Target",
    "Task",
    "Threads",
    "Time",
    "TimeBudget",
    "Trust",
    "Type",
    "Weight",
    "above_0",
    "candidate_names",
    "column_types",
    "split_names",
]

KINDS = ("number", "category", "boolean", "datetime", "text")
MOST_THREADS = 1024
DEPLOYMENTS = ("auto", "same", "new-groups", "future", "new-groups,future")


def _one_of(values: Sequence[str]) -> Any:
    def check(value: str | None) -> str | None:
        if value is not None and value not in values:
            raise typer.BadParameter(f"got {value!r}: choose one of {', '.join(values)}")
        return value

    return check


def _deployment(value: str) -> str:
    # Order and spaces are nobody's business: "future, new-groups" is meant as it is written here.
    parts = sorted((part.strip() for part in value.split(",")), reverse=True)
    return str(_one_of(DEPLOYMENTS)(",".join(parts)))


def _inside_0_1(value: float) -> float:
    if not 0.0 < value < 1.0:
        raise typer.BadParameter(f"got {value:g}: give a share between 0 and 1, such as 0.95")
    return value


def above_0(value: float) -> float:
    """Refuse what is not above 0."""
    if not value > 0:
        raise typer.BadParameter(f"got {value:g}: give a number above 0")
    return value


def _at_most_so_many(value: int | None) -> int | None:
    # Results do not depend on it, and no machine has more.
    return value if value is None else min(value, MOST_THREADS)


Data = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="The table: CSV, TSV, Parquet, Arrow IPC or JSON lines, also gzipped (.gz)."),
]
Target = Annotated[str, typer.Option("--target", "-t", metavar="COLUMN", help="The column to predict.")]
Group = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        "-g",
        metavar="COLUMN",
        help="Rows with the same value belong together (subject, shop). Repeat to join columns to one unit.",
    ),
]
Time = Annotated[
    list[str] | None,
    typer.Option("--time", metavar="COLUMN", help="When the row was seen. Repeat for year, month, day in columns."),
]
Drop = Annotated[
    list[str] | None,
    typer.Option("--drop", metavar="COLUMN,COLUMN", help="Columns that are no features, such as row numbers."),
]
Type = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="COLUMN=KIND", help=f"Read a column as {', '.join(KINDS)}. Repeatable."),
]
Weight = Annotated[str | None, typer.Option("--weight", metavar="COLUMN", help="How much each row counts (0 or more).")]
Positive = Annotated[str | None, typer.Option("--positive", metavar="LABEL", help="The class that counts as positive.")]
Deploy = Annotated[
    str,
    typer.Option(
        "--deploy",
        metavar="|".join(DEPLOYMENTS),
        callback=_deployment,
        help="What future rows are: among those seen, new groups, later rows, or both.",
    ),
]
Horizon = Annotated[
    int,
    typer.Option("--horizon", metavar="ROWS", min=0, help="Rows between what is known and what is predicted."),
]
StepsAhead = Annotated[
    int,
    typer.Option(
        "--horizon",
        metavar="STEPS",
        min=0,
        help="With --time and a number as target: forecast so many steps ahead. Else rows between what is known "
        "and what is predicted.",
    ),
]
Known = Annotated[
    list[str] | None,
    typer.Option("--known", metavar="COLUMN,COLUMN", help="Columns whose future is known in advance (forecasts)."),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="regression|classification",
        callback=_one_of(("regression", "classification")),
        help="Told from the target when not given.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Numbers: rmse (default), mse, mae. Classes: log_loss (default), brier, error_rate, accuracy.",
    ),
]
Candidate = Annotated[
    str | None,
    typer.Option(
        "--candidate",
        "-c",
        metavar="NAME",
        help="A candidate of the audit (forest when not given), or package.module:estimator.",
    ),
]
TimeBudget = Annotated[
    float,
    typer.Option("--time-budget", metavar="SECONDS", callback=above_0, help="A cap on extras."),
]
ConfidenceLevel = Annotated[
    float,
    typer.Option("--confidence-level", metavar="SHARE", callback=_inside_0_1, help="Of every interval."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Equal seeds give equal results.")]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        callback=_at_most_so_many,
        help="Fits that run at a time (up to 4 when not given).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of text.")]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="TYPE",
        help="Load this type from the model file although it is not heldout's own. Repeatable.",
    ),
]


def split_names(values: Sequence[str] | None) -> list[str]:
    """Return the names in comma-separated lists; a name with a comma in it stands in double quotes.

    Examples
    --------
    >>> split_names(["a,b", '"x, y"'])
    ['a', 'b', 'x, y']
    """
    names = [name.strip() for row in csv.reader(values or [], skipinitialspace=True) for name in row if name.strip()]
    return list(dict.fromkeys(names))


def column_types(values: Sequence[str] | None) -> dict[str, Any] | None:
    """Return the kinds of ``COLUMN=KIND``.

    Raises
    ------
    InvalidInput
        No equals sign, or a kind there is not.

    Examples
    --------
    >>> column_types(["zip=category"])
    {'zip': 'category'}
    """
    kinds: dict[str, Any] = {}
    for value in values or []:
        name, equals, kind = value.rpartition("=")
        if not equals or not name:
            raise InvalidInput(f"--type expects COLUMN=KIND, got {value!r}: write for instance --type zip=category")
        if kind not in KINDS:
            raise InvalidInput(f"--type {value}: there is no kind {kind!r}; choose one of {', '.join(KINDS)}")
        kinds[name] = kind
    return kinds or None


def candidate_names(values: Sequence[str] | None) -> list[str] | None:
    """Return the names of candidates, and let ``package.module:estimator`` be found where the user is.

    An installed script does not look there, unlike ``python -m``, and that is where a user's own module lies.
    """
    names = split_names(values)
    if any(":" in name for name in names) and "" not in sys.path:
        sys.path.insert(0, "")
    return names or None
