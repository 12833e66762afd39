"""The step between the times of a series, and times counted in steps.

Hours, days and weeks are all equally long; months are not, and neither is the way from Friday to Monday where nobody
works on Saturday. So a step is a length, a number of calendar months or a number of working days, and `TimeStep` turns
times into counts of it and back::

    2024-01-31, 2024-02-29, 2024-03-31   ->   648, 649, 650   ->   2024-04-30
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["TimeStep", "find_time_step"]

Unit = Literal["number", "second", "month", "working day"]

_DAY = 86_400.0
_LAST_OF_MONTH = 32.0
_TOLERANCE = 1e-3
# Numbers may be decimal fractions of a year, rounded at the third place: 1991.583, 1991.667, 1991.75.
_TOLERANCE_OF_NUMBERS = 2e-2
# A grid on which fewer of the places than this are taken is no grid: the times are irregular.
_LEAST_FILLED = 0.5
_NAMES = {1.0: "second", 60.0: "minute", 3600.0: "hour", _DAY: "day", 7 * _DAY: "week"}


@dataclass(frozen=True)
class TimeStep:
    """How far apart the times of a series lie, and what a time is counted in.

    Parameters
    ----------
    unit : {"number", "second", "month", "working day"}
        What `size` counts. Times are numbers of the user's, or seconds since 1970-01-01 UTC for all other units.
    size : float
        Units between two times: 3600 seconds, 3 months.
    regular : bool
        Whether all times lie on a grid of this step. If not, `size` is the median step and counts are real numbers.
    phase : float
        Of months: seconds from the first day of the month; 32 days mean the last day of each month. Of working
        days: seconds since midnight.

    Examples
    --------
    >>> step = TimeStep("second", 3600.0, True)
    >>> step.count(np.array([7200.0, 9000.0])).tolist(), str(step)
    ([2.0, 2.5], '1 hour')
    """

    unit: Unit
    size: float
    regular: bool
    phase: float = 0.0

    def count(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return times as numbers of steps since the unit's own zero.

        Parameters
        ----------
        time : array of float64
        """
        if self.unit == "month":
            return _months(time)[0] / self.size
        if self.unit == "working day":
            return _working_days(time) / self.size
        return time / self.size

    def time(self, count: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the times of counts of steps: what `count` is the inverse of on the grid.

        Parameters
        ----------
        count : array of float64
        """
        if self.unit == "month":
            months = np.round(count * self.size).astype(np.int64).astype("datetime64[M]")
            last = self.phase >= _LAST_OF_MONTH * _DAY
            start = (months + 1).astype("datetime64[D]") - 1 if last else months.astype("datetime64[D]")
            rest = self.phase - _LAST_OF_MONTH * _DAY if last else self.phase
            return np.asarray(start.astype("datetime64[s]").astype(np.float64) + rest)
        if self.unit == "working day":
            days = np.busday_offset("1970-01-01", np.round(count * self.size).astype(np.int64), roll="forward")
            return np.asarray(days.astype("datetime64[s]").astype(np.float64) + self.phase)
        return count * self.size

    @property
    def season(self) -> int | None:
        """Steps of the season that the calendar suggests: 24 for hours, 7 for days; None where it suggests none."""
        if self.unit == "number" or not self.regular:
            return None
        if self.unit == "working day":
            return max(1, round(5 / self.size))
        if self.unit == "month":
            return max(1, round(12 / self.size)) if self.size <= 12 else 1
        if self.size < _DAY:
            return max(1, round(_DAY / self.size))
        if self.size < 7 * _DAY:
            return max(1, round(7 * _DAY / self.size))
        return max(1, round(365.25 * _DAY / self.size))

    def __str__(self) -> str:
        about = "" if self.regular else "about "
        if self.unit == "number":
            return f"{about}{self.size:g}"
        if self.unit != "second":
            return f"{about}{self.size:g} {self.unit}{'' if self.size == 1 else 's'}"
        unit = max((u for u in _NAMES if self.size >= u * (1 - _TOLERANCE)), default=1.0)
        number = self.size / unit
        return f"{about}{number:g} {_NAMES[unit]}{'' if abs(number - 1) < _TOLERANCE else 's'}"


def find_time_step(time: NDArray[np.float64], offsets: NDArray[np.int64], *, calendar: bool) -> TimeStep:
    """Find the step that most neighbouring times of the series are apart.

    Parameters
    ----------
    time : array of float64, shape (n_rows,)
        Ascending within each series, without repeats. Seconds since 1970 if `calendar`.
    offsets : array of int64, shape (n_series + 1,)
        Row where each series starts, and the number of rows.
    calendar : bool

    Returns
    -------
    TimeStep
        Months where every time lies on the same (or the last) day of a month, at the same hour; working days where
        the step is one day and no time lies on a weekend; otherwise a length.
    """
    gap = _gaps(time, offsets)
    if not len(gap):
        return TimeStep("second" if calendar else "number", _DAY if calendar else 1.0, True)
    size = _mode(gap)
    if calendar:
        months, phase, fits = _months(time)
        if fits and size > 27 * _DAY:
            return _on_grid("month", months, offsets, phase)
        if abs(size - _DAY) < 1 and len(time) > 10 and _never_on_weekends(time):
            return _on_grid("working day", _working_days(time), offsets, float(time[0] % _DAY))
    unit: Unit = "second" if calendar else "number"
    return _on_grid(unit, time, offsets, 0.0)


def _gaps(count: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the differences between neighbouring rows of one series."""
    gap = np.diff(count)
    inside = np.ones(len(gap), dtype=bool)
    borders = offsets[1:-1]
    inside[borders[(borders > 0) & (borders < len(count))] - 1] = False
    return gap[inside]


def _mode(gap: NDArray[np.float64]) -> float:
    """Return the most frequent difference; differences closer than rounding count as one."""
    scale = float(np.median(gap)) * _TOLERANCE
    values, counts = np.unique(np.round(gap / scale), return_counts=True)
    return float(np.median(gap[np.round(gap / scale) == values[np.argmax(counts)]]))


def _on_grid(unit: Unit, count: NDArray[np.float64], offsets: NDArray[np.int64], phase: float) -> TimeStep:
    gap = _gaps(count, offsets)
    size = _mode(gap)
    steps = np.maximum(np.round(gap / size), 1.0)
    if unit == "number":
        # What rounding took from one step it gave to another: their mean has all digits.
        exact = float(gap.sum() / steps.sum())
        size = size if np.isclose(size, exact, rtol=1e-9, atol=0) else exact
    tolerance = _TOLERANCE_OF_NUMBERS if unit == "number" else _TOLERANCE
    on_grid = np.abs(gap / size - steps) < tolerance * (1.0 if unit == "number" else steps)
    if on_grid.all() and len(gap) >= _LEAST_FILLED * steps.sum():
        return TimeStep(unit, size, True, phase)
    return TimeStep(unit, float(np.median(gap)), False, phase)


def _months(time: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, bool]:
    """Return months since 1970, the place within the month, and whether all times share that place."""
    seconds = np.floor(time).astype("datetime64[s]")
    month = seconds.astype("datetime64[M]")
    since_first = time - month.astype("datetime64[s]").astype(np.float64)
    before_next = (month + 1).astype("datetime64[s]").astype(np.float64) - time
    count = month.astype(np.int64).astype(np.float64)
    # Last days first: where all months seen have 31, the 31st is the last day of the others too.
    if len(time) and np.ptp(before_next) == 0 and 0 < before_next[0] <= _DAY:
        return count, _LAST_OF_MONTH * _DAY + _DAY - float(before_next[0]), True
    if len(time) and np.ptp(since_first) == 0:
        return count, float(since_first[0]), True
    return count, 0.0, False


def _working_days(time: NDArray[np.float64]) -> NDArray[np.float64]:
    days = np.floor(time / _DAY).astype(np.int64).astype("datetime64[D]")
    return np.busday_count("1970-01-01", days).astype(np.float64)


def _never_on_weekends(time: NDArray[np.float64]) -> bool:
    days = np.floor(time / _DAY).astype(np.int64).astype("datetime64[D]")
    return bool(np.is_busday(days).all()) and bool(np.ptp(time % _DAY) == 0)
