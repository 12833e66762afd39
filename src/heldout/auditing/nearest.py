"""Nearest neighbours that do not ask for more rows than there are: the first folds of a short table are small."""

from __future__ import annotations

from typing import Any, Self

from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

__all__ = ["NearestClassifier", "NearestRegressor"]


class NearestRegressor(KNeighborsRegressor):
    """The mean of `n_neighbors` neighbours, or of all rows where it was fitted on fewer.

    Examples
    --------
    >>> NearestRegressor(10).fit([[0.0], [1.0]], [2.0, 4.0]).predict([[5.0]])
    array([3.])
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Keep the rows."""
        super().fit(X, y)
        self.set_params(n_neighbors=min(self.get_params()["n_neighbors"], len(y)))
        return self


class NearestClassifier(KNeighborsClassifier):
    """The class shares among `n_neighbors` neighbours, or among all rows where it was fitted on fewer.

    Examples
    --------
    >>> NearestClassifier(10).fit([[0.0], [1.0]], ["a", "b"]).predict_proba([[5.0]])
    array([[0.5, 0.5]])
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Keep the rows."""
        super().fit(X, y)
        self.set_params(n_neighbors=min(self.get_params()["n_neighbors"], len(y)))
        return self
