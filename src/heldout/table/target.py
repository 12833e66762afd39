"""The target: regression or classification, values or class codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError, InvalidInput
from heldout.table.checking import label_booleans
from heldout.table.kinds import Place, written
from heldout.table.schema import Column

__all__ = ["MOST_CLASSES_OF_A_NUMBER", "ROWS_PER_CLASS_OF_A_NUMBER", "Target", "make_target"]

Task = Literal["regression", "classification"]

MOST_CLASSES_OF_A_NUMBER = 20
ROWS_PER_CLASS_OF_A_NUMBER = 10
# Squared errors are summed over rows: beyond these they overflow, or vanish.
LARGEST_NUMBER, SMALLEST_RANGE = 1e150, 1e-150


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be predicted.

    Parameters
    ----------
    name : str
    task : "regression" or "classification"
    values : array, shape (n_rows,)
        float64, or codes (intp) that index `classes`.
    classes : tuple of str
        Sorted: as text for labels, by value for numbers, false before true for booleans. () for regression.
    positive : str or None
        With two classes, the one whose probability AUC and the like speak of: as asked, else the last. None with
        more classes and for regression.
    """

    name: str
    task: Task
    values: NDArray[Any] = field(repr=False)
    classes: tuple[str, ...]
    positive: str | None


def make_target(
    values: pl.Series, column: Column, place: Place, *, task: str | None, positive: str | None
) -> tuple[Target, str | None]:
    """Turn the target column, without missing values, into numbers or class codes.

    Parameters
    ----------
    values : polars.Series
        Known values only.
    column : Column
    place : Place
        Of these rows.
    task : "regression", "classification" or None
        None infers: labels and booleans are classes; numbers are classes when there are at most 2 distinct ones, or
        when they are whole, at most 20 and each stands for 10 rows or more on average; else numbers.
    positive : str or None

    Returns
    -------
    target : Target
    note : str or None
        Says how whole numbers were taken, and how to change it.

    Raises
    ------
    DataError
        Constant, infinite, too large or too small to be squared, a date; a task that does not fit; fewer than two
        rows per class, unless `task` asks for classes; as many classes as rows; `positive` not a class.
    InvalidInput
        A task that is none.
    """
    name = column.name
    if task not in (None, "regression", "classification"):
        raise InvalidInput(f"unknown task {task!r}: choose regression or classification")
    if column.kind == "datetime":
        raise DataError(
            f"target {name!r} holds dates ({written(values)[0]}), expected numbers or labels: choose another"
        )
    if column.kind == "number":
        infinite = values.is_infinite()
        if infinite.any():
            row = int(infinite.arg_max() or 0)
            raise DataError(f"target {name!r} is infinite ({values[row]}) in {place.of(row)}: mend or remove that row")
    labels = label_booleans(values, column.levels) if column.kind == "boolean" else values
    if labels.n_unique() == 1:
        raise DataError(
            f"target {name!r} is constant ({written(labels)[0]!r} in all {len(values)} rows): choose another"
        )
    if column.kind == "number":
        inferred, note = _task_of_numbers(values, name)
        chosen = task or inferred
        if chosen == "regression":
            return _regression(name, values, place, positive), None if task else note
        return _classification(name, values, positive, by_value=True), None if task else note
    if task == "regression":
        raise DataError(
            f"target {name!r} holds {'true and false' if column.kind == 'boolean' else 'labels'} ({labels[0]!r}), "
            f"which no regression predicts: drop --task regression, or mend the values"
        )
    if task is None and 2 * labels.n_unique() > len(labels):
        raise DataError(
            f"target {name!r} has {labels.n_unique()} classes in {len(labels)} rows, fewer than two rows each: "
            f"{_number_in_disguise(labels, place)}choose another target, or --task classification"
        )
    return _classification(name, labels, positive, by_value=False, levels=column.levels), None


def _number_in_disguise(labels: pl.Series, place: Place) -> str:
    """Name the value that made labels of numbers, where most are numbers."""
    is_number = written(labels).cast(pl.Float64, strict=False).is_not_null()
    if 2 * is_number.sum() <= len(labels) or is_number.all():
        return ""
    row = int((~is_number).arg_max() or 0)
    return f"mend {labels[row]!r} in {place.of(row)}, where it holds no number; or "


def _task_of_numbers(values: pl.Series, name: str) -> tuple[Task, str | None]:
    distinct = values.n_unique()
    if distinct <= 2:
        return "classification", None
    if not bool((values == values.round()).all()):
        return "regression", None
    flag = "--task {} reads it as {}"
    if distinct <= MOST_CLASSES_OF_A_NUMBER and len(values) >= ROWS_PER_CLASS_OF_A_NUMBER * distinct:
        how = flag.format("regression", "a number")
        return "classification", f"target {name!r} has {distinct} whole values, read as classes; {how}"
    if distinct <= 5 * MOST_CLASSES_OF_A_NUMBER:
        how = flag.format("classification", "classes")
        return "regression", f"target {name!r} has {distinct} whole values, read as a number; {how}"
    return "regression", None


def _regression(name: str, values: pl.Series, place: Place, positive: str | None) -> Target:
    if positive is not None:
        raise DataError(f"--positive {positive!r} needs classes, but target {name!r} is a number: leave it out")
    size = values.abs()
    row = int(size.arg_max() or 0)
    if size[row] > LARGEST_NUMBER:
        raise DataError(
            f"target {name!r} is {values[row]} in {place.of(row)}, too large to be squared: "
            "mend the value, or give the target in larger units"
        )
    numbers = np.ascontiguousarray(values.to_numpy(), dtype=np.float64)
    if np.ptp(numbers) < SMALLEST_RANGE:
        raise DataError(
            f"target {name!r} ranges over {np.ptp(numbers):.3g} only, which is 0 when squared: give it in smaller units"
        )
    return Target(name, "regression", numbers, (), None)


def _classification(
    name: str, values: pl.Series, positive: str | None, *, by_value: bool, levels: tuple[str, ...] = ()
) -> Target:
    distinct = values.unique().sort()
    labels = written(distinct).to_list()
    if len(levels) == 2 and set(labels) == set(levels):
        labels = list(levels)  # false before true, however they are written
    if len(labels) == len(values):
        raise DataError(
            f"target {name!r} has {len(labels)} classes in {len(values)} rows, none of them twice: "
            f"choose another target{', or --task regression' if by_value else ''}"
        )
    order = pl.DataFrame({"label": labels, "code": np.arange(len(labels))})
    text = written(values).alias("label").to_frame()
    codes = text.join(order, on="label", how="left", maintain_order="left")["code"].to_numpy().astype(np.intp)
    return Target(name, "classification", codes, tuple(labels), _positive(name, labels, positive, by_value=by_value))


def _positive(name: str, labels: list[str], positive: str | None, *, by_value: bool) -> str | None:
    if positive is None:
        return labels[-1] if len(labels) == 2 else None
    if by_value:  # "1.0" is the class "1"
        number = pl.Series([positive]).cast(pl.Float64, strict=False)
        positive = written(number)[0] or positive
    if positive not in labels:
        listed = ", ".join(labels[:10]) + (" ..." if len(labels) > 10 else "")
        raise DataError(f"--positive {positive!r} is no class of target {name!r}: choose one of {listed}")
    if len(labels) != 2:
        raise DataError(f"--positive {positive!r} needs two classes, target {name!r} has {len(labels)}: leave it out")
    return positive
