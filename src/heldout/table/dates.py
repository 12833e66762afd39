"""Dates and times written as text: which layout a column has, and the values.

A column is read in one layout only. ISO 8601 (2024-01-31, 2024-01-31T13:05:09.25+01:00) says itself what is
meant; 31/01/2024 and 01/31/2024 are told apart by the whole column, and where every value fits both, the column is
left as text rather than guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

__all__ = ["DAY_FIRST", "MONTH_FIRST", "DateText", "parse", "recognise"]

DAY_FIRST = "day/month/year"
MONTH_FIRST = "month/day/year"

_TIME = (
    r"(?:(?:T|\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s?(?P<half>[AaPp][Mm]))?\s?(?P<zone>Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$"
)
_NAMED = r"(?P<named>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
# One layout per pattern. Separators are not mixed in a pattern, since Rust's regular expressions cannot refer back.
_LAYOUTS = {
    "year-month-day": r"^(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    "year/month/day": r"^(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
    "year.month.day": r"^(?P<year>\d{4})\.(?P<month>\d{1,2})\.(?P<day>\d{1,2})",
    "a/b/year": r"^(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<year>\d{4})",
    "a-b-year": r"^(?P<a>\d{1,2})-(?P<b>\d{1,2})-(?P<year>\d{4})",
    "a.b.year": r"^(?P<a>\d{1,2})\.(?P<b>\d{1,2})\.(?P<year>\d{4})",
    "day month year": rf"^(?P<day>\d{{1,2}})[ -]{_NAMED}[ -](?P<year>\d{{4}})",
    "month day, year": rf"^{_NAMED}\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})",
}
# Too much like other numbers to be recognised; understood when a date is asked for.
_ASKED = {
    "yearmonthday": r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    "year-month": r"^(?P<year>\d{4})-(?P<month>\d{1,2})",
    "year": r"^(?P<year>\d{4})",
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_PARTS = ("year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone", "named", "a", "b")


@dataclass(frozen=True)
class DateText:
    """What a column of text is, seen as dates.

    Parameters
    ----------
    state : "dates", "none", "ambiguous", "mixed" or "no such day"
    layout : str
        `DAY_FIRST` or `MONTH_FIRST` where the column had to decide, else "".
    examples : tuple of str
        Two values of different layouts ("mixed"), or one ("no such day", "ambiguous").
    """

    state: str
    layout: str = ""
    examples: tuple[str, ...] = ()


def recognise(distinct: pl.Series) -> DateText:
    """Say whether all distinct values of a column are dates of one layout.

    Parameters
    ----------
    distinct : polars.Series of String
        Without missing values, sorted, so that the answer and the examples do not depend on row order.
    """
    # Most columns hold no dates; every layout has a year of four digits, so two values tell.
    if not all(re.search(r"\d{4}", value) for value in (distinct[0], distinct[-1])):
        return DateText("none")
    layouts = _layout_of(distinct)
    if layouts.null_count():
        return DateText("none")
    if layouts.n_unique() > 1:
        other = int((layouts != layouts[0]).arg_max() or 0)
        return DateText("mixed", examples=(distinct[0], distinct[other]))
    layout = ""
    if layouts[0].startswith(("a/b", "a-b", "a.b")):
        state = _day_or_month_first(distinct)
        if state.state != "dates":
            return state
        layout = state.layout
    values = parse(distinct, layout)
    wrong = distinct.filter(values.is_null())
    if len(wrong) > len(distinct) // 10:
        return DateText("none")
    return DateText("no such day", examples=(wrong[0],)) if len(wrong) else DateText("dates", layout)


def parse(text: pl.Series, layout: str = "", *, asked: bool = False) -> pl.Series:
    """Return Datetime("us") in UTC, null where a value is no date of any layout known here.

    Parameters
    ----------
    text : polars.Series of String
    layout : str
        `DAY_FIRST` or `MONTH_FIRST` says how a/b/year is meant; "" takes such values only where one of the two is
        above 12.
    asked : bool
        Also take 20240131, 2024-01 and 2024.
    """
    result = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
    for pattern in (_LAYOUTS | _ASKED if asked else _LAYOUTS).values():
        left = text.is_not_null() & result.is_null()
        matching = left & text.str.contains(pattern + _TIME).fill_null(False)
        if matching.any():
            values = _assemble(text.filter(matching), pattern + _TIME, layout)
            result = result.scatter(matching.arg_true(), values)
    return result


def _layout_of(text: pl.Series) -> pl.Series:
    """Name the layout of each value, null where it is none; values with a time zone are a layout of their own."""
    value = pl.col("value")
    name = pl.lit(None, pl.String)
    for layout, pattern in _LAYOUTS.items():
        zone = value.str.extract(pattern + _TIME, _group_number(pattern + _TIME, "zone"))
        label = pl.when(zone.is_null()).then(pl.lit(layout)).otherwise(pl.lit(layout + ", zone"))
        name = pl.when(value.str.contains(pattern + _TIME)).then(label).otherwise(name)
    return text.alias("value").to_frame().select(name.alias("layout")).to_series()


def _group_number(pattern: str, group: str) -> int:
    return re.compile(pattern).groupindex[group]


def _day_or_month_first(distinct: pl.Series) -> DateText:
    first = distinct.str.extract(r"^(\d{1,2})").cast(pl.Int32)
    second = distinct.str.extract(r"^\d{1,2}\D(\d{1,2})").cast(pl.Int32)
    day_first, month_first = distinct.filter(first > 12), distinct.filter(second > 12)
    if len(day_first) and len(month_first):
        return DateText("mixed", examples=(day_first[0], month_first[0]))
    if not len(day_first) and not len(month_first):
        return DateText("ambiguous", examples=(distinct[0],))
    return DateText("dates", DAY_FIRST if len(day_first) else MONTH_FIRST)


def _assemble(text: pl.Series, pattern: str, layout: str) -> pl.Series:
    frame = text.alias("value").to_frame().select(pl.col("value").str.extract_groups(pattern)).unnest("value")
    frame = frame.with_columns(pl.lit(None, pl.String).alias(part) for part in _PARTS if part not in frame.columns)
    number = {part: pl.col(part).cast(pl.Int64, strict=False) for part in _PARTS}
    first_is_day = (number["a"] > 12) if not layout else pl.lit(layout == DAY_FIRST)
    either = (number["a"] > 12) | (number["b"] > 12) | (number["a"] == number["b"]) | pl.lit(bool(layout))
    month = pl.coalesce(
        number["month"],
        pl.col("named").str.to_lowercase().str.slice(0, 3).replace_strict(_MONTHS, default=None, return_dtype=pl.Int64),
        pl.when(either).then(pl.when(first_is_day).then(number["b"]).otherwise(number["a"])),
        pl.when(pl.col("a").is_null()).then(pl.lit(1)),
    )
    day = pl.coalesce(
        number["day"],
        pl.when(either).then(pl.when(first_is_day).then(number["a"]).otherwise(number["b"])),
        pl.when(pl.col("a").is_null()).then(pl.lit(1)),
    )
    written = pl.concat_str(
        pl.col("year"), month.cast(pl.String).str.zfill(2), day.cast(pl.String).str.zfill(2), separator="-"
    )
    date = written.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return frame.select((date + _time_of_day(number)).alias(text.name)).to_series()


def _time_of_day(number: dict[str, pl.Expr]) -> pl.Expr:
    """Return the duration since midnight UTC; null where the clock shows no such time."""
    half = pl.col("half").str.to_lowercase()
    hour = number["hour"].fill_null(0)
    on_the_clock = pl.when(half.is_null()).then(hour <= 24).otherwise((hour >= 1) & (hour <= 12))
    hour = pl.when(half.is_null()).then(hour).otherwise(hour % 12 + pl.when(half == "pm").then(12).otherwise(0))
    minute, second = number["minute"].fill_null(0), number["second"].fill_null(0)
    micro = pl.col("fraction").str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    zone = pl.col("zone").str.replace_all(":", "")
    signed = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    offset = signed * (
        zone.str.extract(r"^[+-](\d{2})").cast(pl.Int64).fill_null(0) * 60
        + zone.str.extract(r"^[+-]\d{2}(\d{2})").cast(pl.Int64).fill_null(0)
    )
    seconds = hour * 3600 + (minute - offset) * 60 + second
    valid = on_the_clock & (minute <= 59) & (second <= 60) & (hour * 60 + minute <= 1440)
    return pl.when(valid).then(pl.duration(microseconds=seconds * 1_000_000 + micro))
