from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from heldout.errors import DataError
from heldout.table import prepare

X = pl.Series("x", np.tile([1.0, 2.0, 3.0, 5.0], 100))


def target(values, **arguments):
    frame = pl.DataFrame({"x": X[: len(values)], "y": values})
    return prepare(frame, "y", **arguments)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["b", "a"] * 20, "classification", ("a", "b")),
        (["yes", "no"] * 20, "classification", ("no", "yes")),
        ([True, False] * 20, "classification", ("false", "true")),
        ([0, 1] * 20, "classification", ("0", "1")),
        ([0.5, 1.5] * 20, "classification", ("0.5", "1.5")),
        ([10, 9, 2] * 20, "classification", ("2", "9", "10")),
        (["10", "9", "2"] * 20, "classification", ("2", "9", "10")),
        (list(range(20)) * 10, "classification", tuple(str(number) for number in range(20))),
        (list(range(20)) * 9, "regression", ()),
        (list(range(21)) * 15, "regression", ()),
        ([0.5, 1.5, 2.5] * 20, "regression", ()),
    ],
)
def test_the_task_follows_from_the_values(values, task, classes):
    came = target(values).target
    assert (came.task, came.classes) == (task, classes)
    if task == "classification":
        back = np.array(came.classes)[came.values]
        assert came.values.dtype == np.intp
        assert [label.lower() for label in back] == [str(value).lower() for value in values]
    else:
        assert came.values.tolist() == [float(value) for value in values]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (
            list(range(11)) * 30,
            "target 'y' has 11 whole values, read as classes; --task regression reads it as a number",
        ),
        (
            list(range(28)) * 10,
            "target 'y' has 28 whole values, read as a number; --task classification reads it as classes",
        ),
    ],
)
def test_whole_numbers_are_noted_with_the_flag_that_changes_it(values, note):
    assert note in target(values).notes
    task = note.split("--task ")[1].split(" ")[0]
    other = target(values, task=task)
    assert other.target.task == task
    assert note not in other.notes


def test_labels_can_be_forced_from_any_number():
    assert target([0.5, 1.5, 2.5] * 20, task="classification").target.classes == ("0.5", "1.5", "2.5")
    assert target([0, 1] * 20, task="regression").target.values.tolist() == [0.0, 1.0] * 20


def test_the_positive_class_is_the_last_of_two_unless_asked():
    assert target(["sick", "fit"] * 20).target.positive == "sick"
    assert target(["sick", "fit"] * 20, positive="fit").target.positive == "fit"
    assert target([0, 1] * 20, positive="0.0").target.positive == "0"
    assert target(["a", "b", "c", "a"] * 20).target.positive is None
    assert target([0.5, 1.5, 2.5] * 20).target.positive is None


def test_a_row_with_a_missing_label_is_left_out():
    data = target(["a", "b", "?", "a"] * 20)
    assert data.target.classes == ("a", "b")
    assert data.n_target_missing == 20


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([*np.arange(39) * 0.5, 1e200], r"target 'y' is 1e\+200 in row 40, too large to be squared"),
        ([*np.arange(39) * 0.5, -1e300], r"target 'y' is -1e\+300 in row 40, too large to be squared"),
        (np.arange(40) * 1e-300, "target 'y' ranges over 3.9e-299 only, which is 0 when squared"),
        (
            [*map(str, np.arange(39) * 0.5), "n.n."],
            "40 classes in 40 rows.*mend 'n.n.' in row 40, where it holds no num",
        ),
        (
            [f"p{row % 25}" for row in range(40)],
            "25 classes in 40 rows, fewer than two rows each: choose another target",
        ),
    ],
)
def test_a_target_that_no_error_can_be_measured_on_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        target(values)


def test_classes_of_few_rows_are_taken_when_asked_for():
    assert len(target([f"p{row % 25}" for row in range(40)], task="classification").target.classes) == 25
