"""The error on unseen rows of an ensemble, from the rows that its members left out of their bags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from heldout._arrays import as_codes, checked_weight
from heldout.errors import InvalidInput
from heldout.generalization.error_estimate import (
    FEWEST_BLOCKS,
    FEWEST_GROUPS,
    ORDERED_NOTE,
    ErrorEstimate,
    on_metric_scale,
)
from heldout.generalization.evidence import SETTLED_BLOCKS, SETTLED_GROUPS
from heldout.generalization.intervals import MeanInterval, check_confidence_level, wilson
from heldout.losses import METRICS, Metric

__all__ = ["out_of_bag_error"]

Kind = Literal["rows", "groups", "blocks"]

_FEWEST = {"rows": FEWEST_GROUPS, "groups": FEWEST_GROUPS, "blocks": FEWEST_BLOCKS}
# Bags share rows, so losses of rows depend on each other, and of groups the more. Measured on development cells (see
# benchmarks/out_of_bag_cells.py), the error of the mean loss had 1.0 to 1.5 times the variance of independent rows, at
# 4/3 the intervals covered 93 to 98 %; for 12 to 100 groups that 2 makes up for skewness as well, 92 to 98 %.
_WIDENING = {"rows": 4 / 3, "groups": 2.0, "blocks": 2.0}
_SETTLED = {"rows": SETTLED_GROUPS, "groups": SETTLED_GROUPS, "blocks": SETTLED_BLOCKS}


def out_of_bag_error(
    losses: ArrayLike,
    *,
    metric: str | Metric,
    n_members: ArrayLike,
    ensemble_size: int,
    corrected: bool = False,
    refitted: bool = False,
    n_judged: int | None = None,
    units: ArrayLike | None = None,
    kind: Kind = "groups",
    sample_weight: ArrayLike | None = None,
    confidence_level: float = 0.95,
) -> ErrorEstimate:
    r"""Turn losses on out-of-bag rows into an error with an interval for the error of this very ensemble.

    The mean loss :math:`\bar\ell` has the standard error of a ratio of sums over G units, widened,

    .. math:: s = \sqrt{c \, \frac{G}{G - 1} \sum_g d_g^2} \Big/ \sum_i w_i, \qquad
        d_g = \sum_{i \in g} w_i (\ell_i - \bar\ell),

    and Student's t with G - 1 degrees of freedom is laid around it. Losses depend on each other through the rows that
    the bags share, which :math:`c` allows for: 4/3 where every row is a unit, 2 for groups and blocks. That is
    measured, not derived; see Notes.

    Parameters
    ----------
    losses : array, shape (n_rows,)
        Loss of each row's prediction by the members that have it out of bag; NaN where none has.
    metric : str or Metric
        Must rest on that loss.
    n_members : array of int, shape (n_rows,)
        Members that have the row out of bag.
    ensemble_size : int
        Members in all.
    corrected : bool, default False
        Whether the losses are those of the whole ensemble (`corrected_losses`). The estimand says so;
        nothing else depends on it.
    refitted : bool, default False
        Whether the model has been fitted anew to all rows since its members were judged: its leaves, or all of it where
        the ensemble is of one. The estimand says so.
    n_judged : int, optional
        Members that were judged, where they are not those of the ensemble: several that stand for one model.
    units : array, shape (n_rows,), optional
        What is independent, where rows are not: labels of groups or of blocks of time that were drawn whole.
    kind : "groups" or "blocks", default "groups"
        What the units are. With few of them the interval is indicative (fewer than 12 rows or groups, 6 blocks), or
        none is given (fewer than 6 rows or groups, 3 blocks).
    sample_weight : array, shape (n_rows,), optional
        How much each row counts.
    confidence_level : float, default 0.95

    Returns
    -------
    ErrorEstimate
        With method "out_of_bag", or "range" where there are too few units for an interval; `n_fits` is the number of
        members judged.

    Raises
    ------
    InvalidInput
        Losses that are infinite, NaN everywhere, or there without a member; arrays of unequal length; an unknown
        metric or kind of unit; an ensemble without members.

    Notes
    -----
    Means of losses that bags have in common vary more than independent rows would let them: for boosting of tables
    of 200 to 3,000 rows by a factor of 1.0 to 1.5 in the variance. Doubling the variance is also what the corrected t
    interval does for cross-validation over ten groups [1]_. Measured were bootstraps, subsamples and bootstraps of
    whole groups; for other draws (folds, disjoint sets, Poisson, blocks, arrays given) the factors are taken over. No
    interval has validated coverage where rows are ordered in time.

    An error of few members (`corrected` False) is above that of the whole ensemble. Leaves that were filled anew
    from all rows (`refitted`) make the ensemble better than its evaluation: after subsamples of 80 % the mean loss was
    at most 3 % lower in the cells measured, after bootstraps up to 18 %.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003) 239-281.

    Examples
    --------
    >>> losses, members = [1.0, 3.0] * 10 + [float("nan")], [2, 4] * 10 + [0]
    >>> estimate = out_of_bag_error(losses, metric="mse", n_members=members, ensemble_size=8)
    >>> estimate.error, estimate.n_rows, estimate.method
    (2.0, 20, 'out_of_bag')
    >>> estimate.estimand
    'error on new rows of about 3 members averaged, as many as have a row out of bag; the ensemble has 8'
    >>> estimate.note
    '1 of 21 rows is in every bag and not judged'
    """
    check_confidence_level(confidence_level)
    metric = _named(metric)
    every = np.asarray(losses, np.float64)
    if kind not in _FEWEST or (kind == "rows" and units is not None):
        raise InvalidInput(f"kind must be 'groups' or 'blocks', got {kind!r}: say what the units are")
    members = _checked_members(every, n_members, ensemble_size)
    weight = np.ones(len(every)) if sample_weight is None else checked_weight(sample_weight, len(every))
    missed = np.isnan(every)
    judged = ~missed & (weight > 0)
    if not judged.any():
        raise InvalidInput(f"sample_weight is 0 in all {len(every) - missed.sum()} out-of-bag rows: weigh some of them")
    sample = _Judged(every[judged], weight[judged], _codes_of(units, judged), "rows" if units is None else kind)
    interval = sample.interval(confidence_level) if sample.n_units >= _FEWEST[sample.kind] else None
    without_spread = interval is not None and metric.loss.name == "zero_one" and interval.standard_error == 0
    if without_spread:
        interval = wilson(sample.mean * sample.n_units, sample.n_units, confidence_level)
    low, high, error = (None, None, None) if interval is None else on_metric_scale(interval, metric)
    mean_members = float(members[judged].mean())
    return ErrorEstimate(
        error=metric.from_mean_loss(sample.mean),
        ci_low=low,
        ci_high=high,
        standard_error=error,
        training_error=None,
        method="range" if interval is None else "out_of_bag",
        estimand=_estimand(sample.kind, ensemble_size, None if corrected else mean_members, refitted, n_judged),
        indicative=sample.n_units < _SETTLED[sample.kind],
        n_fits=int(n_judged or ensemble_size),
        n_rows=len(sample.losses),
        n_units=sample.n_units,
        confidence_level=confidence_level,
        metric=metric.name,
        mean_loss=sample.mean,
        losses=every,
        note=_note(sample, metric, missed, without_spread),
    )


@dataclass(frozen=True)
class _Judged:
    """Losses of the rows out of bag, what they weigh, and what is independent among them."""

    losses: NDArray[np.float64]
    weight: NDArray[np.float64]
    units: NDArray[np.intp] | None
    kind: Kind

    @property
    def mean(self) -> float:
        return float(self.weight @ self.losses / self.weight.sum())

    @property
    def n_units(self) -> int:
        return len(self.losses) if self.units is None else int(self.units.max()) + 1

    def interval(self, confidence_level: float) -> MeanInterval:
        deviation = self.weight * (self.losses - self.mean)
        if self.units is not None:
            deviation = np.asarray(np.bincount(self.units, weights=deviation), np.float64)
        n = self.n_units
        # Squares of squares: in units of the largest, none is too large for float64.
        largest = float(np.abs(deviation).max()) or 1.0
        variance = _WIDENING[self.kind] * n / (n - 1) * np.square(deviation / largest).sum()
        error = float(np.sqrt(variance) * largest / self.weight.sum())
        reach = float(stats.t.ppf(0.5 + confidence_level / 2, n - 1)) * error
        return MeanInterval(self.mean, error, self.mean - reach, self.mean + reach)

    def unit_means(self) -> NDArray[np.float64]:
        """Return the mean loss of each unit that weighs something."""
        if self.units is None:
            return self.losses
        with np.errstate(invalid="ignore"):  # a unit of weight 0 has no mean
            means = np.bincount(self.units, weights=self.weight * self.losses) / np.bincount(self.units, self.weight)
        return np.asarray(means[np.isfinite(means)])


def _codes_of(units: ArrayLike | None, judged: NDArray[np.bool_]) -> NDArray[np.intp] | None:
    if units is None:
        return None
    _, codes = np.unique(as_codes(units, len(judged), "units")[0][judged], return_inverse=True)
    return np.asarray(codes, np.intp)


def _estimand(kind: Kind, ensemble_size: int, mean_members: float | None, refitted: bool, n_judged: int | None) -> str:
    whose = {
        "rows": "error on new rows",
        "groups": "error on rows of new groups",
        "blocks": "error on rows of other blocks of time, conditional on the periods seen,",
    }[kind]
    if ensemble_size == 1:
        single = f"of a single one of {n_judged or 1} fitted to resampled rows"
        return f"{whose} {single}{'; the model is fitted to all rows' if refitted else ''}"
    before = ", before its leaves were filled anew from all rows" if refitted else ""
    if mean_members is None:
        return f"{whose} of the ensemble of {ensemble_size}{before}"
    members = "single members" if round(mean_members, 2) == 1 else f"about {mean_members:.3g} members averaged"
    return f"{whose} of {members}, as many as have a row out of bag; the ensemble has {ensemble_size}{before}"


def _note(sample: _Judged, metric: Metric, missed: NDArray[np.bool_], without_spread: bool) -> str | None:
    notes = []
    if sample.n_units < _FEWEST[sample.kind]:
        ends = sorted(metric.from_mean_loss(float(end)) for end in (min(sample.unit_means()), max(sample.unit_means())))
        what = f"{sample.n_units} {sample.kind}" if sample.n_units > 1 else f"one of the {sample.kind}"
        notes.append(f"no interval from {what}: the lowest has {ends[0]:.4g}, the highest {ends[1]:.4g}")
    elif sample.n_units < _SETTLED[sample.kind]:
        notes.append(f"only {sample.n_units} {sample.kind}: the interval is indicative")
    if without_spread:
        notes.append(f"no spread between {sample.kind}: Wilson's interval")
    if sample.kind == "blocks" and sample.n_units >= _FEWEST["blocks"]:
        notes.append(ORDERED_NOTE)
    if n_missed := int(missed.sum()):
        notes.append(f"{n_missed} of {len(missed)} rows {'is' if n_missed == 1 else 'are'} in every bag and not judged")
    return "; ".join(notes) or None


def _named(metric: str | Metric) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if metric not in METRICS:
        raise InvalidInput(f"unknown metric {metric!r}: choose one of {', '.join(METRICS)}")
    return METRICS[metric]


def _checked_members(losses: NDArray[np.float64], n_members: ArrayLike, ensemble_size: int) -> NDArray[np.float64]:
    members = np.asarray(n_members, np.float64)
    if losses.ndim != 1 or members.shape != losses.shape:
        raise InvalidInput(
            f"losses and n_members must have shape (n_rows,), got {losses.shape} and {members.shape}: one value per row"
        )
    if not ensemble_size >= 1:
        raise InvalidInput(f"ensemble_size must be 1 or more, got {ensemble_size}: say how many members are averaged")
    if np.isinf(losses).any():
        row = int(np.flatnonzero(np.isinf(losses))[0])
        raise InvalidInput(f"losses must be finite, or NaN where no member judges, got {losses[row]} in row {row}")
    if np.isnan(losses).all():
        raise InvalidInput(f"none of {len(losses)} rows is out of any bag: draw bags that leave rows out")
    alone = np.flatnonzero(~np.isnan(losses) & ~(members >= 1))
    if alone.size:
        raise InvalidInput(f"row {alone[0]} has a loss but n_members {members[alone[0]]:g}: give NaN where none judges")
    return members
