"""Losses of a whole ensemble, from predictions by the members that left a row out of their bags."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from heldout.errors import InvalidInput

__all__ = ["corrected_log_losses", "corrected_squared_losses"]


def corrected_squared_losses(
    target: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    n_members: ArrayLike,
    ensemble_size: int,
    *,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Return the squared error of each row, corrected from the members it has out of bag to the whole ensemble.

    A row whose m members out of bag predict :math:`\bar f` on average, with variance v among them, has

    .. math:: (\bar f - y)^2 - v / m + v / K.

    The first two terms are the mean, over the pairs of two different members, of the product of their errors
    (the pair estimator): they estimate without bias, over draws of the bags, the squared error of infinitely
    many members. The last is what K members add. Single rows can come out negative; only their mean has a meaning.

    Parameters
    ----------
    target : array, shape (n_rows,)
    mean : array, shape (n_rows,)
        Of the predictions by members that have the row out of bag.
    variance : array, shape (n_rows,)
        Of those predictions, with m - 1 in the denominator. Ignored where m is 1: such a row gets the variance
        pooled over the others, which counts (m - 1) times for a row of m members.
    n_members : array of int, shape (n_rows,)
        Members m; 0 for a row that is in every bag.
    ensemble_size : int
        Members K to correct to.
    sample_weight : array, shape (n_rows,), optional
        How much each row counts where variances are pooled: a weight of 2 equals two rows.

    Returns
    -------
    losses : array of float64, shape (n_rows,)
        In squared units of the target. NaN for rows in every bag, and everywhere where no row has two members.

    Raises
    ------
    InvalidInput
        Arrays of unequal length, or an ensemble without members.

    Examples
    --------
    Two members that err by 1 and by 3: mean error 2, variance 2, product of the errors 3.

    >>> corrected_squared_losses([0.0], [2.0], [2.0], [2], ensemble_size=2)
    array([4.])
    >>> corrected_squared_losses([0.0], [2.0], [2.0], [2], ensemble_size=1)  # (1 + 9) / 2: members by themselves
    array([5.])
    """
    ones = np.ones(np.shape(target)) if sample_weight is None else sample_weight
    y, predicted, spread, m, weight = _aligned(target, mean, variance, n_members, ones)
    change = _change_of_variance(spread, m, ensemble_size, weight)
    return np.asarray(np.where(m > 0, np.square(predicted - y) + change, np.nan))


def corrected_log_losses(
    target: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    n_members: ArrayLike,
    ensemble_size: int,
    *,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Return the log loss of each row, corrected to second order to the whole ensemble.

    Members average their scores. To second order in the spread of the members' scores, the loss of m members exceeds
    that of infinitely many by :math:`\tfrac12 p (1 - p) v / m` on average, so a row gets

    .. math:: \ell(\bar s) + \tfrac12 p (1 - p) \, (v / K - v / m),

    with p the probability by the mean score :math:`\bar s`, v the variance between members and K the size of the
    ensemble. With several classes :math:`p (1 - p) v` is summed over them: scores of different classes are taken to
    vary independently. Unlike the correction of squared errors this one is approximate.

    Parameters
    ----------
    target : array, shape (n_rows,)
        Class numbers, from 0 on.
    mean : array, shape (n_rows,), (1, n_rows) or (n_classes, n_rows)
        Of the scores by members that have the row out of bag: log odds of class 1, or for several classes what the
        softmax makes probabilities of.
    variance : array, of the shape of `mean`
        Of those scores, with m - 1 in the denominator; where m is 1, pooled as in `corrected_squared_losses`.
    n_members : array of int, shape (n_rows,)
    ensemble_size : int
    sample_weight : array, shape (n_rows,), optional
        How much each row counts where variances are pooled.

    Returns
    -------
    losses : array of float64, shape (n_rows,)
        In nats. NaN for rows in every bag, and where the variance is called for but no row has two members.

    Raises
    ------
    InvalidInput
        Arrays that do not fit each other, targets that are no class numbers, or an ensemble without members.

    Examples
    --------
    >>> corrected_log_losses([1], [0.0], [0.8], [2], ensemble_size=2).round(4)  # log 2: nothing to correct
    array([0.6931])
    >>> corrected_log_losses([1], [0.0], [0.8], [2], ensemble_size=1).round(4)  # 0.8 / 4 / 2 * (1 - 1/2) more
    array([0.7431])
    """
    y, m, weight = _aligned(target, n_members, np.ones(np.shape(target)) if sample_weight is None else sample_weight)
    scores, spread = (np.atleast_2d(np.asarray(array, np.float64)) for array in (mean, variance))
    if scores.shape[-1] != len(y) or spread.shape != scores.shape:
        raise InvalidInput(
            f"mean and variance must have shape (n_outputs, {len(y)}), got {scores.shape} and {spread.shape}: one "
            "column per row"
        )
    n_classes = max(len(scores), 2)
    if not np.isin(y, np.arange(n_classes)).all():
        wrong = y[~np.isin(y, np.arange(n_classes))][0]
        raise InvalidInput(f"target must hold class numbers 0 .. {n_classes - 1}, got {wrong:g}: encode the classes")
    if len(scores) == 1:
        # Log odds are scores of two classes of which the first stays 0; its curvature belongs to the one that varies.
        scores, spread = np.concatenate([np.zeros_like(scores), scores]), np.concatenate([0.0 * spread, spread])
    log_probability = special.log_softmax(scores, axis=0)
    probability = np.exp(log_probability)
    curvature = probability * (1.0 - probability)
    change = sum(
        0.5 * p * _change_of_variance(v, m, ensemble_size, weight) for p, v in zip(curvature, spread, strict=True)
    )
    losses = -log_probability[y.astype(np.intp), np.arange(len(y))]
    return np.asarray(np.where(m > 0, losses + change, np.nan))


def _check_size(ensemble_size: int) -> None:
    if not ensemble_size >= 1:
        raise InvalidInput(f"ensemble_size must be 1 or more, got {ensemble_size}: say how many members are averaged")


def _aligned(*arrays: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    given = tuple(np.asarray(array, np.float64) for array in arrays)
    if given[0].ndim != 1 or any(array.shape != given[0].shape for array in given):
        shapes = ", ".join(str(array.shape) for array in given)
        raise InvalidInput(
            f"targets, means, variances, numbers of members and weights must have one shape (n_rows,), got {shapes}: "
            "pass one value per row"
        )
    return given


def _change_of_variance(
    variance: NDArray[np.float64],
    m: NDArray[np.float64],
    ensemble_size: int,
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return v / K - v / m, with the pooled v where a row has one member; NaN where there is none to pool."""
    _check_size(ensemble_size)
    paired = m > 1
    freedom = np.where(paired, m - 1.0, 0.0) * weight
    pooled = np.where(paired, variance, 0.0) @ freedom / freedom.sum() if paired.any() else np.nan
    # A row with as many members as the ensemble needs no correction, whether or not their variance is known.
    share = 1.0 / ensemble_size - 1.0 / np.maximum(m, 1.0)
    return np.where(share == 0.0, 0.0, share * np.where(paired, variance, pooled))
