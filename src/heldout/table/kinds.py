"""Which kind a column is, and its values in that kind: one set of rules for files and frames.

Text, wherever it comes from, is stripped of white space at both ends and read by these rules, first match wins:

1. A value in `MISSING` is missing ("-" is not where the column also holds "+").
2. Only true/false or only yes/no, in any case: boolean. 0 and 1 stay numbers.
3. Only numbers (12, -0.5, 1e-3, inf): number; whole numbers beyond 2^53 that float64 cannot hold and numbers with
   leading zeros (007) are names, hence category. Commas are decimal (3,14) or thousands
   (1,234.5) where the column can only be one of the two; where each could be either (1,234): category, with a note.
4. Only dates of one layout (`heldout.table.dates`): date-time, in UTC. Several layouts: an error.
5. More than 4 words on average, and at least half of the values distinct: text. Else category.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError
from heldout.table import dates
from heldout.table.schema import Column, ColumnKind

__all__ = ["MISSING", "Place", "Typed", "as_asked", "clean", "convert", "describe", "epoch_seconds", "infer", "written"]

MISSING = (
    *("", "?", "-", "--", ".", "NA", "N/A", "n/a", "na", "<NA>", "N.A.", "#N/A", "#NA", "#NULL!", "#DIV/0!", "#VALUE!"),
    *("NaN", "nan", "NAN", "NaT", "null", "NULL", "Null", "nil", "None", "NONE", "missing", "Missing", "MISSING"),
)
# Spelled as "none", the word is more often a level ("none, one, two") than a gap; it stays.

_LARGEST_EXACT = 2**53  # above it, neighbouring whole numbers share one float64
_LONGEST_WHOLE = 300  # digits; float64 ends at 309
_BOOLEAN_WORDS = (("false", "true"), ("no", "yes"))
_FALSE, _TRUE = ("false", "no", "f", "n", "0"), ("true", "yes", "t", "y", "1")
_MEAN_WORDS_OF_TEXT, _DISTINCT_SHARE_OF_TEXT = 4.0, 0.5
_DECIMAL_COMMA = r"^[+-]?\d+(,\d+)?$"
_THOUSANDS = r"^[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$"
_MOSTLY = 0.9


@dataclass(frozen=True)
class Place:
    """Where row `i` stands, in words: "line 7" of a file, or "row 5" (counted from 1)."""

    numbers: NDArray[np.int64] | None = None
    unit: str = "row"

    def of(self, row: int) -> str:
        """Return the words for row `row`, counted from 0."""
        return f"{self.unit} {row + 1 if self.numbers is None else self.numbers[row]}"

    def take(self, rows: NDArray[np.intp]) -> Place:
        """Return the places of some rows."""
        return Place(rows + 1 if self.numbers is None else self.numbers[rows], self.unit)


@dataclass(frozen=True)
class Typed:
    """A column in its kind, and what there is to say about it."""

    values: pl.Series
    column: Column
    notes: tuple[str, ...] = ()


def clean(text: pl.Series) -> pl.Series:
    """Strip white space at both ends and turn missing tokens into nulls."""
    stripped = text.str.strip_chars()
    # Plus and minus are then two levels of one thing (strands, charges, the classes of the crx table).
    tokens = [word for word in MISSING if word != "-"] if (stripped == "+").any() else list(MISSING)
    gaps = stripped.is_in(tokens).fill_null(True)
    return stripped.set(gaps, None) if gaps.any() else stripped


def infer(values: pl.Series, place: Place, *, is_category: bool = False) -> Typed:
    """Type one column by the rules at the head of this module.

    Parameters
    ----------
    values : polars.Series
        As `heldout.table.frames` gives it: cleaned String, a number type, Boolean or Datetime("us").
    place : Place
    is_category : bool
        The caller's frame says so (pandas category, polars Categorical or Enum).

    Raises
    ------
    DataError
        Dates of several layouts, or a day that does not exist, in a column of dates.
    """
    if values.dtype == pl.String:
        return _category(values) if is_category else _infer_text(values, place)
    if values.dtype == pl.Boolean:
        return describe(values, "boolean", levels=("false", "true"))
    if values.dtype == pl.Datetime("us"):
        return describe(values, "datetime")
    if values.dtype.is_integer() and _is_inexact(values):
        return _category(values.cast(pl.String), _beyond_exact(values.name, values.max()))
    return describe(values.cast(pl.Float64), "number")


def describe(values: pl.Series, kind: ColumnKind, *, levels: tuple[str, ...] = (), layout: str = "") -> Typed:
    """Return typed values with their schema column."""
    low = high = None
    if kind == "number":
        finite = values.filter(values.is_finite().fill_null(False))
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)  # type: ignore[arg-type]
    elif kind == "datetime" and values.null_count() < len(values):
        seconds = epoch_seconds(values)
        low, high = float(seconds.min()), float(seconds.max())  # type: ignore[arg-type]
    elif kind == "category":
        levels = tuple(values.drop_nulls().unique().sort().to_list())
    return Typed(values, Column(values.name, kind, values.null_count(), levels, low, high, layout))


def epoch_seconds(values: pl.Series) -> pl.Series:
    """Return date-times as seconds since 1970-01-01 UTC."""
    return values.dt.epoch("us").cast(pl.Float64) / 1e6


def convert(values: pl.Series, kind: ColumnKind, layout: str = "") -> tuple[pl.Series, pl.Series]:
    """Read a column as the kind that was asked for.

    Returns
    -------
    values : polars.Series
        In the type of `kind`, null where a value does not fit.
    unfit : polars.Series of Boolean
        Which values do not fit.
    """
    if kind == "number":
        result = _as_number(values, layout)
    elif kind == "datetime":
        result = _as_datetime(values, layout)
    elif kind == "boolean":
        result = _as_boolean(values)
    else:
        result = written(values)
    return result, (values.is_not_null() & result.is_null())


def written(values: pl.Series) -> pl.Series:
    """Return values as text: 5.0 as "5", True as "true", dates as ISO 8601."""
    if values.dtype == pl.String:
        return values
    if values.dtype.is_float():
        whole = values.is_finite() & (values == values.round()) & (values.abs() < _LARGEST_EXACT)
        as_whole = values.cast(pl.Int64, strict=False).cast(pl.String)
        return as_whole.zip_with(whole.fill_null(False), values.cast(pl.String)).alias(values.name)
    if values.dtype == pl.Datetime("us"):
        at_midnight = (values == values.dt.truncate("1d")).all()
        return values.dt.to_string("%Y-%m-%d" if at_midnight else "%Y-%m-%dT%H:%M:%S%.f")
    return values.cast(pl.String)


def as_asked(values: pl.Series, kind: ColumnKind, place: Place, layout: str = "") -> Typed:
    """Type one column as the user asked (`types=`, `--type`).

    Raises
    ------
    DataError
        A value cannot be read so; the message names the first.
    """
    if kind == "number" and not layout and values.dtype == pl.String:
        layout = _comma_layout(values).replace("either", "decimal comma")
    if kind == "datetime" and not layout and values.dtype == pl.String:
        layout = (
            dates.recognise(values.drop_nulls().unique().sort()).layout if values.null_count() < len(values) else ""
        )
    result, unfit = convert(values, kind, layout)
    if unfit.any():
        row = int(unfit.arg_max() or 0)
        raise DataError(
            f"column {values.name!r} cannot be read as {kind}: {written(values)[row]!r} in {place.of(row)} is none; "
            f"mend the value, write NA for a missing one, or ask for another --type"
        )
    levels = _boolean_levels(values) if kind == "boolean" else ()
    return describe(result, kind, levels=levels, layout=layout)


def _infer_text(text: pl.Series, place: Place) -> Typed:
    number = text.cast(pl.Float64, strict=False).fill_nan(None)
    if number.null_count() == text.null_count():
        return _number_or_name(text, number)
    known = text.drop_nulls()
    distinct = known.unique().sort()
    if _is_boolean(distinct):
        return describe(_as_boolean(text), "boolean", levels=_boolean_levels(text))
    comma = _comma_layout(distinct)
    if comma == "either":
        note = (
            f"column {text.name!r} holds {distinct.filter(distinct.str.contains(','))[0]!r}, decimals or thousands: "
            f"read as category; write it without the comma, or --type {text.name}=number for decimals"
        )
        return _category(text, note)
    if comma:
        return describe(_as_number(text, comma), "number", layout=comma)
    seen = dates.recognise(distinct)
    if seen.state in ("mixed", "no such day"):
        raise DataError(_date_problem(text, seen, place))
    if seen.state == "dates":
        return describe(dates.parse(text, seen.layout), "datetime", layout=seen.layout)
    if _mean_words(known) > _MEAN_WORDS_OF_TEXT and len(distinct) >= _DISTINCT_SHARE_OF_TEXT * len(known):
        return describe(text, "text")
    return _category(text, *_doubts(text, number, seen, place))


def _number_or_name(text: pl.Series, number: pl.Series) -> Typed:
    padded = text.filter(text.str.contains(r"^[+-]?0\d").fill_null(False))
    if len(padded):
        how = f"read as category; --type {text.name}=number reads numbers"
        return _category(text, f"column {text.name!r} has leading zeros ({padded.min()!r}): {how}")
    long = text.filter(text.str.contains(r"^[+-]?\d{16,}$").fill_null(False))
    if any(len(value) >= _LONGEST_WHOLE or int(float(value)) != int(value) for value in long):
        return _category(text, _beyond_exact(text.name, long.min()))
    return describe(number, "number")


def _doubts(text: pl.Series, number: pl.Series, seen: dates.DateText, place: Place) -> list[str]:
    name = text.name
    if seen.state == "ambiguous":
        return [
            f"column {name!r} may be day/month or month/day ({seen.examples[0]!r}): read as category; "
            "write dates as 2024-01-31"
        ]
    n_known = len(text) - text.null_count()
    n_numbers = len(text) - number.null_count()
    if n_numbers >= _MOSTLY * n_known:
        row = int((text.is_not_null() & number.is_null()).arg_max() or 0)
        return [
            f"column {name!r}: {n_numbers} of {n_known} values are numbers but {text[row]!r} ({place.of(row)}) is not: "
            f"read as category; mend the value, or write NA"
        ]
    return []


def _date_problem(text: pl.Series, seen: dates.DateText, place: Place) -> str:
    def quote(value: str) -> str:
        return f"{value!r} ({place.of(int((text == value).fill_null(False).arg_max() or 0))})"

    remedy = f"write all as 2024-01-31, or give --type {text.name}=text"
    if seen.state == "mixed":
        both = f"{quote(seen.examples[0])} and {quote(seen.examples[1])}"
        return f"column {text.name!r} mixes date formats: {both}; {remedy}"
    return f"column {text.name!r} holds dates, but {quote(seen.examples[0])} is no day there is; mend it, or {remedy}"


def _category(values: pl.Series, *notes: str) -> Typed:
    typed = describe(values, "category")
    return Typed(typed.values, typed.column, notes)


def _beyond_exact(name: str, example: object) -> str:
    return f"column {name!r} holds whole numbers beyond 2^53 ({example}): read as names (category), not numbers"


def _is_inexact(values: pl.Series) -> bool:
    known = values.drop_nulls()
    if not len(known) or max(abs(int(known.min())), abs(int(known.max()))) <= _LARGEST_EXACT:  # type: ignore[arg-type]
        return False
    large = known.filter(
        (known > _LARGEST_EXACT) | (known < -_LARGEST_EXACT)
        if known.dtype.is_signed_integer()
        else known > _LARGEST_EXACT
    )
    return any(int(float(value)) != value for value in large)


def _is_boolean(distinct: pl.Series) -> bool:
    if len(distinct) > 8:  # spellings of two words
        return False
    words = set(distinct.str.to_lowercase())
    return any(words <= set(pair) for pair in _BOOLEAN_WORDS)


def _boolean_levels(values: pl.Series) -> tuple[str, str]:
    """Return how false and true are written; a word that does not occur is spelled as its partner is."""
    if values.dtype != pl.String:
        return ("false", "true") if values.dtype == pl.Boolean else ("0", "1")
    seen = values.drop_nulls().unique().sort().to_list()
    labels: list[str] = []
    for pair in (*_BOOLEAN_WORDS, ("f", "t"), ("n", "y"), ("0", "1")):
        if seen and {word.lower() for word in seen} <= set(pair):
            for word in pair:
                spelled = [label for label in seen if label.lower() == word]
                style = str.upper if seen[0].isupper() else str.title if seen[0].istitle() else str.lower
                labels.append(spelled[0] if len(spelled) == 1 else word if spelled else style(word))
            return labels[0], labels[1]
    return "false", "true"


def _as_boolean(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values
    word = written(values).str.to_lowercase()
    truth = word.is_in(list(_TRUE))
    return truth.set(~(truth | word.is_in(list(_FALSE))).fill_null(True), None).alias(values.name)


def _as_number(values: pl.Series, layout: str) -> pl.Series:
    if values.dtype == pl.String:
        mark = {"decimal comma": ".", "thousands comma": ""}.get(layout)
        text = values if mark is None else values.str.replace_all(",", mark, literal=True)
        return text.cast(pl.Float64, strict=False).fill_nan(None)
    if values.dtype.is_numeric():
        return values.cast(pl.Float64).fill_nan(None)
    return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)


def _as_datetime(values: pl.Series, layout: str) -> pl.Series:
    if values.dtype == pl.Datetime("us"):
        return values
    if values.dtype == pl.Boolean:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
    return dates.parse(written(values), layout, asked=True)


def _comma_layout(text: pl.Series) -> str:
    """Say what commas in numbers mean: "decimal comma", "thousands comma", "either", or "" for no such column."""
    known = text.drop_nulls()
    with_comma = known.filter(known.str.contains(",", literal=True))
    if not len(with_comma):
        return ""
    is_thousands = bool(known.str.contains(_THOUSANDS).all())
    if is_thousands and known.str.contains(r"\.|,.*,").any():
        return "thousands comma"
    if not known.str.contains(_DECIMAL_COMMA).all():
        return ""
    return "either" if is_thousands else "decimal comma"


def _mean_words(known: pl.Series) -> float:
    return float(known.str.count_matches(r"\S+").mean() or 0.0)  # type: ignore[arg-type]
