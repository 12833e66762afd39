"""What the measures ask of a model (protocols, never base classes), and how they make and fit a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Parameter, signature
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes
from heldout._random import stream_seed

__all__ = [
    "MOST_TIMES",
    "ONE_BY_ONE",
    "PREDICTED",
    "STOPS",
    "TOGETHER",
    "Learner",
    "ReplicatedLearner",
    "RowwiseTransformer",
    "fit_with_weight",
    "group_parameter",
    "groups_for",
    "parameter_of",
    "seeded_clone",
    "weight_parameter",
]

# How the fits of a measure were made.
ONE_BY_ONE = "one by one"
TOGETHER = "together, cut points shared"


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


MOST_TIMES = 255
"""How often a row can be in a training set: times are kept in one byte."""

STOPS = 1
"""Role of a row: it counts when an ensemble's rounds are chosen."""

PREDICTED = 2
"""Role of a row: its prediction is wanted."""


@runtime_checkable
class ReplicatedLearner(Protocol):
    """A learner that fits many resampled replicas of one table in one call.

    What a call gives is what separate fits would give, except that whatever is learned of `X` alone (cut points of
    features) is learned once, from all rows of `X`. So the measures use it where rows or groups are exchangeable, and
    fit one by one where rows are in order of time. A learner that holds several models for each training set says how
    many by an attribute `replicas_per_set`, so that a call of many sets does not fill the memory.
    """

    def fit_replicas(
        self,
        X: Any,
        y: Any,
        weights: NDArray[np.uint8],
        roles: NDArray[np.uint8] | None = None,
        ensemble_of: NDArray[np.intp] | None = None,
        *,
        sample_weight: NDArray[np.float64] | None = None,
        seeds: Sequence[int] | None = None,
        groups: NDArray[Any] | None = None,
    ) -> NDArray[np.float64]:
        """Fit one replica per column of `weights` and return predictions; the learner itself stays unfitted.

        Parameters
        ----------
        X : array or frame, shape (n_rows, n_features)
        y : array, shape (n_rows,)
        weights : array of uint8, shape (n_rows, n_columns)
            One training set per column: how often each row is in it. Where a row is 0, its target must not reach the
            replica.
        roles : array of uint8, shape (n_rows, n_columns), optional
            `STOPS` and `PREDICTED`, added up. `PREDICTED` on a row of weight above 0 asks for its fitted value. By
            default both where the weight is 0, and 0 elsewhere.
        ensemble_of : array of int, shape (n_columns,), optional
            Ensemble each column belongs to, 0 .. n_ensembles-1, whose predictions are averaged. By default each
            column is one of its own.
        sample_weight : array of float64, shape (n_rows,), optional
            As in `fit`; multiplied with `weights`.
        seeds : sequence of int, one per column, optional
            What `random_state` would be in a separate fit; by default that of the learner.
        groups : array, shape (n_rows,), optional
            Label of each row's group, as in `fit`. Only handed over where `fit` needs it (`group_parameter`), so a
            learner whose `fit` knows no groups can do without the parameter.

        Returns
        -------
        predictions : array of float64
            Shape (n_ensembles, n_rows) for numbers; for classes the probabilities, shape
            (n_ensembles, n_rows, n_classes), in the order of ``np.unique(y)``. `predict` would give the first class of
            the largest probability. NaN where no prediction was asked for.
        """
        ...


@runtime_checkable
class RowwiseTransformer(Protocol):
    """A transformer that can say when it turns each row into numbers without regard to other rows."""

    def row_by_row(self, X: Any, training_sets: Sequence[NDArray[np.intp]]) -> NDArray[np.float64] | None:
        """Return the numbers of all rows if they are the same whichever training set is fitted on, else None.

        Parameters
        ----------
        X : array or frame, shape (n_rows, n_columns)
        training_sets : sequence of arrays of int
            Rows that `fit_transform` would be given, one fit each.

        Returns
        -------
        numbers : array of float64, shape (n_rows, n_outputs), or None
            For each training set, what `fit_transform` gives for its rows and `transform` for all others, to the bit.
        """
        ...


