"""Find out how well a model will do on data it has not seen, why it falls short, and fit one that does better.

Names are resolved when first used, so that ``import heldout`` is quick and loads neither scikit-learn,
matplotlib nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heldout import generalization, iid, losses, resampling, sequence, splits, table, tradeoff
    from heldout.auditing import Audit, audit, load
    from heldout.boosting import BoostingClassifier, BoostingRegressor
    from heldout.report import displays

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "BoostingClassifier",
    "BoostingRegressor",
    "audit",
    "displays",
    "generalization",
    "iid",
    "load",
    "losses",
    "resampling",
    "sequence",
    "splits",
    "table",
    "tradeoff",
]

_HOME = {
    "Audit": "heldout.auditing",
    "BoostingClassifier": "heldout.boosting",
    "BoostingRegressor": "heldout.boosting",
    "audit": "heldout.auditing",
    "displays": "heldout.report.displays",
    "load": "heldout.auditing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'heldout' has no attribute {name!r}: it has {', '.join(__all__)}")
    if name == "displays":
        value: Any = importlib.import_module(_HOME[name])
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        value = importlib.import_module(f"heldout.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
