"""Series as JSON and arrays: the history that a forecast model keeps, read back with every size and order checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.sequence.sequences import Layout, Sequences
from heldout.sequence.time_step import TimeStep

__all__ = ["series_from_parts", "series_to_parts"]

Arrays = dict[str, NDArray[Any]]

_PARTS = ("target", "time", "group", "known", "static")
_UNITS = ("number", "second", "month", "working day")
_MOST_SEASON = 1_000_000
_KINDS: dict[str, tuple[Any, type | tuple[type, ...]]] = {
    "number": (pl.Float64(), (int, float)),
    "text": (pl.String(), str),
    "boolean": (pl.Boolean(), bool),
    "datetime": (pl.Datetime("us"), int),
}


def series_to_parts(sequences: Sequences) -> tuple[dict[str, Any], Arrays]:
    """Return series as plain JSON and arrays.

    Parameters
    ----------
    sequences : Sequences
    """
    layout, step = sequences.layout, sequences.step
    meta = {
        "layout": {
            **{part: list(getattr(layout, part)) for part in _PARTS},
            "levels": {name: list(levels) for name, levels in layout.levels.items()},
        },
        "step": {"unit": step.unit, "size": step.size, "regular": step.regular, "phase": step.phase},
        "season": sequences.season,
        "calendar": sequences.calendar,
        "labels": [_label_column(values) for values in sequences.labels.get_columns()],
    }
    arrays: Arrays = {name: getattr(sequences, name) for name in ("target", "known", "static", "count", "offsets")}
    return meta, arrays


def _label_column(values: pl.Series) -> dict[str, Any]:
    kind = next(kind for kind, (dtype, _) in _KINDS.items() if values.dtype == dtype)
    plain = values.to_physical().to_list() if kind == "datetime" else values.to_list()
    return {"name": values.name, "kind": kind, "values": plain}


def series_from_parts(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Sequences:
    """Return the series that `series_to_parts` was called on.

    Raises
    ------
    KeyError, TypeError, ValueError
        These are not the parts of series.
    """
    layout = _layout(meta["layout"])
    offsets = arrays["offsets"]
    n_rows, n_series = len(arrays["count"]), len(offsets) - 1
    shapes = {
        "target": (n_rows, len(layout.target)),
        "known": (n_rows, len(layout.known)),
        "static": (n_series, len(layout.static)),
        "count": (n_rows,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.float64:
            raise ValueError(f"{name} of the history has shape {arrays[name].shape}, not {shape}, or is no float64")
    if offsets.dtype != np.int64 or offsets.ndim != 1 or n_series < 1:
        raise ValueError("the history has no series")
    if offsets[0] != 0 or offsets[-1] != n_rows or (np.diff(offsets) < 1).any():
        raise ValueError("the series of the history do not follow one another")
    step = _step(meta["step"])
    _check_counts(arrays["count"], offsets, step)
    if np.isinf(arrays["target"]).any() or np.isinf(arrays["known"]).any() or np.isinf(arrays["static"]).any():
        raise ValueError("a value of the history is infinite")
    season, calendar = meta["season"], meta["calendar"]
    if type(season) is not int or not 1 <= season <= _MOST_SEASON or type(calendar) is not bool:
        raise ValueError(f"the season is {season!r} and the calendar {calendar!r}")
    if calendar == (step.unit == "number"):
        raise ValueError(f"the times are counted in {step.unit} steps and the calendar is {calendar}")
    return Sequences(
        # Copies: what is read from a file cannot be written to, which torch warns of.
        target=arrays["target"].copy(),
        known=arrays["known"].copy(),
        static=arrays["static"].copy(),
        count=arrays["count"].copy(),
        offsets=offsets.copy(),
        labels=_labels(meta["labels"], layout, n_series),
        step=step,
        season=season,
        calendar=calendar,
        layout=layout,
    )


def _layout(meta: Mapping[str, Any]) -> Layout:
    parts = {part: tuple(meta[part]) for part in _PARTS}
    names = [name for columns in parts.values() for name in columns]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError("the columns of the history are no names, or one is named twice")
    if len(parts["target"]) != 1 or not parts["time"]:
        raise ValueError(f"the history has {len(parts['target'])} targets and {len(parts['time'])} time columns")
    levels = {name: tuple(found) for name, found in meta["levels"].items()}
    for name, found in levels.items():
        if name not in (*parts["known"], *parts["static"]) or not all(isinstance(level, str) for level in found):
            raise ValueError(f"the levels of {name!r} are no texts, or of no column of the history")
    return Layout(**parts, levels=levels)


def _step(meta: Mapping[str, Any]) -> TimeStep:
    unit, size, regular, phase = (meta[name] for name in ("unit", "size", "regular", "phase"))
    if unit not in _UNITS or type(regular) is not bool:
        raise ValueError(f"the step is counted in {unit!r}, regular {regular!r}")
    size, phase = float(size), float(phase)
    if not (0 < size < math.inf) or not math.isfinite(phase):
        raise ValueError(f"the step is {size}, at {phase}")
    return TimeStep(unit, size, regular, phase)


def _check_counts(count: NDArray[np.float64], offsets: NDArray[np.int64], step: TimeStep) -> None:
    """Raise ValueError unless times rise within each series, on a grid by one step a row."""
    # Beyond this a time is no date, and a step more is lost in rounding.
    if not np.isfinite(count).all() or (np.abs(count) * max(step.size, 1.0) > 2.0**52).any():
        raise ValueError("a time of the history is not finite, or no time")
    gap = np.delete(np.diff(count), offsets[1:-1] - 1)
    if (gap <= 0).any() or (step.regular and (np.abs(gap - 1) > 0.01).any()):
        raise ValueError("the times of the history do not rise step by step")


def _labels(meta: list[Mapping[str, Any]], layout: Layout, n_series: int) -> pl.DataFrame:
    columns = []
    for column in meta:
        dtype, plain = _KINDS[column["kind"]]
        values = column["values"]
        if len(values) != n_series or not all(isinstance(value, plain) for value in values):
            raise ValueError(f"the group {column['name']!r} does not name each of {n_series} series")
        series = pl.Series(column["name"], values, dtype=pl.Int64() if column["kind"] == "datetime" else dtype)
        columns.append(series.cast(dtype))
    labels = pl.DataFrame(columns)
    if tuple(labels.columns) != layout.group or (not layout.group and n_series != 1):
        raise ValueError("the names of the series do not fit the group columns")
    if layout.group and labels.n_unique() < n_series:
        raise ValueError("two series of the history have one name")
    return labels
