"""What boosting is told of a step to be forecast: the values before the origin, in units of the window, and the time.

One row is a window, a variable and a step::

    values    . . a . . . b . . . . o | . . t .        o origin, t target
                  <- season -> <- season ->            a, b at the target's place of the season, 2 and 1 seasons back
                                                       b less the value `step` rows before it: a move like o to t
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.calendar_features import cycles_of
from heldout.sequence.running_sums import RunningMeans
from heldout.sequence.scaling import scaling_of
from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows

__all__ = ["LagFeatures", "LagRows", "features_of"]

_LAGS = 8
_SEASONS_BACK = 8
_TOLD_BACK = (1, 2, 3, 7)
_AVERAGED_BACK = (4, 8)
_DAY = 86_400.0
_LARGEST = 1e30  # float32 holds it


@dataclass(frozen=True)
class LagFeatures:
    """Which features there are.

    Parameters
    ----------
    season : int
    lags : tuple of int
        Steps before the origin whose values are told.
    spans : tuple of int
        Numbers of last rows whose means are told.
    drifts : tuple of int
        Numbers of last rows whose slope, times the step, is told.
    cycles : tuple of int
        Further cycles, in steps, as the week of hours: what lay one cycle before the target is told.
    calendar : bool
        Whether hour, weekday, day of the month, month and day of the year of the target are told; else its place in the
        season.
    """

    season: int
    lags: tuple[int, ...]
    spans: tuple[int, ...]
    drifts: tuple[int, ...]
    cycles: tuple[int, ...]
    calendar: bool


def features_of(sequences: Sequences) -> LagFeatures:
    """Return the features that suit sequences of this season, step and length.

    Parameters
    ----------
    sequences : Sequences
    """
    season = sequences.season
    longest = int(sequences.lengths.max(initial=1))
    spans = {2, 4, 8, 16} | ({season, 2 * season, 4 * season, 8 * season} if season > 1 else {32, 64})
    drifts = (season, 2 * season, 4 * season) if season > 1 else (2, 4, 8, 16)
    cycles = dict.fromkeys(round(cycle) for cycle in cycles_of(sequences))
    return LagFeatures(
        season=season,
        lags=tuple(k for k in range(1, _LAGS + 1) if k < longest),
        spans=tuple(sorted(span for span in spans if 1 < span <= longest)),
        drifts=tuple(drift for drift in drifts if drift < longest),
        cycles=tuple(cycle for cycle in cycles if season < cycle < longest),
        calendar=sequences.calendar and sequences.step.regular,
    )


@dataclass(frozen=True, eq=False)
class _Steps:
    """Steps to be forecast: arrays of one length, and the values that they are read from."""

    values: NDArray[np.float64]
    origin: NDArray[np.int64]
    start: NDArray[np.int64]
    variable: NDArray[np.intp]
    step: NDArray[np.intp]
    level: NDArray[np.float64]
    scale: NDArray[np.float64]

    def at(self, row: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the values in these rows, NaN before the series begins."""
        return np.where(row >= self.start, self.values[np.maximum(row, 0), self.variable], np.nan)

    def cycles_back(self, cycle: int, times: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the scaled value so many whole cycles before the target, and the move to it over as many rows."""
        row = self.origin + self.step - cycle * (-(-self.step // cycle) + times - 1)
        value = self.at(row)
        return (value - self.level) / self.scale, (value - self.at(row - self.step)) / self.scale


class LagRows:
    """Makes rows of features of windows.

    Parameters
    ----------
    features : LagFeatures
    windows : Windows
    """

    def __init__(self, features: LagFeatures, windows: Windows) -> None:
        self.features, self.windows = features, windows
        self.scaling = scaling_of(windows)
        self._start = windows.sequences.offsets[windows.series]

    def rows(
        self, window: NDArray[np.intp], variable: NDArray[np.intp], step: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return features and anchors of steps to be forecast.

        Parameters
        ----------
        window, variable, step : arrays of int, shape (n_rows,)
            Steps from 1 on.

        Returns
        -------
        features : array of float32, shape (n_rows, n_features)
            NaN where nothing is known.
        anchor : array of float64, shape (n_rows,)
            Half way between the value of the season before and the last value moved as in the season before, in units
            of the scale; the last value, 0, where there is no season.
        """
        steps = _Steps(
            self.windows.sequences.target,
            self.windows.origin[window],
            self._start[window],
            variable,
            step,
            self.scaling.level[window, 0, variable],
            self.scaling.scale[window, 0, variable],
        )
        seasonal, anchor = self._of_seasons(steps)
        further = [column for cycle in self.features.cycles for column in steps.cycles_back(cycle, 1)]
        drifts = [
            (steps.level - steps.at(steps.origin - span)) / steps.scale * step / span for span in self.features.drifts
        ]
        present, place = np.unique(window, return_inverse=True)
        parts = [
            self._of_windows(present)[place, variable],
            np.stack([*seasonal, *further, *drifts, variable.astype(np.float64)], axis=1),
            self._of_time(window, step),
            self._known[window, step - 1],
            self.windows.sequences.static[self.windows.series[window]],
        ]
        features = np.concatenate(parts, axis=1)
        return np.clip(features, -_LARGEST, _LARGEST, out=features).astype(np.float32), anchor

    def _of_windows(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return what all steps of a window share, shape (n_chosen, n_variables, n_features)."""
        sequences, features = self.windows.sequences, self.features
        origin, start, scaling = self.windows.origin[chosen], self._start[chosen], self.scaling.take(chosen)
        rows = origin[:, None] - np.array(features.lags, dtype=np.int64)
        lags = sequences.target[np.maximum(rows, 0)]
        lags[rows < start[:, None]] = np.nan
        means = [self._running.between(np.maximum(origin - span + 1, start), origin) for span in features.spans]
        size = scaling.level / scaling.scale
        length = np.broadcast_to((origin - start + 1.0)[:, None, None], size.shape)
        parts = [scaling.down(lags), *(scaling.down(mean[:, None]) for mean in means), size, length]
        return np.moveaxis(np.concatenate(parts, axis=1), 1, 2)

    def _of_seasons(self, steps: _Steps) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
        """Return what lay whole seasons before the target, and the anchor."""
        anchor = np.zeros(len(steps.step))
        if self.features.season == 1:
            return [], anchor
        found = [steps.cycles_back(self.features.season, times) for times in range(1, _SEASONS_BACK + 1)]
        columns = []
        for kind in zip(*found, strict=True):
            columns += [kind[times - 1] for times in _TOLD_BACK]
            columns += [_mean_of_known(kind[:number]) for number in _AVERAGED_BACK]
            nearest = np.zeros(len(anchor))
            for column in kind[2::-1]:
                nearest = np.where(np.isfinite(column), column, nearest)
            anchor += nearest / 2
        return columns, anchor

    def _of_time(self, window: NDArray[np.intp], step: NDArray[np.intp]) -> NDArray[np.float64]:
        sequences = self.windows.sequences
        count = sequences.count[self.windows.origin[window]] + step
        if not self.features.calendar:
            return np.stack([step, np.mod(count, self.features.season)], axis=1)
        time = sequences.step.time(count)
        day = np.floor(time / _DAY)
        date = day.astype(np.int64).astype("datetime64[D]")
        month, year = date.astype("datetime64[M]"), date.astype("datetime64[Y]")
        # 1970-01-01 was a Thursday; Monday is 0.
        clock = [step, (time - day * _DAY) / 3600, np.mod(day + 3, 7)]
        within = [(date - month.astype("datetime64[D]")), (month - year.astype("datetime64[M]"))]
        within.append(date - year.astype("datetime64[D]"))
        return np.stack([*clock, *(part.astype(np.float64) for part in within)], axis=1)

    @cached_property
    def _known(self) -> NDArray[np.float64]:
        return self.windows.known()

    @cached_property
    def _running(self) -> RunningMeans:
        return RunningMeans(self.windows.sequences.target, self.windows.sequences.offsets)


def _mean_of_known(columns: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    total, number = np.zeros(len(columns[0])), np.zeros(len(columns[0]))
    for column in columns:
        known = np.isfinite(column)
        total += np.where(known, column, 0.0)
        number += known
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
