"""Tables whose truth is known, because they are made here."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray


def noise_table(rng: np.random.Generator, n: int, task: str) -> pl.DataFrame:
    """Features and a target that have nothing to do with each other; rows are IID."""
    columns: dict[str, NDArray[np.generic]] = {f"x{j}": rng.normal(size=n) for j in range(3)}
    columns["colour"] = rng.choice(["red", "green", "blue"], n)
    columns["y"] = rng.normal(size=n) if task == "regression" else rng.choice(["yes", "no"], n)
    return pl.DataFrame(columns)


def signal_table(rng: np.random.Generator, n: int) -> pl.DataFrame:
    """IID rows, a target that three of the features explain in part."""
    x = rng.normal(size=(n, 4))
    colour = rng.integers(0, 3, n)
    y = 2 * x[:, 0] + np.sin(2 * x[:, 1]) + colour + rng.normal(size=n)
    return pl.DataFrame({f"x{j}": x[:, j] for j in range(4)}).with_columns(
        colour=pl.Series(np.array(["red", "green", "blue"])[colour]), y=pl.Series(y)
    )


def grouped_table(rng: np.random.Generator, n_groups: int, rows_each: int) -> pl.DataFrame:
    """Each subject has its own level and a fingerprint in the features: a random split recognises subjects."""
    level = rng.normal(size=n_groups)
    fingerprint = rng.normal(size=(n_groups, 3))
    subject = np.repeat(np.arange(n_groups), rows_each)
    x = fingerprint[subject] + 0.05 * rng.normal(size=(len(subject), 3))
    effect = rng.normal(size=len(subject))
    y = level[subject] + 1.5 * effect + 0.3 * rng.normal(size=len(subject))
    frame = pl.DataFrame({f"mark{j}": x[:, j] for j in range(3)})
    return frame.with_columns(
        dose=pl.Series(effect), subject=pl.Series([f"s{code}" for code in subject]), y=pl.Series(y)
    )


def drifting_table(rng: np.random.Generator, n: int, after: pl.DataFrame | None = None) -> pl.DataFrame:
    """A slow wave moves the target, and a feature tells the date: a random split interpolates the wave.

    With `after` the rows continue that table: another future of the same past.
    """
    start, level = (0, rng.normal()) if after is None else (len(after), float(after["wave"][-1]))
    wave = np.empty(n)
    for row, step in enumerate(rng.normal(scale=np.sqrt(1 - 0.97**2), size=n)):
        level = 0.97 * level + step  # stationary, variance 1, forgotten after some 100 rows
        wave[row] = level
    day = start + np.arange(n, dtype=float)
    dose = rng.normal(size=n)
    y = wave + dose + 0.3 * rng.normal(size=n)
    clock = day + rng.normal(scale=0.5, size=n)
    return pl.DataFrame({"day": day, "clock": clock, "dose": dose, "wave": wave, "y": y})