def seeded_clone(estimator: Any, seed: int, *names: str | int) -> Any:
    """Clone an estimator, giving every `random_state` that is None, nested ones too, a seed of its own.

    A seed that the user has set stays. Without this, two runs, or runs with another number of jobs, would differ.

    Parameters
    ----------
    estimator : scikit-learn estimator
    seed : int
    *names : str or int
        What the copy is for; equal names give equal seeds.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> first, again = (seeded_clone(RandomForestRegressor(), 0, "fold", 1) for _ in range(2))
    >>> first.random_state == again.random_state, seeded_clone(RandomForestRegressor(random_state=5), 0).random_state
    (True, 5)
    """
    from sklearn.base import clone

    copy = clone(estimator)
    if not hasattr(copy, "get_params"):
        return copy
    unset = [
        name
        for name, value in copy.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    ]
    return copy.set_params(**{name: stream_seed(seed, "estimator", *names, name) for name in sorted(unset)})


def weight_parameter(estimator: Any) -> str | None:
    """Return the name under which `fit` takes row weights, or None where it takes none.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> weight_parameter(make_pipeline(Ridge())), weight_parameter(KNeighborsRegressor())
    ('ridge__sample_weight', None)
    """
    from sklearn.utils.validation import has_fit_parameter

    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        inner = weight_parameter(last)
        return None if inner is None else f"{name}__{inner}"
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def group_parameter(estimator: Any) -> str | None:
    """Return the name under which `fit` needs the groups of rows, or None where it does without.

    It needs them where it has a parameter `groups` without a default, or where it has one and the estimator has an
    attribute `needs_groups` that is true. One that may take groups, but says nothing, is fitted without them: groups
    that a measure is told, to hold whole ones out, are no wish that every model be made of them.

    Examples
    --------
    >>> from heldout import BoostingRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> group_parameter(make_pipeline(BoostingRegressor(replicas=10, resampling="groups")))
    'boostingregressor__groups'
    >>> group_parameter(BoostingRegressor(replicas=10)) is None
    True
    """
    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        inner = group_parameter(last)
        return None if inner is None else f"{name}__{inner}"
    taken = parameter_of(estimator, "fit", "groups")
    if taken is None:
        return None
    return "groups" if taken.default is Parameter.empty or getattr(estimator, "needs_groups", False) else None


def parameter_of(estimator: Any, method: str, name: str) -> Parameter | None:
    """Return a parameter that a method has by name, or None."""
    try:
        return signature(getattr(estimator, method)).parameters.get(name)
    except (AttributeError, TypeError, ValueError):  # no such method, or compiled code that shows no signature
        return None


def groups_for(estimator: Any, groups: ArrayLike | None, n_rows: int) -> NDArray[Any] | None:
    """Return the label of each row's group where there are groups and the estimator needs them, else None.

    Raises
    ------
    InvalidInput
        Another number of labels than rows, for an estimator that needs them.
    """
    if groups is None or group_parameter(estimator) is None:
        return None
    codes, labels = as_codes(groups, n_rows)
    return np.asarray(labels[codes])


def fit_with_weight(
    estimator: Any, X: Any, y: Any, weight: NDArray[np.float64] | None, groups: NDArray[Any] | None = None
) -> Any:
    """Fit, handing over weights of rows where the estimator takes them, and their groups where it needs them.

    Returns
    -------
    estimator
        Fitted. One that takes no weights (k-NN, say) is fitted without: only its judgement is weighted then.
    """
    names = (
        (None if weight is None else weight_parameter(estimator), weight),
        (None if groups is None else group_parameter(estimator), groups),
    )
    return estimator.fit(X, y, **{name: given for name, given in names if name is not None})
