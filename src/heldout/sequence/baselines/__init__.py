"""Stage 0: the simple forecasts that attention has to beat, and that it starts from.

Each learns from windows and predicts windows. What it says of the windows it learned from is out of fold, since a
network trained on in-sample predictions would learn to trust them too much.
"""

from heldout.sequence.baselines.boosting import BoostingOnLags
from heldout.sequence.baselines.combination import Combination
from heldout.sequence.baselines.naive import Drift, LastValue, SeasonalNaive
from heldout.sequence.baselines.protocol import Baseline, FittedBaseline
from heldout.sequence.baselines.ridge import RidgeOnLags
from heldout.sequence.baselines.theta import Theta

__all__ = [
    "BASELINES",
    "RULES",
    "Baseline",
    "BoostingOnLags",
    "Combination",
    "Drift",
    "FittedBaseline",
    "LastValue",
    "RidgeOnLags",
    "SeasonalNaive",
    "Theta",
]

#: Simplest first: of baselines that tie, the first is taken.
BASELINES: dict[str, type] = {
    "last-value": LastValue,
    "seasonal-naive": SeasonalNaive,
    "drift": Drift,
    "theta": Theta,
    "ridge": RidgeOnLags,
    "theta-and-ridge": Combination,
    "boosting": BoostingOnLags,
}

#: Those that learn nothing from other windows, and so need none.
RULES = ("last-value", "seasonal-naive", "drift", "theta")
