"""What the error of a model is made of: variance, and what no other draw of training rows would remove."""

from heldout.tradeoff.decomposition import Decomposition, decompose
from heldout.tradeoff.excess import ExcessBias, excess_bias
from heldout.tradeoff.parts import Parts, parts_from_predictions

__all__ = [
    "Decomposition",
    "ExcessBias",
    "Parts",
    "decompose",
    "excess_bias",
    "parts_from_predictions",
]
