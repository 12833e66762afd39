"""Out-of-bag error against the error on 10,000 fresh rows, and how often its 95 % interval covers that error.

Run `python benchmarks/out_of_bag.py [--quick] [--runs 400] [--cells TEXT] [--summary]`. Every run draws a table, grows
an ensemble, and sets its out-of-bag error beside the error of that very ensemble on fresh rows: on their targets
("fresh"), and, where the law of the targets is known, on their expected loss ("truth", which spares the luck of the
fresh targets; intervals are held against it). Open tables have the fresh targets only, whose own standard error is then
added to that of the interval. Rows already in `results/out_of_bag.jsonl` are not run again.

A line of the summary: intervals that held the error / runs; intervals wholly below and above it; how far the mean
out-of-bag error lies from the mean fresh one ("mean"), and a single one from its own, at the median ("single"); how far
the mean would lie without correction for members ("uncorr."); and after a stop the mean and the share of hits if held
against the ensemble whose leaves were filled anew from all rows, which `predict` uses ("refit").
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import append_row, commit, now, processor, rows_of, usable_processors, versions
from out_of_bag_cells import DEVELOPMENT, OPEN, OVERFITTED, QUOTED, Cell, Table
from scipy.special import log_expit, log_softmax

from heldout.generalization import corrected_losses, out_of_bag_error
from heldout.trees import Binned, Growth, Objective, Replication, grow_replicas

RESULTS = Path(__file__).parent / "results" / "out_of_bag.jsonl"
PARTS = {"development": DEVELOPMENT, "quoted": QUOTED, "overfitted": OVERFITTED, "open": OPEN}
MOST_ROUNDS, PATIENCE = 300, 20
QUICK_RUNS = 20


def log_probability(scores: Any) -> Any:
    """Return log probabilities, shape (n_rows, n_classes), from scores, shape (n_outputs, n_rows)."""
    if len(scores) == 1:
        return np.stack([log_expit(-scores[0]), log_expit(scores[0])], axis=1)
    return log_softmax(scores.T, axis=1)


def losses_of(scores: Any, y: Any, n_classes: int) -> Any:
    if not n_classes:
        return np.square(scores[0] - y)
    return -log_probability(scores)[np.arange(len(y)), y.astype(int)]


def losses_of_single(members: Any, table: Table, out: Any, n_classes: int) -> Any:
    """Return the mean loss, row by row, of the members that have the row out of bag."""
    scores = members.raw(table.X).reshape(*out.shape, -1)
    losses = [losses_of(scores[:, k].T, table.y, n_classes) for k in range(out.shape[1])]
    return np.average(losses, axis=0, weights=out.T)


def known_error(scores: Any, fresh: Table, n_classes: int) -> float | None:
    """Return the expected loss at the fresh rows, where the law of the targets is known."""
    if fresh.centre is None:
        return None
    if not n_classes:
        return float(fresh.noise_variance + np.mean(np.square(fresh.centre - scores[0])))
    return float(-np.mean((fresh.centre * log_probability(scores)).sum(axis=1)))


def one_run(cell: Cell, seed: int) -> dict[str, Any]:
    """Grow one ensemble and return its errors."""
    learned, fresh = cell.draw(np.random.default_rng([seed, *cell.name.encode()]))
    loss = {0: "squared_error", 2: "logistic"}.get(cell.n_classes, "softmax")
    n_outputs = cell.n_classes if loss == "softmax" else 1
    n = len(learned.y)
    weights = cell.resampling.draw(n, cell.replicas, groups=learned.groups, random_state=seed).weights
    replication = Replication(
        weights,
        seeds=tuple(range(cell.replicas)),
        patience=PATIENCE if cell.stops else 0,
        refit_counts=np.ones((n, 1), np.uint8) if cell.stops else None,
    )
    (grown,) = grow_replicas(
        Binned.from_array(learned.X),
        Objective(loss, learned.y, n_outputs=n_outputs),
        Growth(MOST_ROUNDS if cell.stops else cell.rounds, max_leaves=cell.leaves, least_count=cell.least_count),
        replication,
    )
    judged, m = learned.of(grown.rows), grown.n_members
    of_mean = losses_of(grown.mean, judged.y, cell.n_classes)
    of_single = losses_of_single(grown.members, judged, weights[grown.rows] == 0, cell.n_classes)
    estimate = out_of_bag_error(
        corrected_losses(of_mean, of_single, m, cell.replicas),
        metric="log_loss" if cell.n_classes else "mse",
        n_members=m,
        ensemble_size=cell.replicas,
        corrected=True,
        units=judged.groups,
    )
    scores = grown.averaged.raw(fresh.X).T
    on_fresh = losses_of(scores, fresh.y, cell.n_classes)
    row = {
        "error": estimate.error,
        "low": estimate.ci_low,
        "high": estimate.ci_high,
        "standard_error": estimate.standard_error,
        "uncorrected": float(of_mean.mean()),
        "fresh": float(on_fresh.mean()),
        "fresh_error": float(on_fresh.std() / np.sqrt(len(on_fresh))),
        "truth": known_error(scores, fresh, cell.n_classes),
        "members": float(m.mean()),
        "rounds": grown.n_rounds,
    }
    if cell.stops:
        again = grown.refitted.raw(fresh.X).T
        row["refit_fresh"] = float(losses_of(again, fresh.y, cell.n_classes).mean())
        row["refit_truth"] = known_error(again, fresh, cell.n_classes)
    return row


def covered(row: dict[str, Any], truth: str = "truth", fresh: str = "fresh") -> bool:
    """Say whether the interval holds the error; one known from fresh targets only counts with its own error."""
    if row[truth] is not None:
        return bool(row["low"] <= row[truth] <= row["high"])
    end = row["high"] if row[fresh] > row["error"] else row["low"]
    return bool(abs(row[fresh] - row["error"]) <= np.hypot(end - row["error"], 1.96 * row["fresh_error"]))


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in row.items()}


def run_cells(cells: list[Cell], n_runs: int, path: Path) -> None:
    """Run what is missing."""
    done = {(row["cell"], row["seed"]) for row in rows_of(path) if "cell" in row}
    missing = [(cell, seed) for cell in cells for seed in range(n_runs) if (cell.name, seed) not in done]
    if not missing:
        return
    machine = {"machine": processor(), "processors": usable_processors(), "versions": versions(["heldout", "numpy"])}
    append_row(path, {"date": now(), "commit": commit(), **machine})
    started, before = time.monotonic(), None
    for cell, seed in missing:
        if cell != before:
            print(f"{time.monotonic() - started:6.0f} s  {cell.name}", flush=True)
            before = cell
        append_row(path, {"cell": cell.name, "seed": seed, **rounded(one_run(cell, seed))})


def summarise(path: Path) -> None:
    """Print a line per cell: hits / runs, and relative differences in %."""
    of_cell: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(path):
        if "cell" in row:
            of_cell.setdefault(row["cell"], []).append(row)
    heads = (
        f"{'hits / runs':>13} {'share':>6} {'below/above':>11} {'mean':>6} {'single':>6} {'uncorr.':>7} {'refit':>13}"
    )
    for part, cells in PARTS.items():
        means = []
        print(f"\n{part:<62}{heads}")
        for cell in cells:
            rows = of_cell.get(cell.name, [])
            if not rows:
                continue
            error, fresh, uncorrected = (
                np.array([row[key] for row in rows]) for key in ("error", "fresh", "uncorrected")
            )
            hits = sum(covered(row) for row in rows)
            target = [row["fresh"] if row["truth"] is None else row["truth"] for row in rows]
            below = sum(row["high"] < value for row, value in zip(rows, target, strict=True))
            above = sum(row["low"] > value for row, value in zip(rows, target, strict=True))
            means.append(error.mean() / fresh.mean() - 1)
            line = f"{cell.name:<62}{hits:>6} /{len(rows):>5} {hits / len(rows):>6.3f} {below:>6}/{above:<4}"
            line += f" {means[-1]:>+6.1%} {np.median(np.abs(error / fresh - 1)):>6.1%}"
            line += f" {uncorrected.mean() / fresh.mean() - 1:>+7.1%}"
            if cell.stops:
                again = np.array([row["refit_fresh"] for row in rows])
                hits = sum(covered(row, "refit_truth", "refit_fresh") for row in rows)
                line += f" {error.mean() / again.mean() - 1:>+6.1%} {hits / len(rows):>6.3f}"
            print(line)
        if means:
            print(f"median over {len(means)} cells of the relative difference: {np.median(np.abs(means)):.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs of every cell, kept in no file")
    parser.add_argument("--runs", type=int, default=400, help="runs of every cell")
    parser.add_argument("--cells", default="", help="only cells whose name, or part, has this text")
    parser.add_argument("--summary", action="store_true", help="only print what there is")
    options = parser.parse_args()
    cells = [cell for part, some in PARTS.items() for cell in some if options.cells in f"{part} {cell.name}"]
    if options.quick:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out_of_bag.jsonl"
            run_cells(cells, QUICK_RUNS, path)
            summarise(path)
        return
    if not options.summary:
        run_cells(cells, options.runs, RESULTS)
    summarise(RESULTS)


if __name__ == "__main__":
    main()
