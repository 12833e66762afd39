"""A dataclass of plain values and arrays, split for a file (JSON here, arrays there) and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]


def pack(thing: Any, prefix: str = "") -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Split a dataclass in its JSON part and its arrays, whose names start with `prefix`.

    Parameters
    ----------
    thing : dataclass instance
        Its fields are arrays, tuples of JSON values, or JSON values; its class attribute `kind` names it.

    Examples
    --------
    >>> from heldout.table.encoded_columns import NumberColumn
    >>> pack(NumberColumn("size", seen=True))
    ({'kind': 'number', 'name': 'size', 'seen': True}, {})
    """
    meta: dict[str, Any] = {"kind": thing.kind}
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(thing):
        value = getattr(thing, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}{field.name}"] = value
        else:
            meta[field.name] = list(value) if isinstance(value, tuple) else value
    return meta, arrays


def unpack(cls: Any, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Any:
    """Put a dataclass together from `pack`; raises KeyError where a field is lacking."""
    values: dict[str, Any] = {}
    for field in fields(cls):
        value = meta[field.name] if field.name in meta else arrays[f"{prefix}{field.name}"]
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)
