"""Where a fitted forecaster looks: exact attention weights of the tokens that become the forecast.

::

    keys      registers | past tokens ........ origin | future tokens
    rows                                               the future tokens that hold the steps asked for
    weights   softmax(Q K^T / sqrt(d)), recomputed in float32; a row sums to 1 with what it gives to registers

The fused kernel never holds the weights, so they are computed again from what each layer's attention is given, for the
layers, heads and rows asked for, some windows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from heldout.errors import InvalidInput
from heldout.sequence.attending import Request, attending_network, backbone_of, evenly_spaced, examples_of, make_request
from heldout.sequence.attention_weights import batch_weights
from heldout.sequence.examples import Examples
from heldout.sequence.known_future import with_known_future
from heldout.sequence.lag_profile import LagProfile, lag_profile
from heldout.sequence.lag_unit import lag_unit
from heldout.sequence.mean_map import MeanMap
from heldout.sequence.network import ForecastNetwork
from heldout.sequence.reading import read_sequences_like
from heldout.sequence.stability import Stability, rank_stability
from heldout.sequence.token_times import TokenTimes, token_times
from heldout.sequence.torch_state import torch_as_found
from heldout.sequence.variable_weights import VariableWeights, variable_weights
from heldout.sequence.windows import Windows, last_origins

if TYPE_CHECKING:
    from heldout.sequence.forecaster import Forecaster

__all__ = ["AttentionMaps", "attention_maps"]

_MOST_WINDOWS = 100
# Numbers in the maps of all windows together (160 MB); of more windows than that, evenly spaced ones are taken.
_MOST_NUMBERS = 40_000_000
_CHUNK = 32


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Attention weights of some windows.

    Parameters
    ----------
    weights : array of float32, shape (n_layers, replicas, n_windows, n_variables, n_heads, n_rows, n_tokens)
        Of the layers along time: from the token that is forecast to each token of the past, then of the future.
    register_share : array of float32, the shape of `weights` without its last axis
        What a row gives to all registers together. It belongs to no time: ``weights.sum(-1) + register_share`` is 1.
    across : array of float32, shape (n_across, replicas, n_windows, n_heads, n_rows, n_variables, n_variables)
        Of the layers across variables, at the times of the rows: from the variable forecast to the one looked at.
    layers, across_layers, heads : tuple of int
        Those of the axes, from 0.
    rows : array of int64, shape (n_rows,)
        Tokens that are the rows; all of the future.
    present : array of bool, shape (n_windows, n_variables, n_tokens)
        False for tokens before the series began or in a gap, which nothing looks at.
    times : TokenTimes
        The steps that each token holds, and where they lie in the user's time, in words too.
    windows : Windows
    n_windows_all : int
        Windows there were to choose from; those of the maps are evenly spaced among them.
    why_no_variables : str or None
        Why `across` is empty.
    """

    weights: NDArray[np.float32]
    register_share: NDArray[np.float32]
    across: NDArray[np.float32]
    layers: tuple[int, ...]
    across_layers: tuple[int, ...]
    heads: tuple[int, ...]
    rows: NDArray[np.int64]
    present: NDArray[np.bool_]
    times: TokenTimes
    windows: Windows
    n_windows_all: int
    why_no_variables: str | None = None

    @property
    def series(self) -> tuple[str, ...]:
        """What the user calls the series of each window."""
        return tuple(self.windows.sequences.name(int(number)) for number in self.windows.series)

    def mean(self) -> MeanMap:
        """Return the mean over layers, heads, replicas, windows and variables.

        Raises
        ------
        InvalidInput
            No layer along time was asked for.
        """
        self._check_along()
        axes = (0, 1, 2, 3, 4)
        return MeanMap(
            self.weights.mean(axis=axes, dtype=np.float64),
            self.register_share.mean(axis=axes, dtype=np.float64),
            self.rows,
            self.times,
            self.layers,
            self.heads,
        )

    def lags(self) -> LagProfile:
        """Return the mean weight by lag, without registers.

        Raises
        ------
        InvalidInput
            No layer along time was asked for.
        """
        self._check_along()
        season = self.windows.sequences.season
        return lag_profile(self.weights, self.register_share, self.present, self.rows, self.times, season)

    def variables(self) -> VariableWeights:
        """Return the mean weight from variable to variable, or the reason why there is none."""
        names = self.windows.sequences.layout.target
        return variable_weights(self.across, names, self.across_layers, self.why_no_variables)

    def stability(self) -> Stability:
        """Return the rank correlation of the lag profiles of replicas, or the reason why there is none."""
        return rank_stability(self.lags().by_replica)

    def to_dict(self) -> dict[str, Any]:
        """Return what the displays draw, as plain numbers and texts, under the key `attention`."""
        section = {
            "layers": list(self.layers),
            "across_layers": list(self.across_layers),
            "heads": list(self.heads),
            "n_windows": len(self.windows),
            "n_windows_all": self.n_windows_all,
            "map": self.mean().to_dict() if self.layers else None,
            "lags": self.lags().to_dict() if self.layers else None,
            "stability": self.stability().to_dict() if self.layers else None,
            "variables": self.variables().to_dict(),
            "deletion": None,
        }
        return {"attention": section}

    def _check_along(self) -> None:
        if not self.layers:
            raise InvalidInput(
                f"expected maps of a layer along time, got layers {list(self.across_layers)}, which attend across "
                "variables: ask for other layers too"
            )


