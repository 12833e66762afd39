"""The series that forecasts are measured on, each with the rows learned from and the rows tested on.

::

    one series    l l l l l l l l l l l l l l | u u u u | t t t t t t t t t      l learned, u neither, t tested
    windows                                  o [------------]                   every future that lies within t

No window is left out for want of a full batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from boosting_accuracy import folder_of_tables
from numpy.typing import NDArray

ETT_COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
ETT_ROWS, ETT_LEARNED, ETT_TESTED = 14_400, 8640, 2880


@dataclass(frozen=True)
class Task:
    """Series to forecast.

    `n_test` rows at the end of each series are tested on, and the `n_unused` before them are not learned from; test
    windows lie `step` rows apart, counted from the last.
    """

    name: str
    whole: pl.DataFrame = field(repr=False)
    horizon: int
    n_test: int
    columns: Mapping[str, Any]
    loss: str = "quantile"
    n_unused: int = 0
    step: int = 1

    @property
    def learned(self) -> pl.DataFrame:
        """The rows that a forecaster may see."""
        return self._apart(lambda place: place >= self.n_test + self.n_unused)

    @property
    def tested(self) -> pl.DataFrame:
        """The rows that it may not."""
        return self._apart(lambda place: place < self.n_test)

    def _apart(self, chosen: Callable[[pl.Expr], pl.Expr]) -> pl.DataFrame:
        """Return the rows whose place from the end of their series, 0 the last, is chosen."""
        place = pl.len() - 1 - pl.int_range(pl.len())
        group = self.columns.get("group")
        return self.whole.filter(chosen(place if group is None else place.over(group)))

    def test_windows(self, sequences: Any) -> Any:
        """Return all windows of the whole table whose futures lie among the rows tested on."""
        from heldout.sequence.windows import all_origins

        every = all_origins(sequences, self.horizon)
        end = sequences.offsets[every.series + 1]
        back = end - 1 - self.horizon - every.origin
        return every.take((every.origin >= end - self.n_test - 1) & (back % self.step == 0))


def series_there() -> bool:
    """Say whether the open series can be read."""
    return (folder_of_tables() / "ts").is_dir()


def read(name: str) -> pl.DataFrame:
    return pl.read_parquet(folder_of_tables() / "ts" / f"{name}.parquet")


def standardised(frame: pl.DataFrame, columns: Sequence[str], n_rows: int) -> pl.DataFrame:
    """Return columns less their mean, over their standard deviation (ddof 0), of the first rows."""
    head = frame.select(pl.col(list(columns)).cast(pl.Float64))[:n_rows]
    return frame.with_columns(
        [(pl.col(c).cast(pl.Float64) - head[c].mean()) / head[c].std(ddof=0) for c in columns]  # type: ignore[operator]
    )


def ett_task(n_learned: int, horizon: int = 96, columns: Sequence[str] = ETT_COLUMNS) -> Task:
    """Return ETTh1 as it is published: standardised on 8640 hours, tested on hours 11520 to 14400."""
    frame = standardised(read("ETTh1"), columns, ETT_LEARNED)[:ETT_ROWS].select("date", *columns)
    unused = ETT_ROWS - ETT_TESTED - n_learned
    names = {"time": "date", "target": list(columns)}
    return Task(f"ETTh1-{horizon}", frame, horizon, ETT_TESTED, names, "squared_error", unused)


def exchange_task(horizon: int = 96) -> Task:
    """Return exchange rates: learned from and standardised on the first 70 %, tested on the last 20 %."""
    frame = read("exchange_rate")
    names, n_rows = frame.columns, len(frame)
    n_learned, n_test = int(0.7 * n_rows), int(0.2 * n_rows)
    frame = standardised(frame, names, n_learned).with_row_index("day")
    columns = {"time": "day", "target": names}
    return Task(f"exchange-{horizon}", frame, horizon, n_test, columns, "squared_error", n_rows - n_learned - n_test)


@dataclass(frozen=True)
class Competition:
    """A set of series with a fixed test part: the file, the period, the season and the horizon."""

    title: str
    file: str
    period: str | None
    season: int
    horizon: int

    def frame(self) -> pl.DataFrame:
        """Return group, time (-1 the last of each series) and value, learned and tested rows together."""
        frame = read(self.file)
        if self.period is not None:
            frame = frame.filter(pl.col("period") == self.period)
        return counted_back(frame.sort("series", "t"))

    def task(self, frame: pl.DataFrame | None = None) -> Task:
        """Return the competition's own test: the last horizon of each series."""
        frame = self.frame() if frame is None else frame
        columns = {"group": "series", "time": "step", "target": "value", "season": self.season}
        return Task(self.title, frame, self.horizon, self.horizon, columns)


COMPETITIONS = (
    Competition("M1 yearly", "m1", "yearly", 1, 6),
    Competition("M1 quarterly", "m1", "quarterly", 4, 8),
    Competition("M1 monthly", "m1", "monthly", 12, 18),
    Competition("tourism quarterly", "tourism", "quarterly", 4, 8),
    Competition("tourism monthly", "tourism", "monthly", 12, 24),
)
M4_HOURLY = Competition("M4 hourly", "m4_hourly", None, 24, 48)


def counted_back(frame: pl.DataFrame) -> pl.DataFrame:
    """Return series with their steps counted back from the end, so that all end at one time: these have no dates."""
    step = (pl.int_range(pl.len()) - pl.len()).over("series").alias("step")
    return frame.with_columns(step).select("series", "step", pl.col("value").cast(pl.Float64))


def classic_series(frequency: int) -> pl.DataFrame:
    """Return the classic series of one frequency, in observations a year."""
    frame = read("classic_a").filter(pl.col("freq") == frequency)
    return counted_back(frame.sort("series", "time"))


def temperatures() -> pl.DataFrame:
    """Return the temperatures of a machine; twelve times are there twice, and count by their mean."""
    return read("machine_temperature").group_by("timestamp").agg(pl.col("value").mean()).sort("timestamp")


def single_series() -> dict[str, tuple[pl.DataFrame, dict[str, Any], int]]:
    """Return long series by name: the table, its columns, and the horizon."""
    taylor, sp500 = read("taylor").with_row_index("half_hour"), read("sp500_daily").select("date", "close")
    ili = read("ili_us").select("DATE", "% WEIGHTED ILI")
    return {
        "us_births": (read("us_births").select("date", "births"), {"time": "date", "target": "births"}, 28),
        "nyc_taxi": (read("nyc_taxi"), {"time": "timestamp", "target": "value"}, 48),
        "taylor": (taylor, {"time": "half_hour", "target": "value", "season": 48}, 48),
        "machine_temperature": (temperatures(), {"time": "timestamp", "target": "value"}, 36),
        "ili_us": (ili, {"time": "DATE", "target": "% WEIGHTED ILI"}, 8),
        "sp500_daily": (sp500, {"time": "date", "target": "close"}, 30),
    }


# Those whose stage 0 takes long, by their many rows or a season of 288 steps: no part of a quick run.
SLOW = (
    "machine_temperature",
    "tweet_volume",
    "us_births",
    "ETTh1",
    *(competition.title for competition in (*COMPETITIONS[3:], M4_HOURLY)),
)


def tweets() -> tuple[pl.DataFrame, dict[str, Any], int]:
    return read("tweet_volume"), {"group": "series", "time": "timestamp", "target": "value"}, 36


def values_by_series(frame: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the values of each series of a competition by its name."""
    return {str(name): part.sort("step")["value"].to_numpy() for (name,), part in frame.group_by(["series"])}
