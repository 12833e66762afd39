"""Small tables of time series, and the parts of an audit of forecasts on them; longer ones go on from shorter ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from heldout.auditing.forecast_reading import SeriesTable, read_series
from heldout.auditing.request import Request, load_table
from heldout.sequence.sequences import Sequences

__all__ = ["asked", "days", "read", "series_of", "shops", "walk", "wave"]

LONGEST = 4000


def days(n: int) -> pl.Series:
    first = pl.datetime(2021, 1, 1)
    return pl.datetime_range(first, first + pl.duration(days=n - 1), "1d", eager=True)


def wave(n: int = 210, seed: int = 0) -> pl.DataFrame:
    """One daily series with a week in it and noise of standard deviation 1."""
    noise = np.random.default_rng([seed, 1]).normal(size=LONGEST)[:n]
    return pl.DataFrame({"day": days(n), "y": 20 + 5 * np.sin(2 * np.pi * np.arange(n) / 7) + noise})


def walk(n: int = 400, seed: int = 0) -> pl.DataFrame:
    """A random walk, whose best forecast is its last value."""
    steps = np.random.default_rng([seed, 2]).normal(size=LONGEST)[:n]
    return pl.DataFrame({"t": np.arange(n), "y": np.cumsum(steps)})


def shops(n: int = 120, n_shops: int = 3, seed: int = 0) -> pl.DataFrame:
    """Daily sales of shops with a size, and days of promotion that are known in advance."""
    parts = []
    for shop in range(n_shops):
        rng = np.random.default_rng([seed, 3, shop])
        promotion = rng.integers(0, 2, LONGEST)[:n]
        noise, other = rng.normal(size=(2, LONGEST))[:, :n]
        week = 3 * np.sin(2 * np.pi * np.arange(n) / 7)
        columns = {
            "shop": [f"s{shop}"] * n,
            "day": days(n),
            "promotion": promotion,
            "size": [float(shop // 2)] * n,
            "noise": other,
            "y": 10 + 3 * shop + 4 * promotion + week + noise,
        }
        parts.append(pl.DataFrame(columns))
    return pl.concat(parts)


def asked(**options: Any) -> Request:
    base: dict[str, Any] = {
        "target": "y",
        "group": [],
        "time": ["day"],
        "drop": [],
        "types": None,
        "weight": None,
        "positive": None,
        "deploy": "auto",
        "horizon": 7,
        "task": None,
        "metric": None,
        "confidence_level": 0.95,
        "seed": 0,
        "n_jobs": 1,
    }
    return Request(**(base | options))


def read(frame: pl.DataFrame, **options: Any) -> SeriesTable:
    return read_series(load_table(frame, None), asked(**options))


def series_of(frame: pl.DataFrame, **options: Any) -> Sequences:
    return read(frame, **options).sequences
