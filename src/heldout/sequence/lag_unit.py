"""Spans of time in the user's units: 24 steps of an hour are 24 hours, 8 steps of a quarter are 24 months."""

from __future__ import annotations

from dataclasses import dataclass

from heldout.sequence.sequences import Sequences

__all__ = ["LagUnit", "lag_unit"]

_NAMES = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86_400.0: "day", 7 * 86_400.0: "week"}
_HOUR = 3600.0


@dataclass(frozen=True)
class LagUnit:
    """What spans of time are told in.

    Parameters
    ----------
    name : str
        "hour", "month", "working day"; "step" where times are plain numbers one apart, else "unit of" their column.
    size : float
        Such units in one step.
    regular : bool, default True
        False where times lie on no grid: a step is then the median one, and spans are told as "about".

    Examples
    --------
    >>> LagUnit("hour", 0.25).words(96), LagUnit("month", 3.0).words(1, 2)
    ('24 hours', '3 to 6 months')
    """

    name: str
    size: float
    regular: bool = True

    def words(self, *steps: float) -> str:
        """Return in words a span of so many steps, or from the first to the last of several.

        Parameters
        ----------
        *steps : float
        """
        numbers = [number * self.size for number in steps]
        written = " to ".join(f"{number:,.6g}" for number in numbers)
        return f"{'' if self.regular else 'about '}{written} {self.name if numbers[-1] == 1 else self.plural}"

    @property
    def plural(self) -> str:
        """The name of several units."""
        return f"{self.name}s" if not self.name.startswith("unit of ") else f"units{self.name.removeprefix('unit')}"


def lag_unit(sequences: Sequences, longest: float) -> LagUnit:
    """Return the unit that spans of up to `longest` steps are told in.

    Parameters
    ----------
    sequences : Sequences
    longest : float
        In steps.

    Returns
    -------
    LagUnit
        The unit that the step is named by: days stay days, however many. Only spans of many minutes or seconds go up
        to hours.

    Examples
    --------
    >>> import polars as pl
    >>> from heldout.sequence.reading import read_sequences
    >>> frame = pl.DataFrame({"year": [1990, 1992, 1994, 1996], "sold": [1.0, 2.0, 3.0, 4.0]})
    >>> lag_unit(read_sequences(frame, target="sold", time="year"), 3).words(3)
    '6 units of year'
    """
    step = sequences.step
    if step.unit == "number":
        column = sequences.layout.time[0] if len(sequences.layout.time) == 1 else "time"
        return LagUnit("step" if step.size == 1 else f"unit of {column}", step.size, step.regular)
    if step.unit != "second":
        return LagUnit(step.unit, step.size, step.regular)
    # A span of a thousandth less than an hour is an hour: irregular steps are medians.
    named = [unit for unit in _NAMES if step.size >= unit * 0.999]
    unit = max(named, default=1.0)
    for larger in _NAMES:
        if unit < larger <= _HOUR and longest * step.size >= 2 * larger:
            unit = larger
    return LagUnit(_NAMES[unit], step.size / unit, step.regular)
