"""Variance and bias + noise of a learner, from pairs of fits on disjoint halves of the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, as_target, mean_one, n_rows
from heldout._random import seed_of
from heldout.errors import InvalidInput
from heldout.learner import ONE_BY_ONE, TOGETHER, groups_for
from heldout.splits import RandomFolds, StratifiedFolds, predicts_forward
from heldout.tradeoff.fitting import Pair, Rows, cut_in_halves
from heldout.tradeoff.interval import Source, join, monte_carlo_error, unit_error
from heldout.tradeoff.partitions import fit_partitions
from heldout.tradeoff.parts import DECOMPOSABLE, parts_from_predictions
from heldout.tradeoff.training_draw import training_draw_variances

__all__ = ["Decomposition", "decompose"]

LossName = Literal["squared_error", "zero_one"]
N_FOLDS = 5


@dataclass(frozen=True)
class Decomposition:
    """Parts of the expected loss of a learner trained on `n_train` rows.

    Parameters
    ----------
    loss : {"squared_error", "zero_one"}
    expected_loss, variance, bias_plus_noise : float
        Means over the rows tested; the last two sum to the first. Unbiased, so they may come out negative.
    expected_loss_ci, variance_ci, bias_plus_noise_ci : tuple of float, or None
        t intervals, that of the variance on the log scale (see `decompose` for what they cover); None where a
        single group or block was tested.
    expected_loss_standard_error, variance_standard_error, bias_plus_noise_standard_error : float
        Of Monte-Carlo alone: what more partitions would lower.
    expected_loss_per_row, variance_per_row, bias_plus_noise_per_row : array, shape (n_rows,)
        Means over partitions; NaN for rows that were never held out.
    per_partition : array, shape (n_partitions, 3)
        Expected loss, variance, bias + noise of each partition.
    units : array of int or None
        What is exchangeable: group or block of each row; None when rows are.
    n_train : int
        Typical (median) number of rows per fit.
    n_fits, n_partitions, n_units : int
    confidence_level : float
    label : str
        At which size the parts hold: "at n/2", or "at N rows" when `max_rows` cut the halves.
    method : str
        "disjoint".
    how_fitted : str
        "one by one", or "together, cut points shared": by calls of `ReplicatedLearner.fit_replicas`, whose models
        have learned nothing of the rows held out but where the values of their features lie.
    n_calls : int
        Calls of `fit_replicas`; 0 where every fit was one of its own.
    """

    loss: str
    expected_loss: float
    variance: float
    bias_plus_noise: float
    expected_loss_ci: tuple[float, float] | None
    variance_ci: tuple[float, float] | None
    bias_plus_noise_ci: tuple[float, float] | None
    expected_loss_standard_error: float
    variance_standard_error: float
    bias_plus_noise_standard_error: float
    expected_loss_per_row: NDArray[np.float64]
    variance_per_row: NDArray[np.float64]
    bias_plus_noise_per_row: NDArray[np.float64]
    per_partition: NDArray[np.float64]
    units: NDArray[np.intp] | None
    n_train: int
    n_fits: int
    n_partitions: int
    n_units: int
    confidence_level: float
    label: str
    method: str = "disjoint"
    how_fitted: str = ONE_BY_ONE
    n_calls: int = 0


def decompose(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    loss: LossName = "squared_error",
    method: str = "disjoint",
    splitter: Any = None,
    groups: ArrayLike | None = None,
    n_partitions: int = 5,
    random_state: Any = 0,
    n_jobs: int | None = None,
    classes: Sequence[Any] | None = None,
    sample_weight: ArrayLike | None = None,
    confidence_level: float = 0.95,
    max_rows: int | None = None,
    deadline: float | None = None,
) -> Decomposition:
    r"""Split the expected loss of a learner into variance and bias + noise.

    Each training part of `splitter` is cut in two disjoint halves, one fit is made on each, and both predict
    the held-out rows. Two fits A and B on disjoint rows are independent, so for each held-out row

    - squared error: :math:`\hat V = \frac12 (f_A - f_B)^2`, :math:`\hat D = (f_A - t)(f_B - t)`,
    - zero-one (Kohavi and Wolpert): :math:`\hat V = \frac12 [f_A \neq f_B]`, :math:`\hat D` = mean error of
      the two minus :math:`\hat V`,

    are unbiased for the variance and for bias squared + noise *at the size of a half*. They sum to the mean
    loss of the two fits exactly. With one target per row, bias and noise cannot be told apart.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Cloned for every fit. Open seeds (`random_state=None`, nested ones too) get one of their own per
        fit, so the variance holds the learner's own randomness; a seed you fixed stays fixed. One that has
        `fit_replicas` (`heldout.learner`), by itself or at the end of a pipeline that treats each row by itself, makes
        all fits in one call (more where their predictions would take more than 256 MB), if rows are not predicted
        forward in time and every half holds every class.
    X : array, sparse matrix or frame, shape (n_rows, ...)
    y : array, shape (n_rows,)
        Numbers, or for `zero_one` any labels; codes 0 .. k-1 when `classes` is given.
    loss : {"squared_error", "zero_one"}
    method : {"disjoint"}
    splitter : splitter, optional
        Gives the held-out rows. Default: 5 random folds, stratified for `zero_one`.
    groups : array, shape (n_rows,), optional
        Halves are cut by whole groups, and the intervals count groups. Fits that need groups
        (`heldout.learner.group_parameter`) are told them.
    n_partitions : int
        How often each training part is cut afresh; 2 or more. Fits: 2 x folds x partitions.
    random_state : None, int or generator
    n_jobs : int, optional
        As in joblib, or threads of the call; the same bits for any number.
    classes : sequence, optional
    sample_weight : array, shape (n_rows,), optional
        How much each row counts, 0 or more: in fits that take weights, and in every mean over held-out rows.
    confidence_level : float
    max_rows : int, optional
        Largest number of rows per fit; the label then names that size.
    deadline : float, optional
        `time.monotonic()` value after which no further partition is begun; 2 are always made.

    Returns
    -------
    Decomposition

    Raises
    ------
    InvalidInput
        Unknown loss or method, fewer than 2 partitions, rows that cannot be cut in halves, a target that is
        not what the loss takes.

    Notes
    -----
    The interval joins three independent sources: Monte-Carlo (jackknife over partitions, which cut the same rows
    afresh), having seen these held-out rows only (clustered by group or block), and having had these training
    rows only. The last is read off the difference in loss between the two halves (`training_draw_variances`) and
    given to each part in proportion to its share of the loss, for the variance at least as much as Nadeau and
    Bengio's rule gives: an approximation, whose coverage is stated in docs/tradeoff.md.

    A training part too small to cut (the first of a forward chain, a single group) is left out; its held-out rows
    then have NaN.

    References
    ----------
    R. Kohavi and D. Wolpert, ICML 1996; disjoint training sets as in Z. Yang et al., "Rethinking
    bias-variance trade-off", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> parts = decompose(LinearRegression(), X, X[:, 0] + rng.normal(size=200))
    >>> parts.label, parts.n_train, parts.n_fits
    ('at n/2', 80, 50)
    >>> bool(abs(parts.variance + parts.bias_plus_noise - parts.expected_loss) < 1e-12)
    True
    """
    _check_settings(loss, method, n_partitions, max_rows, confidence_level)
    target, group_codes = _check_arrays(X, y, loss, classes, groups)
    n, classification = len(target), loss == "zero_one"
    seed = seed_of(random_state)
    if splitter is None:
        splitter = _default_splitter(classification, group_codes, seed)
    folds = [(np.asarray(a, np.intp), np.asarray(b, np.intp)) for a, b in splitter.split(X, target, group_codes)]
    units = _units_of(splitter, n, group_codes, folds)
    table = Rows(
        np.asarray(X) if isinstance(X, list | tuple) else X,
        target,
        mean_one(sample_weight, n),
        classification,
        groups_for(estimator, groups, n),
    )
    codes = target if classification else None
    partitions = [
        cut_in_halves(folds, partition, codes=codes, groups=group_codes, max_rows=max_rows, seed=seed)
        for partition in range(n_partitions)
    ]
    together = not predicts_forward(splitter, folds)
    fitted = fit_partitions(estimator, table, partitions, together=together, n_jobs=n_jobs, deadline=deadline)
    rows: list[NDArray[np.float64]] = []
    sizes, training_draw = list[int](), list[float]()
    for pairs, predictions in zip(partitions, fitted.predictions, strict=False):
        sizes += [len(half) for pair in pairs for half in pair.halves]
        rows.append(_parts_of_rows(pairs, predictions, table, loss))
        training_draw += training_draw_variances(pairs, predictions, table, loss, units)
    overlap = n / float(np.mean([len(train) for train, _ in folds]))
    parts = _summary(np.stack(rows), sizes, training_draw, overlap, units, loss, confidence_level, max_rows)
    return replace(parts, how_fitted=TOGETHER, n_calls=fitted.n_calls) if fitted.n_calls else parts


def _check_settings(loss: str, method: str, n_partitions: int, max_rows: int | None, confidence_level: float) -> None:
    if loss not in DECOMPOSABLE:
        raise InvalidInput(f"loss must be one of {', '.join(DECOMPOSABLE)} to be split, got {loss!r}")
    if method != "disjoint":
        raise InvalidInput(f"method must be 'disjoint', got {method!r}")
    if n_partitions < 2:
        raise InvalidInput(f"n_partitions must be 2 or more to see the Monte-Carlo error, got {n_partitions}")
    if max_rows is not None and max_rows < 2:
        raise InvalidInput(f"max_rows must be 2 or more, got {max_rows}: a fit needs rows")
    if not 0.0 < confidence_level < 1.0:
        raise InvalidInput(f"confidence_level must lie between 0 and 1, got {confidence_level}: give 0.95, say")


def _check_arrays(
    X: Any, y: ArrayLike, loss: str, classes: Sequence[Any] | None, groups: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.intp] | None]:
    n = n_rows(X)
    target = as_target(y, n)
    if loss == "zero_one":
        codes = target.astype(np.intp) if classes is not None else as_codes(target, n, "y")[0]
        if classes is not None and (codes.min(initial=0) < 0 or codes.max(initial=0) >= len(classes)):
            raise InvalidInput(
                f"y must hold codes 0 .. {len(classes) - 1} when classes are given, got {codes.min()} .. "
                f"{codes.max()}: encode the labels by their place in classes"
            )
        target = codes
    elif target.dtype.kind not in "fiub":
        raise InvalidInput(f"y must be numbers for squared_error, got {target.dtype}: use loss='zero_one' for labels")
    else:
        target = target.astype(np.float64)
    return target, None if groups is None else as_codes(groups, n)[0]


def _default_splitter(classification: bool, groups: NDArray[np.intp] | None, seed: int) -> Any:
    if groups is not None:
        from heldout.splits import GroupFolds

        return GroupFolds(n_folds=N_FOLDS, random_state=seed)
    kind = StratifiedFolds if classification else RandomFolds
    return kind(n_folds=N_FOLDS, random_state=seed)


def _parts_of_rows(pairs: list[Pair], predictions: list[NDArray[Any]], table: Rows, loss: str) -> NDArray[np.float64]:
    """Return loss, variance and bias + noise of each row, shape (3, n_rows); NaN where it was not tested."""
    n = len(table.y)
    sums, tested = np.zeros((3, n)), np.zeros(n)
    for pair, both in zip(pairs, predictions, strict=True):
        parts = parts_from_predictions(both, table.y[pair.test], loss)
        sums[:, pair.test] += [parts.expected_loss, parts.variance, parts.bias_plus_noise]
        tested[pair.test] += 1.0
    if table.weight is not None:
        # Of mean 1 where tested: every mean over rows is then a weighted mean, and the parts still sum.
        sums *= table.weight / table.weight[tested > 0].mean()
    return np.divide(sums, tested, out=np.full_like(sums, np.nan), where=tested > 0)


def _units_of(
    splitter: Any,
    n: int,
    groups: NDArray[np.intp] | None,
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> NDArray[np.intp] | None:
    units = splitter.units(n, groups) if hasattr(splitter, "units") else None
    if units is not None:
        return np.asarray(units, np.intp)
    if (
        getattr(splitter, "scheme", None) in {"blocked_time", "group_time"}
        or type(splitter).__name__ == "TimeSeriesSplit"
    ):
        blocks = np.zeros(n, np.intp)
        for fold, (_, test) in enumerate(folds):
            blocks[test] = fold
        return blocks
    return groups


def _summary(
    rows: NDArray[np.float64],
    sizes: list[int],
    training_draw: list[float],
    overlap: float,
    units: NDArray[np.intp] | None,
    loss: str,
    confidence_level: float,
    max_rows: int | None,
) -> Decomposition:
    per_row = rows.mean(axis=0)
    tested = np.isfinite(per_row[0])
    per_partition = rows[:, :, tested].mean(axis=2)
    estimates = [float(part[tested].mean()) for part in per_row]
    monte_carlo = [monte_carlo_error(part) for part in per_partition.T]
    data = [unit_error(part, units) for part in per_row]
    sources = _sources(estimates, monte_carlo, data, training_draw, overlap, len(rows))
    # The variance is a mean of squares (or of disagreements) and cannot be negative; the others can.
    logs = (False, True, False)
    ends = [join(e, s, confidence_level, log_scale=log) for e, s, log in zip(estimates, sources, logs, strict=True)]
    n_train = int(np.median(sizes))
    capped = max_rows is not None and max(sizes) >= max_rows
    return Decomposition(
        loss=loss,
        expected_loss=estimates[0],
        variance=estimates[1],
        bias_plus_noise=estimates[2],
        expected_loss_ci=ends[0],
        variance_ci=ends[1],
        bias_plus_noise_ci=ends[2],
        expected_loss_standard_error=monte_carlo[0],
        variance_standard_error=monte_carlo[1],
        bias_plus_noise_standard_error=monte_carlo[2],
        expected_loss_per_row=per_row[0],
        variance_per_row=per_row[1],
        bias_plus_noise_per_row=per_row[2],
        per_partition=per_partition,
        units=units,
        n_train=n_train,
        n_fits=len(sizes),
        n_partitions=len(rows),
        n_units=data[0][1],
        confidence_level=confidence_level,
        label=f"at {n_train} rows" if capped else "at n/2",
    )


def _sources(
    estimates: list[float],
    monte_carlo: list[float],
    data: list[tuple[float, int]],
    training_draw: list[float],
    overlap: float,
    n_partitions: int,
) -> list[tuple[Source, Source, Source]]:
    """Return the three sources of error of each estimate: partitions, held-out rows, training rows."""
    # The training rows move the loss as a whole; each part is taken to move in proportion to its share.
    moved = np.sqrt(max(float(np.mean(training_draw)), 0.0))
    loss = estimates[0]
    training = [min(abs(estimate) / loss, 1.0) * moved if loss > 0 else 0.0 for estimate in estimates]
    # What both halves do to the distance between them alike is not seen in their difference; for the variance
    # Nadeau and Bengio's rule (n / n_training times the error from the held-out rows) stands in where it is larger.
    training[1] = float(np.fmax(training[1], np.sqrt(overlap) * data[1][0]))
    return [
        (
            Source(carlo, n_partitions - 1.0),
            Source(error, n_units - 1.0),
            Source(moved_by, float(len(training_draw))),
        )
        for carlo, (error, n_units), moved_by in zip(monte_carlo, data, training, strict=True)
    ]
