"""The error on unseen rows with an interval that fits how rows depend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import n_rows
from heldout.errors import InvalidInput
from heldout.generalization.evidence import Evidence, evidence_of
from heldout.generalization.intervals import (
    MeanInterval,
    block_t,
    check_confidence_level,
    corrected_t,
    wald,
    wilson,
)
from heldout.generalization.out_of_fold import OutOfFold, out_of_fold
from heldout.losses import LOSSES, METRICS, Loss, Metric, default_metric, find_loss, find_metric

__all__ = ["ErrorEstimate", "Method", "error_from", "estimate_error", "on_metric_scale"]

Method = Literal["auto", "corrected_repeated_kfold", "corrected_t_groups", "block_t", "wald", "range"]

FEWEST_GROUPS = 6  # fewer give the range only
FEWEST_BLOCKS = 3
ROWS_FOR_WALD = 20_000

ORDERED_NOTE = "conditional on the periods seen: no interval has validated coverage for ordered rows"


@dataclass(frozen=True)
class ErrorEstimate:
    """An error on unseen rows, what it covers and how it was got.

    Attributes
    ----------
    error : float
        The metric, of the mean loss per held-out row.
    ci_low, ci_high : float or None
        Ends on the metric's scale, low below high; None where no interval is allowed (`note` says why).
    standard_error : float or None
        On the metric's scale: half the distance between the metric one standard error to either side.
    training_error : float or None
        The metric on the rows each model was fitted on. Its distance to `error` is not the variance:
        1-nearest neighbours has training error 0 whatever its variance.
    method : str
        "corrected_repeated_kfold", "corrected_t_groups", "block_t", "wald" or "range"; "out_of_bag"; "wilson", "t" or
        "t_groups" for a separate test file.
    estimand : str
        What the number estimates, as a sentence.
    indicative : bool
        Whether there are too few groups or blocks to trust the level.
    n_fits, n_rows, n_units : int
        Models fitted, rows tested, and independent units among those.
    confidence_level : float
    metric : str
    mean_loss : float
    losses : array, shape (n_rows_of_table,)
    note : str or None
    """

    error: float
    ci_low: float | None
    ci_high: float | None
    standard_error: float | None
    training_error: float | None
    method: str
    estimand: str
    indicative: bool
    n_fits: int
    n_rows: int
    n_units: int
    confidence_level: float
    metric: str
    mean_loss: float
    losses: NDArray[np.float64] = field(repr=False)
    note: str | None = None


def estimate_error(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    splitter: Any = None,
    loss: str | Loss | None = None,
    metric: str | Metric | None = None,
    groups: ArrayLike | None = None,
    method: Method = "auto",
    confidence_level: float = 0.95,
    n_jobs: int | None = None,
    random_state: Any = 0,
) -> ErrorEstimate:
    """Estimate an estimator's error on unseen rows by cross-validation.

    Parameters
    ----------
    estimator : scikit-learn estimator
    X : array, sparse matrix or frame, shape (n_rows, ...)
    y : array, shape (n_rows,)
        Numbers, or classes of any kind.
    splitter : Splitter or scikit-learn splitter, optional
        By default 10 folds of whole groups when `groups` is given, else 10 stratified or random ones; 3
        repeats below 2,000 rows.
    loss : str or Loss, optional
        Of several losses a metric could rest on, this one; its mean is the metric unless `metric` is given.
    metric : str or Metric, optional
        By default RMSE, or log loss for classifiers.
    groups : array, shape (n_rows,), optional
        Whole groups are held out; fits that need them (`heldout.learner.group_parameter`) are told them too.
    method : str, default "auto"
        See `error_from`.
    confidence_level : float, default 0.95
    n_jobs : int, optional
    random_state : None, int or numpy generator, default 0

    Returns
    -------
    ErrorEstimate

    Raises
    ------
    InvalidInput
        A metric that does not rest on the loss; as `out_of_fold` and `error_from`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> y = np.arange(40.0) % 4
    >>> estimate = estimate_error(DummyRegressor(), np.zeros((40, 1)), y, metric="mse")
    >>> round(estimate.error, 2), estimate.n_fits, estimate.method
    (1.31, 30, 'corrected_repeated_kfold')
    """
    chosen = _metric_for(estimator, loss, metric)
    if splitter is None:
        splitter = _default_splitter(n_rows(X), chosen, groups, random_state)
    folds = out_of_fold(
        estimator,
        X,
        y,
        splitter=splitter,
        loss=chosen.loss,
        groups=groups,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    return error_from(
        folds,
        metric=chosen,
        splitter=splitter,
        groups=groups,
        method=method,
        confidence_level=confidence_level,
    )


def error_from(
    out_of_fold: OutOfFold,
    *,
    metric: str | Metric,
    splitter: Any,
    units: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    method: Method = "auto",
    confidence_level: float = 0.95,
) -> ErrorEstimate:
    """Turn out-of-fold losses into an error with an interval, without another fit.

    Parameters
    ----------
    out_of_fold : OutOfFold
    metric : str or Metric
        Must rest on the loss the folds were judged by.
    splitter : Splitter or scikit-learn splitter
        Its `scheme` decides between the methods.
    units : array, shape (n_rows,), optional
        What is exchangeable; by default what ``splitter.units`` says.
    groups : array, shape (n_rows,), optional
        Passed to ``splitter.units``; with a scikit-learn splitter, whole groups are taken to be held out.
    method : str, default "auto"
        "block_t" for ordered schemes (fewer than 3 blocks: "range"); "corrected_t_groups" for whole groups
        (fewer than 12: indicative; fewer than 6: "range"); else "wald" from 20,000 units on and
        "corrected_repeated_kfold" below. "range" gives no interval but the lowest and highest fold.
    confidence_level : float, default 0.95

    Returns
    -------
    ErrorEstimate

    Raises
    ------
    InvalidInput
        A metric of another loss, an unknown method, or one that does not fit the scheme.

    Examples
    --------
    >>> import numpy as np
    >>> from heldout.generalization import out_of_fold
    >>> from heldout.splits import GroupFolds
    >>> from sklearn.dummy import DummyRegressor
    >>> folds = GroupFolds(n_folds=4, groups=np.repeat([0, 1, 2, 3], 5))
    >>> y = np.repeat([0.0, 1.0, 2.0, 3.0], 5)
    >>> result = out_of_fold(DummyRegressor(), np.zeros((20, 1)), y, splitter=folds, loss="squared_error")
    >>> estimate = error_from(result, metric="mse", splitter=folds)
    >>> round(estimate.error, 2), estimate.method, estimate.ci_low
    (2.22, 'range', None)
    """
    check_confidence_level(confidence_level)
    metric = _resting_on(out_of_fold.loss, metric)
    evidence = evidence_of(out_of_fold, splitter, units, groups)
    chosen = _choose(method, evidence)
    interval, note = _interval(chosen, evidence, metric, confidence_level)
    low, high, error = (None, None, None) if interval is None else on_metric_scale(interval, metric)
    return ErrorEstimate(
        error=metric.from_mean_loss(out_of_fold.mean_loss),
        ci_low=low,
        ci_high=high,
        standard_error=error,
        training_error=metric.from_mean_loss(out_of_fold.mean_training_loss),
        method=chosen,
        estimand=evidence.estimand(),
        indicative=evidence.indicative,
        n_fits=out_of_fold.n_fits,
        n_rows=int(out_of_fold.tested.sum()),
        n_units=evidence.n_units,
        confidence_level=confidence_level,
        metric=metric.name,
        mean_loss=out_of_fold.mean_loss,
        losses=out_of_fold.losses,
        note=note,
    )


def _metric_for(estimator: Any, loss: str | Loss | None, metric: str | Metric | None) -> Metric:
    """Find the metric from what the caller said, or else from the kind of estimator."""
    if isinstance(metric, Metric):
        return metric if loss is None else _resting_on(find_loss(loss), metric)
    if metric is not None:
        task = METRICS[metric].loss.task if metric in METRICS else _task_of(estimator)
        found = find_metric(metric, task)
        return found if loss is None else _resting_on(find_loss(loss), found)
    if loss is None:
        return default_metric(_task_of(estimator))
    named = find_loss(loss)
    return Metric(named.name, named.name.replace("_", " "), named, float)


def _task_of(estimator: Any) -> Literal["regression", "classification"]:
    from sklearn.base import is_classifier

    return "classification" if is_classifier(estimator) else "regression"


def _default_splitter(n: int, metric: Metric, groups: ArrayLike | None, random_state: Any) -> Any:
    from heldout.splits import GroupFolds, RandomFolds, StratifiedFolds

    n_folds, n_repeats = min(10, n), 3 if n < 2_000 else 1
    if groups is not None:
        return GroupFolds(n_folds, n_repeats, random_state, groups=groups)
    kind = StratifiedFolds if metric.loss.task == "classification" else RandomFolds
    return kind(n_folds, n_repeats, random_state)


def _resting_on(loss: Loss, metric: str | Metric) -> Metric:
    found = metric if isinstance(metric, Metric) else find_metric(metric, loss.task)
    if found.loss.name != loss.name:
        raise InvalidInput(
            f"{found.name} rests on {found.loss.name}, got losses of {loss.name}: judge the folds by {found.loss.name}"
        )
    return found


def _choose(method: str, evidence: Evidence) -> str:
    if method not in get_args(Method):
        raise InvalidInput(f"unknown method {method!r}: choose one of {', '.join(get_args(Method))}")
    enough = {"rows": 2, "groups": FEWEST_GROUPS, "blocks": FEWEST_BLOCKS}[evidence.kind]
    if method == "range" or (evidence.n_units < enough and method == "auto"):
        return "range"
    fitting = {
        "rows": ("wald", "corrected_repeated_kfold"),
        "groups": ("corrected_t_groups",),
        "blocks": ("block_t",),
    }[evidence.kind]
    if method == "auto":
        return fitting[0 if evidence.n_units >= ROWS_FOR_WALD else -1]
    if method not in fitting:
        raise InvalidInput(
            f"method {method!r} does not fit held-out {evidence.kind}: choose one of {', '.join((*fitting, 'range'))}"
        )
    if evidence.n_units < enough:
        raise InvalidInput(
            f"method {method!r} needs {enough} {evidence.kind}, got {evidence.n_units}: take 'range' or more data"
        )
    return method


def _interval(method: str, evidence: Evidence, metric: Metric, level: float) -> tuple[MeanInterval | None, str | None]:
    folds = evidence.folds
    if method == "range":
        return None, _range_note(evidence, metric)
    note = None
    if method == "wald":
        interval = wald(evidence.losses, evidence.units, level)
    elif method == "block_t":
        interval, note = block_t(*evidence.unit_means(), level), ORDERED_NOTE
    elif evidence.n_counted_folds < 2:
        return None, f"one test part of {len(evidence.losses)} rows: make more folds for an interval"
    else:
        interval = corrected_t(folds.fold_losses, folds.fold_sizes, evidence.n_counted_folds, level)
    if evidence.indicative:
        few = f"only {evidence.n_units} {evidence.kind}: the interval is indicative"
        note = few if note is None else f"{few}; {note}"
    if metric.loss.name == "zero_one" and interval.standard_error == 0 and interval.mean in {0.0, 1.0}:
        # All right (or all wrong) shows no spread, yet says no more than so many independent units can.
        interval = wilson(interval.mean * evidence.n_units, evidence.n_units, level)
        note = "no spread between folds: Wilson's interval" if note is None else f"{note}; Wilson's interval"
    return interval, note


def _range_note(evidence: Evidence, metric: Metric) -> str:
    values = evidence.unit_means()[0] if evidence.kind != "rows" else np.asarray(evidence.folds.fold_losses)
    ends = sorted(metric.from_mean_loss(float(end)) for end in (values.min(), values.max()))
    what = {"rows": "folds", "groups": "groups", "blocks": "blocks"}[evidence.kind]
    return f"no interval from {len(values)} {what}: the lowest has {ends[0]:.4g}, the highest {ends[1]:.4g}"


def on_metric_scale(interval: MeanInterval, metric: Metric) -> tuple[float, float, float]:
    """Carry an interval for a mean loss over to the metric: (low, high, standard error), ends in order.

    A metric is monotone in the mean loss, so the interval's ends go over one by one. Ends beyond what a
    loss can be are cut: below 0, and above 1 for a share of wrong rows.
    """
    low, high = interval.low, interval.high
    if metric.loss.name in LOSSES:
        low = max(low, 0.0)
    if metric.loss.name == "zero_one":
        high = min(high, 1.0)
    ends = sorted((metric.from_mean_loss(low), metric.from_mean_loss(high)))
    step = interval.standard_error
    error = abs(metric.from_mean_loss(interval.mean + step) - metric.from_mean_loss(interval.mean - step)) / 2
    return ends[0], ends[1], error
