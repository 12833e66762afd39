"""One task forecast three ways: stage 0 alone, attention alone, and both as the Forecaster ships them.

Stage 0 alone is the stage 0 of the forecaster itself, fitted on the same rows and calibrated on its own: what would
have been shipped without attention. Attention alone is `stage0=None`, by a fit of its own with the same budget.

"Lost on the test": attention was kept, and what is shipped has a larger loss on the test windows than that stage 0. The
loss is the one by which it was kept, in units of each window's scale. Where attention was not kept, the row still tells
what it would have done there (`test_share`): both as they were before the tail was learned from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cells import Row
from forecast_scores import judged_loss
from forecast_series import Task

PART = 256

Score = Callable[[Any, Any, np.ndarray], dict[str, float]]


@dataclass(frozen=True)
class Effort:
    """Seconds of a fit, and threads of torch (all if None)."""

    budget: float
    threads: int | None = None


def new_forecaster(task: Task, effort: Effort, seed: int, **options: Any) -> Any:
    from heldout.sequence import Forecaster

    chosen = {"loss": task.loss, "time_budget": effort.budget, "n_jobs": effort.threads, "random_state": seed}
    return Forecaster(task.horizon, **task.columns, **(chosen | options))


def in_parts(predict: Callable[[Any], Any], windows: Any) -> Any:
    """Forecast windows a few hundred at a time: quantiles of all at once would fill the memory several times."""
    from heldout.sequence.fitted import Forecasts

    found = [
        predict(windows.take(np.arange(start, min(start + PART, len(windows)))))
        for start in range(0, len(windows), PART)
    ]
    return Forecasts(np.concatenate([one.point for one in found]), np.concatenate([one.quantiles for one in found]))


def without_network(result: Any) -> Any:
    """Return the shipped forecast's stage 0, calibrated on its own."""
    from heldout.sequence.judging import calibrate

    if result.fitted.network is None:
        return result.fitted
    shifts = calibrate(replace(result.before_tail, network=None), result.tail)
    return replace(result.fitted, network=None, shifts=shifts)


def before_tail(result: Any) -> tuple[Any, Any]:
    """Return the forecast with its first network and the one without, as they were judged."""
    from heldout.sequence.judging import calibrate

    both = []
    for network in (result.networks[0].network, None):
        one = replace(result.before_tail, network=network)
        both.append(replace(one, shifts=calibrate(one, result.tail)))
    return both[0], both[1]


def share_on_test(forecaster: Any, windows: Any, shipped: Any, alone: Any, loss: str) -> float | None:
    """Return by which share attention's loss on the test windows lies below stage 0's; None without a network."""
    result = forecaster.result_
    if not result.networks:
        return None
    if result.fitted.network is None:
        shipped, alone = (in_parts(one.predict, windows) for one in before_tail(result))
    levels = result.fitted.levels
    first, second = (judged_loss(windows, one, levels, loss) for one in (shipped, alone))
    return 1 - first / second


def training_of(result: Any) -> Row:
    """Return sizes, steps and what gathering data took of training."""
    if not result.networks:
        return {}
    design, trained = result.networks[0].network.design, [one.trained for one in result.networks]
    seconds = sum(one.seconds for one in trained)
    return {
        "sizes": {"context": design.shape.length, "width": design.width, "depth": design.depth, "patch": design.patch},
        "batch_size": result.networks[0].batch_size,
        "n_steps": trained[0].n_steps,
        "training_seconds": seconds,
        "data_share": sum(one.data_seconds for one in trained) / max(seconds, 1e-9),
    }


def fit_shipped(task: Task, effort: Effort, seed: int) -> tuple[Any, float]:
    """Fit as a user would; return the forecaster and the seconds."""
    learned = task.learned
    start = time.perf_counter()
    return new_forecaster(task, effort, seed).fit(learned), time.perf_counter() - start


def judge(task: Task, effort: Effort, forecaster: Any, score: Score | None = None) -> Row:
    """Return how a fitted forecaster does on the test windows, beside its own stage 0."""
    from heldout.sequence.reading import read_sequences_like
    from heldout.sequence.torch_state import torch_as_found

    result = forecaster.result_
    windows = task.test_windows(read_sequences_like(task.whole, forecaster.sequences_))
    start = time.perf_counter()
    shipped = in_parts(forecaster.predict_windows, windows)
    seconds = time.perf_counter() - start
    with torch_as_found(effort.threads):
        alone = in_parts(without_network(result).predict, windows) if result.kept else shipped
        share = share_on_test(forecaster, windows, shipped, alone, task.loss)
    gained = result.improvement
    scores = {} if score is None else {
        name: score(windows, found, result.fitted.levels) for name, found in (("shipped", shipped), ("stage0", alone))
    }  # fmt: skip
    return {
        **scores,
        "n_windows": len(windows),
        "season": forecaster.sequences_.season,
        "stage0_name": forecaster.stage0_,
        "stage0_losses": forecaster.stage0_losses_,
        "kept": result.kept,
        "tail": None if gained is None else {"share": gained.share, "low": gained.ci_low, "high": gained.ci_high,
                                             "units": gained.n_units, "unit": gained.unit},
        "test_share": share,
        "lost": bool(result.kept and share is not None and share < 0),
        "predict_seconds": seconds,
        **training_of(result),
    }  # fmt: skip


def alone_scores(task: Task, effort: Effort, seed: int, score: Score) -> Row:
    """Return the scores of attention without a stage 0, and the seconds of its fit."""
    from heldout.sequence.reading import read_sequences_like

    start = time.perf_counter()
    forecaster = new_forecaster(task, effort, seed, stage0=None).fit(task.learned)
    seconds = time.perf_counter() - start
    windows = task.test_windows(read_sequences_like(task.whole, forecaster.sequences_))
    found = in_parts(forecaster.predict_windows, windows)
    steps = training_of(forecaster.result_).get("n_steps")
    return {
        "alone": score(windows, found, forecaster.fitted_.levels),
        "alone_seconds": seconds,
        "alone_steps": steps,
    }


def measure_ways(task: Task, effort: Effort, seed: int, score: Score) -> Row:
    """Return scores of the three ways, and whether attention was kept and was right to be."""
    forecaster, seconds = fit_shipped(task, effort, seed)
    row = {"fit_seconds": seconds, **judge(task, effort, forecaster, score)}
    row |= alone_scores(task, effort, seed, score)
    return row


def shown_decision(row: Row) -> str:
    """Return in words whether attention was kept, by what, and what it did on the test windows."""
    if row["tail"] is None:
        return "nothing to train on"
    tail = "{:+.1f} % [{:+.1f}, {:+.1f}] on the tail".format(*(100 * row["tail"][k] for k in ("share", "low", "high")))
    test = "" if row["test_share"] is None else f", {100 * row['test_share']:+.1f} % on the test"
    return f"{'kept' if row['kept'] else 'dropped'} ({tail}{test}{', LOST' if row['lost'] else ''})"


def shown_ways(row: Row, name: str, digits: int = 4) -> str:
    """Return one score of the three ways in a line."""
    stage0, alone, both = (f"{row[way][name]:.{digits}f}" for way in ("stage0", "alone", "shipped"))
    return (
        f"{name} stage 0 ({row['stage0_name']}) {stage0}, attention alone {alone}, shipped {both}; "
        f"{shown_decision(row)}; {row['n_windows']} windows, fit {row['fit_seconds']:.0f} s"
    )
