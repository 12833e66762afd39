"""A training run on disk: written whole or not at all, read without running code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from heldout.errors import ModelFileError

__all__ = ["read_checkpoint", "write_checkpoint"]


def write_checkpoint(path: Path, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint; a file that stood there is replaced in one step.

    Parameters
    ----------
    path : Path
    state : dict
        Plain JSON.
    tensors : dict of str to Tensor
    """
    on_disk = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(on_disk, metadata={"state": json.dumps(state)})
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint.

    Raises
    ------
    ModelFileError
        The file is damaged or no checkpoint.
    """
    content = path.read_bytes()
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        state = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["state"])
    except (SafetensorError, ValueError, KeyError) as problem:
        raise ModelFileError(f"{str(path)!r} is no checkpoint ({problem}): remove it to train from the start") from None
    return state, tensors
