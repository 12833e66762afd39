"""What each kind of column becomes as numbers: one small fitted object per column.

Every class here has `fit(series, ...)`, `transform(series) -> (n_rows, n_outputs)` and `outputs`, the names
of what comes out. Their fields are plain JSON values or numpy arrays, so that a model file can hold them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "CalendarColumn",
    "LevelColumn",
    "NumberColumn",
    "TargetMeanColumn",
    "TargetMeanFit",
]

Matrix = NDArray[np.float64]

MICROSECONDS_PER_DAY = 86_400_000_000
CALENDAR = ("days", "hour", "day of week", "day of month", "month")


def as_float(series: pl.Series) -> NDArray[np.float64]:
    """Return numbers, with NaN where the value is missing, infinite or no number at all."""
    if series.dtype == pl.Duration:
        series = series.dt.total_microseconds().cast(pl.Float64) / 1e6
    elif series.dtype == pl.Time:
        series = series.cast(pl.Int64).cast(pl.Float64) / 1e9
    elif series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.nan)


def as_text(series: pl.Series) -> pl.Series:
    """Return the column as strings, whatever it was."""
    return series if series.dtype == pl.String else series.cast(pl.String)


def level_codes(series: pl.Series, levels: tuple[str, ...]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return each row's position in `levels`, -1 where missing or unseen, and which rows are missing."""
    text = as_text(series)
    missing = text.is_null().to_numpy()
    if not levels:
        return np.full(len(text), -1, np.intp), missing
    codes = text.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64).fill_null(-1)
    return codes.to_numpy().astype(np.intp), missing


def _check_levels(name: str, levels: tuple[str, ...]) -> None:
    if not all(isinstance(level, str) for level in levels) or len(set(levels)) < len(levels):
        raise ValueError(f"column {name!r}: its levels are not distinct texts")


@dataclass(frozen=True)
class NumberColumn:
    """A number or a boolean: itself, NaN where missing. All zeros if no value was seen in fitting."""

    kind: ClassVar[str] = "number"
    name: str
    seen: bool

    @classmethod
    def fit(cls, series: pl.Series) -> NumberColumn:
        """Remember whether there is any value."""
        return cls(series.name, bool(np.isfinite(as_float(series)).any()))

    @property
    def outputs(self) -> list[str]:
        """Names of the numbers this column becomes."""
        return [self.name]

    def check(self) -> None:
        """Raise ValueError if a stored column is not one that `fit` makes."""
        if not isinstance(self.seen, bool):
            raise ValueError(f"column {self.name!r}: seen is {self.seen!r}")

    def transform(self, series: pl.Series) -> Matrix:
        """Return one column of numbers."""
        return as_float(series)[:, None] if self.seen else np.zeros((len(series), 1))


@dataclass(frozen=True)
class CalendarColumn:
    """A date-time: days since 1970 (UTC), and the parts of the calendar that vary in fitting."""

    kind: ClassVar[str] = "datetime"
    name: str
    parts: tuple[str, ...]

    @staticmethod
    def _all_parts(series: pl.Series) -> dict[str, NDArray[np.float64]]:
        if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        stamp = series.cast(pl.Datetime("us"), strict=False)
        columns = (
            stamp.to_physical().cast(pl.Float64) / MICROSECONDS_PER_DAY,
            stamp.dt.hour() + stamp.dt.minute() / 60 + stamp.dt.second() / 3600,
            stamp.dt.weekday(),
            stamp.dt.day(),
            stamp.dt.month(),
        )
        return {part: as_float(values) for part, values in zip(CALENDAR, columns, strict=True)}

    @classmethod
    def fit(cls, series: pl.Series) -> CalendarColumn:
        """Keep the parts that take more than one value."""
        kept = []
        for part, values in cls._all_parts(series).items():
            seen = values[~np.isnan(values)]
            if seen.size and seen.min() < seen.max():
                kept.append(part)
        return cls(series.name, tuple(kept))

    @property
    def outputs(self) -> list[str]:
        """Names of the numbers this column becomes."""
        return [f"{self.name}: {part}" for part in self.parts]

    def check(self) -> None:
        """Raise ValueError if a stored column is not one that `fit` makes."""
        if not set(self.parts) <= set(CALENDAR):
            raise ValueError(f"column {self.name!r}: parts of a date are {self.parts!r}")

    def transform(self, series: pl.Series) -> Matrix:
        """Return one column of numbers per kept part."""
        if not self.parts:
            return np.zeros((len(series), 0))
        parts = self._all_parts(series)
        return np.column_stack([parts[part] for part in self.parts])


