"""Small fits for tests: a few series, a small network, a few steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.plan import FitPlan
from heldout.sequence.sequences import Sequences

from reference.series import make_sequences

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def small_plan(**changes: Any) -> FitPlan:
    settings: dict[str, Any] = {
        "horizon": 3,
        "levels": LEVELS,
        "stage0": "ridge",
        "loss": "quantile",
        "time_budget": 5.0,
        "replicas": 1,
        "encoder": "attention",
        "cross": False,
        "context": 8,
        "width": 16,
        "depth": 1,
        "n_steps": 12,
        "batch_size": 16,
        "confidence_level": 0.95,
        "seed": 0,
    }
    return FitPlan(**{**settings, **changes})


def waves(n_series: int, length: int, rng: np.random.Generator, season: int = 4) -> Sequences:
    """Return seasonal series with noise and levels of their own."""
    time = np.arange(length)
    parts: list[NDArray[np.float64]] = [
        rng.normal(50, 10) + 3 * np.sin(2 * np.pi * time / season + rng.uniform(0, 6)) + rng.normal(0, 1, length)
        for _ in range(n_series)
    ]
    return make_sequences(parts, season)
