"""Boosting: trees in sequence, each fitted to what the ones before it got wrong."""

from heldout.boosting.estimators import BoostingClassifier, BoostingRegressor
from heldout.boosting.fitting import Round

__all__ = ["BoostingClassifier", "BoostingRegressor", "Round"]
