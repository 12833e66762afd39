"""Predictions that were made elsewhere, beside the target they were made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.cli import options
from heldout.cli.single_stage import Request, with_stand_in
from heldout.errors import DataError, InvalidInput
from heldout.generalization import ErrorEstimate, holdout_error
from heldout.losses import METRICS, Metric, find_metric
from heldout.table import Dataset, Table, read_table

__all__ = ["evaluate_predictions"]


def evaluate_predictions(request: Request, file: Path, column: str) -> tuple[ErrorEstimate, Metric, str]:
    """Judge held-out predictions against the target of the table.

    Numbers for regression. For classes either labels (error rate) or, with two classes, the probability of the positive
    one (log loss). Rows without a prediction are left out and counted.

    Returns
    -------
    estimate, metric, heading

    Raises
    ------
    DataError
        No such column; another number of rows; a label that is no class; a probability outside 0 to 1.
    InvalidInput
        A metric that these predictions cannot be judged by.
    """
    data = read_table(request.data, types=options.column_types(request.types))
    # The table may hold nothing but the target; `prepare` wants a feature, and none is looked at here.
    stand_in, _ = with_stand_in(data, np.arange(data.n_rows, dtype=np.float64))
    dataset = request.prepared(stand_in, request.target)
    predicted = _column(data if file == request.data else read_table(file), file, column, data)[dataset.row_of]
    known = np.array([value is not None for value in predicted])
    if not known.any():
        raise DataError(f"{file}: column {column!r} holds no prediction: name another with --prediction")
    y = dataset.target.values[known]
    values, metric = _as_judged(predicted[known], dataset, request.metric, column)
    groups = None if dataset.groups is None else dataset.groups[known]
    estimate = holdout_error(
        y,
        values,
        metric=metric,
        groups=groups,
        in_time_order=dataset.time is not None,
        confidence_level=request.confidence_level,
    )
    # The predictions may come from several models, one per fold.
    estimate = replace(estimate, estimand=estimate.estimand.replace("this very model", "the models that made them"))
    missing = int((~known).sum())
    heading = f"{dataset.source}: {len(y):,} rows with a prediction in column {column!r}" + (
        f", {missing:,} without left out." if missing else "."
    )
    return estimate, metric, heading


def _column(table: Table, file: Path, name: str, data: Table) -> NDArray[Any]:
    names = table.schema.names
    if name not in names:
        raise DataError(f"{file} has no column {name!r} (--prediction): it has {', '.join(names[:8])}")
    if table.n_rows != data.n_rows:
        raise DataError(
            f"{file} has {table.n_rows:,} rows, expected one for each of the {data.n_rows:,} rows of {data.source}"
        )
    values = table.frame[name]
    column = table.schema[name]
    if column.kind == "boolean":
        labels = dict(zip((False, True), column.levels, strict=True))
        return np.array([None if value is None else labels[value] for value in values], dtype=object)
    return np.array(values.to_list(), dtype=object)


def _as_judged(
    predicted: NDArray[Any], dataset: Dataset, wanted: str | None, column: str
) -> tuple[NDArray[Any], Metric]:
    target = dataset.target
    if target.task == "regression":
        return _numbers(predicted, column), find_metric(wanted, "regression")
    metric = find_metric(wanted, "classification") if wanted else None
    wants_probability = metric is not None and metric.loss.prediction == "probability"
    codes = None if wants_probability else _codes(predicted, target.classes)
    if codes is not None:
        return codes, metric or METRICS["error_rate"]
    if metric is not None and metric.loss.prediction == "value":
        stranger = next(value for value in predicted if _code(value, target.classes) is None)
        raise DataError(
            f"prediction {stranger!r} in column {column!r} is no class of {target.name!r} "
            f"({', '.join(target.classes[:8])})"
        )
    return _probabilities(predicted, target, column), metric or METRICS["log_loss"]


def _numbers(predicted: NDArray[Any], column: str) -> NDArray[np.float64]:
    try:
        values = predicted.astype(np.float64)
    except (TypeError, ValueError):
        stranger = next(value for value in predicted if not isinstance(value, int | float))
        raise DataError(f"column {column!r} holds {stranger!r}, expected predictions that are numbers") from None
    if not np.isfinite(values).all():
        raise DataError(f"column {column!r} holds predictions that are infinite: mend or remove them")
    return values


def _code(value: Any, classes: Sequence[str]) -> int | None:
    if isinstance(value, float):
        matches = [code for code, label in enumerate(classes) if _number(label) == value]
        return matches[0] if len(matches) == 1 else None
    return classes.index(str(value)) if str(value) in classes else None


def _number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def _codes(predicted: NDArray[Any], classes: Sequence[str]) -> NDArray[np.intp] | None:
    code_of = {value: _code(value, classes) for value in set(predicted.tolist())}
    if None in code_of.values():
        return None
    return np.array([code_of[value] for value in predicted], dtype=np.intp)


def _probabilities(predicted: NDArray[Any], target: Any, column: str) -> NDArray[np.float64]:
    if len(target.classes) != 2:
        raise InvalidInput(
            f"column {column!r} cannot hold probabilities of {len(target.classes)} classes: "
            "give predicted classes, with --metric error_rate"
        )
    share = _numbers(predicted, column)
    if (share < 0).any() or (share > 1).any():
        wrong = share[(share < 0) | (share > 1)][0]
        raise DataError(f"column {column!r} holds {wrong:g}, expected probabilities from 0 to 1, or class labels")
    positive = target.classes.index(target.positive)
    both = np.column_stack([1 - share, share])
    return both if positive == 1 else both[:, ::-1]
