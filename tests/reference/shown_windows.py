"""What the network is shown of one window, by plain loops over its rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.examples import Shape
from heldout.sequence.sequences import Sequences

from reference.forecasts import scaling


def shown(
    sequences: Sequences,
    origin: int,
    shape: Shape,
    base: NDArray[np.float64],
    known_future: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return nested lists by the names of a batch; base is (horizon, n_variables), known_future (horizon, n_known)."""
    series = max(k for k in range(sequences.n_series) if sequences.offsets[k] <= origin)
    start, end = int(sequences.offsets[series]), int(sequences.offsets[series + 1])
    past = range(origin - shape.length + 1, origin + 1)
    future = range(origin + 1, origin + shape.horizon + 1)
    out: dict[str, Any] = {name: [] for name in ("context", "context_known", "base", "target", "target_known")}
    for variable in range(sequences.n_variables):
        values = sequences.target[:, variable].tolist()
        level, scale = scaling(values[start : origin + 1], sequences.season)
        there = [start <= row < end and not math.isnan(values[row]) for row in past]
        ahead = [row < end and not math.isnan(values[row]) for row in future]
        out["context"].append(
            [
                _compressed((values[row] - level) / scale) if known else 0.0
                for row, known in zip(past, there, strict=True)
            ]
        )
        out["context_known"].append([float(known) for known in there])
        out["base"].append([min(max((b - level) / scale, -1e4), 1e4) for b in base[:, variable]])
        out["target"].append(
            [(values[row] - level) / scale if known else 0.0 for row, known in zip(future, ahead, strict=True)]
        )
        out["target_known"].append([float(known) for known in ahead])
    out["time"] = _times(sequences, start, origin, shape)
    out["cycles"] = [
        [
            wave(2 * math.pi * (sequences.count[origin] + time) / cycle)
            for wave in (math.sin, math.cos)
            for cycle in shape.cycles
        ]
        for time in out["time"]
    ]
    rows = [sequences.known[row] if start <= row < end else None for row in (*past, *future)]
    if known_future is not None:
        for step, row in enumerate(future):
            if row >= end:
                rows[shape.length + step] = known_future[step]
    out["known"] = [
        [
            _column(row, k, shape.known_levels, shape.known_centre, shape.known_scale)
            for k in range(len(shape.known_levels))
        ]
        for row in rows
    ]
    out["static"] = [
        _column(sequences.static[series], k, shape.static_levels, shape.static_centre, shape.static_scale)
        for k in range(len(shape.static_levels))
    ]
    return out


def _times(sequences: Sequences, start: int, origin: int, shape: Shape) -> list[float]:
    """Steps from the origin: as counted, a step apart before the series began and after the origin."""
    times = []
    for row in range(origin - shape.length + 1, origin + 1):
        if row >= start:
            times.append(float(sequences.count[row] - sequences.count[origin]))
        else:
            times.append(float(sequences.count[start] - sequences.count[origin]) - (start - row))
    return [*times, *(float(step) for step in range(1, shape.horizon + 1))]


def _compressed(value: float) -> float:
    return value if abs(value) <= 8 else math.copysign(8 * (1 + math.log(abs(value) / 8)), value)


def _column(
    row: NDArray[np.float64] | None,
    k: int,
    levels: tuple[int, ...],
    centre: tuple[float, ...],
    scale: tuple[float, ...],
) -> float:
    """A number from its centre in units of its scale, the code of a category; 0 where it is not known."""
    if row is None or math.isnan(row[k]):
        return 0.0
    if levels[k] or not centre:
        return float(row[k])
    return float((row[k] - centre[k]) / scale[k])
