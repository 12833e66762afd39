"""`heldout iid`: which rows of a table depend on each other, and how they should be held out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from heldout.cli import options
from heldout.cli.failures import EXIT_DONE
from heldout.cli.output import as_json, emit
from heldout.cli.single_stage import Request, check_dependence, with_stand_in, wrapped

__all__ = ["findings_text", "iid"]

MOST_FINDINGS = 15


def iid(
    data: options.Data,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COLUMN", help="The column to predict, if there is one.")
    ] = None,
    group: options.Group = None,
    time: options.Time = None,
    drop: options.Drop = None,
    types: options.Type = None,
    deploy: options.Deploy = "auto",
    horizon: options.Horizon = 0,
    task: options.Task = None,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    print_json: options.Json = False,
) -> int:
    """Test which rows depend on each other, and say how they should be held out.

    Order (serial correlation, trend, change of level), groups (intraclass correlation) and exact copies; p-values are
    permutation p-values, corrected for all columns and statistics.
    """
    request = Request(
        data=data, target=target or "", group=group, time=time, drop=drop, types=types, deploy=deploy, horizon=horizon,
        task=task, seed=seed, threads=threads,
    )  # fmt: skip
    report = _check_without_target(request) if target is None else check_dependence(request.dataset(), request)
    document = _document(report)
    emit(as_json(document) if print_json else findings_text(document))
    return EXIT_DONE


def _check_without_target(request: Request) -> Any:
    """Read features, groups and times as for any target, and test them alone."""
    import numpy as np

    from heldout.errors import DataError
    from heldout.table import read_table
    from heldout.table.dataset import FEWEST_ROWS

    table = read_table(request.data, types=options.column_types(request.types))
    if table.n_rows < FEWEST_ROWS:
        raise DataError(f"{table.source} has {table.n_rows} rows, expected at least {FEWEST_ROWS}: collect more")
    # `prepare` wants a target; alternating numbers stand in for one and are not looked at.
    stand_in, name = with_stand_in(table, np.arange(table.n_rows, dtype=np.float64) % 2)
    return check_dependence(request.prepared(stand_in, name), request, with_target=False)


def _document(report: Any) -> dict[str, Any]:
    from heldout.auditing.document import plain

    document: dict[str, Any] = plain(report.to_dict())
    return document


def findings_text(document: dict[str, Any]) -> str:
    """Return the verdict and a line per finding, largest first."""
    lines = [wrapped(document["verdict"])]
    findings = document["findings"]
    if findings:
        lines += ["", _row("column", "finding", "effect", "p", "place (p is corrected)")]
    lines += [_finding_row(finding) for finding in findings[:MOST_FINDINGS]]
    if len(findings) > MOST_FINDINGS:
        lines.append(f"and {len(findings) - MOST_FINDINGS} more (--json prints all)")
    return "\n".join(lines)


def _finding_row(finding: dict[str, Any]) -> str:
    effect = "" if finding["effect"] is None else f"{finding['effect']:.3g}"
    p_value = finding["adjusted_p_value"]
    place = "harmless" if finding["harmless"] else finding["place"] or ""
    return _row(finding["column"], finding["statistic"], effect, "" if p_value is None else f"{p_value:.3g}", place)


def _row(column: str, finding: str, effect: str, p_value: str, place: str) -> str:
    cells = [_cut(column, 16), _cut(finding, 23), f"{effect:>7}", f"{p_value:>6}", f" {_cut(place, 23)}"]
    return " ".join(cells).rstrip()


def _cut(text: str, width: int) -> str:
    return f"{text if len(text) <= width else text[: width - 2] + '..':<{width}}"
