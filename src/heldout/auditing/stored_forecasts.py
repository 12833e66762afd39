"""A forecast model as members of a model file: one JSON document, arrays, and a network where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.auditing.forecast_model import ForecastModel
from heldout.auditing.stored_baselines import baseline_from_parts, baseline_to_parts
from heldout.auditing.stored_networks import network_from_parts, network_to_parts
from heldout.auditing.stored_series import series_from_parts, series_to_parts
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.windows import last_origins
from heldout.table import Schema

__all__ = ["KIND", "NETWORK", "forecast_from_parts", "forecast_to_parts"]

KIND = "forecast"
NETWORK = "network.safetensors"
_MOST_HORIZON = 100_000
_LOSSES = ("quantile", "absolute_error", "squared_error")


def forecast_to_parts(model: ForecastModel) -> tuple[dict[str, Any], dict[str, NDArray[Any]], bytes | None]:
    """Return a model as plain JSON, arrays, and the safetensors of its network.

    Parameters
    ----------
    model : ForecastModel

    Raises
    ------
    ModelFileError
        Its baseline cannot be stored.
    """
    fitted = model.fitted
    baseline, of_baseline = baseline_to_parts(fitted.baseline)
    history, of_history = series_to_parts(model.history)
    design, weights = (None, None) if fitted.network is None else network_to_parts(fitted.network)
    arrays = {"levels": fitted.levels, "spread": fitted.spread, "shifts": fitted.shifts}
    arrays |= {f"baseline.{name}": array for name, array in of_baseline.items()}
    arrays |= {f"history.{name}": array for name, array in of_history.items()}
    meta = {
        "kind": KIND,
        "horizon": model.horizon,
        "loss": fitted.loss,
        "baseline": baseline,
        "history": history,
        "network": design,
    }
    return meta, arrays, weights


def forecast_from_parts(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], weights: bytes | None, schema: Schema
) -> ForecastModel:
    """Return the model that `forecast_to_parts` was called on, every size and index checked.

    Raises
    ------
    KeyError, TypeError, ValueError
        These are not the parts of a model.
    ModelFileError
        It has a network, and torch is not installed.
    """
    horizon, loss = meta["horizon"], meta["loss"]
    if type(horizon) is not int or not 1 <= horizon <= _MOST_HORIZON or loss not in _LOSSES:
        raise ValueError(f"the horizon is {horizon!r} and the loss {loss!r}")
    levels = _levels(arrays["levels"])
    for name in ("spread", "shifts"):
        _check_quantiles(name, arrays[name], (horizon, len(levels)))
    history = series_from_parts(meta["history"], _under("history.", arrays))
    layout = history.layout
    if schema.names != (*layout.group, *layout.time, *layout.target, *layout.known, *layout.static):
        raise ValueError("the schema is not that of the history")
    network = None
    if meta["network"] is not None:
        network = network_from_parts(meta["network"], weights or b"")
        shape = network.design.shape
        if (shape.horizon, network.design.n_levels) != (horizon, len(levels)):
            raise ValueError("the network forecasts another horizon, or other levels")
        if network.design.middle != int(np.argmin(np.abs(levels - 0.5))):
            raise ValueError("the network takes another level as its median")
        for columns, sizes in ((layout.known, shape.known_levels), (layout.static, shape.static_levels)):
            if tuple(sizes) != tuple(len(layout.levels.get(column, ())) for column in columns):
                raise ValueError("the network takes other columns than the history has")
    fitted = FittedForecast(
        baseline=baseline_from_parts(meta["baseline"], _under("baseline.", arrays), last_origins(history, horizon)),
        levels=levels,
        spread=arrays["spread"].copy(),
        shifts=arrays["shifts"].copy(),
        loss=loss,
        network=network,
    )
    return ForecastModel(fitted, history, horizon, schema, {})


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _levels(levels: NDArray[Any]) -> NDArray[np.float64]:
    if levels.ndim != 1 or levels.dtype != np.float64 or len(levels) < 2:
        raise ValueError(f"the levels have shape {levels.shape}")
    if not (levels[0] > 0 and levels[-1] < 1 and (np.diff(levels) > 0).all() and (levels == 0.5).any()):
        raise ValueError("the levels do not rise between 0 and 1 with .5 among them")
    return levels


def _check_quantiles(name: str, values: NDArray[Any], shape: tuple[int, int]) -> None:
    if values.shape != shape or values.dtype != np.float64 or not np.isfinite(values).all():
        raise ValueError(f"the {name} of the quantiles has shape {values.shape}, not {shape}, or is not finite")
