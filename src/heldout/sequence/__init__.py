"""Sequence models on self-attention. Importing this loads no torch; using a name of it does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from heldout.sequence.torch_gate import require_torch

if TYPE_CHECKING:
    from heldout.sequence.attention import SelfAttention
    from heldout.sequence.deletion import deletion_test
    from heldout.sequence.forecaster import Forecaster

__all__ = ["Forecaster", "SelfAttention", "deletion_test"]

_HOME = {
    "Forecaster": "heldout.sequence.forecaster",
    "SelfAttention": "heldout.sequence.attention",
    "deletion_test": "heldout.sequence.deletion",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'heldout.sequence' has no attribute {name!r}: it has {', '.join(__all__)}")
    require_torch()
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
