"""Column names that the user gives, checked against those there are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from heldout.errors import DataError

__all__ = ["known_name", "nearest"]

_SHOWN = 8


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the name most like `name`, whatever the case, or None where none is like it."""
    folded = {other.casefold(): other for other in reversed(names)}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def known_name(name: Any, names: Sequence[str], role: str) -> str:
    """Return `name` if it is a column.

    Raises
    ------
    DataError
        It is not; the message suggests the nearest name, or lists the columns.

    Examples
    --------
    >>> known_name("agee", ["age", "sex"], "target")
    Traceback (most recent call last):
    heldout.errors.DataError: no target column 'agee': did you mean 'age'?
    """
    if not isinstance(name, str):
        what = role if role.startswith("--") else f"the {role} column"
        raise DataError(f"{what} is {name!r}, expected a name as text: columns are named by their text, such as '0'")
    if name in names:
        return name
    near = nearest(name, names)
    if near is not None:
        hint = f"did you mean {near!r}?"
    else:
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        hint = f"the columns are {', '.join(names[:_SHOWN])}{rest}"
    what = f"{role}: no column" if role.startswith("--") else f"no {role} column"
    raise DataError(f"{what} {name!r}: {hint}")
