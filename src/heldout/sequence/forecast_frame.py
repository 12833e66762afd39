"""Forecasts as a table: one row per series, time and variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.sequence.fitted import Forecasts
from heldout.sequence.windows import Windows

__all__ = ["forecast_frame", "like_given", "path_frame"]


def forecast_frame(
    windows: Windows, found: Forecasts, levels: NDArray[np.float64], asked: Sequence[float]
) -> pl.DataFrame:
    """Return forecasts as rows, in order of series, time and variable.

    Parameters
    ----------
    windows : Windows
    found : Forecasts
    levels : array of float64
        Of the quantiles in `found`.
    asked : sequence of float
        Levels that get a column.
    """
    frame = _index(windows)
    columns = [pl.Series("prediction", found.point.reshape(-1))]
    for level in sorted({float(level) for level in asked}):
        place = int(np.argmin(np.abs(levels - level)))
        columns.append(pl.Series(f"q{level:g}", found.quantiles[..., place].reshape(-1)))
    return frame.with_columns(columns)


def path_frame(windows: Windows, drawn: NDArray[np.float64]) -> pl.DataFrame:
    """Return paths (n_paths, n_windows, horizon, n_variables) as rows, in order of path, series, time."""
    index = _index(windows)
    parts = [
        index.with_columns(pl.lit(path).alias("path"), pl.Series("value", values.reshape(-1)))
        for path, values in enumerate(drawn)
    ]
    names = [*windows.sequences.layout.group, "path"]
    rest = [name for name in index.columns if name not in names]
    return pl.concat(parts).select(*names, *rest, "value")


def _index(windows: Windows) -> pl.DataFrame:
    sequences = windows.sequences
    horizon, variables = windows.horizon, sequences.n_variables
    count = sequences.count[windows.origin][:, None] + np.arange(1, horizon + 1)
    columns = []
    if sequences.labels.width:
        columns += [c.gather(np.repeat(windows.series, horizon * variables)) for c in sequences.labels.get_columns()]
    columns.append(sequences.time_of(np.repeat(count.reshape(-1), variables)))
    if variables > 1:
        columns.append(pl.Series("variable", list(sequences.layout.target) * (len(windows) * horizon)))
    return pl.DataFrame(columns)


def like_given(frame: pl.DataFrame, given: Any) -> Any:
    """Return a polars frame as the kind of frame that was given; a Table or None asks for polars."""
    kind = nw.from_native(given, eager_only=True, pass_through=True)
    if not isinstance(kind, nw.DataFrame) or kind.implementation.is_polars():
        return frame
    if kind.implementation.is_pandas():
        return frame.to_pandas()
    return frame.to_arrow()
