"""Boosting: trees in sequence, each fitted to what the ones before it got wrong."""

from heldout.boosting.classifier import BoostingClassifier
from heldout.boosting.fitting import Round
from heldout.boosting.importances import OutOfBagImportances
from heldout.boosting.out_of_bag import OutOfBagCurve
from heldout.boosting.regressor import BoostingRegressor

__all__ = ["BoostingClassifier", "BoostingRegressor", "OutOfBagCurve", "OutOfBagImportances", "Round"]
