"""Tasks with published figures: ETTh1, exchange rates, the M1 and tourism competitions, M4's hourly series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from cells import Cell, Row
from forecast_scores import competition_scores, naive_scores, owa, places_of, square_and_absolute
from forecast_series import (
    COMPETITIONS,
    M4_HOURLY,
    Competition,
    Task,
    ett_task,
    exchange_task,
    values_by_series,
)
from forecast_ways import Effort, Score, alone_scores, fit_shipped, in_parts, judge, measure_ways, shown_ways

# Five competition tasks are to take 5 minutes together, reading and forecasting included.
COMPETITION_BUDGET = 50.0


def squared_score(windows: Any, found: Any, levels: np.ndarray) -> dict[str, float]:  # noqa: ARG001 - a Score
    return square_and_absolute(windows.future(), found.point)


def competition_score(task: Task, competition: Competition) -> Score:
    """Return what scores forecasts as the competition does."""
    learned, tested = values_by_series(task.learned), values_by_series(task.tested)

    def score(windows: Any, found: Any, levels: np.ndarray) -> dict[str, float]:
        names = windows.sequences.labels["series"].to_list()
        assert len(windows) == len(names) == len(tested)
        deciles = found.quantiles[:, :, 0][..., places_of(levels)]
        parts = [[values[name] for name in names] for values in (learned, tested)]
        return competition_scores(*parts, found.point[..., 0], deciles, competition.season)

    return score


def ett_cell(n_learned: int, effort: Effort, n_seeds: int) -> Cell:
    def measure(seed: int) -> Row:
        row = measure_ways(ett_task(n_learned), effort, seed, squared_score)
        return {**row, "mse": row["shipped"]["mse"], "note": shown_ways(row, "mse")}

    return Cell(f"ETTh1-96, {n_learned} hours", n_seeds, measure)


def exchange_cell(effort: Effort, n_seeds: int) -> Cell:
    def measure(seed: int) -> Row:
        task = exchange_task()
        forecaster, seconds = fit_shipped(task, effort, seed)
        row: Row = {"fit_seconds": seconds, **judge(task, effort, forecaster, squared_score)}
        row |= over_last_value(task, forecaster) | alone_scores(task, effort, seed, squared_score)
        gained = "{:+.1f} % [{:+.1f}, {:+.1f}] over it".format(*(100 * share for share in row["over_last_value"]))
        words = f"last value {'suffices' if row['suffices'] else 'DOES NOT SUFFICE'} ({gained})"
        return {**row, "mse": row["shipped"]["mse"], "note": f"{shown_ways(row, 'mse')}; {words}"}

    return Cell("exchange-96", n_seeds, measure)


def over_last_value(task: Task, forecaster: Any) -> Row:
    """Return the verdict: the last value was taken and no attention kept, or no improvement on the test is shown."""
    from heldout.sequence.baselines import LastValue
    from heldout.sequence.folds import fold_windows
    from heldout.sequence.reading import read_sequences_like
    from heldout.sequence.stage_zero import window_losses
    from heldout.sequence.worth import paired_improvement

    windows = task.test_windows(read_sequences_like(task.whole, forecaster.sequences_))
    last = LastValue().fit(windows, fold_windows(windows)).predict(windows)
    found = in_parts(forecaster.predict_windows, windows).point
    ours, theirs = (window_losses(windows, point, "squared_error") for point in (found, last))
    time = windows.sequences.count[windows.origin]
    gained = paired_improvement(
        ours, theirs, time, windows.series, block=float(task.horizon), rng=np.random.default_rng(0)
    )
    taken = forecaster.stage0_ == "last-value" and not forecaster.kept_
    return {
        "last_value": square_and_absolute(windows.future(), last),
        "over_last_value": [gained.share, gained.ci_low, gained.ci_high],
        "taken": float(taken),
        "suffices": float(taken or not gained.shown),
    }


def competition_cell(competition: Competition, effort: Effort, n_seeds: int) -> Cell:
    def measure(seed: int) -> Row:
        task = competition.task()
        score = competition_score(task, competition)
        row = measure_ways(task, effort, seed, score)
        naive = naive_of(task, competition)
        shipped = row["shipped"]
        relative = {name: shipped[name] / naive[name] for name in ("mase", "wql")}
        row |= {
            "naive": naive,
            "mase": shipped["mase"],
            "wql": shipped["wql"],
            "seconds": row["fit_seconds"] + row["predict_seconds"],
        }
        note = (
            f"{shown_ways(row, 'mase', 3)}; to seasonal naive: MASE {relative['mase']:.3f}, WQL {relative['wql']:.3f}"
        )
        if competition is M4_HOURLY:
            row |= {way: {**row[way], "owa": owa(row[way])} for way in ("stage0", "alone", "shipped")}
            row |= {"owa": row["shipped"]["owa"]}
            note = shown_ways(row, "owa", 3)
        return {**row, "note": note}

    return Cell(f"competition {competition.title}", n_seeds, measure)


def naive_of(task: Task, competition: Competition) -> dict[str, float]:
    """Return the scores of the seasonal naive forecast."""
    learned, tested = values_by_series(task.learned), values_by_series(task.tested)
    return naive_scores([learned[name] for name in tested], list(tested.values()), competition.season)


def published_cells(budget: float | None, threads: int | None, n_seeds: int, *, quick: bool) -> Iterator[Cell]:
    """Yield the tasks that have published figures."""
    minute = Effort(budget or (5.0 if quick else 60.0), threads)
    part = Effort(budget or (5.0 if quick else COMPETITION_BUDGET), threads)
    yield ett_cell(8640, minute, n_seeds)
    if not quick:
        yield ett_cell(11_520, minute, n_seeds)
    yield exchange_cell(minute, n_seeds)
    for competition in COMPETITIONS:
        yield competition_cell(competition, part, n_seeds)
    yield competition_cell(M4_HOURLY, minute, n_seeds)
