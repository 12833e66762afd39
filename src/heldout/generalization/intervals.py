"""Intervals for a mean loss, each for its own kind of dependence between the losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from heldout.errors import InvalidInput

__all__ = [
    "MeanInterval",
    "block_t",
    "check_confidence_level",
    "corrected_t",
    "unit_t",
    "wald",
    "wilson",
]


@dataclass(frozen=True)
class MeanInterval:
    """Interval for a mean loss, in units of the loss."""

    mean: float
    standard_error: float
    low: float
    high: float


def check_confidence_level(level: float) -> float:
    """Return the level.

    Raises
    ------
    InvalidInput
        Not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise InvalidInput(f"confidence_level must lie between 0 and 1, got {level!r}: 0.95 is usual")
    return float(level)


def corrected_t(
    fold_losses: ArrayLike,
    fold_sizes: Sequence[tuple[int, int]],
    n_counted: int | None = None,
    confidence_level: float = 0.95,
) -> MeanInterval:
    """Corrected repeated k-fold t interval.

    The means of the J folds of all repeats share training rows, so their spread s understates the error of their
    mean. Nadeau and Bengio (2003) replace s^2 / J by

        s^2 (1 / J + n_test / n_train),

    with J - 1 degrees of freedom; Bouckaert and Frank (2004) use it for repeated k-fold cross-validation. Here
    folds count by their rows, and `n_counted` takes the place of J where repeats hold nothing new: those of
    leave-one-out are copies, and new partitions of the same few groups are no new groups.

    Parameters
    ----------
    fold_losses : array, shape (J,)
        Mean held-out loss of each fold, repeat after repeat.
    fold_sizes : sequence of (n_train, n_test)
    n_counted : int, optional
        Folds counted as new evidence; by default all.
    confidence_level : float, default 0.95

    Raises
    ------
    InvalidInput
        Fewer than two folds counted, or a level outside (0, 1).

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003) 239-281.
    R. R. Bouckaert, E. Frank, "Evaluating the Replicability of Significance Tests for Comparing Learning
    Algorithms", PAKDD 2004.

    Examples
    --------
    >>> interval = corrected_t([1.0, 2.0, 3.0], [(20, 10)] * 3)
    >>> round(interval.mean, 3), round(interval.standard_error, 3)  # 1 * sqrt(1/3 + 1/2)
    (2.0, 0.913)
    """
    losses = np.asarray(fold_losses, dtype=float)
    n_train, n_test = np.asarray(fold_sizes, dtype=float).T
    counted = len(losses) if n_counted is None else min(len(losses), n_counted)
    if counted < 2:
        raise InvalidInput(f"an interval from folds needs 2 of them, got {counted}")
    mean, variance = _weighted_moments(losses, n_test, counted)
    error = np.sqrt(variance * (1 / counted + np.mean(n_test / n_train)))
    return _around(mean, error, _t_quantile(confidence_level, counted - 1))


def block_t(block_losses: ArrayLike, block_sizes: ArrayLike, confidence_level: float = 0.95) -> MeanInterval:
    """T interval over the means of blocks of time, weighted by their rows.

    Blocks long against the memory of the series are nearly independent given the models, so their spread
    shows both the rows' and the periods' share of the error. It says nothing of periods unlike those seen.

    Parameters
    ----------
    block_losses, block_sizes : arrays, shape (n_blocks,)
    confidence_level : float, default 0.95

    Examples
    --------
    >>> interval = block_t([1.0, 2.0, 3.0], [5, 5, 5])
    >>> round(interval.standard_error, 4)  # 1 / sqrt(3)
    0.5774
    """
    losses = np.asarray(block_losses, dtype=float)
    if len(losses) < 2:
        raise InvalidInput(f"an interval over blocks needs 2 of them, got {len(losses)}")
    mean, variance = _weighted_moments(losses, np.asarray(block_sizes, dtype=float), len(losses))
    return _around(mean, np.sqrt(variance / len(losses)), _t_quantile(confidence_level, len(losses) - 1))


