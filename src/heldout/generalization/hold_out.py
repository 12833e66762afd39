"""The error of one fixed model on a file of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, as_target
from heldout.errors import InvalidInput
from heldout.generalization.error_estimate import FEWEST_BLOCKS, FEWEST_GROUPS, ErrorEstimate, on_metric_scale
from heldout.generalization.evidence import SETTLED_BLOCKS, SETTLED_GROUPS
from heldout.generalization.intervals import MeanInterval, check_confidence_level, unit_t, wilson
from heldout.losses import METRICS, Metric

__all__ = ["holdout_error"]

N_BLOCKS = 8


def holdout_error(
    y: ArrayLike,
    prediction: ArrayLike,
    *,
    metric: str | Metric,
    groups: ArrayLike | None = None,
    in_time_order: bool = False,
    confidence_level: float = 0.95,
) -> ErrorEstimate:
    """Judge predictions made by a model that never saw these rows, nor chose by them.

    The model is fixed, so its losses on independent rows are independent: no correction for shared training
    rows is called for. The interval is Wilson's for a share of wrong rows, else Student's t over rows; with
    `groups` it is t over groups (fewer than 12: indicative; fewer than 6: none, only the range).

    Parameters
    ----------
    y : array, shape (n_rows,)
        Values, or class codes 0 .. k-1 where `prediction` holds codes or probabilities by code.
    prediction : array, shape (n_rows,) or (n_rows, n_classes)
    metric : str or Metric
    groups : array, shape (n_rows,), optional
    in_time_order : bool, default False
        Whether rows stand in time order. Neighbours then share their luck, so eight blocks of consecutive rows are
        counted instead of rows or groups (fewer than 6: indicative; fewer than 3: no interval), and the interval is
        conditional on the periods of the file.
    confidence_level : float, default 0.95

    Returns
    -------
    ErrorEstimate
        With `n_fits` 0 and no training error.

    Raises
    ------
    InvalidInput
        An unknown metric, or arrays of unequal length.

    Examples
    --------
    >>> estimate = holdout_error([0, 1, 1, 0], [0, 1, 0, 0], metric="accuracy")
    >>> estimate.error, round(estimate.ci_low, 3), round(estimate.ci_high, 3), estimate.method
    (0.75, 0.301, 0.954, 'wilson')
    """
    check_confidence_level(confidence_level)
    metric = _named(metric)
    predicted = np.asarray(prediction)
    truth = as_target(y, len(predicted))
    if metric.loss.prediction == "value" and predicted.ndim == 2:
        predicted = predicted.argmax(axis=1)
    losses = metric.loss.per_row(truth, predicted)
    if in_time_order:
        units: NDArray[np.intp] | None = _consecutive_blocks(len(losses))
    else:
        units = None if groups is None else as_codes(groups, len(losses))[0]
    n_units = len(losses) if units is None else int(units.max()) + 1
    mean = float(losses.mean())
    interval_of = _block_interval if in_time_order else _interval
    method, interval, note = interval_of(losses, units, n_units, metric, confidence_level)
    low, high, error = (None, None, None) if interval is None else on_metric_scale(interval, metric)
    whose = "rows like those of this file" if units is None else "rows of groups like those of this file"
    whose = "the periods of this file, and conditional on them" if in_time_order else whose
    settled = SETTLED_BLOCKS if in_time_order else SETTLED_GROUPS
    return ErrorEstimate(
        error=metric.from_mean_loss(mean),
        ci_low=low,
        ci_high=high,
        standard_error=error,
        training_error=None,
        method=method,
        estimand=f"error of this very model on {whose}",
        indicative=units is not None and n_units < settled,
        n_fits=0,
        n_rows=len(losses),
        n_units=n_units,
        confidence_level=confidence_level,
        metric=metric.name,
        mean_loss=mean,
        losses=losses,
        note=note,
    )


def _named(metric: str | Metric) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if metric not in METRICS:
        raise InvalidInput(f"unknown metric {metric!r}: choose one of {', '.join(METRICS)}")
    return METRICS[metric]


def _interval(
    losses: NDArray[np.float64],
    units: NDArray[np.intp] | None,
    n_units: int,
    metric: Metric,
    level: float,
) -> tuple[str, MeanInterval | None, str | None]:
    if units is None:
        if metric.loss.name == "zero_one":
            return "wilson", wilson(float(losses.sum()), len(losses), level), None
        if len(losses) < 2:
            return "range", None, "no interval from one row"
        return "t", unit_t(losses, None, level), None
    if n_units >= FEWEST_GROUPS:
        note = f"only {n_units} groups: the interval is indicative" if n_units < SETTLED_GROUPS else None
        return "t_groups", unit_t(losses, units, level), note
    return "range", None, _range_note(losses, units, metric, "groups")


def _block_interval(
    losses: NDArray[np.float64],
    units: NDArray[np.intp] | None,
    n_units: int,
    metric: Metric,
    level: float,
) -> tuple[str, MeanInterval | None, str | None]:
    if units is None or n_units < FEWEST_BLOCKS:
        return (
            "range",
            None,
            _range_note(losses, np.zeros(len(losses), np.intp) if units is None else units, metric, "blocks"),
        )
    note = f"{n_units} blocks of consecutive rows are counted: neighbouring rows are not independent"
    return "block_t", unit_t(losses, units, level), note


def _range_note(losses: NDArray[np.float64], units: NDArray[np.intp], metric: Metric, what: str) -> str:
    means = np.bincount(units, weights=losses) / np.bincount(units)
    ends = sorted(metric.from_mean_loss(float(end)) for end in (means.min(), means.max()))
    return f"no interval from {len(means)} {what}: the lowest has {ends[0]:.4g}, the highest {ends[1]:.4g}"


def _consecutive_blocks(n_rows: int) -> NDArray[np.intp]:
    # A block needs two rows at least; eight are what the time-ordered folds have.
    n_blocks = max(min(N_BLOCKS, n_rows // 2), 1)
    return np.asarray(np.arange(n_rows) * n_blocks // n_rows, np.intp)