def attention_maps(
    forecaster: Forecaster,
    X: Any = None,
    *,
    future: Any = None,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    n_windows: int = _MOST_WINDOWS,
    chunk: int = _CHUNK,
) -> AttentionMaps:
    """Compute the attention maps of a fitted forecaster.

    Parameters
    ----------
    forecaster : Forecaster
        That kept its attention.
    X : frame or Windows, optional
        As `Forecaster.predict` takes it: the last window of each series. Or windows, such as those of the tail,
        ``forecaster.result_.tail``.
    future : frame, optional
        As `Forecaster.predict` takes it.
    layers, heads : sequence of int, optional
        From 0; all if left out.
    steps : sequence of int, optional
        Steps of the forecast, from 1, whose tokens are the rows; all if left out.
    n_windows : int, default 100
        The most windows; evenly spaced ones where there are more, and fewer where the maps would not fit memory.
    chunk : int, default 32
        Windows computed at a time. It changes nothing but memory.

    Returns
    -------
    AttentionMaps

    Raises
    ------
    InvalidInput
        Attention was not kept, the network is recurrent, or layers, heads, steps or windows are not there.

    Notes
    -----
    A row of a layer along time is softmax(q K^T / sqrt(d)) with everything in it that the network uses: normalised and
    rotated queries and keys, learned scales, registers, and gaps hidden. Weights say where a layer looked, not that it
    mattered: that is what `heldout.sequence.deletion_test` is for.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, eq. 1. Jain and Wallace (2019), Attention is not explanation.

    Examples
    --------
    >>> import polars as pl
    >>> from heldout.sequence import Forecaster
    >>> frame = pl.DataFrame({"day": np.arange(60), "sold": np.sin(np.arange(60.0))})
    >>> forecaster = Forecaster(2, time="day", target="sold", stage0=None, season=1, context=6, n_steps=2).fit(frame)
    >>> maps = attention_maps(forecaster, layers=[0], steps=[1])
    >>> maps.weights.shape, maps.times.words[0]
    ((1, 1, 1, 1, 4, 1, 8), '5 steps before the origin')
    """
    network = attending_network(forecaster)
    request = make_request(network.design, layers, heads, steps)
    for name, number in (("n_windows", n_windows), ("chunk", chunk)):
        if number < 1:
            raise InvalidInput(f"{name} must be 1 or more, got {number}: leave it out for the usual number")
    windows = _windows_of(forecaster, X, future)
    n_all = len(windows)
    chosen = evenly_spaced(n_all, max(1, min(n_windows, _MOST_NUMBERS // _numbers_in_a_window(network, request))))
    windows = windows.take(chosen)
    with torch_as_found(forecaster.n_jobs):
        maps = _filled(network, request, examples_of(network, forecaster.fitted_, windows), chunk)
    return replace(maps, n_windows_all=n_all)


def _windows_of(forecaster: Forecaster, X: Any, future: Any) -> Windows:
    """Return the windows asked for, with the known columns of futures that lie beyond the table."""
    if isinstance(X, Windows):
        if X.horizon != forecaster.horizon:
            raise InvalidInput(
                f"windows must have the horizon of the forecaster, {forecaster.horizon}, got {X.horizon}: make new ones"
            )
        return X
    sequences = forecaster.sequences_ if X is None else read_sequences_like(X, forecaster.sequences_)
    windows = last_origins(sequences, forecaster.horizon)
    if not sequences.layout.known:
        return windows
    return replace(windows, known_future=with_known_future(sequences, future, forecaster.horizon))


def _numbers_in_a_window(network: ForecastNetwork, request: Request) -> int:
    design = network.design
    variables, n_tokens = design.shape.n_variables, design.n_past + design.n_future
    looked_at = max(n_tokens, variables if design.cross else 0)
    return design.replicas * len(request.layers) * len(request.heads) * len(request.rows) * variables * looked_at


def _filled(network: ForecastNetwork, request: Request, examples: Examples, chunk: int) -> AttentionMaps:
    """Compute the maps of all windows, a chunk at a time, into arrays made beforehand."""
    design, windows = network.design, examples.windows
    n_registers, n_tokens = backbone_of(network).n_registers, design.n_past + design.n_future
    variables, n_heads, n_rows = design.shape.n_variables, len(request.heads), len(request.rows)
    along, across = _kinds(network, request)
    size = (design.replicas, len(windows))
    weights = np.empty((len(along), *size, variables, n_heads, n_rows, n_tokens), np.float32)
    share = np.empty(weights.shape[:-1], np.float32)
    between = np.empty((len(across), *size, n_heads, n_rows, variables, variables), np.float32)
    present = np.empty((len(windows), variables, n_tokens), np.bool_)
    time = np.empty((len(windows), design.shape.length + design.shape.horizon))
    for start in range(0, len(windows), chunk):
        some = slice(start, min(start + chunk, len(windows)))
        batch = examples.gather(torch.arange(some.start, some.stop, device=examples.device))
        found = batch_weights(network, batch, request)
        weights[:, :, some] = found.along[..., n_registers:].cpu().numpy()
        share[:, :, some] = found.along[..., :n_registers].sum(dim=-1).cpu().numpy()
        between[:, :, some] = found.across.cpu().numpy()
        present[some] = found.present.cpu().numpy()
        time[some] = batch.time.cpu().numpy()
    length, horizon = design.shape.length, design.shape.horizon
    times = token_times(time, length, horizon, design.patch, lag_unit(windows.sequences, length + horizon))
    why = None if across else _why_no_variables(network)
    rows = np.array(request.rows, np.int64)
    return AttentionMaps(
        weights, share, between, along, across, request.heads, rows, present, times, windows, len(windows), why
    )


def _kinds(network: ForecastNetwork, request: Request) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which of the layers asked for attend along time, and which across variables."""
    is_across = [bool(block.is_across) for block in backbone_of(network).blocks]
    along = tuple(layer for layer in request.layers if not is_across[layer])
    return along, tuple(layer for layer in request.layers if is_across[layer])


def _why_no_variables(network: ForecastNetwork) -> str:
    design = network.design
    if design.shape.n_variables == 1:
        return "there is one variable"
    if not design.cross or design.depth < 2:
        return "no layer attends across variables: fit with cross=True and depth=2 or more"
    return "none of the layers asked for attends across variables: ask for every second one, from 1"
