"""Forecast networks as JSON and one safetensors member; nothing is made before every size has been checked.

torch is imported when a network is written or read, and not before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from heldout.errors import ModelFileError
from heldout.sequence.torch_gate import require_torch

if TYPE_CHECKING:
    from heldout.sequence.network import ForecastNetwork

__all__ = ["network_from_parts", "network_to_parts"]

_MOST = {"length": 100_000, "horizon": 100_000, "patch": 10_000, "width": 8_192, "depth": 256, "n_heads": 1_024}
_MOST_LEVELS, _MOST_COLUMNS, _MOST_REPLICAS = 1_000, 10_000, 4_096


def network_to_parts(network: ForecastNetwork) -> tuple[dict[str, Any], bytes]:
    """Return the sizes of a network as plain JSON, and its weights as safetensors.

    Parameters
    ----------
    network : ForecastNetwork
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return network.design.to_json(), save(tensors)


def network_from_parts(meta: Mapping[str, Any], weights: bytes) -> ForecastNetwork:
    """Return the network that `network_to_parts` was called on.

    Raises
    ------
    ModelFileError
        torch is not installed.
    KeyError, TypeError, ValueError
        These are not the parts of a network.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        require_torch()
    except ValueError as missing:
        raise ModelFileError(f"holds a network of attention: {missing}") from None
    try:
        arrays = load(weights)
    except SafetensorError as problem:
        raise ValueError(f"its weights are no safetensors ({problem})") from None
    _check_sizes(meta, sum(array.size for array in arrays.values()))
    import torch

    from heldout.sequence.generators import torch_generator
    from heldout.sequence.network import Design, ForecastNetwork

    network = ForecastNetwork(Design.from_json(dict(meta)), torch_generator(0))
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: array.shape for name, array in arrays.items()}
    if wanted != found:
        other = sorted(set(wanted.items()) ^ set(found.items()))[0][0]
        raise ValueError(f"the weights {other!r} are {found.get(other)}, not {wanted.get(other)}")
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"the weights {name!r} are no float32, or not finite")
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
    return network.eval()


def _check_sizes(meta: Mapping[str, Any], n_weights: int) -> None:
    """Raise ValueError unless the sizes are ones that so many weights can have, before anything is made of them."""
    shape = meta["shape"]
    for name, most in _MOST.items():
        size = shape[name] if name in shape else meta[name]
        if type(size) is not int or not 1 <= size <= most:
            raise ValueError(f"the {name} of the network is {size!r}, not 1 to {most}")
    replicas, levels = meta["replicas"], meta["n_levels"]
    if type(replicas) is not int or not 1 <= replicas <= _MOST_REPLICAS:
        raise ValueError(f"the network has {replicas!r} replicas")
    if type(levels) is not int or type(meta["middle"]) is not int or not 0 <= meta["middle"] < levels <= _MOST_LEVELS:
        raise ValueError(f"the network has {levels!r} levels with the median at {meta['middle']!r}")
    if shape["n_variables"] != 1 or meta["cross"] is not False or meta["encoder"] not in ("attention", "recurrent"):
        raise ValueError("the network is for other data than one target")
    columns = [*shape["known_levels"], *shape["static_levels"]]
    if not all(type(n) is int and 0 <= n <= _MOST_COLUMNS for n in columns):
        raise ValueError("a column of the network has a number of levels that is none")
    for kind in ("known", "static"):
        for name in (f"{kind}_centre", f"{kind}_scale"):
            _check_standard(name, shape.get(name, []), len(shape[f"{kind}_levels"]))
    cycles = [float(cycle) for cycle in shape["cycles"]]
    if len(cycles) > 10 or not all(0 < cycle < math.inf for cycle in cycles):
        raise ValueError(f"the cycles of the network are {cycles[:3]}")
    if not 0 <= float(meta["dropout"]) < 1:
        raise ValueError(f"the dropout of the network is {meta['dropout']}")
    # Four matrices of attention and a head in every layer are the least there is.
    least = replicas * meta["width"] * (4 * meta["depth"] * meta["width"] + meta["patch"] * (1 + levels))
    if least > n_weights:
        raise ValueError(f"a network of these sizes has at least {least} weights, the file {n_weights}")


def _check_standard(name: str, values: Any, n_columns: int) -> None:
    """Raise ValueError unless these are the centres or scales of so many columns, or of none, as in older files."""
    found = [float(value) for value in values]
    lowest = 0.0 if name.endswith("scale") else -math.inf
    if len(found) not in (0, n_columns) or not all(lowest < value < math.inf for value in found):
        raise ValueError(f"the {name} of the network is {found[:3]}, for {n_columns} columns")