@dataclass(frozen=True)
class LevelColumn:
    """A category of few levels: the kept levels sorted as text, the rare ones pooled as "other".

    As a code: 0 .. k-1 in sorted order of the kept levels, k for pooled and unseen levels, -1 for missing.
    As indicators: one column per kept level, then "other" if levels were pooled, then "missing" if a value
    was missing; an unseen level counts as "other", or is all zeros where nothing was pooled.
    """

    kind: ClassVar[str] = "levels"
    name: str
    levels: tuple[str, ...]
    pooled: bool
    missing_seen: bool
    indicators: bool

    @classmethod
    def fit(cls, series: pl.Series, *, max_levels: int, min_rows: int, indicators: bool) -> LevelColumn:
        """Keep the `max_levels` most frequent of the levels with at least `min_rows` rows."""
        text = as_text(series)
        counts = text.drop_nulls().value_counts()
        names, sizes = counts[text.name].to_list(), counts["count"].to_list()
        common = sorted((-size, level) for level, size in zip(names, sizes, strict=True) if size >= min_rows)
        kept = tuple(sorted(level for _, level in common[:max_levels]))
        return cls(series.name, kept, len(kept) < len(names), text.null_count() > 0, indicators)

    @property
    def outputs(self) -> list[str]:
        """Names of the numbers this column becomes."""
        if not self.indicators:
            return [self.name]
        names = [f"{self.name} = {level}" for level in self.levels]
        names += [f"{self.name} is another level"] if self.pooled else []
        return names + ([f"{self.name} is missing"] if self.missing_seen else [])

    def check(self) -> None:
        """Raise ValueError if a stored column is not one that `fit` makes."""
        _check_levels(self.name, self.levels)

    def transform(self, series: pl.Series) -> Matrix:
        """Return codes, one column, or indicators, one column each."""
        codes, missing = level_codes(series, self.levels)
        k = len(self.levels)
        codes = np.where(missing, -1, np.where(codes < 0, k, codes))
        if not self.indicators:
            return codes.astype(np.float64)[:, None]
        # Column k takes the unseen levels and column k + 1 the missing ones, kept only if fitting saw such.
        wide = np.zeros((len(series), k + 2))
        wide[np.arange(len(series)), np.where(codes < 0, k + 1, codes)] = 1.0
        return wide[:, [*range(k), *([k] if self.pooled else []), *([k + 1] if self.missing_seen else [])]]


@dataclass(frozen=True)
class TargetMeanColumn:
    r"""A category of many levels: how far the target's mean lies from the overall mean, level by level.

    For a level with :math:`n` rows of mean :math:`m`, and the overall mean :math:`M` and standard deviation
    :math:`s` of the target, the number is :math:`\frac{n}{n + a} \cdot \frac{m - M}{s}` with `a` the
    smoothing (Micci-Barreca 2001, "A preprocessing scheme for high-cardinality categorical attributes"). An
    unseen level is 0, that is the overall mean; missing is a level of its own.
    """

    kind: ClassVar[str] = "target mean"
    name: str
    levels: tuple[str, ...]
    scores: Matrix  # (n_levels + 2, n_outputs): the levels, then missing, then unseen (zeros)
    of: tuple[str, ...]  # what each output is the mean of: "target", or one class each

    @property
    def outputs(self) -> list[str]:
        """Names of the numbers this column becomes."""
        return [f"{self.name}: mean of {what}" for what in self.of]

    def check(self) -> None:
        """Raise ValueError if a stored column is not one that `fit` makes."""
        _check_levels(self.name, self.levels)
        shape = (len(self.levels) + 2, len(self.of))
        if self.scores.shape != shape or self.scores.dtype != np.float64:
            raise ValueError(f"column {self.name!r}: scores have shape {self.scores.shape}, not {shape}")

    def rows_of(self, series: pl.Series) -> NDArray[np.intp]:
        """Return the row of `scores` that each value takes."""
        codes, missing = level_codes(series, self.levels)
        k = len(self.levels)
        return np.where(missing, k, np.where(codes < 0, k + 1, codes))

    def transform(self, series: pl.Series) -> Matrix:
        """Return the score of each row's level."""
        return self.scores[self.rows_of(series)]


class TargetMeanFit:
    """The target, ready for means over any column: sorted once, cut in folds once.

    Parameters
    ----------
    outcomes : array, shape (n_rows, n_outputs)
        The target itself, or one 0/1 column per class.
    of : names of the outputs
    folds : array of int, shape (n_rows,)
        Fold of each row. It must not depend on the target, or a row's target would reach its own encoding.
    smoothing : float
    """

    def __init__(self, outcomes: Matrix, of: tuple[str, ...], folds: NDArray[np.intp], smoothing: float) -> None:
        # Sums are taken in sorted order of the target, so that no order of rows changes their last bit.
        self.order = np.lexsort(outcomes.T[::-1])
        self.outcomes, self.of, self.folds, self.smoothing = outcomes, of, folds, smoothing

    def _scores(self, rows: NDArray[np.intp], codes: NDArray[np.intp], size: int) -> Matrix:
        scores = np.zeros((size, len(self.of)))
        if rows.size == 0:
            return scores
        codes = codes[rows]
        counts = np.bincount(codes, minlength=size)
        for j in range(len(self.of)):
            values = self.outcomes[rows, j]
            centred = values - values.mean()
            spread = np.sqrt(np.mean(np.square(centred)))
            if spread > 0:
                sums = np.bincount(codes, centred, minlength=size)
                scores[:, j] = sums / np.where(counts > 0, counts + self.smoothing, 1.0) / spread
        return scores

    def fit(self, series: pl.Series) -> tuple[TargetMeanColumn, Matrix]:
        """Return the column fitted on all rows, and the cross-fitted numbers of these same rows.

        A row's cross-fitted number uses the targets of the other folds only, in level mean, overall mean and
        standard deviation alike.
        """
        levels = tuple(as_text(series).drop_nulls().unique().sort().to_list())
        size = len(levels) + 2
        blank = TargetMeanColumn(series.name, levels, np.zeros((size, len(self.of))), self.of)
        codes = blank.rows_of(series)
        column = TargetMeanColumn(series.name, levels, self._scores(self.order, codes, size), self.of)
        crossed = np.zeros((len(codes), len(self.of)))
        for fold in np.unique(self.folds):
            inside = self.folds == fold
            others = self.order[~inside[self.order]]
            crossed[inside] = self._scores(others, codes, size)[codes[inside]]
        return column, crossed
