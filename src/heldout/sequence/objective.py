"""What a forecast network is trained to lower: pinball loss at every level and, on request, squared error."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heldout.sequence.dropout import SeededDropout
from heldout.sequence.examples import Batch, Examples
from heldout.sequence.network import ForecastNetwork, forecast
from heldout.sequence.quantile_tensors import pinball
from heldout.sequence.torch_state import precision

__all__ = ["Objective", "losses_by_window"]

# A window's squared error in scaled units is bounded in its pull by this, as in ridge on lags.
_LARGE = 7.0
_CHUNK = 512


def losses_by_window(point: Tensor, quantiles: Tensor, batch: Batch, levels: Tensor, loss: str) -> Tensor:
    """Return the mean loss of each window, shape (replicas, windows).

    Parameters
    ----------
    point : Tensor, shape (replicas, windows, n_variables, horizon)
    quantiles : Tensor, shape (replicas, windows, n_variables, horizon, n_levels)
    batch : Batch
    levels : Tensor, shape (n_levels,)
    loss : {"squared_error", "absolute_error", "quantile"}
        Of the point, of the median, or the mean over levels.
    """
    known = batch.target_known
    n = known.sum(dim=(-1, -2)).clamp(min=1.0)
    if loss == "squared_error":
        error = (point - batch.target) ** 2
    elif loss == "absolute_error":
        error = (quantiles[..., int((levels - 0.5).abs().argmin())] - batch.target).abs()
    else:
        error = pinball(quantiles, batch.target.expand(quantiles.shape[:-1]), levels).mean(-1)
    return (error * known).sum(dim=(-1, -2)) / n


class Objective:
    """Draw the windows of a step and return the loss of each replica.

    Parameters
    ----------
    network : ForecastNetwork
    examples : Examples
    weights : array of float64, shape (n_windows, replicas)
    spread : Tensor, shape (horizon, n_levels)
    levels : Tensor, shape (n_levels,)
    loss : {"squared_error", "absolute_error", "quantile"}
        With "squared_error" the point is trained by it and the quantiles by the pinball loss, each divided by what
        stage 0 loses; else by the pinball loss alone.
    batch_size : int
    seed : int

    Notes
    -----
    The draw of a step hangs on the seed and its number alone, so that a run can be taken up anywhere.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        examples: Examples,
        weights: NDArray[np.float64],
        spread: Tensor,
        levels: Tensor,
        *,
        loss: str,
        batch_size: int,
        seed: int,
    ) -> None:
        self.network, self.examples, self.spread, self.levels = network, examples, spread, levels
        self.loss, self.batch_size, self.seed = loss, batch_size, seed
        device = examples.device
        future = torch.from_numpy(np.nan_to_num(examples.scaling.down(examples.windows.future())))
        # A few wild windows must not rule: the same weights as ridge on lags.
        pull = 1 / (1 + (future**2).mean(dim=(1, 2)) / _LARGE**2)
        self.weights = (torch.from_numpy(weights) * pull[:, None]).to(torch.float32).to(device)
        self.mean_weight = self.weights.mean(0).clamp(min=1e-12)
        self.zero_losses = self._losses_of_stage_zero()

    def _losses_of_stage_zero(self) -> tuple[Tensor, Tensor]:
        """Return the mean squared error and pinball loss of stage 0 over a fixed sample of windows.

        Weighted as each replica counts them, shape (replicas, 1): no replica may hang on the draw of another.
        """
        n = len(self.examples)
        sample = torch.linspace(0, n - 1, min(n, 512), device=self.examples.device).long()
        batch = self.examples.gather(sample)
        point, quantiles = batch.base[None], self.spread + batch.base[None, ..., None]
        weight = self.weights[sample]
        weight = weight / weight.sum(dim=0).clamp(min=1e-12)
        squared, absolute = (
            losses_by_window(point, quantiles, batch, self.levels, loss)[0] @ weight
            for loss in ("squared_error", "quantile")
        )
        return squared.clamp(min=1e-6)[:, None], absolute.clamp(min=1e-6)[:, None]

    def loss_on(self, examples: Examples) -> float:
        """Return the mean loss over other windows, in evaluation mode; infinite where it is no number.

        Parameters
        ----------
        examples : Examples
            On the same device.
        """
        was_training = self.network.training
        self.network.eval()
        total = 0.0
        with torch.no_grad():
            for chosen in torch.split(torch.arange(len(examples), device=examples.device), _CHUNK):
                batch = examples.gather(chosen)
                with precision(examples.device):
                    point, quantiles = forecast(self.network, batch, self.spread)
                total += float(self._combined(point, quantiles, batch).mean(0).sum())
        self.network.train(was_training)
        return total / len(examples) if math.isfinite(total) else math.inf

    def _combined(self, point: Tensor, quantiles: Tensor, batch: Batch) -> Tensor:
        """Return the loss that is trained for, relative to stage 0's, shape (replicas, windows)."""
        losses = losses_by_window(point, quantiles, batch, self.levels, "quantile") / self.zero_losses[1]
        if self.loss == "squared_error":
            squared = losses_by_window(point, quantiles, batch, self.levels, "squared_error")
            losses = losses + squared / self.zero_losses[0]
        return losses

    def __call__(self, step: int) -> tuple[Tensor, float]:
        """Return the loss of each replica at a step, shape (replicas,), and the seconds spent on gathering."""
        began = time.perf_counter()
        rng = np.random.default_rng([self.seed, step])
        size = min(self.batch_size, len(self.examples))
        chosen = torch.from_numpy(rng.integers(0, len(self.examples), size)).to(self.examples.device)
        batch = self.examples.gather(chosen)
        gathered = time.perf_counter() - began
        for module in self.network.modules():
            if isinstance(module, SeededDropout):
                module.n_calls = step  # what is dropped hangs on the step, wherever the run was taken up
        with precision(self.examples.device):
            point, quantiles = forecast(self.network, batch, self.spread)
        weight = self.weights[chosen].T / self.mean_weight[:, None]
        return (self._combined(point, quantiles, batch) * weight).mean(dim=1), gathered
