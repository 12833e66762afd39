"""The backbone on one sequence in plain NumPy, layer by layer, around the naive attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.attention import Floats, Formula, naive_attention


def normed(x: Floats) -> Floats:
    """Divide each token by its root mean square."""
    return np.asarray(x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6))


def naive_backbone(
    x: Floats,
    registers: Floats,
    layers: list[dict[str, Any]],
    formula: Formula,
    positions: Floats,
    present: NDArray[np.bool_],
) -> Floats:
    """Return tokens (T, D) of a sequence x of shape (T, D).

    `layers` hold query, key, value, output and score_scale as `naive_attention` takes them, widen, narrow, and the
    numbers stream_scale and input_scale.
    """
    n_registers = len(registers)
    x = start = np.concatenate([registers, x])
    times = np.concatenate([np.zeros(n_registers), positions])
    shown = np.concatenate([np.ones(n_registers, dtype=bool), present])
    for layer in layers:
        x = layer["stream_scale"] * x + layer["input_scale"] * start
        x = x + naive_attention(normed(x), layer, formula, times, shown)[0]
        x = x + np.maximum(normed(x) @ layer["widen"], 0.0) ** 2 @ layer["narrow"]
    return normed(x[n_registers:])
