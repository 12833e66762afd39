"""How long an audit takes, stage by stage, and how much memory: ``python benchmarks/bench_audit.py [--quick]``.

Each claim is run as a user would run it, in a process of its own, and appends one row to
benchmarks/results/audit.jsonl as soon as it is through, so that an interrupted benchmark goes on where it stopped:
claims that have a row of this commit, machine and mode are skipped (``--again`` repeats them). An absolute time on
a shared machine is no result by itself: each row holds the load, and the ratio of stages within a row is what can
be compared.

--quick runs the same claims on small tables: it shows that the script works, and judges no limit.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from machine import append_row, commit, now, rows_of, usable_processors, versions

RESULTS = Path(__file__).parent / "results" / "audit.jsonl"
PACKAGES = ("heldout", "numpy", "scipy", "scikit-learn", "polars")

IID_STAGE = """
import sys, time
import polars
from heldout.iid import check
frame = polars.read_parquet(sys.argv[1])
started = time.perf_counter()
check(frame.drop("y"), frame["y"].to_numpy(), task="regression", n_jobs=None)
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Claim:
    """A limit that is promised, and how it is measured."""

    name: str
    seconds: float
    measure: Callable[[Path, bool], dict[str, Any]]
    megabytes: float | None = None


def mixed_table(n_rows: int, n_columns: int, *, seed: int = 0) -> pl.DataFrame:
    """Make numbers, categories from 3 to 500 levels, booleans, dates, missing values, and a target of ten of them."""
    draws = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for position in range(n_columns):
        kind = position % 10
        if kind < 6:
            values = draws.normal(size=n_rows)
            values[draws.random(n_rows) < 0.02 * (kind == 5)] = np.nan
            columns[f"number_{position}"] = pl.Series(values).fill_nan(None)
        elif kind < 8:
            n_levels = (3, 20, 100, 500)[(position // 10 + kind) % 4]
            columns[f"category_{position}"] = [f"level {code}" for code in draws.integers(n_levels, size=n_rows)]
        elif kind == 8:
            columns[f"boolean_{position}"] = draws.random(n_rows) < 0.3
        else:
            start = datetime.date(2020, 1, 1)
            columns[f"date_{position}"] = [
                start + datetime.timedelta(int(d)) for d in draws.integers(1500, size=n_rows)
            ]
    numbers = [name for name in columns if name.startswith("number")][:10]
    signal = sum(np.nan_to_num(np.asarray(columns[name].to_numpy(), float)) for name in numbers)
    columns["y"] = signal + np.square(columns[numbers[0]].to_numpy()) + draws.normal(size=n_rows)
    return pl.DataFrame(columns)


def run_measured(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Run one process and return its seconds, its peak memory in megabytes and its stdout."""
    with (folder / "stdout").open("w+") as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.DEVNULL)
        # wait4 tells the peak of this child alone; getrusage would tell the largest of all so far.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ended with {process.returncode}: run it by hand to see why")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return seconds, kilobytes / 1024, text


def audit_of(n_rows: int, n_columns: int, *options: str) -> Callable[[Path, bool], dict[str, Any]]:
    """Return what measures an audit from CSV to report."""

    def measure(folder: Path, quick: bool) -> dict[str, Any]:
        rows = n_rows // 10 if quick and n_rows > 1000 else n_rows
        mixed_table(rows, n_columns).write_csv(folder / "table.csv")
        chosen = list(options) or (["--time-budget", "5"] if quick else [])
        command = [sys.executable, "-m", "heldout", "audit", "table.csv", "--target", "y", "--json", *chosen]
        seconds, megabytes, text = run_measured(command, folder)
        document = json.loads(text)
        return {
            "rows": rows,
            "columns": n_columns,
            "seconds": seconds,
            "megabytes": megabytes,
            "stages": document["seconds"],
            "left_out": document["plan"]["left_out"],
            "fits": document["plan"]["fits"],
        }

    return measure


def iid_of(n_rows: int, n_columns: int) -> Callable[[Path, bool], dict[str, Any]]:
    """Return what measures the IID part alone."""

    def measure(folder: Path, quick: bool) -> dict[str, Any]:
        rows = n_rows // 10 if quick else n_rows
        mixed_table(rows, n_columns - 1).write_parquet(folder / "table.parquet")
        _, megabytes, text = run_measured([sys.executable, "-c", IID_STAGE, "table.parquet"], folder)
        return {"rows": rows, "columns": n_columns, "seconds": float(text), "megabytes": megabytes}

    return measure


def help_text(folder: Path, quick: bool) -> dict[str, Any]:
    """Measure `heldout --help`: the median of several starts."""
    command = [sys.executable, "-m", "heldout", "--help"]
    runs = [run_measured(command, folder) for _ in range(3 if quick else 9)]
    middle = float(np.median([seconds for seconds, _, _ in runs]))
    return {"seconds": middle, "megabytes": max(megabytes for _, megabytes, _ in runs), "runs": len(runs)}


CLAIMS = (
    Claim("help", 0.3, help_text),
    Claim("audit 500 x 10", 25.0, audit_of(500, 10)),
    Claim("audit 10,000 x 30", 150.0, audit_of(10_000, 30), megabytes=1024.0),
    Claim("audit 10,000 x 30 in 10 s", 40.0, audit_of(10_000, 30, "--time-budget", "10")),
    Claim("iid 100,000 x 100", 15.0, iid_of(100_000, 100)),
)


def setting(quick: bool) -> dict[str, Any]:
    """Return what identifies a run: rows with the same setting need not be measured again."""
    return {
        "commit": commit(),
        "quick": quick,
        "machine": f"{platform.machine()}, {usable_processors()} processors, {platform.system()}",
        "versions": versions(PACKAGES),
    }


def measured(claim: Claim, where: dict[str, Any]) -> dict[str, Any]:
    """Measure one claim and append its row."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        result = claim.measure(Path(folder), where["quick"])
    limits = {"limit_seconds": claim.seconds, "limit_megabytes": claim.megabytes}
    row = {"claim": claim.name, "date": now(), "load": load, **where, **limits, **result}
    append_row(RESULTS, row)
    return row


def shown(row: dict[str, Any]) -> str:
    """Return a row as one line, stages largest first."""
    within = row["seconds"] <= row["limit_seconds"] and row["megabytes"] <= (row["limit_megabytes"] or float("inf"))
    judged = "not judged" if row["quick"] else "within" if within else "OVER"
    stages = sorted(row.get("stages", {}).items(), key=lambda item: -item[1])
    listed = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages if name != "total")
    times = f"{row['seconds']:7.2f} s of {row['limit_seconds']:g}  {row['megabytes']:6.0f} MB"
    return f"{row['claim']:<28} {times}  {judged:<10} load {row['load']:.1f}  {listed}".rstrip()


def main() -> None:
    """Measure the claims that have no row yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small tables, no limit judged")
    parser.add_argument("--again", action="store_true", help="measure claims that have a row already")
    parser.add_argument("--only", metavar="TEXT", default="", help="claims whose name holds TEXT")
    options = parser.parse_args()
    where = setting(options.quick)
    # What the clock says of changed files is not kept apart by a commit: such rows are always measured again.
    fresh = options.again or where["commit"].endswith("-dirty")
    known = {} if fresh else {row["claim"]: row for row in rows_of(RESULTS) if where.items() <= row.items()}
    for claim in CLAIMS:
        if options.only in claim.name:
            print(shown(known.get(claim.name) or measured(claim, where)), flush=True)


if __name__ == "__main__":
    main()