def wald(losses: ArrayLike, units: NDArray[np.intp] | None = None, confidence_level: float = 0.95) -> MeanInterval:
    """Normal interval from the spread of per-row losses (Bayle, Bayle, Janson and Mackey 2020).

    The standard error is s / sqrt(n). With `units` (exact copies), the losses of a unit are added first, so
    that doubling every row leaves it as it is.

    Parameters
    ----------
    losses : array, shape (n_rows,)
    units : array of int, shape (n_rows,), optional
    confidence_level : float, default 0.95

    References
    ----------
    P. Bayle, A. Bayle, L. Janson, L. Mackey, "Cross-validation Confidence Intervals for Test Error",
    NeurIPS 2020,
    arXiv:2007.12671.

    Examples
    --------
    >>> round(wald([0.0, 1.0, 0.0, 1.0]).standard_error, 4)
    0.2887
    """
    mean, error, _ = _unit_error(np.asarray(losses, dtype=float), units)
    return _around(mean, error, float(stats.norm.ppf(0.5 + check_confidence_level(confidence_level) / 2)))


def unit_t(losses: ArrayLike, units: NDArray[np.intp] | None = None, confidence_level: float = 0.95) -> MeanInterval:
    """T interval over independent units judged by one fixed model.

    The mean is per row; the standard error is that of a ratio of sums over units, sqrt(G / (G - 1) sum
    d_g^2) / n with d_g the sum over the unit of (loss - mean). With units of one row it is s / sqrt(n).

    Parameters
    ----------
    losses : array, shape (n_rows,)
    units : array of int, shape (n_rows,), optional
    confidence_level : float, default 0.95

    Examples
    --------
    >>> round(unit_t([0.0, 0.0, 1.0, 1.0], units=[0, 0, 1, 1]).standard_error, 4)
    0.5
    """
    codes = None if units is None else np.asarray(units, dtype=np.intp)
    mean, error, n_units = _unit_error(np.asarray(losses, dtype=float), codes)
    return _around(mean, error, _t_quantile(confidence_level, n_units - 1))


def wilson(n_wrong: float, n: int, confidence_level: float = 0.95) -> MeanInterval:
    """Wilson's score interval for a share (1927), which stays right near 0 and 1.

    Parameters
    ----------
    n_wrong : float
    n : int
    confidence_level : float, default 0.95

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)
    209-212.

    Examples
    --------
    >>> interval = wilson(0, 10)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.2775)
    """
    if n < 1 or not 0 <= n_wrong <= n:
        raise InvalidInput(f"a share needs 0 <= n_wrong <= n with n of 1 or more, got {n_wrong} of {n}")
    z = float(stats.norm.ppf(0.5 + check_confidence_level(confidence_level) / 2))
    share = n_wrong / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding must not push the ends past the share itself.
    low, high = min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)
    return MeanInterval(share, float(np.sqrt(share * (1 - share) / n)), float(low), float(high))


def _weighted_moments(values: NDArray[np.float64], sizes: NDArray[np.float64], counted: int) -> tuple[float, float]:
    """Return the mean and the variance (`counted` - 1 in the denominator) of values that count by their sizes."""
    weight = sizes / sizes.sum()
    mean = float(weight @ values)
    return mean, float(weight @ np.square(values - mean)) * counted / (counted - 1)


def _unit_error(losses: NDArray[np.float64], units: NDArray[np.intp] | None) -> tuple[float, float, int]:
    mean = float(losses.mean())
    deviation = losses - mean
    if units is not None:
        _, codes = np.unique(units, return_inverse=True)
        deviation = np.bincount(codes, weights=deviation).astype(float)
    n_units = len(deviation)
    if n_units < 2:
        raise InvalidInput(f"an interval needs 2 independent units, got {n_units}")
    error = np.sqrt(n_units / (n_units - 1) * np.square(deviation).sum()) / len(losses)
    return mean, float(error), n_units


def _t_quantile(confidence_level: float, degrees: int) -> float:
    return float(stats.t.ppf(0.5 + check_confidence_level(confidence_level) / 2, degrees))


def _around(mean: float, error: float, quantile: float) -> MeanInterval:
    return MeanInterval(mean, float(error), float(mean - quantile * error), float(mean + quantile * error))
