"""What a user asks for is checked before any work begins; rows stand in time order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from heldout.auditing.request import in_time_order, load_table
from heldout.errors import InvalidInput
from heldout.table import prepare, table_from_frame

from .small import line_table, request


@pytest.mark.parametrize(
    ("asked", "came"),
    [
        ({"deploy": "tomorrow"}, r"deploy must be one of auto, same.*got 'tomorrow'"),
        ({"confidence_level": 0.0}, "between 0 and 1, got 0.0"),
        ({"confidence_level": 1.0}, "between 0 and 1, got 1.0"),
        ({"confidence_level": 95}, "between 0 and 1, got 95"),
        ({"horizon": -1}, "0 rows or more, got -1"),
        ({"deploy": "new-groups"}, "deploy='new-groups' needs to know the groups"),
        ({"deploy": "new-groups,future", "time": ["day"]}, "deploy='new-groups,future' needs to know the groups"),
    ],
)
def test_what_cannot_be_asked_is_named(asked: dict[str, Any], came: str) -> None:
    with pytest.raises(InvalidInput, match=came):
        request(**asked)


def test_new_groups_may_be_asked_for_where_a_group_is_named() -> None:
    assert request(deploy="new-groups", group=["subject"]).deploy == "new-groups"


def test_a_path_a_frame_and_a_table_give_the_same_table(tmp_path: Path) -> None:
    frame = line_table()
    path = tmp_path / "line.csv"
    frame.write_csv(path)
    table = table_from_frame(frame)
    assert load_table(table, None) is table
    for data in (path, str(path), frame, frame.to_pandas(), frame.to_arrow()):
        assert load_table(data, None).frame.equals(table.frame)


def test_kinds_that_are_asked_for_overrule_what_would_be_read(tmp_path: Path) -> None:
    frame = pl.DataFrame({"code": [1, 2, 3], "y": [0.5, 1.5, 2.5]})
    path = tmp_path / "codes.csv"
    frame.write_csv(path)
    for data in (path, frame):
        assert load_table(data, {"code": "category"}).schema["code"].kind == "category"
        assert load_table(data, None).schema["code"].kind == "number"


def test_rows_are_sorted_by_time_in_every_part_and_equal_times_keep_their_order() -> None:
    n = 40
    frame = pd.DataFrame(
        {
            "x": np.arange(n, dtype=float),
            "day": np.tile([3, 1, 2, 1], n // 4),
            "who": np.tile(["b", "a"], n // 2),
            "w": np.arange(n) + 1.0,
            "y": np.arange(n) * 10.5,
        }
    )
    table = table_from_frame(frame)
    dataset = in_time_order(prepare(table, "y", group="who", time="day", weight="w"))
    order = np.argsort(frame["day"].to_numpy(), kind="stable")
    assert dataset.row_of.tolist() == order.tolist()
    assert dataset.features["x"].to_list() == frame["x"].to_numpy()[order].tolist()
    assert dataset.original["x"].tolist() == frame["x"].to_numpy()[order].tolist()
    assert isinstance(dataset.original, pd.DataFrame)
    assert dataset.target.values.tolist() == frame["y"].to_numpy()[order].tolist()
    assert dataset.weight is not None
    assert dataset.weight.tolist() == frame["w"].to_numpy()[order].tolist()
    assert dataset.time is not None
    assert (np.diff(dataset.time) >= 0).all()
    assert [dataset.group_labels[code] for code in dataset.groups] == frame["who"].to_numpy()[order].tolist()


def test_without_times_the_order_of_the_file_stands() -> None:
    dataset = prepare(table_from_frame(line_table()), "y")
    assert in_time_order(dataset) is dataset
