"""Statistical models on the competition tasks, by statsforecast, where it is installed; none is needed for a claim."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl
from cells import Cell, Row
from forecast_scores import DECILES, competition_scores
from forecast_series import COMPETITIONS, M4_HOURLY, Competition, values_by_series

MODELS = ("AutoETS", "AutoARIMA", "AutoTheta")


def peer_cells() -> Iterator[Cell]:
    """Yield a cell for each model and task; ARIMA is left out where seasons are long."""
    if find_spec("statsforecast") is None:
        print("peers: skipped, statsforecast is not installed")
        return
    for competition in (*COMPETITIONS, M4_HOURLY):
        for model in MODELS:
            if model == "AutoARIMA" and competition.season > 12:
                continue
            yield Cell(f"{model}, {competition.title}", 1, lambda _, model=model, c=competition: peer_row(model, c))


def peer_row(model: str, competition: Competition) -> Row:
    """Fit a model to each series and score it as ours are."""
    task = competition.task()
    start = time.perf_counter()
    found = forecasts_of(model, task.learned, competition)
    seconds = time.perf_counter() - start
    learned, tested = values_by_series(task.learned), values_by_series(task.tested)
    names = list(tested)
    parts = [[values[name] for name in names] for values in (learned, tested)]
    point, deciles = (np.stack([found[name][kind] for name in names]) for kind in (0, 1))
    scores = competition_scores(*parts, point, deciles, competition.season)
    note = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return {**scores, "seconds": seconds, "note": f"{note}, {seconds:.0f} s"}


def forecasts_of(model: str, learned: pl.DataFrame, competition: Competition) -> dict[str, Any]:
    """Return the point and the deciles of each series."""
    from statsforecast import StatsForecast, models

    frame = learned.select(pl.col("series").alias("unique_id"), pl.col("step").alias("ds"), pl.col("value").alias("y"))
    one = getattr(models, model)(season_length=competition.season)
    widths = [20, 40, 60, 80]
    table = StatsForecast([one], freq=1).forecast(df=frame, h=competition.horizon, level=widths)
    names = [f"{model}-lo-{width}" for width in reversed(widths)] + [model]
    names += [f"{model}-hi-{width}" for width in widths]
    assert len(names) == len(DECILES)
    return {
        str(name): (part.sort("ds")[model].to_numpy(), part.sort("ds").select(names).to_numpy())
        for (name,), part in table.group_by(["unique_id"])
    }
