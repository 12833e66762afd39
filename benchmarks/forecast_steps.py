"""What training and an audit cost: the data path, replicas, the command line; and attention on tasks made for it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from bench_audit import run_measured
from boosting_timing import in_turn
from cells import Cell, Row
from forecast_series import COMPETITIONS, M4_HOURLY, Task, ett_task, read
from forecast_ways import Effort, new_forecaster, training_of

N_REPLICAS = 32
AUDIT = ("--target", "OT", "--time", "date", "--horizon", "24")


def data_path_of(task: Task, effort: Effort, seed: int, n_steps: int) -> Row:
    """Train by a fixed number of steps and return the share of the time that gathering batches took."""
    forecaster = new_forecaster(task, effort, seed, stage0="seasonal-naive", n_steps=n_steps).fit(task.learned)
    found = training_of(forecaster.result_)
    share = 100 * found["data_share"]
    each = 1000 * found["training_seconds"] / n_steps / len(forecaster.result_.networks)
    note = f"{share:.1f} % of a step of {each:.0f} ms, {found['batch_size']} windows, {found['sizes']}"
    return {**found, "data_percent": share, "step_milliseconds": each, "note": note}


def data_path_cells(threads: int | None, n_seeds: int, *, quick: bool) -> Iterator[Cell]:
    effort, n_steps = Effort(60.0, threads), 20 if quick else 150
    tasks = {
        "ETTh1-96": lambda: ett_task(8640),
        "M1 monthly": COMPETITIONS[2].task,
        "M4 hourly": M4_HOURLY.task,
    }
    for name, task in tasks.items():
        yield Cell(f"data path {name}", n_seeds, lambda seed, task=task: data_path_of(task(), effort, seed, n_steps))


def time_replicas(width: int, effort: Effort, seed: int, n_steps: int, repeats: int) -> Row:
    """Train one network and 32 replicas in turn, by the same number of steps; the claim is of training alone.

    Judging, out of bag and on the tail, is left out of it; whole fits, of few rows, stand in `fit_ratio`.
    """
    frame = read("ETTh1").select("date", "OT")[:1200]
    task = Task("OT", frame, 24, 24, {"time": "date", "target": "OT"})
    sizes = {"width": width, "depth": 2, "context": 96, "batch_size": 32, "n_steps": n_steps}
    whole: dict[str, list[float]] = {"one": [], "many": []}

    def train(name: str, replicas: int) -> float:
        begun = time.perf_counter()
        fitted = new_forecaster(task, effort, seed, stage0="last-value", replicas=replicas, **sizes).fit(task.learned)
        whole[name].append(time.perf_counter() - begun)
        return float(fitted.result_.networks[0].trained.seconds)

    seconds = in_turn({"one": lambda: train("one", 1), "many": lambda: train("many", N_REPLICAS)}, repeats)
    one, many = (statistics.median(seconds[name]) for name in ("one", "many"))
    ratios = sorted(b / a for a, b in zip(seconds["one"], seconds["many"], strict=True))
    fit_ratio = statistics.median(whole["many"]) / statistics.median(whole["one"])
    note = (
        f"{N_REPLICAS} replicas {many / n_steps * 1000:.1f} ms a step, one {one / n_steps * 1000:.1f} ms: "
        f"{many / one:.1f}x [{ratios[0]:.1f}, {ratios[-1]:.1f}]; whole fits {fit_ratio:.1f}x"
    )
    return {"one_seconds": one, "many_seconds": many, "times_one": many / one, "times_range": [ratios[0], ratios[-1]],
            "fit_ratio": fit_ratio, "sizes": sizes, "note": note}  # fmt: skip


def replica_cells(threads: int | None, n_seeds: int, *, quick: bool) -> Iterator[Cell]:
    effort, n_steps, repeats = Effort(60.0, threads), 10 if quick else 60, 2 if quick else 5
    for width in (16,) if quick else (16, 64):
        yield Cell(
            f"replicas width {width}",
            n_seeds,
            lambda seed, width=width: time_replicas(width, effort, seed, n_steps, repeats),
        )


def sequence_tasks() -> ModuleType | None:
    """Return benchmarks/sequence_tasks.py, or None where it is not there."""
    try:
        import sequence_tasks as found
    except ImportError as problem:
        print(f"attention alone: skipped, {problem}")
        return None
    return found


def attention_cells(threads: int | None, n_seeds: int) -> Iterator[Cell]:
    """Yield the tasks on which counting is at chance: recall of pairs, and copying at a lag that the sequence tells."""
    module = sequence_tasks()
    for task in () if module is None else module.TASKS:

        def measure(seed: int, task: Any = task) -> Row:
            from heldout.sequence.torch_state import torch_as_found

            with torch_as_found(threads):
                found = module.measure(task, seed)  # type: ignore[union-attr]
            learned, uniform, chance = (100 * share for share in (found.learned, found.uniform, task.chance))
            beside = f"{uniform:.1f} % with uniform weights, chance {chance:.1f} %"
            note = f"{learned:.2f} % right, {beside}, {found.seconds:.0f} s"
            return {"right": learned, "uniform": uniform, "chance": chance, "above_chance": uniform - chance,
                    "processor_seconds": found.seconds, "note": note}  # fmt: skip

        yield Cell(f"attention alone, {task.name}", n_seeds, measure, timed=False)


def audit_forecasts() -> bool:
    """Say whether the command line audits forecasts."""
    command = [sys.executable, "-m", "heldout", "audit", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=False, env=absolute_paths()).stdout
    return "--horizon" in text and "forecast" in text.lower()


def absolute_paths() -> dict[str, str]:
    """Return the environment with a PYTHONPATH that holds in any folder."""
    paths = os.environ.get("PYTHONPATH", "")
    kept = [str(Path(path).resolve()) for path in paths.split(os.pathsep) if path]
    return {**os.environ, **({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})}


def audit_cells(budget: float | None, n_seeds: int) -> Iterator[Cell]:
    """Yield the audit of ETTh1, from CSV to report, as a user runs it."""
    if not audit_forecasts():
        print("audit ETTh1: skipped, `heldout audit` does not speak of forecasts yet")
        return
    os.environ.update(absolute_paths())

    def measure(seed: int) -> Row:
        options = [*AUDIT, "--seed", str(seed), "--json", "--out", "report"]
        options += [] if budget is None else ["--time-budget", f"{budget:g}"]
        with tempfile.TemporaryDirectory() as folder:
            read("ETTh1").write_csv(Path(folder) / "ETTh1.csv")
            command = [sys.executable, "-m", "heldout", "audit", "ETTh1.csv", *options]
            seconds, megabytes, text = run_measured(command, Path(folder))
            assert (Path(folder) / "report" / "report.html").exists()
        document = json.loads(text)
        note = f"{seconds:.0f} s, {megabytes:.0f} MB: {document['verdict']}"
        return {"seconds": seconds, "peak_megabytes": megabytes, "verdict": document["verdict"],
                "stages": document.get("seconds"), "note": note}  # fmt: skip

    yield Cell("audit ETTh1", min(n_seeds, 3), measure)


def cost_cells(budget: float | None, threads: int | None, n_seeds: int, *, quick: bool) -> Iterator[Cell]:
    """Yield what is not about the quality of forecasts."""
    yield from attention_cells(threads, n_seeds)
    yield from data_path_cells(threads, n_seeds, quick=quick)
    yield from replica_cells(threads, n_seeds, quick=quick)
    yield from audit_cells(budget or (5.0 if quick else None), n_seeds)
