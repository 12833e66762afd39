"""What the network is shown of windows, gathered from flat tensors by index arithmetic: no Python per series.

One example is one window, with all its variables::

    context (length)                      future (horizon)
    [values, which are known, cycles]     [stage 0's forecast, cycles, columns known in advance]
                                          target: (value - level) / scale
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heldout.sequence.calendar_features import on_circles
from heldout.sequence.scaling import Scaling, scaling_of
from heldout.sequence.windows import Windows

__all__ = ["Batch", "Examples", "Shape"]

# Values further than this from the level, in units of the scale, are compressed: one outlier must not rule a batch.
_KNEE = 8.0


@dataclass(frozen=True)
class Shape:
    """The sizes that windows and network share.

    Parameters
    ----------
    length, horizon : int
        Steps of context, and to be forecast.
    n_variables : int
    cycles : tuple of float
        Steps of the season, week, year.
    known_levels, static_levels : tuple of int
        Number of levels of each known and static column; 0 for numbers.
    known_centre, known_scale, static_centre, static_scale : tuple of float
        Mean and standard deviation of each of these columns, 0 and 1 for categories; numbers are shown from the one in
        units of the other, so that their units do not matter. Without any they are shown as they are.
    """

    length: int
    horizon: int
    n_variables: int
    cycles: tuple[float, ...]
    known_levels: tuple[int, ...] = ()
    static_levels: tuple[int, ...] = ()
    known_centre: tuple[float, ...] = ()
    known_scale: tuple[float, ...] = ()
    static_centre: tuple[float, ...] = ()
    static_scale: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Batch:
    """Tensors of some windows; the leading axes are those of the index asked for.

    Parameters
    ----------
    context : Tensor, shape (..., n_variables, length)
        Scaled; 0 where unknown.
    context_known : Tensor of float, same shape
    base : Tensor, shape (..., n_variables, horizon)
        Stage 0's forecast, scaled.
    target : Tensor, same shape
        Scaled; 0 where unknown.
    target_known : Tensor of float, same shape
    time : Tensor, shape (..., length + horizon)
        Steps from the origin: 0 there, 1 at the first step forecast.
    cycles : Tensor, shape (..., length + horizon, 2 * n_cycles)
    known : Tensor, shape (..., length + horizon, n_known)
    static : Tensor, shape (..., n_static)
    """

    context: Tensor
    context_known: Tensor
    base: Tensor
    target: Tensor
    target_known: Tensor
    time: Tensor
    cycles: Tensor
    known: Tensor
    static: Tensor


class Examples:
    """Windows with stage 0's forecasts, on a device.

    Parameters
    ----------
    windows : Windows
    base : array of float64, shape (n_windows, horizon, n_variables)
        Stage 0's forecasts; out of fold where the network is to learn from them.
    shape : Shape
    known_future : array of float64, shape (n_windows, horizon, n_known), optional
        Columns known in advance beyond the end of the table.
    device : torch.device
    """

    def __init__(
        self,
        windows: Windows,
        base: NDArray[np.float64],
        shape: Shape,
        *,
        known_future: NDArray[np.float64] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        sequences = windows.sequences
        self.windows, self.shape, self.device = windows, shape, torch.device(device)
        self.scaling: Scaling = scaling_of(windows)

        def on_device(values: NDArray[np.floating]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(self.device)

        series = windows.series
        self._origin = torch.from_numpy(windows.origin).to(self.device)
        self._start = torch.from_numpy(sequences.offsets[series]).to(self.device)
        self._end = torch.from_numpy(sequences.offsets[series + 1]).to(self.device)
        # In float64: a level of a million with a scale of one keeps its digits until the level is gone.
        self._values = torch.from_numpy(sequences.target).to(self.device)
        self._level = torch.from_numpy(self.scaling.level[:, 0]).to(self.device)
        self._scale = torch.from_numpy(self.scaling.scale[:, 0]).to(self.device)
        self._base = on_device(squeeze(self.scaling.down(base)).transpose(0, 2, 1))
        future = self.scaling.down(windows.future()).transpose(0, 2, 1)
        self._target_known = on_device(np.isfinite(future))
        self._target = on_device(np.nan_to_num(future))
        self._count = torch.from_numpy(sequences.count).to(self.device)
        self._cycles = on_device(on_circles(sequences.count, shape.cycles))
        told = windows.known_future if known_future is None else known_future
        known, static = (shape.known_centre, shape.known_scale), (shape.static_centre, shape.static_scale)
        self._known = on_device(_standardised(sequences.known, *known))
        self._known_future = None if told is None else on_device(_standardised(told, *known))
        self._static = on_device(_standardised(sequences.static, *static))
        self._series = torch.from_numpy(series).to(self.device)
        self._regular = sequences.step.regular

    def __len__(self) -> int:
        return len(self.windows)

    def gather(self, chosen: Tensor) -> Batch:
        """Return the tensors of windows.

        Parameters
        ----------
        chosen : Tensor of int64, any shape
            Numbers of windows; the leading axes of what is returned.
        """
        length = self.shape.length
        origin = self._origin[chosen][..., None]
        rows = origin + torch.arange(1 - length, 1, device=self.device)
        inside = rows >= self._start[chosen][..., None]
        time = self._times(chosen, origin, rows, inside)
        rows = rows.clamp(min=0)
        level, scale = self._level[chosen][..., None], self._scale[chosen][..., None]
        values = self._values[rows].transpose(-1, -2)
        known = torch.isfinite(values) & inside[..., None, :]
        values = torch.where(known, (values - level) / scale, 0.0).to(torch.float32)
        return Batch(
            context=_compressed(values),
            context_known=known.to(torch.float32),
            base=self._base[chosen],
            target=self._target[chosen],
            target_known=self._target_known[chosen],
            time=time,
            cycles=self._cycles_of(origin, time),
            known=self._known_columns(chosen, rows, inside, origin),
            static=self._static[self._series[chosen]],
        )

    def _times(self, chosen: Tensor, origin: Tensor, rows: Tensor, inside: Tensor) -> Tensor:
        length, horizon = self.shape.length, self.shape.horizon
        steps = torch.arange(1 - length, horizon + 1, device=self.device, dtype=torch.float32)
        if self._regular:
            return steps.expand(*rows.shape[:-1], -1)
        past = (self._count[rows.clamp(min=0)] - self._count[origin]).to(torch.float32)
        # Before the series began, times go on in steps, from its first.
        before = rows - self._start[chosen][..., None]
        began = self._count[self._start[chosen]][..., None] - self._count[origin]
        past = torch.where(inside, past, (began + before).to(torch.float32))
        return torch.cat([past, steps[length:].expand(*past.shape[:-1], -1)], dim=-1)

    def _cycles_of(self, origin: Tensor, time: Tensor) -> Tensor:
        # Turned on from the origin, so that steps before the table and after it have a place too.
        here = self._cycles[origin[..., 0]]
        n = len(self.shape.cycles)
        sine, cosine = here[..., None, :n], here[..., None, n:]
        angle = 2 * torch.pi * time[..., None] / torch.tensor(self.shape.cycles, device=self.device)
        turned = sine * angle.cos() + cosine * angle.sin(), cosine * angle.cos() - sine * angle.sin()
        return torch.cat(turned, dim=-1)

    def _known_columns(self, chosen: Tensor, rows: Tensor, inside: Tensor, origin: Tensor) -> Tensor:
        """Return the columns known in advance, 0 where neither the series nor what was told reaches."""
        past = self._known[rows].masked_fill(~inside[..., None], 0.0)
        ahead = origin + torch.arange(1, self.shape.horizon + 1, device=self.device)
        reached = (ahead < self._end[chosen][..., None])[..., None]
        future = self._known[ahead.clamp(max=len(self._known) - 1)]
        told = torch.zeros_like(future) if self._known_future is None else self._known_future[chosen]
        return torch.cat([past, torch.where(reached, future, told)], dim=-2)


def _compressed(values: Tensor) -> Tensor:
    """Leave values up to the knee as they are and let the rest grow like a logarithm."""
    beyond = (values.abs() / _KNEE).clamp(min=1.0)
    return values.clamp(-_KNEE, _KNEE) * (1 + beyond.log())


def squeeze(values: NDArray[np.float64], limit: float = 1e4) -> NDArray[np.float64]:
    """Keep forecasts of stage 0 within what float32 adds up exactly enough."""
    return np.clip(values, -limit, limit)


def _standardised(
    values: NDArray[np.float64], centre: tuple[float, ...], scale: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return columns from their centre in units of their scale, and 0 where they are missing."""
    return np.nan_to_num((values - np.array(centre)) / np.array(scale) if centre else values)
