"""What a model has to beat when rows are ordered: the last value seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from heldout._arrays import n_rows

__all__ = ["LastValueClassifier", "LastValueRegressor"]


class LastValueRegressor(RegressorMixin, BaseEstimator):
    """Predict the target of the last training row for every row to come.

    Training rows must come in time order, as the splitters of ordered data hand them over.

    Examples
    --------
    >>> LastValueRegressor().fit([[0], [0], [0]], [1.0, 5.0, 3.0]).predict([[0], [0]])
    array([3., 3.])
    """

    def fit(self, X: Any, y: Any) -> LastValueRegressor:  # noqa: ARG002 - baselines ignore the features
        """Remember the last target."""
        self.last_ = float(np.asarray(y, float)[-1])
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the last training target for each row."""
        return np.full(n_rows(X), self.last_)


class LastValueClassifier(ClassifierMixin, BaseEstimator):
    """Predict the class of the last training row, with the probability that a class has persisted so far.

    The probability of the last class is the share of training rows that have the class of the row before them (add-one
    smoothed, so never 0 or 1); the rest is shared in proportion to how often the other classes came.

    Examples
    --------
    >>> model = LastValueClassifier().fit([[0]] * 4, [0, 0, 1, 1])
    >>> model.predict([[0]]), model.predict_proba([[0]])
    (array([1]), array([[0.4, 0.6]]))
    """

    def fit(self, X: Any, y: Any) -> LastValueClassifier:  # noqa: ARG002 - baselines ignore the features
        """Remember the last class and how often classes persisted."""
        y = np.asarray(y)
        self.classes_, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        last = int(codes[-1])
        stayed = int((codes[1:] == codes[:-1]).sum())
        persistence = (stayed + 1) / (len(codes) + 1)
        others = counts.astype(float)
        others[last] = 0.0
        self.probability_ = np.zeros(len(counts))
        if others.sum() > 0:
            self.probability_ = (1 - persistence) * others / others.sum()
        self.probability_[last] = 1 - self.probability_.sum()
        self.last_ = self.classes_[last]
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the last training class for each row."""
        return np.full(n_rows(X), self.last_)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the same class probabilities for each row, in the order of `classes_`."""
        return np.tile(self.probability_, (n_rows(X), 1))
