"""The tree engine's Python face: bins, growth, ensembles."""

from heldout.trees.binned import MAX_BINS, MISSING, Binned
from heldout.trees.ensemble import MOST_FEATURES, TreeEnsemble
from heldout.trees.growth import Growth, Objective, ValidationRows, best_constants, grow_rounds
from heldout.trees.replicas import PREDICTED, STOPS, GrownEnsemble, Replication, grow_replicas

__all__ = [
    "MAX_BINS",
    "MISSING",
    "MOST_FEATURES",
    "PREDICTED",
    "STOPS",
    "Binned",
    "GrownEnsemble",
    "Growth",
    "Objective",
    "Replication",
    "TreeEnsemble",
    "ValidationRows",
    "best_constants",
    "grow_replicas",
    "grow_rounds",
]
