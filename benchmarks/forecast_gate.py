"""How often attention that was kept lost on later windows: many fits on parts of the open series.

Each seed draws other parts: other series of a panel, another half of a long series. A fit is one Forecaster as shipped,
judged on windows after the rows that it saw, as benchmarks/forecast_ways.py describes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from cells import Cell, Row
from forecast_series import (
    COMPETITIONS,
    ETT_COLUMNS,
    M4_HOURLY,
    SLOW,
    Competition,
    Task,
    classic_series,
    read,
    single_series,
    tweets,
)
from forecast_ways import Effort, fit_shipped, judge

# Test windows of long series are this share of their rows, and so many horizons apart.
SHARE_TESTED = 0.2
PARTS_OF_PANELS = {
    "M1 yearly": 4,
    "M1 quarterly": 4,
    "M1 monthly": 8,
    "tourism quarterly": 6,
    "tourism monthly": 6,
    "M4 hourly": 8,
}

MakeTasks = Callable[[int], Iterator[Task]]


def long_task(name: str, frame: pl.DataFrame, columns: Mapping[str, Any], horizon: int) -> Task:
    """Return a long series, its last fifth tested on, by windows a quarter of a horizon apart."""
    n_rows = len(frame) if "group" not in columns else frame.group_by(columns["group"]).len()["len"].min()
    n_test = max(horizon, int(SHARE_TESTED * n_rows))  # type: ignore[operator]
    return Task(name, frame, horizon, n_test, columns, step=max(1, horizon // 4))


def some_rows(frame: pl.DataFrame, seed: int, share: float = 0.5) -> pl.DataFrame:
    """Return a stretch of a series, somewhere."""
    size = int(share * len(frame))
    start = int(np.random.default_rng([seed, len(frame)]).integers(0, len(frame) - size + 1))
    return frame[start : start + size]


def parts_of_singles(seed: int) -> Iterator[Task]:
    for name, (frame, columns, horizon) in single_series().items():
        yield long_task(name, some_rows(frame, seed), columns, horizon)
        yield long_task(f"{name}, all", frame, columns, horizon)


def parts_of_ett(seed: int) -> Iterator[Task]:
    for name in ETT_COLUMNS:
        part = some_rows(read("ETTh1").select("date", name), seed)
        yield long_task(f"ETTh1 {name}", part, {"time": "date", "target": name}, 24)


def parts_of_exchange(seed: int) -> Iterator[Task]:
    frame = read("exchange_rate")
    for name in frame.columns:
        part = some_rows(frame.select(name), seed).with_row_index("day")
        yield long_task(f"exchange {name}", part, {"time": "day", "target": name}, 30)


def parts_of_tweets(seed: int) -> Iterator[Task]:
    frame, columns, horizon = tweets()
    single = {name: value for name, value in columns.items() if name != "group"}
    for (name,), part in frame.group_by(["series"], maintain_order=True):
        yield long_task(f"tweets {name}", some_rows(part.drop("series"), seed), single, horizon)


def parts_of_classics(seed: int) -> Iterator[Task]:  # noqa: ARG001 - these are few and short: the same for each seed
    for frequency, horizon in ((12, 12), (4, 4), (1, 6)):
        columns = {"time": "step", "target": "value", "season": frequency}
        for (name,), part in classic_series(frequency).group_by(["series"], maintain_order=True):
            if len(part) >= 100:
                yield long_task(f"classic {name}", part.drop("series"), columns, horizon)


def parts_of_panel(competition: Competition) -> MakeTasks:
    """Return what deals the series of a competition into parts."""

    def tasks(seed: int) -> Iterator[Task]:
        frame, n_parts = competition.frame(), PARTS_OF_PANELS[competition.title]
        names = frame["series"].unique().sort().to_numpy()
        np.random.default_rng(seed).shuffle(names)
        for part, chosen in enumerate(np.array_split(names, n_parts)):
            task = competition.task(frame.filter(pl.col("series").is_in(chosen.tolist())))
            yield replace(task, name=f"{competition.title}, part {part + 1} of {n_parts}")

    return tasks


def all_parts() -> dict[str, MakeTasks]:
    """Return what yields the tasks of a seed, by the name of the data they are parts of."""
    found: dict[str, MakeTasks] = {
        "single series": parts_of_singles,
        "ETTh1": parts_of_ett,
        "exchange_rate": parts_of_exchange,
        "tweet_volume": parts_of_tweets,
        "classic series": parts_of_classics,
    }
    return found | {competition.title: parts_of_panel(competition) for competition in (*COMPETITIONS, M4_HOURLY)}


def decisions(tasks: Iterator[Task], effort: Effort, seed: int, most: int | None) -> Row:
    """Fit each task and return every decision."""
    fits = []
    for number, task in enumerate(tasks):
        if most is not None and number >= most:
            break
        forecaster, seconds = fit_shipped(task, effort, seed)
        fits.append({"task": task.name, "fit_seconds": seconds, **judge(task, effort, forecaster)})
    kept = [fit for fit in fits if fit["kept"]]
    lost = [fit["task"] for fit in kept if fit["lost"]]
    missed = sum(not fit["kept"] and (fit["test_share"] or 0) > 0 for fit in fits)
    note = f"{len(fits)} fits, {len(kept)} kept, of which lost: {', '.join(lost) or 'none'}; {missed} dropped had won"
    return {"fits_judged": fits, "n_fits": len(fits), "n_kept": len(kept), "n_lost": len(lost), "note": note}


def gate_cells(budget: float | None, threads: int | None, n_seeds: int, *, quick: bool) -> Iterator[Cell]:
    """Yield a cell for each source of parts."""
    effort = Effort(budget or (2.0 if quick else 10.0), threads)
    for name, tasks in all_parts().items():
        if quick and name in SLOW:
            continue
        yield Cell(
            f"gate {name}",
            n_seeds,
            lambda seed, tasks=tasks: decisions(tasks(seed), effort, seed, 1 if quick else None),
        )
