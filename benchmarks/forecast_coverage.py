"""How often 90 % intervals held, over rolling origins of every open series: `Forecaster.backtest`, one fit each.

Origins lie a horizon apart, so that every value of the last part is forecast once: the last fifth of long series, the
last two or three horizons of short ones, which have no dates and are counted back from their ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from cells import Cell, Row
from forecast_series import (
    COMPETITIONS,
    ETT_COLUMNS,
    M4_HOURLY,
    SLOW,
    Competition,
    classic_series,
    read,
    single_series,
    tweets,
)
from forecast_ways import Effort

WIDTH = 0.9
SHARE_TESTED = 0.2
# Observations a year of the classic series, and their horizons.
CLASSIC_HORIZONS = {1: 6, 4: 8, 7: 14, 12: 18}


@dataclass(frozen=True)
class Backtested:
    """A table, its columns, the horizon and the first time to be forecast."""

    frame: pl.DataFrame
    columns: Mapping[str, Any]
    horizon: int
    start: Any


def last_fifth(frame: pl.DataFrame, columns: Mapping[str, Any], horizon: int) -> Backtested:
    """Test on the last fifth of time."""
    times = frame[columns["time"]].unique().sort()
    return Backtested(frame, columns, horizon, times[math.ceil((1 - SHARE_TESTED) * len(times))])


def last_horizons(frame: pl.DataFrame, season: int, horizon: int, n_origins: int) -> Backtested:
    """Test on the last horizons of series that are counted back."""
    columns = {"group": "series", "time": "step", "target": "value", "season": season}
    return Backtested(frame, columns, horizon, -n_origins * horizon)


def of_competition(competition: Competition) -> Callable[[], Backtested]:
    n_origins = 2 if competition.season == 1 else 3
    return lambda: last_horizons(competition.frame(), competition.season, competition.horizon, n_origins)


def of_classics(frequency: int) -> Callable[[], Backtested]:
    horizon = CLASSIC_HORIZONS[frequency]
    return lambda: last_horizons(classic_series(frequency), frequency, horizon, 3)


def of_ett() -> Backtested:
    return last_fifth(read("ETTh1"), {"time": "date", "target": list(ETT_COLUMNS)}, 96)


def of_exchange() -> Backtested:
    frame = read("exchange_rate")
    return last_fifth(frame.with_row_index("day"), {"time": "day", "target": frame.columns}, 30)


def all_backtests() -> dict[str, Callable[[], Backtested]]:
    """Return every set of series by its name."""
    found: dict[str, Callable[[], Backtested]] = {
        name: lambda parts=parts: last_fifth(*parts) for name, parts in single_series().items()
    }
    found["tweet_volume"] = lambda: last_fifth(*tweets())
    found |= {f"classic, {frequency} a year": of_classics(frequency) for frequency in CLASSIC_HORIZONS}
    found |= {competition.title: of_competition(competition) for competition in (*COMPETITIONS, M4_HOURLY)}
    return found | {"ETTh1": of_ett, "exchange_rate": of_exchange}


def coverage_of(tested: Backtested, effort: Effort, seed: int) -> Row:
    """Return how many values there were, how many lay within their interval, and what the forecasts lost."""
    from heldout.sequence import Forecaster

    forecaster = Forecaster(
        tested.horizon, **tested.columns, time_budget=effort.budget, n_jobs=effort.threads, random_state=seed
    )
    begun = time.perf_counter()
    found = forecaster.backtest(tested.frame, start=tested.start)
    coverage, n_values = found.coverage[WIDTH], found.measures.n_values
    skills = {name: [one.share, one.ci_low, one.ci_high] for name, one in found.skill.items()}
    return {
        "covered": round(coverage * n_values),
        "values": n_values,
        "coverage": coverage,
        "windows": found.measures.n_windows,
        "horizon": tested.horizon,
        "mase_of_backtest": found.mase,
        "wql_of_backtest": found.wql,
        "skill": skills,
        "fits": found.n_fits,
        "seconds": time.perf_counter() - begun,
        "note": f"{100 * coverage:.1f} % of {n_values} values in {found.measures.n_windows} windows, horizon "
        f"{tested.horizon}, MASE {found.mase:.3f}",
    }


def coverage_cells(budget: float | None, threads: int | None, n_seeds: int, *, quick: bool) -> Iterator[Cell]:
    """Yield a cell for each set of series."""
    effort = Effort(budget or (2.0 if quick else 20.0), threads)
    for name, tested in all_backtests().items():
        if quick and name in SLOW:
            continue
        yield Cell(f"coverage {name}", n_seeds, lambda seed, tested=tested: coverage_of(tested(), effort, seed))
