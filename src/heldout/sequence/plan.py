"""What a fit is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["FitPlan"]


@dataclass(frozen=True, eq=False)
class FitPlan:
    """The parameters of a `Forecaster`, checked; None where a size is to be chosen.

    Parameters
    ----------
    horizon : int
    levels : array of float64, shape (n_levels,)
        Ascending, .5 among them.
    stage0 : str or None
    loss, encoder, device : str
    time_budget, confidence_level, dropout : float
    replicas : int
    cross : bool
    context, width, depth, n_steps, batch_size : int or None
    checkpoint : Path or None
    seed : int
    """

    horizon: int
    levels: NDArray[np.float64]
    stage0: str | None
    loss: str
    time_budget: float
    replicas: int
    encoder: str
    cross: bool
    context: int | None
    width: int | None
    depth: int | None
    n_steps: int | None
    batch_size: int | None
    confidence_level: float
    seed: int
    device: str = "cpu"
    checkpoint: Path | None = None
    dropout: float = 0.1
