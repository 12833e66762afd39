"""How large the error on unseen rows is, and how sure that is.

Fit every fold once (`out_of_fold`), then ask as often as you like what the losses say: the error with its
interval (`error_from`), the difference of two models (`paired_difference`), the price of having chosen the
best (`selected_error`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from heldout.generalization.error_estimate import ErrorEstimate, error_from, estimate_error
from heldout.generalization.hold_out import holdout_error
from heldout.generalization.out_of_fold import OutOfFold, out_of_fold

if TYPE_CHECKING:
    from heldout.generalization.comparison import Comparison, compare
    from heldout.generalization.ensemble_losses import corrected_losses
    from heldout.generalization.out_of_bag import out_of_bag_error
    from heldout.generalization.paired import (
        PairedDifference,
        SimplestTied,
        TiedChoice,
        paired_difference,
        simplest_tied,
    )
    from heldout.generalization.selected import SelectedError, selected_error

__all__ = [
    "Comparison",
    "ErrorEstimate",
    "OutOfFold",
    "PairedDifference",
    "SelectedError",
    "SimplestTied",
    "TiedChoice",
    "compare",
    "corrected_losses",
    "error_from",
    "estimate_error",
    "holdout_error",
    "out_of_bag_error",
    "out_of_fold",
    "paired_difference",
    "selected_error",
    "simplest_tied",
]

_HOME = {
    "corrected_losses": "ensemble_losses",
    "out_of_bag_error": "out_of_bag",
    "Comparison": "comparison",
    "compare": "comparison",
    "PairedDifference": "paired",
    "SimplestTied": "paired",
    "TiedChoice": "paired",
    "paired_difference": "paired",
    "simplest_tied": "paired",
    "SelectedError": "selected",
    "selected_error": "selected",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'heldout.generalization' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"heldout.generalization.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
