"""By how much a network moves stage 0's forecasts of windows, a chunk of windows at a time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from heldout.sequence.examples import Examples
from heldout.sequence.network import ForecastNetwork, moves
from heldout.sequence.torch_state import precision
from heldout.sequence.windows import Windows

__all__ = ["moves_of"]

_CHUNK = 512


def moves_of(
    network: ForecastNetwork,
    windows: Windows,
    base: NDArray[np.float64],
    spread: NDArray[np.float64],
    known_future: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a network adds to stage 0: to the point, and to get the quantiles; both scaled.

    Parameters
    ----------
    network : ForecastNetwork
    windows : Windows
    base : array of float64, shape (n_windows, horizon, n_variables)
        Stage 0's forecasts.
    spread : array of float64, shape (horizon, n_levels)
    known_future : array of float64, shape (n_windows, horizon, n_known), optional

    Returns
    -------
    point : array of float64, shape (replicas, n_windows, horizon, n_variables)
    quantiles : array of float64, shape (replicas, n_windows, horizon, n_variables, n_levels)
    """
    device = next(network.parameters()).device
    examples = Examples(windows, base, network.design.shape, known_future=known_future, device=device)
    # In float64, where no gap is lost to rounding, and stage 0 that is not moved keeps its bits.
    gaps = torch.from_numpy(spread).to(examples.device)
    network.eval()
    point, quantiles = [], []
    with torch.no_grad():
        for start in range(0, max(len(examples), 1), _CHUNK):
            chosen = torch.arange(start, min(start + _CHUNK, len(examples)), device=examples.device)
            batch = examples.gather(chosen)
            with precision(device):
                a, b = moves(network, batch, gaps)
            point.append(a.transpose(-1, -2).cpu().double().numpy())
            quantiles.append(b.transpose(2, 3).cpu().numpy())
    return np.concatenate(point, axis=1), np.concatenate(quantiles, axis=1)
