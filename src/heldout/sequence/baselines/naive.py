"""Forecasts that learn nothing but from the series itself: last value, same season, drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.folds import Folds
from heldout.sequence.scaling import scaling_of
from heldout.sequence.windows import Windows

__all__ = ["Drift", "FittedNaive", "LastValue", "SeasonalNaive"]


def last_value(windows: Windows) -> NDArray[np.float64]:
    """Return the last known value at every step, shape (n_windows, horizon, n_variables)."""
    return np.repeat(scaling_of(windows).level, windows.horizon, axis=1)


def seasonal_naive(windows: Windows) -> NDArray[np.float64]:
    """Return the last value known at the same place of the season; the last value where there is none.

    Examples
    --------
    >>> import polars as pl
    >>> from heldout.sequence.reading import read_sequences
    >>> from heldout.sequence.windows import last_origins
    >>> frame = pl.DataFrame({"day": range(6), "sold": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    >>> seasonal_naive(last_origins(read_sequences(frame, target="sold", time="day", season=3), 4))[0, :, 0].tolist()
    [4.0, 5.0, 6.0, 4.0]
    """
    season = windows.sequences.season
    forecast = last_value(windows)
    if season == 1:
        return forecast
    place = np.arange(windows.horizon) % season
    # The season before the last fills what is missing in the last one, and so on back.
    for back in (3, 2, 1):
        values = windows.values(1 - back * season, season - back * season)[:, place]
        known = np.isfinite(values)
        forecast[known] = values[known]
    return forecast


def drift(windows: Windows) -> NDArray[np.float64]:
    """Return the line through the first and the last known value of the series."""
    sequences = windows.sequences
    start = sequences.offsets[windows.series]
    known = np.isfinite(sequences.target)
    row = np.arange(sequences.n_rows)[:, None]
    latest = np.maximum.accumulate(np.where(known, row, -1), axis=0)[windows.origin]
    first = np.minimum.accumulate(np.where(known, row, sequences.n_rows)[::-1], axis=0)[::-1][start]
    there = (first < latest) & (latest >= start[:, None])
    first, latest = np.where(there, first, 0), np.where(there, latest, 1)
    rise = np.take_along_axis(sequences.target, latest, 0) - np.take_along_axis(sequences.target, first, 0)
    slope = np.where(there, rise / (latest - first), 0.0)
    return last_value(windows) + slope[:, None, :] * np.arange(1, windows.horizon + 1)[None, :, None]


_RULES: dict[str, Callable[[Windows], NDArray[np.float64]]] = {
    "last-value": last_value,
    "seasonal-naive": seasonal_naive,
    "drift": drift,
}


@dataclass(frozen=True, eq=False)
class FittedNaive:
    """A rule, and the windows it was shown."""

    name: str
    windows: Windows | None = None

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return the forecasts of windows, shape (n_windows, horizon, n_variables)."""
        return _RULES[self.name](windows)

    def out_of_fold(self) -> NDArray[np.float64]:
        """Return the same: nothing was learned from the futures."""
        assert self.windows is not None, "a rule read from a file has no training windows"  # noqa: S101
        return self.predict(self.windows)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return its name."""
        return {"name": self.name}, {}

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FittedNaive:  # noqa: ARG003
        """Return the rule of that name."""
        return cls(meta["name"])


@dataclass(frozen=True)
class LastValue:
    """The last known value, for ever: the best there is for a random walk."""

    name: ClassVar[str] = "last-value"

    def fit(self, windows: Windows, folds: Folds) -> FittedNaive:  # noqa: ARG002 - the protocol's
        """Remember the windows."""
        return FittedNaive(self.name, windows)


@dataclass(frozen=True)
class SeasonalNaive:
    """The last value known at the same place of the season."""

    name: ClassVar[str] = "seasonal-naive"

    def fit(self, windows: Windows, folds: Folds) -> FittedNaive:  # noqa: ARG002 - the protocol's
        """Remember the windows."""
        return FittedNaive(self.name, windows)


@dataclass(frozen=True)
class Drift:
    """The line through the first and the last known value."""

    name: ClassVar[str] = "drift"

    def fit(self, windows: Windows, folds: Folds) -> FittedNaive:  # noqa: ARG002 - the protocol's
        """Remember the windows."""
        return FittedNaive(self.name, windows)
