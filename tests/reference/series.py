"""Series for tests of sequences, made without a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from heldout.sequence.sequences import Layout, Sequences
from heldout.sequence.time_step import TimeStep


def make_sequences(
    parts: Sequence[ArrayLike],
    season: int = 1,
    *,
    known: Sequence[ArrayLike] = (),
    static: ArrayLike | None = None,
    step: TimeStep | None = None,
    levels: dict[str, tuple[str, ...]] | None = None,
) -> Sequences:
    """Return sequences of these series, each (length,) or (length, n_variables), on one regular grid."""
    values = [np.asarray(part, dtype=float).reshape(len(np.asarray(part)), -1) for part in parts]
    known_values = [np.asarray(part, dtype=float).reshape(len(np.asarray(part)), -1) for part in known]
    n = len(values)
    lengths = [len(part) for part in values]
    static_values = np.zeros((n, 0)) if static is None else np.asarray(static, dtype=float).reshape(n, -1)
    known_all = np.concatenate(known_values) if known_values else np.zeros((sum(lengths), 0))
    layout = Layout(
        tuple(f"y{k}" for k in range(values[0].shape[1])),
        ("t",),
        ("series",),
        tuple(f"k{k}" for k in range(known_all.shape[1])),
        tuple(f"s{k}" for k in range(static_values.shape[1])),
        levels or {},
    )
    return Sequences(
        np.concatenate(values),
        known_all,
        static_values,
        np.concatenate([np.arange(length, dtype=float) for length in lengths]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        pl.DataFrame({"series": [f"series {k}" for k in range(n)]}),
        step or TimeStep("number", 1.0, True),
        season,
        step is not None and step.unit != "number",
        layout,
    )


def with_gaps(values: NDArray[np.float64], share: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the values with some of them missing."""
    return np.where(rng.random(values.shape) < share, np.nan, values)
