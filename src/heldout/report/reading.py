"""Where a value stands in report.json: paths such as ``candidates.0.error``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from heldout.errors import InvalidInput

__all__ = ["as_document", "baseline_position", "look_up", "winner_position"]


def as_document(result: Any) -> Mapping[str, Any]:
    """Return the dictionary of report.json of an audit, or the dictionary itself.

    Raises
    ------
    InvalidInput
        The argument is neither a dictionary nor has ``to_dict()``.

    Examples
    --------
    >>> as_document({"verdict": "a tie"})
    {'verdict': 'a tie'}
    """
    document = result.to_dict() if hasattr(result, "to_dict") else result
    if not isinstance(document, Mapping):
        raise InvalidInput(
            f"expected an audit or the dictionary of its report.json, got {type(result).__name__}: "
            "pass heldout.audit(...) or json.load(open('report.json'))"
        )
    return document


def look_up(document: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; None where there is nothing, or no finite number.

    Examples
    --------
    >>> look_up({"candidates": [{"error": 2.5}]}, "candidates.0.error")
    2.5
    >>> look_up({"test": None}, "test.error") is None
    True
    """
    value = _follow(document, path.split("."))
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _follow(value: Any, keys: list[str]) -> Any:
    if not keys:
        return value
    if isinstance(value, Mapping):
        # Names of candidates and columns may hold dots: the longest key that is there is meant.
        for end in range(len(keys), 0, -1):
            if ".".join(keys[:end]) in value:
                return _follow(value[".".join(keys[:end])], keys[end:])
        return None
    if isinstance(value, Sequence) and not isinstance(value, str) and keys[0].isdecimal() and int(keys[0]) < len(value):
        return _follow(value[int(keys[0])], keys[1:])
    return None


def winner_position(document: Mapping[str, Any]) -> int | None:
    """Return where the winner stands among the candidates."""
    name = look_up(document, "winner.name")
    for position, candidate in enumerate(document.get("candidates") or ()):
        if name is not None and candidate.get("name") == name:
            return position
    return None


def baseline_position(document: Mapping[str, Any]) -> int | None:
    """Return where the baseline stands among the candidates."""
    for position, candidate in enumerate(document.get("candidates") or ()):
        if candidate.get("is_baseline"):
            return position
    return None
