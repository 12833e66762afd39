"""The columns known in advance of the steps to come."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from heldout.errors import DataError
from heldout.sequence.known_future import with_known_future
from heldout.sequence.reading import read_sequences

END = datetime(2024, 1, 20)


def history():
    days = [END - timedelta(days=k) for k in range(20)]
    parts = [
        pl.DataFrame({"t": days, "y": np.arange(20.0), "k": ["u", "v"] * 10, "shop": [shop] * 20}) for shop in "ab"
    ]
    return read_sequences(pl.concat(parts), target="y", time="t", group="shop", known=["k"])


def future(shops="ab", days=(1, 2, 3), **more):
    rows = [(shop, END + timedelta(days=day), "uvu"[day % 3]) for shop in shops for day in days]
    return pl.DataFrame(rows, schema=["shop", "t", "k"], orient="row").with_columns(**more)


def test_rows_are_matched_by_series_and_time_in_any_order_and_others_ignored():
    table = pl.concat([future(days=(3, 1, 2, 9)), future("z")])
    found = with_known_future(history(), table[::-1], 3)
    assert found[:, :, 0].tolist() == [[2, 1, 1], [2, 1, 1]]
    assert np.array_equal(with_known_future(history(), future(), 2), found[:, :2])


def test_without_known_columns_nothing_is_asked_for():
    plain = read_sequences(pl.DataFrame({"t": [1, 2], "y": [1.0, 2]}), target="y", time="t")
    assert with_known_future(plain, None, 4).shape == (1, 4, 0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "the columns k are known in advance: give their values for the next 3 times as `future`"),
        (future().drop("k"), "the future lacks the column 'k': it has shop, t"),
        (future("a"), "the future lacks 2024-01-21 00:00:00 of b: give the known columns of the next 3 times"),
        (future(days=(1, 3)), "the future lacks 2024-01-22 00:00:00 of a"),
        (future()[:0], "the future lacks 2024-01-21 00:00:00 of a"),
        (future(k=pl.lit(float("inf"))), "the future's 'k' is infinite in row 1"),
    ],
)
def test_what_the_future_lacks_is_named(table, message):
    with pytest.raises(DataError, match=re.escape(message)):
        with_known_future(history(), table, 3)
