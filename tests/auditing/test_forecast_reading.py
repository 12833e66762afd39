from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from heldout.errors import DataError

from .small_series import days, read, shops, wave


def test_columns_that_play_a_part_are_found_and_the_others_are_named() -> None:
    found = read(shops(), group=["shop"], known=["promotion"])
    layout = found.sequences.layout
    assert (layout.known, layout.static) == (("promotion",), ("size",))
    assert found.unused == ("noise",)
    assert any("constant within each series, given to attention: size" in note for note in found.notes)
    assert any("not used, since their future is not known: noise" in note for note in found.notes)


def test_a_dropped_column_is_neither_used_nor_spoken_of() -> None:
    found = read(shops(), group=["shop"], drop=["noise", "size"])
    assert found.sequences.layout.static == ()
    assert found.unused == ("promotion",)


def test_a_column_that_names_each_series_is_no_kind_of_series() -> None:
    frame = shops().with_columns(town=pl.col("shop") + " town", chain=pl.lit("one"))
    found = read(frame, group=["shop"])
    assert found.sequences.layout.static == ("size",)
    assert set(found.unused) == {"promotion", "noise", "town", "chain"}


def test_rows_in_any_order_are_the_same_series() -> None:
    frame = shops()
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=3)
    one, other = read(frame, group=["shop"]).sequences, read(mixed, group=["shop"]).sequences
    assert np.array_equal(one.target, other.target)
    assert "rows were put in order of series and time" in read(mixed, group=["shop"]).notes


def test_rows_without_a_target_are_counted_and_inner_ones_stay_as_gaps() -> None:
    frame = wave(60).with_columns(y=pl.when(pl.int_range(60).is_in([10, 58, 59])).then(None).otherwise(pl.col("y")))
    found = read(frame)
    assert (found.n_rows, found.n_target_missing) == (57, 3)
    assert found.sequences.n_rows == 58
    assert np.flatnonzero(np.isnan(found.sequences.target[:, 0])).tolist() == [10]
    assert "3 rows with a missing 'y' left out of 60" in found.notes


def test_a_short_series_among_others_is_told() -> None:
    frame = pl.concat([shops(), shops(5, 1).with_columns(shop=pl.lit("new"))])
    assert any("1 of 4 series are shorter than the horizon" in note for note in read(frame, group=["shop"]).notes)


def test_irregular_times_are_told() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"day": np.cumsum(rng.exponential(size=90)), "y": rng.normal(size=90)})
    assert any(note.startswith("times are irregular: a step is one row") for note in read(frame).notes)


def broken(**columns: Any) -> pl.DataFrame:
    return wave(60).with_columns(**columns)


@pytest.mark.parametrize(
    ("frame", "options", "match"),
    [
        (broken(y=pl.lit(None, pl.Float64)), {}, "'y' is missing in all 60 rows"),
        (broken(y=pl.lit(3.5)), {}, r"'y' is constant \('3.5' in all 60 rows\)"),
        (
            broken(y=pl.when(pl.int_range(60) == 4).then(float("inf")).otherwise(pl.col("y"))),
            {},
            "infinite .* in row 5",
        ),
        (pl.concat([wave(60), wave(1)]), {}, "1 times more than once .*row 1 and row 61"),
        (
            broken(day=pl.when(pl.int_range(60) == 7).then(None).otherwise(pl.col("day"))),
            {},
            "'day' is missing in 1 of 60",
        ),
        (wave(8), {}, "the series has 8 rows, a horizon of 7 needs at least 9"),
        (shops(8), {"group": ["shop"]}, "the longest series has 8 rows, a horizon of 7 needs"),
        (wave(60), {"known": ["promotion"]}, "no known column 'promotion'"),
        (wave(60), {"known": ["day"]}, "column 'day' is named as time and as known"),
        (broken(day=pl.lit("soon")), {}, "'day': 'soon' in row 1 is no time"),
    ],
)
def test_bad_series_are_refused_in_one_line(frame: pl.DataFrame, options: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError if "named as" not in match else ValueError, match=match) as caught:
        read(frame, **options)
    assert "\n" not in str(caught.value)


def test_series_of_different_frequencies_are_refused() -> None:
    hourly = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 1, 4), "1h", eager=True)
    slow = pl.DataFrame({"shop": "a", "day": days(60), "y": np.arange(60.0)})
    fast = pl.DataFrame({"shop": "b", "day": hourly, "y": np.arange(float(len(hourly)))})
    with pytest.raises(DataError, match=r"has steps of 1 hour, series .* of 1 day"):
        read(pl.concat([slow, fast]), group=["shop"])


def test_columns_that_only_order_rows_have_no_next_step() -> None:
    frame = pl.DataFrame(
        {"season": np.arange(60) // 6, "round": np.arange(60) % 6, "y": np.random.default_rng(0).normal(size=60)}
    )
    with pytest.raises(DataError, match=r"'season \+ round' orders rows but is no calendar"):
        read(frame, time=["season", "round"])


def test_year_month_and_day_are_a_calendar() -> None:
    frame = wave(90).with_columns(
        year=pl.col("day").dt.year(), month=pl.col("day").dt.month(), dom=pl.col("day").dt.day()
    )
    found = read(frame.drop("day").rename({"dom": "day"}), time=["year", "month", "day"])
    assert str(found.sequences.step) == "1 day"
    assert found.sequences.season == 7
