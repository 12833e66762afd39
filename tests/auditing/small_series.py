"""Small tables of time series, and the parts of an audit of forecasts on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from heldout.auditing.forecast_reading import SeriesTable, read_series
from heldout.auditing.request import Request, load_table
from heldout.sequence.sequences import Sequences

__all__ = ["asked", "days", "series_of", "shops", "walk", "wave"]


def days(n: int) -> pl.Series:
    return pl.datetime_range(
        pl.datetime(2021, 1, 1), pl.datetime(2021, 1, 1) + pl.duration(days=n - 1), "1d", eager=True
    )


def wave(n: int = 210, seed: int = 0) -> pl.DataFrame:
    """One daily series with a week in it."""
    rng = np.random.default_rng([seed, 1])
    y = 20 + 5 * np.sin(2 * np.pi * np.arange(n) / 7) + rng.normal(size=n)
    return pl.DataFrame({"day": days(n), "y": y})


def walk(n: int = 400, seed: int = 0) -> pl.DataFrame:
    """A random walk, whose best forecast is its last value."""
    rng = np.random.default_rng([seed, 2])
    return pl.DataFrame({"t": np.arange(n), "y": np.cumsum(rng.normal(size=n))})


def shops(n: int = 120, n_shops: int = 3, seed: int = 0) -> pl.DataFrame:
    """Daily sales of shops with a size, and days of promotion that are known in advance."""
    rng = np.random.default_rng([seed, 3])
    parts = []
    for shop in range(n_shops):
        promotion = rng.integers(0, 2, n)
        y = 10 + 3 * shop + 4 * promotion + 3 * np.sin(2 * np.pi * np.arange(n) / 7) + rng.normal(size=n)
        parts.append(
            pl.DataFrame(
                {
                    "shop": [f"s{shop}"] * n,
                    "day": days(n),
                    "promotion": promotion,
                    "size": [float(shop // 2)] * n,
                    "noise": rng.normal(size=n),
                    "y": y,
                }
            )
        )
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
