"""Which rows a model may learn from, and which judge it.

All splitters follow scikit-learn: ``split(X, y, groups)`` yields pairs of row numbers (training, test) and
``get_n_splits(X, y, groups)`` says how many. Beyond that each names its ``scheme`` and its ``units``: what is
exchangeable under it (rows, whole groups, blocks of time), which is what an interval must resample.
"""

from heldout.splits.disjoint import disjoint_training_sets
from heldout.splits.grouped import GroupFolds
from heldout.splits.hold_out import HoldOut
from heldout.splits.independent import RandomFolds, StratifiedFolds
from heldout.splits.matched import matched_random_folds
from heldout.splits.ordered import BlockedTime, GroupTime
from heldout.splits.splitter import Scheme, Splitter, predicts_forward

__all__ = [
    "BlockedTime",
    "GroupFolds",
    "GroupTime",
    "HoldOut",
    "RandomFolds",
    "Scheme",
    "Splitter",
    "StratifiedFolds",
    "disjoint_training_sets",
    "matched_random_folds",
    "predicts_forward",
]
