"""Whether an audit forecasts series rather than predicting rows: by what is named, and by the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from heldout.auditing.request import Request
from heldout.errors import DataError, InvalidInput
from heldout.sequence.baselines import BASELINES
from heldout.table import Table
from heldout.table.target import make_target

__all__ = ["ATTENTION", "FORECASTERS", "asks_for_forecast", "holds_numbers", "names_of"]

ATTENTION = "attention"
#: Simplest first.
FORECASTERS: tuple[str, ...] = (*BASELINES, ATTENTION)
# Names that forecast series here and predict rows of a table there: alone they ask for a table.
_TABLE_NAMES = ("baseline", "last-value", "ridge", "tree", "knn", "forest", "boosting", "bagged-boosting")


def names_of(candidates: Sequence[Any] | None) -> list[Any] | None:
    """Return the candidates as a list; text with commas is a list of names."""
    if candidates is None:
        return None
    return candidates.split(",") if isinstance(candidates, str) else list(candidates)


def asks_for_forecast(request: Request, candidates: Sequence[Any] | None) -> bool:
    """Say whether time, horizon and candidates ask for forecasts; the target is looked at later.

    A time column and a horizon do, unless every candidate named is one for tables (and no column known in advance is
    named), future rows are said to be no later ones, or classes are asked for.

    Raises
    ------
    InvalidInput
        Candidates of both kinds.
    """
    if not request.time or request.horizon < 1 or request.task == "classification":
        return False
    if request.deploy not in ("auto", "future"):
        return False
    entries = names_of(candidates)
    if entries is None:
        return True
    own = [name for name in entries if isinstance(name, str) and name in FORECASTERS and name not in _TABLE_NAMES]
    others = [entry for entry in entries if not (isinstance(entry, str) and entry in FORECASTERS)]
    if own and others:
        raise InvalidInput(
            f"candidate {own[0]!r} forecasts series and {_shown(others[0])} does not: name only forecasters "
            f"({', '.join(FORECASTERS)}), or only candidates for tables"
        )
    # A column known in advance means nothing to a table, so then the names that both have are those of forecasters.
    return bool(own) or (bool(request.known) and not others)


def _shown(entry: Any) -> str:
    return repr(entry if isinstance(entry, str) else getattr(entry, "name", entry[0] if entry else entry))


def holds_numbers(table: Table, request: Request) -> bool:
    """Say whether the target is a number to be forecast; what is wrong with it is for the audit of the table to say."""
    if request.target not in table.schema.names:
        return False
    values = table.frame[request.target]
    known = values.is_not_null()
    if not known.any():
        return table.schema[request.target].kind == "number"
    place = table.place.take(np.flatnonzero(known.to_numpy()).astype(np.intp))
    try:
        made, _ = make_target(
            values.filter(known), table.schema[request.target], place, task=request.task, positive=None
        )
    except DataError:
        return table.schema[request.target].kind == "number"
    return made.task == "regression"
