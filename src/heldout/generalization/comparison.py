"""Several estimators on common folds: errors, paired differences, the choice, and what the choice costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import n_rows
from heldout.errors import InvalidInput
from heldout.generalization.error_estimate import ErrorEstimate, _default_splitter, _metric_for, error_from
from heldout.generalization.evidence import Evidence, evidence_of
from heldout.generalization.out_of_fold import out_of_fold
from heldout.generalization.paired import PairedDifference, SimplestTied, paired_difference, simplest_tied
from heldout.generalization.selected import SelectedError, selected_error
from heldout.losses import Loss, Metric

__all__ = ["Comparison", "compare"]

# What `inflation` is told; the kind of evidence decides, so that scikit-learn's splitters are served as well.
SCHEME_OF = {"rows": "random", "groups": "group", "blocks": "blocked_time"}


@dataclass(frozen=True)
class Comparison:
    """Candidates judged on the same held-out rows.

    Parameters
    ----------
    names : tuple of str
        The candidates, the simplest first.
    errors : tuple of ErrorEstimate
        One per candidate, not corrected for having won.
    differences : tuple of PairedDifference or None
        Mean loss of each candidate minus that of the winner; None for the winner.
    winner : str
        The simplest of `tied`.
    lowest : str
        The candidate of the lowest mean loss.
    tied : tuple of str
        Candidates whose difference to the lowest has an interval that reaches 0, the lowest among them.
    selected : SelectedError
        The winner's mean loss corrected for having won.
    selected_metric : float
        The same on the metric's scale.
    metric : str
    losses : array, shape (n_rows, n_candidates)
    """

    names: tuple[str, ...]
    errors: tuple[ErrorEstimate, ...]
    differences: tuple[PairedDifference | None, ...]
    winner: str
    lowest: str
    tied: tuple[str, ...]
    selected: SelectedError
    selected_metric: float
    metric: str
    losses: NDArray[np.float64] = field(repr=False)


def compare(
    estimators: Mapping[str, Any] | Sequence[tuple[str, Any]],
    X: Any,
    y: ArrayLike,
    *,
    splitter: Any = None,
    loss: str | Loss | None = None,
    metric: str | Metric | None = None,
    groups: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    n_jobs: int | None = None,
    random_state: Any = 0,
    deadline: float | None = None,
) -> Comparison:
    """Judge estimators on common folds and choose the simplest that ties with the best.

    Parameters
    ----------
    estimators : mapping of name to estimator, or sequence of (name, estimator)
        The simplest first: of those that tie, the one that stands first is chosen.
    X : array, sparse matrix or frame, shape (n_rows, ...)
    y : array, shape (n_rows,)
    splitter : Splitter or scikit-learn splitter, optional
        As in `estimate_error`.
    loss, metric : str, optional
        As in `estimate_error`.
    groups : array, shape (n_rows,), optional
    classes : sequence, optional
        Names of all classes when `y` holds their codes.
    n_resamples : int
        Replays of the choice.
    confidence_level : float
    n_jobs : int, optional
    random_state : None, int or generator
    deadline : float, optional
        As in `out_of_fold`, for each estimator.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidInput
        No estimator, or two of one name; as `out_of_fold` and `error_from`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = X[:, 0] + rng.normal(size=100)
    >>> comparison = compare({"mean": DummyRegressor(), "linear": LinearRegression()}, X, y)
    >>> comparison.winner, comparison.tied, comparison.differences[0].ci_low > 0
    ('linear', ('linear',), True)
    """
    candidates = list(estimators.items() if isinstance(estimators, Mapping) else estimators)
    names = tuple(name for name, _ in candidates)
    _check_names(names)
    found = _metric_for(candidates[0][1], loss, metric)
    if splitter is None:
        splitter = _default_splitter(n_rows(X), found, groups, random_state)
    folds = [
        out_of_fold(
            estimator,
            X,
            y,
            splitter=splitter,
            loss=found.loss,
            groups=groups,
            classes=classes,
            random_state=random_state,
            n_jobs=n_jobs,
            deadline=deadline,
        )
        for _, estimator in candidates
    ]
    errors = tuple(
        error_from(fold, metric=found, splitter=splitter, groups=groups, confidence_level=confidence_level)
        for fold in folds
    )
    evidence = evidence_of(folds[0], splitter, None, groups)
    losses = np.stack([fold.losses for fold in folds], axis=1)
    return _choose(names, errors, losses, evidence, found, n_resamples, confidence_level, random_state)


def _check_names(names: tuple[str, ...]) -> None:
    if not names:
        raise InvalidInput("at least 1 estimator is needed, got none: pass {name: estimator}")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InvalidInput(f"each estimator needs a name of its own, got {doubled[0]!r} twice: rename one")


def _choose(
    names: tuple[str, ...],
    errors: tuple[ErrorEstimate, ...],
    losses: NDArray[np.float64],
    evidence: Evidence,
    metric: Metric,
    n_resamples: int,
    confidence_level: float,
    random_state: Any,
) -> Comparison:
    scheme = SCHEME_OF[evidence.kind]
    # Of a single hold-out the share of shared training rows is not known; two folds overstate it.
    n_folds = max(2, evidence.folds.repeat_of.count(0))
    units = None
    if evidence.units is not None:
        units = np.full(len(losses), -1, np.intp)
        units[evidence.folds.tested] = evidence.units
    order = range(len(names))
    level = confidence_level
    judged: dict[str, Any] = {"units": units, "n_folds": n_folds, "scheme": scheme, "confidence_level": level}
    choice = simplest_tied(losses, order_of_simplicity=order, **judged)
    rule = SimplestTied(order, n_folds, scheme, level)
    selected = selected_error(losses, units=units, choose=rule, n_resamples=n_resamples, random_state=random_state)
    winner = losses[:, choice.index]
    return Comparison(
        names=names,
        errors=errors,
        differences=tuple(
            None if j == choice.index else paired_difference(losses[:, j], winner, **judged) for j in order
        ),
        winner=names[choice.index],
        lowest=names[choice.lowest],
        tied=tuple(names[j] for j in choice.tied),
        selected=selected,
        selected_metric=metric.from_mean_loss(selected.error),
        metric=metric.name,
        losses=losses,
    )
