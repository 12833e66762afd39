"""Paired differences between candidates judged on the same rows, and the rule that picks one of them.

Everything here works from sums over units (rows, groups or blocks) under weights. Weights of one give the
real difference and the real choice; the counts of a bootstrap draw give the same rule replayed on a
resample, which is what corrects the winner's score (`heldout.generalization.selected_error`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from heldout.errors import InvalidInput
from heldout.generalization.unit_losses import UnitLosses, WeightedLosses, unit_losses

__all__ = [
    "PairedDifference",
    "SimplestTied",
    "TiedChoice",
    "inflation",
    "paired_difference",
    "simplest_tied",
    "standard_error_of_difference",
]

ORDERED = ("blocked_time", "group_time")

# Two candidates that predict alike differ by rounding only; such a difference is a tie, whatever its error.
ROUNDING = 1e-12


@dataclass(frozen=True)
class PairedDifference:
    """Mean loss of candidate a minus that of candidate b, on the same held-out rows.

    Parameters
    ----------
    difference : float
        Below zero: a is better.
    ci_low, ci_high, standard_error : float or None
        None when there are fewer than two units.
    n_units : int
        Rows, groups or blocks the interval rests on.
    """

    difference: float
    ci_low: float | None
    ci_high: float | None
    standard_error: float | None
    n_units: int


def inflation(scheme: str, n_folds: int) -> float:
    r"""Return by how much the spread between units understates the error of a cross-validated mean.

    Nadeau and Bengio: the mean of J test means from random splits has variance
    :math:`(1/J + n_2/n_1) s^2`, where :math:`s^2` is the variance between test means and the second term
    stands for what the overlapping training sets share. With K folds in r repeats :math:`n_2/n_1 = 1/(K-1)`
    (Bouckaert and Frank). A fold of n/K rows has :math:`s^2 = \sigma^2 K / n`, with :math:`\sigma` the
    spread between rows; one repeat (J = K) gives :math:`\frac{\sigma^2}{n} (1 + \frac{K}{K-1})`. More
    repeats test the same rows again and are no new rows: the factor stays, while averaging a row's losses
    over repeats lowers :math:`\sigma` itself. So the factor on the standard error is :math:`\sqrt{1 +
    K/(K-1)}`.

    Blocks of time are tested after training on the past alone; their means carry what the training sets do to
    them, and no correction is known there: the factor is 1.

    Raises
    ------
    InvalidInput
        Fewer than 2 folds.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52, 2003.
    R. Bouckaert and E. Frank, PAKDD 2004.

    Examples
    --------
    >>> round(inflation("random", 10), 4), inflation("blocked_time", 8)
    (1.453, 1.0)
    """
    if scheme in ORDERED:
        return 1.0
    if n_folds < 2:
        raise InvalidInput(f"n_folds must be 2 or more, got {n_folds}: give the folds per repeat, not the repeats")
    return float(np.sqrt(1.0 + n_folds / (n_folds - 1.0)))


def standard_error_of_difference(
    losses: WeightedLosses, reference: NDArray[np.intp], *, n_folds: int, scheme: str
) -> NDArray[np.float64]:
    """Return the corrected standard error of each candidate's difference to `reference[r]`, shape (R, m).

    The one formula behind the printed interval, the tie rule, and its replay on resamples.

    Parameters
    ----------
    losses : WeightedLosses
        As `unit_losses(...).weighted(...)` gives it.
    reference : array of int, shape (R,)
    n_folds : int
        Folds per repeat.
    scheme : str
        As a splitter's `scheme`.
    """
    return inflation(scheme, n_folds) * losses.standard_errors(reference)


def paired_difference(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    *,
    units: ArrayLike | None = None,
    n_folds: int,
    scheme: str,
    confidence_level: float = 0.95,
) -> PairedDifference:
    r"""Compare two candidates on the rows both were tested on.

    Parameters
    ----------
    loss_a, loss_b : array, shape (n_rows,)
        Out-of-fold losses, means over repeats; NaN rows (never held out) are skipped.
    units : array, shape (n_rows,), optional
        Whole groups, or blocks of time; by default rows.
    n_folds : int
        Folds per repeat.
    scheme : str
        As a splitter's `scheme`; "blocked_time" and "group_time" are not inflated (see `inflation`).
    confidence_level : float

    Returns
    -------
    PairedDifference

    Raises
    ------
    InvalidInput
        Columns of different length, no common row, or a confidence level outside (0, 1).

    Notes
    -----
    The difference is the mean over rows; its standard error is the spread between units (linearised, as of a
    ratio of sums, with G / (G - 1)) times `inflation`. The interval is t with (number of units - 1) degrees
    of freedom: that many deviations estimate the spread, while the correction is a constant, not an
    estimate. With whole groups it says how the two compare on new groups, with blocks it is conditional on
    the periods seen.

    Examples
    --------
    >>> result = paired_difference([1.0, 2.0, 3.0, 4.0], [0.5, 1.0, 2.5, 3.0], n_folds=2, scheme="random")
    >>> result.difference, round(result.standard_error, 4), result.n_units
    (0.75, 0.25, 4)
    """
    a, b = np.asarray(loss_a, np.float64), np.asarray(loss_b, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise InvalidInput(f"losses must be two columns of equal length, got {a.shape} and {b.shape}: pair them by row")
    _check_level(confidence_level)
    # The difference is made row by row before any sum, so that a large common loss costs no digits.
    pair = unit_losses(np.column_stack([a - b, np.where(np.isnan(a - b), np.nan, 0.0)]), units)
    weighted, reference = pair.weighted(), np.array([1], np.intp)
    difference = float(weighted.differences(reference)[0, 0])
    factor = inflation(scheme, n_folds)
    if pair.n_units < 2:
        return PairedDifference(difference, None, None, None, pair.n_units)
    error = factor * float(weighted.standard_errors(reference)[0, 0])
    half = float(stats.t.ppf(0.5 + confidence_level / 2.0, pair.n_units - 1)) * error
    return PairedDifference(difference, difference - half, difference + half, error, pair.n_units)


@dataclass(frozen=True)
class TiedChoice:
    """What the rule chose.

    Parameters
    ----------
    index : int
        The chosen candidate: the simplest of `tied`.
    lowest : int
        The candidate of the lowest mean loss.
    tied : tuple of int
        All candidates whose difference to the lowest has an interval that reaches 0, the lowest among them.
    """

    index: int
    lowest: int
    tied: tuple[int, ...]


@dataclass(frozen=True)
class SimplestTied:
    """The rule of choice: the simplest of the candidates that tie with the lowest mean loss.

    Where the lowest is shown to beat the best baseline, only candidates that are shown to beat it too may tie: one
    whose loss swings so much that it cannot be told from the baseline must not be chosen for its simplicity.

    Called with `WeightedLosses` it returns the chosen candidate per set of weights, so that the same code
    makes the real choice and its replays.

    Parameters
    ----------
    order_of_simplicity : sequence of int
        Candidate numbers, the simplest first; each exactly once.
    n_folds : int
    scheme : str
    confidence_level : float
    baselines : sequence of int
        Candidate numbers of the baselines; none switches the condition off.
    """

    order_of_simplicity: Sequence[int]
    n_folds: int
    scheme: str
    confidence_level: float = 0.95
    baselines: Sequence[int] = ()

    def __post_init__(self) -> None:
        order = tuple(int(j) for j in self.order_of_simplicity)
        if sorted(order) != list(range(len(order))):
            raise InvalidInput(
                f"order_of_simplicity must name each candidate 0 .. {len(order) - 1} once, "
                f"the simplest first, got {order}"
            )
        _check_level(self.confidence_level)
        inflation(self.scheme, self.n_folds)
        object.__setattr__(self, "order_of_simplicity", order)

    def tied(self, losses: WeightedLosses) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the lowest candidate, shape (R,), and who ties with it, shape (R, m)."""
        m = losses.units.n_candidates
        if m != len(self.order_of_simplicity):
            raise InvalidInput(
                f"order_of_simplicity must name each of {m} candidates, got {self.order_of_simplicity}: "
                "give one number per column of losses"
            )
        lowest = np.argmin(losses.mean_losses, axis=1)
        # One unit tells nothing of the error of a difference (NaN): then nothing is shown to be worse.
        tied = ~(losses.differences(lowest) > self._reach(losses, lowest))
        if self.baselines:
            numbers = np.asarray(self.baselines, np.intp)
            best = numbers[np.argmin(losses.mean_losses[:, numbers], axis=1)]
            beats = losses.differences(best) < -self._reach(losses, best)
            tied &= beats | ~np.take_along_axis(beats, lowest[:, None], axis=1)
        return lowest, tied

    def _reach(self, losses: WeightedLosses, reference: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return how far the interval of each difference to `reference[r]` reaches to either side, shape (R, m)."""
        errors = standard_error_of_difference(losses, reference, n_folds=self.n_folds, scheme=self.scheme)
        freedom = np.maximum(losses.n_units - 1.0, 1.0)
        quantile = np.asarray(stats.t.ppf(0.5 + self.confidence_level / 2.0, freedom))
        return np.asarray(quantile[:, None] * errors + ROUNDING * losses.units.scale)

    def choice(self, units: UnitLosses) -> TiedChoice:
        """Return the real choice: every unit counted once."""
        losses = units.weighted()
        lowest, tied = self.tied(losses)
        return TiedChoice(int(self(losses)[0]), int(lowest[0]), tuple(int(j) for j in np.flatnonzero(tied[0])))

    def __call__(self, losses: WeightedLosses) -> NDArray[np.intp]:
        """Return the chosen candidate under each set of weights, shape (R,)."""
        order = np.asarray(self.order_of_simplicity, np.intp)
        _, tied = self.tied(losses)
        return np.asarray(order[np.argmax(tied[:, order], axis=1)])


def simplest_tied(
    loss_matrix: ArrayLike,
    *,
    units: ArrayLike | None = None,
    n_folds: int,
    scheme: str,
    order_of_simplicity: Sequence[int],
    confidence_level: float = 0.95,
    baselines: Sequence[int] = (),
) -> TiedChoice:
    """Choose the simplest of the candidates that tie with the lowest mean loss.

    Parameters
    ----------
    loss_matrix : array, shape (n_rows, m)
        Out-of-fold losses on common folds.
    units : array, shape (n_rows,), optional
    n_folds : int
    scheme : str
    order_of_simplicity : sequence of int
        Candidate numbers, the simplest first.
    confidence_level : float
    baselines : sequence of int
        See `SimplestTied`.

    Returns
    -------
    TiedChoice

    Raises
    ------
    InvalidInput
        See `unit_losses`; an order that does not name each candidate once.

    Examples
    --------
    >>> losses = [[1.0, 1.1, 5.0], [2.0, 1.8, 6.0], [3.0, 2.9, 7.5], [1.5, 1.6, 5.2]]
    >>> simplest_tied(losses, n_folds=2, scheme="random", order_of_simplicity=[2, 0, 1])
    TiedChoice(index=0, lowest=1, tied=(0, 1))
    """
    rule = SimplestTied(order_of_simplicity, n_folds, scheme, confidence_level, baselines)
    return rule.choice(unit_losses(loss_matrix, units))


def _check_level(confidence_level: float) -> None:
    if not 0.0 < confidence_level < 1.0:
        raise InvalidInput(f"confidence_level must lie between 0 and 1, got {confidence_level}: give 0.95, say")
