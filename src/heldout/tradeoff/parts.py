"""Unbiased parts of the error of replicas fitted on independent training sets, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout.errors import InvalidInput

__all__ = ["DECOMPOSABLE", "Parts", "parts_from_predictions"]

DECOMPOSABLE = ("squared_error", "zero_one")


@dataclass(frozen=True)
class Parts:
    """Parts of the loss per row; `variance + bias_plus_noise` equals `expected_loss` in every row.

    Parameters
    ----------
    expected_loss, variance, bias_plus_noise : array, shape (n_rows,)
        One row's parts rest on few replicas and one target, so a single value may be negative; it is their
        mean over rows that is read.
    """

    expected_loss: NDArray[np.float64]
    variance: NDArray[np.float64]
    bias_plus_noise: NDArray[np.float64]


def parts_from_predictions(predictions: ArrayLike, y: ArrayLike, loss: str = "squared_error") -> Parts:
    r"""Split the loss of independent replicas into variance and bias + noise without bias, row by row.

    For replicas :math:`f_1, \dots, f_B` and target :math:`t`, averaging over all pairs :math:`j \neq k`:

    - squared error: :math:`V = \frac12 (f_j - f_k)^2` and :math:`D = (f_j - t)(f_k - t)`, which equal
      :math:`s^2` (the variance with divisor B - 1) and :math:`(\bar f - t)^2 - s^2 / B`;
    - zero-one (Kohavi and Wolpert): :math:`V = \frac12 [f_j \neq f_k]`, half the rate of disagreement, and
      :math:`D` = mean error - V. With class probabilities :math:`q` of the prediction and :math:`p` of the
      target, :math:`E\,V = \frac12 (1 - \sum_c q_c^2)`, and :math:`E\,D = \frac12 \sum_c (p_c - q_c)^2 +
      \frac12 (1 - \sum_c p_c^2)`, the squared bias and the noise.

    Both are unbiased when the replicas are independent given the target, as fits on disjoint training sets
    are; of bootstrap replicas of one table they are not. The plug-in version (divisor B, no correction)
    would move V / B from the variance into the bias.

    Parameters
    ----------
    predictions : array, shape (n_replicas, n_rows)
        Values, or class labels for `zero_one`.
    y : array, shape (n_rows,)
    loss : {"squared_error", "zero_one"}

    Returns
    -------
    Parts

    Raises
    ------
    InvalidInput
        Fewer than 2 replicas, shapes that do not fit, or a loss that has no such decomposition.

    References
    ----------
    R. Kohavi and D. Wolpert, "Bias plus variance decomposition for zero-one loss functions", ICML 1996.

    Examples
    --------
    >>> parts = parts_from_predictions([[1.0, 2.0], [3.0, 2.0]], [0.0, 0.0])
    >>> parts.variance, parts.bias_plus_noise, parts.expected_loss
    (array([2., 0.]), array([3., 4.]), array([5., 4.]))
    """
    labels = np.asarray(y)
    replicas = np.asarray(predictions)
    if loss not in DECOMPOSABLE:
        raise InvalidInput(f"loss must be one of {', '.join(DECOMPOSABLE)} to be split, got {loss!r}")
    if replicas.ndim != 2 or labels.ndim != 1 or replicas.shape[1] != labels.shape[0]:
        raise InvalidInput(
            f"predictions must have shape (n_replicas, {labels.shape[0] if labels.ndim else 0}), "
            f"got {replicas.shape}: one row of predictions per replica"
        )
    if replicas.shape[0] < 2:
        raise InvalidInput(
            f"at least 2 replicas are needed to see variance, got {replicas.shape[0]}: "
            "fit on another disjoint training set"
        )
    return _squared_error_parts(replicas, labels) if loss == "squared_error" else _zero_one_parts(replicas, labels)


def _squared_error_parts(replicas: NDArray[Any], y: NDArray[Any]) -> Parts:
    # Errors, not predictions: a large common offset of target and prediction then costs no digits.
    errors = replicas.astype(np.float64) - y.astype(np.float64)
    n_replicas = errors.shape[0]
    mean_error = errors.mean(axis=0)
    variance = np.square(errors - mean_error).sum(axis=0) / (n_replicas - 1)
    bias_plus_noise = np.square(mean_error) - variance / n_replicas
    return Parts(np.square(errors).mean(axis=0), variance, bias_plus_noise)


def _zero_one_parts(replicas: NDArray[Any], y: NDArray[Any]) -> Parts:
    n_replicas, n_rows = replicas.shape
    levels, codes = np.unique(replicas, return_inverse=True)
    codes = codes.reshape(replicas.shape)
    agreeing = np.zeros(n_rows)
    for level in range(len(levels)):
        votes = (codes == level).sum(axis=0)
        agreeing += votes * (votes - 1.0)
    disagreement = 1.0 - agreeing / (n_replicas * (n_replicas - 1.0))
    expected_loss = (replicas != y).mean(axis=0)
    variance = disagreement / 2.0
    return Parts(expected_loss, variance, expected_loss - variance)
