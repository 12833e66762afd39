"""Cells of a benchmark: measured one by one, written down at once, skipped where they have a sound row already.

A cell and seed appends a row to the results as soon as it is through; a cell that has a row of this commit, machine and
mode is skipped. A timed row is void, and measured again by the next run, if others kept the machine busy: a 1-minute
load average above 0.5, our own share excluded, that did not fall within a minute.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boosting_peers import Contender
from machine import ForeignLoad, append_row, commit, now, processor, rows_of, usable_processors, versions

LOAD_LIMIT = 0.5

Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One comparison: its name, the seeds of its table or split, and what returns its row."""

    name: str
    n_seeds: int
    measure: Callable[[int], Row]
    needs: Contender | None = None
    timed: bool = True


@dataclass(frozen=True)
class Mode:
    """How a run was asked for."""

    quick: bool
    most_rows: int | None

    def rows(self, n_rows: int) -> int:
        """Return a number of rows, cut where the run is only a try."""
        return n_rows if self.most_rows is None else min(n_rows, self.most_rows)


def setting_of(mode: Mode, packages: Iterable[str]) -> Row:
    """Return what identifies a run: rows with the same setting need not be measured again."""
    machine = f"{processor()}, {usable_processors()} CPUs, {platform.system()} {platform.machine()}"
    return {"commit": commit(), "quick": mode.quick, "machine": machine, "versions": versions(packages)}


def measured(cell: Cell, seed: int, where: Row, load: ForeignLoad, patience: float) -> Row:
    """Measure a cell, when others leave the machine idle or after waiting for it."""
    before = load.wait_until_below(LOAD_LIMIT, patience) if cell.timed else load.now()
    result = cell.measure(seed)
    row = {"cell": cell.name, "seed": seed, "date": now(), **where, "load": before, "load_after": load.now()}
    return {**row, "void": cell.timed and before > LOAD_LIMIT, **result}


def model_shown(model: Row) -> str:
    losses = f"training loss {model['train_loss']:.4f} test {model['test_loss']:.4f}"
    return f"{model['trees']} trees {model['leaves']} leaves {losses}"


def shown(row: Row) -> str:
    """Return a row as one line."""
    parts = [f"{row['cell']:<44} seed {row['seed']}"]
    if "ratio" in row:
        parts.append(f"ours {row['ours_seconds']:.4g} s, theirs {row['theirs_seconds']:.4g} s, {row['ratio']:.2f}x")
    if "ratio_range" in row:
        parts.append("[{:.2f}, {:.2f}]".format(*row["ratio_range"]))
    if "times" in row:
        parts.append(f"{row['times']:.3f} times as much")
    if "megabytes" in row:
        parts.append(" MB against ".join(f"{value:.0f}" for value in row["megabytes"]) + " MB")
    if "setting" in row:
        parts.append(f"({row['setting']})")
    if "ours" in row:
        parts.append(f"ours {model_shown(row['ours'])}; theirs {model_shown(row['theirs'])}")
    if "error_ratio" in row:
        parts.append(f"error {100 * (row['error_ratio'] - 1):+.2f} %")
    if "note" in row:
        parts.append(row["note"])
    parts += ["does not count: ours is worse, or another number"] * (not row.get("counts", True))
    parts += [f"void: load {row['load']:.1f}"] * row["void"]
    return "  ".join(parts)


def parsed(text: str | None) -> argparse.Namespace:
    """Return the options of a benchmark whose docstring is the text."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, seeds, splits; under 10 minutes")
    parser.add_argument("--only", metavar="PART", default="", help="cells whose name holds PART")
    parser.add_argument("--again", action="store_true", help="measure cells that have a row already")
    parser.add_argument("--no-record", action="store_true", help="neither read nor write results")
    parser.add_argument("--rows", type=int, metavar="N", help="no table has more rows: a try, not recorded")
    return parser.parse_args()


def run(
    all_cells: Callable[[Mode], Iterable[Cell]],
    results: Path,
    packages: Iterable[str],
    options: argparse.Namespace,
    more: Row | None = None,
    patience: float = 60.0,
) -> list[Row]:
    """Measure the cells that have no sound row yet, and return the rows of all that were asked for.

    `more` identifies a run beside its setting; for a machine to become idle, `patience` seconds are waited.
    """
    mode = Mode(options.quick, options.rows)
    recorded = not options.no_record and mode.most_rows is None
    where, load = {**setting_of(mode, packages), **(more or {})}, ForeignLoad()
    print("; ".join(f"{name}: {value}" for name, value in where.items()))
    # What changed since a commit is not told apart by it: rows of changed files are always measured again.
    fresh = options.again or where["commit"].endswith("-dirty") or not recorded
    earlier = [] if fresh else [row for row in rows_of(results) if where.items() <= row.items() and not row["void"]]
    known = {(row["cell"], row["seed"]): row for row in earlier}
    rows = []
    for cell in all_cells(mode):
        if options.only not in cell.name:
            continue
        if cell.needs is not None and not cell.needs.installed:
            print(f"{cell.name}: {cell.needs.package} is not installed, see the extra `bench`")
            continue
        for seed in range(cell.n_seeds):
            row = known.get((cell.name, seed))
            if row is None:
                row = measured(cell, seed, where, load, 0.0 if mode.most_rows else patience)
                if recorded:
                    append_row(results, row)
            rows.append(row)
            print(shown(row), flush=True)
    return rows
