"""A second table: how it differs from the first, and how well the chosen model does on it.

It is opened and checked before any work begins, so that a missing column is told at once, and looked at only when the
model is chosen and fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout._arrays import take_rows
from heldout.auditing.model_file import FittedModel
from heldout.auditing.request import Request
from heldout.auditing.scoring import Setting
from heldout.errors import DataError
from heldout.generalization import ErrorEstimate, holdout_error
from heldout.iid import compare
from heldout.table import Column, Dataset, Schema, SchemaNote, Table
from heldout.table.checking import read_as
from heldout.table.frames import plain_columns
from heldout.table.names import known_name
from heldout.table.reading import read_raw
from heldout.table.tables import Raw, build

__all__ = ["SecondTable", "judge_on_second_table", "open_second_table"]


@dataclass(frozen=True)
class SecondTable:
    """Rows of the second table that have a target, in the terms of the first table.

    Parameters
    ----------
    name : str
    n_rows_read : int
    features : polars.DataFrame
        Typed by the first table's schema.
    given : frame
        The same rows in the caller's own kind of frame, for estimators of his own.
    notes : tuple of SchemaNote
        What the first table never showed.
    y : array
        Numbers, or codes in `classes`.
    classes : tuple of str
        Those of the first table, then those that only this one has: no model can predict them.
    labels : polars.Series
        The target as the user writes it.
    groups : array of int or None
    """

    name: str
    n_rows_read: int
    features: pl.DataFrame
    given: Any
    notes: tuple[SchemaNote, ...]
    y: NDArray[Any]
    classes: tuple[str, ...]
    labels: pl.Series
    groups: NDArray[np.intp] | None


def open_second_table(test: Any, dataset: Dataset, request: Request) -> SecondTable:
    """Read the second table as the first one was read.

    Raises
    ------
    DataError
        The table lacks the target or a feature, holds no target, or cannot be read.
    """
    truth = _target_and_groups(test, dataset.target.name, request)
    values = truth.frame[dataset.target.name]
    rows = np.flatnonzero(values.is_not_null().to_numpy()).astype(np.intp)
    if not len(rows):
        raise DataError(
            f"the target {values.name!r} is missing in all {truth.n_rows} rows of the test table: give it its values"
        )
    typed, notes = read_as(test, dataset.schema) if isinstance(test, str | Path) else dataset.schema.check(test)
    given = typed if isinstance(test, str | Path | Table) else test
    classes, y, labels = _in_first_tables_terms(truth, dataset, rows)
    return SecondTable(
        name=Path(truth.source).name,
        n_rows_read=truth.n_rows,
        features=typed[rows],
        given=take_rows(given, rows),
        notes=tuple(note for note in notes if note.what != "extra column" or note.column not in _named(request)),
        y=y,
        classes=classes,
        labels=labels,
        groups=_groups(truth.frame, request.group, rows),
    )


def _named(request: Request) -> set[str]:
    """Return the columns that are known not to be features."""
    return {request.target, request.weight or request.target, *request.group, *request.time, *request.drop}


def _target_and_groups(test: Any, target: str, request: Request) -> Table:
    """Read the columns whose kinds the schema of the features does not say."""
    if isinstance(test, Table):
        known_name(target, test.schema.names, "target")
        return test
    raw = read_raw(Path(test)) if isinstance(test, str | Path) else Raw(plain_columns(test), "frame")
    names = [column.values.name for column in raw.columns]
    known_name(target, names, "target")
    wanted = {target, *(request.group if set(request.group) <= set(names) else ())}
    columns = [column for column in raw.columns if column.values.name in wanted]
    problem = next((column.problem for column in columns if column.problem), None)
    if problem:
        raise DataError(str(problem))
    asked = {name: kind for name, kind in (request.types or {}).items() if name in wanted}
    return build(Raw(columns, raw.source, place=raw.place), asked)


def _in_first_tables_terms(
    truth: Table, dataset: Dataset, rows: NDArray[np.intp]
) -> tuple[tuple[str, ...], NDArray[Any], pl.Series]:
    """Return classes, numbers or codes, and the target as a column of the first table."""
    target = dataset.target
    if not target.classes:
        values = truth.frame[target.name].gather(rows)
        if not values.dtype.is_numeric() or not values.is_finite().all():
            came = next((v for v in values.to_list() if not isinstance(v, float) or not np.isfinite(v)), None)
            raise DataError(
                f"the target {target.name!r} of the test table must hold finite numbers as the first table does, "
                f"got {came!r}: mend the column"
            )
        return (), values.to_numpy().astype(float), values.cast(pl.Float64)
    as_classes = Schema((Column(target.name, "category", 0, levels=target.classes),))
    labels = as_classes.check(truth)[0][target.name].gather(rows)
    # Classes that the model was never shown get codes after its own: always wrong, never a crash.
    unseen = sorted(set(labels.to_list()) - set(target.classes))
    classes = (*target.classes, *unseen)
    place = {label: code for code, label in enumerate(classes)}
    return classes, np.array([place[label] for label in labels.to_list()], np.intp), labels


def _groups(frame: pl.DataFrame, columns: Sequence[str], rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
    if not columns or not set(columns) <= set(frame.columns):
        return None
    keys = frame.select(columns)[rows]
    return keys.select(pl.struct(pl.all()).rank("dense")).to_series().to_numpy().astype(np.intp) - 1


def judge_on_second_table(second: SecondTable, dataset: Dataset, best: FittedModel, setting: Setting) -> dict[str, Any]:
    """Return the `test` section of the report; the model comes in fitted, and nothing is chosen by this table."""
    rows = best.features_for(second.given, second.features)
    prediction = _predicted(best.estimator, rows, setting, len(second.classes) or None)
    estimate = holdout_error(
        second.y,
        prediction,
        metric=setting.metric,
        groups=second.groups,
        in_time_order=setting.is_ordered,
        confidence_level=setting.confidence_level,
    )
    codes = prediction.argmax(axis=1) if prediction.ndim == 2 else prediction
    shift = compare(
        dataset.features.with_columns(_as_column(dataset)),
        second.features.with_columns(second.labels),
        random_state=setting.seed,
    )
    return {
        "name": second.name,
        "n_rows": len(second.y),
        "n_target_missing": second.n_rows_read - len(second.y),
        "metric": setting.metric.name,
        "metric_label": setting.metric.label,
        **_error_fields(estimate),
        "accuracy": float((codes == second.y).mean()) if second.classes else None,
        "notes": _sentences(second, dataset),
        "shift": shift.to_dict(),
        "verdict": shift.verdict,
    }


def _error_fields(estimate: ErrorEstimate) -> dict[str, Any]:
    names = ("error", "ci_low", "ci_high", "method", "estimand", "indicative", "note")
    return {name: getattr(estimate, name) for name in names}


def _sentences(second: SecondTable, dataset: Dataset) -> list[str]:
    sentences = [f"{note.column}: {note.what} in {note.n_rows:,} rows ({note.example})" for note in second.notes]
    unseen = second.classes[len(dataset.target.classes) :]
    if unseen:
        listed = ", ".join(unseen[:5]) + (" ..." if len(unseen) > 5 else "")
        sentences.append(f"{dataset.target.name}: classes that the first table has not, counted wrong ({listed})")
    if dataset.weight is not None:
        sentences.append("rows of the test table count equally; their weights are not used")
    return sentences


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
