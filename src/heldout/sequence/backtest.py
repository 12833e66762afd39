"""Rolling origins: what a forecaster would have said at each of them, and what came.

::

    rows      . . . . . . . . . . | . . . . . . . . .
    origin 1  learn               o f f f
    origin 2  learn (again)         . . o f f f           step 2, horizon 3
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.sequence.baselines import BASELINES, FittedBaseline
from heldout.sequence.cutting import known_before
from heldout.sequence.error_parts import ErrorParts, measure_parts
from heldout.sequence.fitted import Forecasts
from heldout.sequence.folds import fold_windows
from heldout.sequence.learned_windows import learnable
from heldout.sequence.measures import Measures, measure, naive_scale
from heldout.sequence.sequences import Sequences
from heldout.sequence.stage_zero import fit_baselines, window_losses
from heldout.sequence.windows import Windows, all_origins
from heldout.sequence.worth import Improvement, paired_improvement

__all__ = ["Backtest", "origins_from", "run_backtest"]


@dataclass(frozen=True, eq=False)
class Backtest:
    """What rolling origins showed; conditional on the periods seen.

    Parameters
    ----------
    measures : Measures
        Of all windows together.
    by_step : array of float64, shape (horizon,)
        Mean absolute error at each step.
    skill : mapping of str to Improvement
        Against each baseline, fitted on what the forecaster was fitted on: by how much the loss is below the
        baseline's, with a paired block-bootstrap interval.
    windows : Windows
    forecasts : Forecasts
    loss : {"squared_error", "absolute_error"}
        Of the skills, in units of the scale of each series.
    n_fits : int
    measure_parts : callable
        What `parts` calls.
    """

    measures: Measures
    by_step: NDArray[np.float64]
    skill: Mapping[str, Improvement]
    windows: Windows = field(repr=False)
    forecasts: Forecasts = field(repr=False)
    loss: str
    n_fits: int
    measure_parts: Callable[[], ErrorParts | None] = field(repr=False)

    def parts(self) -> ErrorParts | None:
        """Return the squared error in variance, bias with noise, and drift: four more fits on half of the windows.

        Returns
        -------
        ErrorParts or None
            None where the rows before the first origin are too few for halves.
        """
        return self.measure_parts()

    @property
    def mse(self) -> float:
        """Mean squared error."""
        return self.measures.mse

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return self.measures.mae

    @property
    def mase(self) -> float:
        """Mean absolute scaled error."""
        return self.measures.mase

    @property
    def wql(self) -> float:
        """Weighted quantile loss."""
        return self.measures.wql

    @property
    def coverage(self) -> dict[float, float]:
        """Share of values within the interval of each width asked for."""
        return self.measures.coverage


class FittedAt(Protocol):
    """A forecaster fitted on what was known at an origin."""

    def forecast(self, windows: Windows) -> Forecasts:
        """Forecast windows."""
        ...

    def fit_on_half(self, windows: Windows) -> Callable[[Windows], Forecasts]:
        """Fit what was chosen, without choosing again, to half of the windows known."""
        ...


FitAt = Callable[[Sequences], FittedAt]


def origins_from(sequences: Sequences, horizon: int, start: float, step: int) -> Windows:
    """Return the windows whose first forecast time is `start` or every `step` steps after it.

    Parameters
    ----------
    sequences : Sequences
    horizon : int
    start : float
        Time in steps.
    step : int

    Raises
    ------
    InvalidInput
        No series reaches a horizon past `start`, or none has a row before it.
    """
    every = all_origins(sequences, horizon)
    ahead = sequences.count[every.origin] + 1 - start
    place = np.round(ahead)
    chosen = every.take((place >= 0) & (place % step == 0))
    if not len(chosen):
        first, last = (sequences.time_of(np.array([c]))[0] for c in (sequences.count.min(), sequences.count.max()))
        given = sequences.time_of(np.array([start]))[0]
        raise InvalidInput(
            f"start must leave a row before it and {horizon} rows from it on, got {given}: the table runs from {first} "
            f"to {last}"
        )
    return chosen


def run_backtest(
    sequences: Sequences,
    fit_at: FitAt,
    *,
    horizon: int,
    start: float,
    step: int,
    refit: bool,
    levels: NDArray[np.float64],
    loss: str,
    seed: int,
) -> Backtest:
    """Fit before the first origin, or before each, and compare forecasts with what came.

    Parameters
    ----------
    sequences : Sequences
    fit_at : callable
        Takes the rows known and returns what forecasts windows.
    horizon, step : int
    start : float
        Time in steps.
    refit : bool
        Whether each origin gets a fit of its own, on all rows before it.
    levels : array of float64
    loss : {"quantile", "absolute_error", "squared_error"}
    seed : int
    """
    windows = origins_from(sequences, horizon, start, step)
    time = np.round(sequences.count[windows.origin] + 1 - start).astype(np.int64)
    starts = np.unique(time) if refit else np.array([time.min()])
    point_loss = "squared_error" if loss == "squared_error" else "absolute_error"
    parts: list[tuple[NDArray[np.intp], Forecasts]] = []
    others: dict[str, NDArray[np.float64]] = {name: np.full(len(windows), np.nan) for name in BASELINES}
    first: tuple[Sequences, FittedAt] | None = None
    for at in starts:
        rows = np.flatnonzero(time == at) if refit else np.arange(len(windows))
        asked = windows.take(rows)
        known, _ = known_before(sequences, start + at - 0.5)
        fitted_at = fit_at(known)
        first = first or (known, fitted_at)
        parts.append((rows, fitted_at.forecast(asked)))
        for name, fitted in _baselines(known, horizon).items():
            others[name][rows] = window_losses(asked, fitted.predict(asked), point_loss)
    found = _joined(parts)
    scale = np.full((sequences.n_series, sequences.n_variables), np.nan)
    for series, (begin, end) in enumerate(zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)):
        before = sequences.count[begin:end] < start - 0.5
        if before.sum() > sequences.season:
            scale[series] = naive_scale(sequences.target[begin:end][before], sequences.season)
    losses = window_losses(windows, found.point, point_loss)
    skill = {
        name: paired_improvement(
            losses,
            other,
            sequences.count[windows.origin],
            windows.series,
            block=float(max(horizon, step)),
            rng=stream(seed, "skill", name),
        )
        for name, other in others.items()
        if np.isfinite(other).any()
    }
    error = np.abs(found.point - windows.future())
    return Backtest(
        measure(windows, found, levels, scale),
        np.nanmean(error, axis=(0, 2)),
        skill,
        windows,
        found,
        point_loss,
        len(starts),
        _parts_of(first, windows, float(max(horizon, step)), seed),
    )


def _parts_of(
    first: tuple[Sequences, FittedAt] | None, windows: Windows, block: float, seed: int
) -> Callable[[], ErrorParts | None]:
    """Return what takes the error apart when it is asked for."""

    def compute() -> ErrorParts | None:
        assert first is not None  # noqa: S101 - there is an origin
        known, fitted_at = first
        learn = learnable(known, windows.horizon)
        return measure_parts(learn, windows, fitted_at.fit_on_half, block=block, rng=stream(seed, "parts"))

    return compute


def _baselines(sequences: Sequences, horizon: int) -> dict[str, FittedBaseline]:
    """Fit every baseline on the rows known."""
    windows = learnable(sequences, horizon)
    return fit_baselines(windows, fold_windows(windows))


def _joined(parts: list[tuple[NDArray[np.intp], Forecasts]]) -> Forecasts:
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    return Forecasts(
        np.concatenate([one.point for _, one in parts])[order],
        np.concatenate([one.quantiles for _, one in parts])[order],
    )
