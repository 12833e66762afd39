"""A second table: how it differs from the first, and how well the chosen model does on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.auditing.candidates import Candidate
from heldout.auditing.model_file import FittedModel
from heldout.auditing.request import Request, load_table
from heldout.auditing.scoring import Setting
from heldout.errors import DataError
from heldout.generalization import holdout_error
from heldout.table import Dataset, prepare

__all__ = ["check_test_table"]


def check_test_table(
    test: Any, dataset: Dataset, candidate: Candidate, best: FittedModel, setting: Setting, request: Request
) -> dict[str, Any]:
    """Return the `test` section of the report.

    The table is never used to choose anything: the model comes in fitted.

    Raises
    ------
    DataError
        The table lacks the target or a feature, or cannot be read.
    """
    from heldout.iid import compare

    table = load_table(test, {**(request.types or {}), **_kinds(dataset)})
    other = prepare(
        table,
        request.target,
        group=list(request.group) or None,
        time=list(request.time) or None,
        drop=list(request.drop),
        weight=request.weight,
        task=dataset.target.task,
    )
    features, notes = dataset.schema.check(table.frame[other.row_of])
    y, classes = _target_in_training_codes(other, dataset)
    rows = _rows_for(candidate, other, features)
    prediction = _predicted(best.estimator, rows, setting, len(classes) if classes else None)
    estimate = holdout_error(
        y,
        prediction,
        metric=setting.metric,
        groups=other.groups,
        confidence_level=setting.confidence_level,
    )
    accuracy = None
    if classes:
        codes = prediction.argmax(axis=1) if prediction.ndim == 2 else prediction
        accuracy = float((codes == y).mean())
    shift = compare(
        dataset.features.with_columns(_as_column(dataset)),
        features.with_columns(_as_column(other)),
        random_state=setting.seed,
    )
    return {
        "name": Path(table.source).name,
        "n_rows": len(y),
        "metric": setting.metric.name,
        "metric_label": setting.metric.label,
        "error": estimate.error,
        "ci_low": estimate.ci_low,
        "ci_high": estimate.ci_high,
        "method": estimate.method,
        "estimand": estimate.estimand,
        "accuracy": accuracy,
        "notes": [f"{note.column}: {note.what} in {note.n_rows:,} rows ({note.example})" for note in notes],
        "shift": shift.to_dict(),
        "verdict": shift.verdict,
    }


def _kinds(dataset: Dataset) -> dict[str, Any]:
    # Types of the first table rule: a column that happens to look like numbers here must not change its kind.
    return {column.name: column.kind for column in dataset.schema.columns if column.kind != "number"}


def _as_column(dataset: Dataset) -> pl.Series:
    values = dataset.target.values
    if dataset.target.classes:
        values = np.asarray(dataset.target.classes)[values]
    return pl.Series(dataset.target.name, values)


def _target_in_training_codes(other: Dataset, dataset: Dataset) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the test target in the training table's codes; classes never trained on get codes after them."""
    if not dataset.target.classes:
        return other.target.values, ()
    unseen = tuple(name for name in other.target.classes if name not in dataset.target.classes)
    classes = (*dataset.target.classes, *unseen)
    place = {name: code for code, name in enumerate(classes)}
    codes = np.array([place[name] for name in other.target.classes], np.intp)
    return codes[other.target.values], classes


def _rows_for(candidate: Candidate, other: Dataset, features: pl.DataFrame) -> Any:
    if not candidate.is_foreign:
        return features
    missing = [name for name in features.columns if name not in other.original.columns]
    if missing:
        raise DataError(f"the test table lacks the column {missing[0]!r}: add it, or leave the test table out")
    return other.original[features.columns]


def _predicted(estimator: Any, rows: Any, setting: Setting, n_classes: int | None) -> NDArray[Any]:
    if n_classes is None or setting.metric.loss.prediction == "value":
        return np.asarray(estimator.predict(rows))
    known = np.asarray(estimator.predict_proba(rows), float)
    probability = np.zeros((len(known), n_classes))
    probability[:, np.asarray(estimator.classes_, np.intp)] = known
    return probability
