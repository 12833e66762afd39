"""The network of a fitted forecaster that attends, and what may be asked of it; or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from heldout.errors import InvalidInput
from heldout.sequence.backbone import Backbone
from heldout.sequence.examples import Examples
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.network import Design, ForecastNetwork
from heldout.sequence.windows import Windows

if TYPE_CHECKING:
    from heldout.sequence.forecaster import Forecaster

__all__ = ["Request", "attending_network", "backbone_of", "evenly_spaced", "examples_of", "make_request"]


@dataclass(frozen=True)
class Request:
    """Which weights of a network are asked for; all numbers from 0, ascending.

    Parameters
    ----------
    layers, heads : tuple of int
    rows : tuple of int
        Tokens, those of the past counted first.
    """

    layers: tuple[int, ...]
    heads: tuple[int, ...]
    rows: tuple[int, ...]


def attending_network(forecaster: Forecaster, fitted: FittedForecast | None = None) -> ForecastNetwork:
    """Return the network of a forecaster, if it is part of the forecast and attends.

    Parameters
    ----------
    forecaster : Forecaster
    fitted : FittedForecast, optional
        One of its forecasts; the one that `predict` gives if left out.

    Raises
    ------
    InvalidInput
        There is no network in the forecast, or it is recurrent.
    """
    check_is_fitted(forecaster, "fitted_")
    network = (forecaster.fitted_ if fitted is None else fitted).network
    if network is None:
        raise InvalidInput(
            f"expected a forecaster that kept its attention, got stage 0 {forecaster.stage0_!r} alone "
            f"({_why_alone(forecaster)}): fit with stage0=None to see attention by itself"
        )
    if network.design.encoder != "attention":
        raise InvalidInput(
            f"expected a network that attends, got encoder={network.design.encoder!r}: fit with encoder='attention'"
        )
    return network


def _why_alone(forecaster: Forecaster) -> str:
    found = forecaster.improvement_
    if found is None:
        return "no series is long enough to train on"
    return (
        f"attention was not kept, as the interval of its improvement, {found.ci_low:.3g} to {found.ci_high:.3g}, "
        "reaches 0"
    )


def backbone_of(network: ForecastNetwork) -> Backbone:
    """Return the encoder of a network that attends."""
    return cast(Backbone, network.encoder)


def examples_of(network: ForecastNetwork, fitted: FittedForecast, windows: Windows) -> Examples:
    """Return what a network is shown of windows, with stage 0's forecasts, on its own device.

    Parameters
    ----------
    network : ForecastNetwork
    fitted : FittedForecast
        Whose stage 0 forecasts.
    windows : Windows
    """
    return Examples(
        windows,
        fitted.baseline.predict(windows),
        network.design.shape,
        known_future=windows.known() if windows.sequences.layout.known else None,
        device=network.embed_past.weight.device,
    )


def make_request(
    design: Design, layers: Sequence[int] | None, heads: Sequence[int] | None, steps: Sequence[int] | None
) -> Request:
    """Check what is asked of a network; what is left out is all there is.

    Parameters
    ----------
    design : Design
    layers, heads : sequence of int, optional
        From 0.
    steps : sequence of int, optional
        Steps of the forecast, from 1; the rows are the tokens that hold them.

    Raises
    ------
    InvalidInput
        Layers, heads or steps that are not there.

    Examples
    --------
    >>> from heldout.sequence.examples import Shape
    >>> design = Design(Shape(12, 6, 1, ()), patch=3, width=16, depth=2, n_heads=2, n_levels=3, middle=1)
    >>> make_request(design, None, [1], [1, 2])
    Request(layers=(0, 1), heads=(1,), rows=(4,))
    """
    wanted = _numbers("steps", steps, 1, design.shape.horizon)
    return Request(
        _numbers("layers", layers, 0, design.depth - 1),
        _numbers("heads", heads, 0, design.n_heads - 1),
        tuple(sorted({design.n_past + (step - 1) // design.patch for step in wanted})),
    )


def _numbers(name: str, asked: Sequence[int] | None, first: int, last: int) -> tuple[int, ...]:
    if asked is None:
        return tuple(range(first, last + 1))
    wrong = [one for one in asked if isinstance(one, bool) or int(one) != one or not first <= one <= last]
    if wrong or not len(asked):
        raise InvalidInput(
            f"{name} must be whole numbers from {first} to {last}, got {wrong[:3] if wrong else 'none'}: "
            "leave them out for all"
        )
    return tuple(sorted({int(one) for one in asked}))


def evenly_spaced(n: int, most: int) -> NDArray[np.intp]:
    """Return the numbers 0 .. n - 1, or at most so many of them, evenly spaced; always the last.

    Examples
    --------
    >>> evenly_spaced(9, 3).tolist()
    [0, 4, 8]
    """
    return np.unique(np.round(np.linspace(n - 1, 0, min(n, most))).astype(np.intp))
