"""The one place that says what to do where torch is not installed."""

from __future__ import annotations

import importlib.util

from heldout.errors import InvalidInput

__all__ = ["require_torch"]


def require_torch() -> None:
    """Pass if torch can be imported, without importing it.

    Raises
    ------
    InvalidInput
        torch is not installed.

    Examples
    --------
    >>> import importlib.util
    >>> if importlib.util.find_spec("torch"):
    ...     require_torch()
    """
    try:
        found = importlib.util.find_spec("torch") is not None
    except ValueError:  # an import of torch that failed halfway leaves a module without a spec behind
        found = False
    if not found:
        raise InvalidInput("torch is needed for sequence models, and is not installed: pip install 'heldout[sequence]'")
