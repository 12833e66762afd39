"""A second table: how it differs from the first, and how well the chosen model does on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout._arrays import take_rows
from heldout.auditing.candidates import Candidate
from heldout.auditing.model_file import FittedModel
from heldout.auditing.request import Request, load_table
from heldout.auditing.scoring import Setting
from heldout.errors import DataError
from heldout.generalization import holdout_error
from heldout.iid import compare
from heldout.table import Dataset, Table
from heldout.table.checking import label_booleans
from heldout.table.kinds import written
from heldout.table.names import known_name

__all__ = ["check_test_table"]


@dataclass(frozen=True)
class _Truth:
    """What the second table says of its rows: target in the first table's codes, groups where they are named."""

    rows: NDArray[np.intp]
    y: NDArray[Any]
    classes: tuple[str, ...]
    groups: NDArray[np.intp] | None
    labels: pl.Series


def check_test_table(
    test: Any, dataset: Dataset, candidate: Candidate, best: FittedModel, setting: Setting, request: Request
) -> dict[str, Any]:
    """Return the `test` section of the report.

    The table is never used to choose anything: the model comes in fitted.

    Raises
    ------
    DataError
        The table lacks the target or a feature, holds no target, or cannot be read.
    """
    table = load_table(test, {**(request.types or {}), **_kinds(dataset, test)})
    truth = _truth(table, dataset, request)
    features, notes = dataset.schema.check(table.frame[truth.rows])
    rows = take_rows(table.native, truth.rows) if candidate.is_foreign else features
    if candidate.is_foreign:
        rows = rows[list(dataset.schema.names)]
    prediction = _predicted(best.estimator, rows, setting, len(truth.classes) or None)
    estimate = holdout_error(
        truth.y,
        prediction,
        metric=setting.metric,
        groups=truth.groups,
        confidence_level=setting.confidence_level,
    )
    codes = prediction.argmax(axis=1) if prediction.ndim == 2 else prediction
    shift = compare(
        dataset.features.with_columns(_as_column(dataset)),
        features.with_columns(truth.labels),
        random_state=setting.seed,
    )
    return {
        "name": Path(table.source).name,
        "n_rows": len(truth.y),
        "n_target_missing": table.n_rows - len(truth.y),
        "metric": setting.metric.name,
        "metric_label": setting.metric.label,
        "error": estimate.error,
        "ci_low": estimate.ci_low,
        "ci_high": estimate.ci_high,
        "method": estimate.method,
        "estimand": estimate.estimand,
        "indicative": estimate.indicative,
        "note": estimate.note,
        "accuracy": float((codes == truth.y).mean()) if truth.classes else None,
        "notes": [f"{note.column}: {note.what} in {note.n_rows:,} rows ({note.example})" for note in notes],
        "shift": shift.to_dict(),
        "verdict": shift.verdict,
    }


def _truth(table: Table, dataset: Dataset, request: Request) -> _Truth:
    target = dataset.target
    known_name(target.name, table.schema.names, "target")
    values = table.frame[target.name]
    rows = np.flatnonzero(values.is_not_null().to_numpy()).astype(np.intp)
    if not len(rows):
        raise DataError(f"the target {target.name!r} is missing in all {table.n_rows} rows of the test table")
    values = values.gather(rows)
    groups = None
    if request.group and all(name in table.schema.names for name in request.group):
        keys = table.frame.select(request.group)[rows]
        groups = keys.select(pl.struct(pl.all()).rank("dense")).to_series().to_numpy().astype(np.intp) - 1
    if not target.classes:
        if not values.dtype.is_numeric() or not values.is_finite().all():
            raise DataError(
                f"the target {target.name!r} of the test table must hold finite numbers as the first table does, "
                f"got {values.dtype}: mend the column"
            )
        return _Truth(rows, values.to_numpy().astype(float), (), groups, values.cast(pl.Float64))
    kind = table.schema[target.name]
    labels = written(label_booleans(values, kind.levels) if kind.kind == "boolean" else values)
    # Classes that the model was never shown get codes after its own: always wrong, never a crash.
    unseen = tuple(sorted(set(labels.to_list()) - set(target.classes)))
    classes = (*target.classes, *unseen)
    place = {label: code for code, label in enumerate(classes)}
    codes = np.array([place[label] for label in labels.to_list()], np.intp)
    return _Truth(rows, codes, classes, groups, labels.alias(target.name))


def _kinds(dataset: Dataset, test: Any) -> dict[str, Any]:
    # Kinds of the first table rule: a column that happens to look like numbers in this one must not change its kind.
    if not isinstance(test, str | Path):
        return {}
    return {column.name: column.kind for column in dataset.schema.columns if column.kind in {"category", "text"}}


def _as_column(dataset: Dataset) -> pl.Series:
    values = dataset.target.values
    if dataset.target.classes:
        values = np.asarray(dataset.target.classes)[values]
    return pl.Series(dataset.target.name, values)


def _predicted(estimator: Any, rows: Any, setting: Setting, n_classes: int | None) -> NDArray[Any]:
    if n_classes is None or setting.metric.loss.prediction == "value":
        return np.asarray(estimator.predict(rows))
    known = np.asarray(estimator.predict_proba(rows), float)
    probability = np.zeros((len(known), n_classes))
    probability[:, np.asarray(estimator.classes_, np.intp)] = known
    return probability
