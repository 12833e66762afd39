"""Time: one column or several, turned into one number that sorts rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError
from heldout.table.kinds import Place, convert, epoch_seconds, written
from heldout.table.schema import Column

__all__ = ["is_calendar", "make_time"]

_ROLES = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mnth", "mon", "mm"),
    "day": ("day", "dd", "mday", "dayofmonth"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"),
    "second": ("second", "sec"),
}
_ORDER = tuple(_ROLES)
_SECONDS = {"hour": 3600.0, "minute": 60.0, "second": 1.0}
# 24:00 is written for the end of a day and 60 for a leap second.
_LIMITS = {"month": (1, 12), "day": (1, 31), "hour": (0, 24), "minute": (0, 59), "second": (0, 60)}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_REMEDY = "mend or remove that row"


def make_time(frame: pl.DataFrame, columns: Sequence[Column], place: Place) -> NDArray[np.float64]:
    """Combine time columns to one sortable number per row.

    Parameters
    ----------
    frame : polars.DataFrame
        Typed; only the kept rows.
    columns : sequence of Column
        In the order the user gave.
    place : Place
        Of these rows.

    Returns
    -------
    array of float64, shape (n_rows,)
        Seconds since 1970-01-01 UTC for a date column, for year, month, day, hour, minute, second (recognised by
        their names, from the year down without a gap) and for a date column with hour, minute, second. The number
        itself for one number column. For other combinations the rank, by the first column, then the second ...

    Raises
    ------
    DataError
        Missing or infinite times, values that are no time, dates that do not exist, one time only.
    """
    parts = [_sortable(frame[column.name], column, place, alone=len(columns) == 1) for column in columns]
    names = [column.name for column in columns]
    roles = [_role(column, values) for column, values in zip(columns, parts, strict=True)]
    by_role = dict(zip(roles, parts, strict=True)) if len(set(roles)) == len(roles) else {}
    if len(parts) == 1:
        time = _seconds(parts[0])
    elif "date" in by_role and _is_run(roles, "hour", besides="date"):
        time = _seconds(by_role["date"]) + _clock(by_role, names, roles, place)
    elif _is_run(roles, "year"):
        time = _calendar(by_role, names, roles, place) + _clock(by_role, names, roles, place)
    else:
        order = pl.struct(pl.Series(str(position), _seconds(part)) for position, part in enumerate(parts))
        time = pl.select(order.rank("dense")).to_series().to_numpy().astype(np.float64)
    if np.ptp(time) == 0:
        raise DataError(
            f"time {' + '.join(names)!r} is the same in all {len(time)} rows ({written(frame[names[0]])[0]}): "
            "leave --time out, or name another column"
        )
    return np.ascontiguousarray(time, dtype=np.float64)


def is_calendar(frame: pl.DataFrame, columns: Sequence[Column]) -> bool:
    """Say whether `make_time` returns seconds since 1970 for these columns, rather than numbers or ranks.

    Parameters
    ----------
    frame : polars.DataFrame
    columns : sequence of Column
    """
    if len(columns) == 1:
        values = frame[columns[0].name]
        is_text = columns[0].kind not in ("number", "datetime")
        return columns[0].kind == "datetime" or (is_text and bool(convert(written(values), "number", "")[1].any()))
    roles = ["date" if column.kind == "datetime" else _role(column, frame[column.name]) for column in columns]
    return _is_run(roles, "year") or ("date" in roles and _is_run(roles, "hour", besides="date"))


def _sortable(values: pl.Series, column: Column, place: Place, *, alone: bool) -> pl.Series:
    """Return numbers or date-times without gaps."""
    missing = values.is_null()
    if missing.any():
        raise DataError(
            f"time {column.name!r} is missing in {int(missing.sum())} of {len(values)} rows "
            f"(first: {place.of(int(missing.arg_max() or 0))}): remove those rows, or name another time column"
        )
    if column.kind == "datetime":
        return values
    result, unfit = (
        (values, values.is_null()) if column.kind == "number" else _from_text(written(values), column, alone)
    )
    if column.kind == "boolean" or unfit.any():
        row = int(unfit.arg_max() or 0)
        raise DataError(
            f"time {column.name!r}: {written(values)[row]!r} in {place.of(row)} is no time; "
            "expected numbers, or dates as 2024-01-31 or 2024-01-31T13:05"
        )
    infinite = result.is_infinite() if result.dtype.is_float() else missing
    if infinite.any():
        row = int(infinite.arg_max() or 0)
        raise DataError(f"time {column.name!r} is infinite in {place.of(row)}: {_REMEDY}")
    return result


def _from_text(text: pl.Series, column: Column, alone: bool) -> tuple[pl.Series, pl.Series]:
    number, is_no_number = convert(text, "number", column.layout)
    if not is_no_number.any():
        return number, is_no_number
    date, is_no_date = convert(text, "datetime", column.layout)
    if not is_no_date.any() or alone:
        return date, is_no_date
    month = text.str.to_lowercase().str.slice(0, 3)
    if month.is_in(list(_MONTHS)).all():
        return month.replace_strict(list(_MONTHS), list(range(1, 13)), return_dtype=pl.Float64), is_no_number.clear(
            len(text)
        ).fill_null(False)
    return (date, is_no_date) if is_no_date.sum() < is_no_number.sum() else (number, is_no_number)


def _role(column: Column, values: pl.Series) -> str:
    if values.dtype == pl.Datetime("us"):
        return "date"
    name = column.name.casefold().replace("_", "").replace(" ", "")
    return next((role for role, names in _ROLES.items() if name in names), column.name)


def _is_run(roles: Sequence[str], first: str, besides: str | None = None) -> bool:
    """Say whether the roles are a run of year, month, ... second that starts at `first` and has no gap."""
    rest = [role for role in roles if role != besides]
    start = _ORDER.index(first)
    return bool(rest) and sorted(rest) == sorted(_ORDER[start : start + len(rest)])


def _seconds(values: pl.Series) -> NDArray[np.float64]:
    if values.dtype == pl.Datetime("us"):
        return epoch_seconds(values).to_numpy()
    return values.to_numpy().astype(np.float64)


def _calendar(
    by_role: dict[str, pl.Series], names: Sequence[str], roles: Sequence[str], place: Place
) -> NDArray[np.float64]:
    """Return the seconds since 1970 of midnight."""
    n = len(by_role["year"])
    year, month, day = (
        by_role[role].to_numpy() if role in by_role else np.ones(n) for role in ("year", "month", "day")
    )
    for role, values in (("year", year), ("month", month), ("day", day)):
        _within(role, values, names, roles, place)
    months = (year.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1).astype(
        np.int64
    )
    date = months.astype("datetime64[D]") + (day - 1).astype(np.int64)
    wrong = date.astype("datetime64[M]") != months
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"time {' + '.join(names)!r}: there is no day {int(day[row])} in {months[row]} ({place.of(row)}): {_REMEDY}"
        )
    return np.asarray(date.astype("datetime64[s]").astype(np.float64))


def _clock(
    by_role: dict[str, pl.Series], names: Sequence[str], roles: Sequence[str], place: Place
) -> NDArray[np.float64]:
    """Return the seconds since midnight."""
    total: NDArray[np.float64] = np.zeros(len(next(iter(by_role.values()))))
    for role, seconds in _SECONDS.items():
        if role in by_role:
            values = by_role[role].to_numpy()
            _within(role, values, names, roles, place)
            total = total + values * seconds
    return total


def _within(role: str, values: NDArray[np.float64], names: Sequence[str], roles: Sequence[str], place: Place) -> None:
    low, high = _LIMITS.get(role, (-100_000, 100_000))
    wrong = ~((values >= low) & (values <= high))
    if role not in _SECONDS:
        wrong |= values != np.round(values)
    if wrong.any():
        row = int(wrong.argmax())
        name = names[list(roles).index(role)]
        raise DataError(
            f"time {name!r}: {values[row]:g} in {place.of(row)} is no {role}: {_REMEDY}, or name other columns"
        )
