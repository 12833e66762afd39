"""The tree engine's Python face. So far its first stage: bins."""

from heldout.trees.binned import MAX_BINS, MISSING, Binned

__all__ = ["MAX_BINS", "MISSING", "Binned"]
