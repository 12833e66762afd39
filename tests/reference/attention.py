"""Self-attention in loops over single numbers and vectors: the naive twin, which shares no code with the product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Formula:
    """What is asked of the attention of one sequence."""

    n_heads: int = 1
    n_key_heads: int = 1
    causal: bool = False
    window: int | None = None
    rotary: bool = False
    rotary_base: float = 10000.0
    normalise: bool = False
    n_registers: int = 0


def may_see(formula: Formula, query: int, key: int, present: NDArray[np.bool_]) -> bool:
    """Say by the rules in words: nobody sees padding, the future, or tokens far away."""
    if not present[key]:
        return False
    if formula.causal and key > query:
        return False
    if formula.window is None or key < formula.n_registers:
        return True
    return query >= formula.n_registers and abs(query - key) < formula.window


def turned(vector: Floats, time: float, base: float) -> Floats:
    """Turn each pair (i, i + d / 2) by its angle."""
    half = len(vector) // 2
    out = np.empty_like(vector)
    for i in range(half):
        angle = time / base ** (2 * i / len(vector))
        out[i] = vector[i] * math.cos(angle) - vector[i + half] * math.sin(angle)
        out[i + half] = vector[i] * math.sin(angle) + vector[i + half] * math.cos(angle)
    return out


def prepared(vector: Floats, time: float, formula: Formula) -> Floats:
    """Normalise and turn one query or key."""
    if formula.normalise:
        vector = vector / math.sqrt(float(np.mean(vector**2)) + 1e-6)
    return turned(vector, time, formula.rotary_base) if formula.rotary else vector


def naive_attention(
    X: Floats,
    W: dict[str, Floats],
    formula: Formula,
    positions: Floats | None = None,
    present: NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    """Return outputs (T, D) and weights (H, T, T) of one sequence X of shape (T, D).

    `W` holds query, key, value, output as the product stores them, without the replica axis, and score_scale.
    """
    length, width = X.shape
    d = width // formula.n_heads
    times = np.arange(length, dtype=np.float64) if positions is None else positions
    shown = np.ones(length, dtype=bool) if present is None else present
    Q, K, V = X @ W["query"], X @ W["key"], X @ W["value"]
    joined, weights = np.zeros((length, width)), np.zeros((formula.n_heads, length, length))
    for head in range(formula.n_heads):
        shared = head // (formula.n_heads // formula.n_key_heads)
        for i in range(length):
            seen = [j for j in range(length) if may_see(formula, i, j, shown)]
            if not seen:
                continue
            q = prepared(Q[i, head * d : (head + 1) * d], times[i], formula)
            if formula.normalise:
                q = q * W["score_scale"][head]
            scores = [
                float(q @ prepared(K[j, shared * d : (shared + 1) * d], times[j], formula)) / math.sqrt(d) for j in seen
            ]
            top = max(scores)
            total = sum(math.exp(score - top) for score in scores)
            for j, score in zip(seen, scores, strict=True):
                weights[head, i, j] = math.exp(score - top) / total
                joined[i, head * d : (head + 1) * d] += weights[head, i, j] * V[j, shared * d : (shared + 1) * d]
    return joined @ W["output"], weights
