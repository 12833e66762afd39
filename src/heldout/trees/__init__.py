"""The tree engine's Python face: bins, growth, ensembles."""

from heldout.trees.binned import MAX_BINS, MISSING, Binned
from heldout.trees.ensemble import MOST_FEATURES, TreeEnsemble
from heldout.trees.growth import Growth, Objective, ValidationRows, best_constants, grow_rounds

__all__ = [
    "MAX_BINS",
    "MISSING",
    "MOST_FEATURES",
    "Binned",
    "Growth",
    "Objective",
    "TreeEnsemble",
    "ValidationRows",
    "best_constants",
    "grow_rounds",
]
