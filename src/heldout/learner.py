"""What the measures ask of a model: protocols, never base classes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Learner", "ReplicatedLearner"]


@runtime_checkable
class Learner(Protocol):
    """Any scikit-learn estimator: cloned, fitted on a training part, asked for predictions.

    Classifiers that are judged by a probability loss have `predict_proba` and `classes_` as well.
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Fit on rows `X` of shape (n_rows, n_features) and targets `y` of shape (n_rows,)."""
        ...

    def predict(self, X: Any) -> Any:
        """Return one prediction per row of `X`."""
        ...


@runtime_checkable
class ReplicatedLearner(Protocol):
    """A learner that fits many resampled replicas in one call."""

    def fit_replicas(
        self,
        X: Any,
        y: Any,
        weights: NDArray[np.uint8],
        roles: NDArray[np.uint8],
        ensemble_of: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Fit one replica per column of `weights` and return the held-out predictions."""
        ...
