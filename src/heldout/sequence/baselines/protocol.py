"""What a stage-0 forecast is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.folds import Folds
from heldout.sequence.windows import Windows

__all__ = ["Baseline", "FittedBaseline"]


class FittedBaseline(Protocol):
    """A baseline that has learned."""

    @property
    def name(self) -> str:
        """As the user chooses it: "ridge"."""
        ...

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return the forecasts of windows, shape (n_windows, horizon, n_variables); finite always.

        Nothing after the origin of a window is read, except columns known in advance.
        """
        ...

    def out_of_fold(self) -> NDArray[np.float64]:
        """Return the forecasts of the windows it was fitted on, each by a model that did not see its fold.

        For a baseline that learns nothing from futures these are its predictions.
        """
        ...

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return plain JSON and arrays from which `from_parts` of its class makes the same predictions."""
        ...


class Baseline(Protocol):
    """A baseline that can learn."""

    @property
    def name(self) -> str:
        """As the user chooses it: "ridge"."""
        ...

    def fit(self, windows: Windows, folds: Folds) -> FittedBaseline:
        """Learn from the futures of windows.

        Parameters
        ----------
        windows : Windows
            Their futures may hold missing values.
        folds : Folds
            Of the same windows.
        """
        ...
