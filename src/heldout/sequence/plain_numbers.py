"""Arrays as lists that JSON can hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain"]


def plain(values: NDArray[Any] | None) -> Any:
    """Return an array as nested lists, with None in place of what is no finite number.

    Parameters
    ----------
    values : array or None

    Examples
    --------
    >>> plain(np.array([[1.0, np.nan]])), plain(None)
    ([[1.0, None]], None)
    """
    return None if values is None else _finite(np.asarray(values).tolist())


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
