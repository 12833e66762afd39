"""A fitted forecast that predicts the next horizon of series, with the last rows of those it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.auditing.forecast_continuation import continued
from heldout.auditing.forecast_reading import with_target
from heldout.errors import DataError, InvalidInput
from heldout.sequence.baselines.lag_features import LagFeatures
from heldout.sequence.cutting import rows_kept
from heldout.sequence.fitted import FittedForecast, Forecasts
from heldout.sequence.forecast_frame import forecast_frame, like_given
from heldout.sequence.known_future import with_known_future
from heldout.sequence.paths import read_at
from heldout.sequence.reading import read_sequences_like
from heldout.sequence.sequences import Sequences
from heldout.sequence.windows import Windows, last_origins
from heldout.table import Schema, SchemaNote, Table, read_as

__all__ = ["ForecastModel", "model_of"]

# Rows of all series together that a model keeps; more only where its context needs them.
_MOST_ROWS = 100_000
_SHOWN = 5
# As many seasons back as any baseline looks.
_SEASONS = 9


@dataclass(frozen=True, eq=False)
class ForecastModel:
    """A model that forecasts the next steps of series.

    Parameters
    ----------
    fitted : FittedForecast
    history : Sequences
        The last rows of each series: with them, new rows need not begin at the beginning.
    horizon : int
    schema : Schema
        Group, time, target, known and static columns; new data is checked against it.
    manifest : dict
        What else the file says: metrics, how it was made. Plain JSON.
    n_jobs : int, optional
        Threads of torch, where there is a network.
    """

    fitted: FittedForecast
    history: Sequences
    horizon: int
    schema: Schema
    manifest: dict[str, Any]
    n_jobs: int | None = None

    @property
    def levels_of_intervals(self) -> tuple[float, float]:
        """The widths between which an interval may be asked for."""
        return 0.0, round(float(self.fitted.levels[-1] - self.fitted.levels[0]), 10)

    def predict(self, frame: Any = None, *, future: Any = None, interval: float | None = None) -> Any:
        """Forecast the next `horizon` steps of each series.

        Parameters
        ----------
        frame : path or frame, optional
            Rows of the series up to now, new ones or all: the last rows that the model knows are put before them, and
            only the series in it are forecast. By default the series that the model was fitted on, from their end.
        future : path or frame, optional
            Group, time and known columns of the steps to come, where columns are known in advance; rows of `frame`
            without a target are taken for it.
        interval : float, optional
            Share of future values that ``lower`` to ``upper`` are to hold, such as 0.9: set right on past origins,
            which is no guarantee.

        Returns
        -------
        frame of the kind of `frame` (polars by default)
            The group columns, the time, `prediction`, and with `interval` also `lower` and `upper`.

        Raises
        ------
        SchemaMismatch
            A column is lacking or holds another type; times of another step.
        DataError
            As `heldout.sequence.reading.read_sequences`; a step of the known columns is lacking.
        InvalidInput
            An interval that is none.
        """
        return self.predict_with_notes(frame, future=future, interval=interval)[0]

    def predict_with_notes(
        self, frame: Any = None, *, future: Any = None, interval: float | None = None
    ) -> tuple[Any, tuple[str, ...]]:
        """Forecast as `predict`, and return what in the rows the model has not seen before.

        Returns
        -------
        frame
        notes : tuple of str
        """
        self._check_interval(interval)
        sequences, ahead, notes = self._read(frame)
        if future is not None:
            ahead = self._typed(future, self._future_names())[0]
        windows = last_origins(sequences, self.horizon)
        found = self._forecast(windows, with_known_future(sequences, ahead, self.horizon))
        result = forecast_frame(windows, found, self.fitted.levels, ())
        if interval is not None:
            for name, level in (("lower", (1 - interval) / 2), ("upper", (1 + interval) / 2)):
                at = read_at(found.quantiles, self.fitted.levels, np.full(found.point.shape, level))
                result = result.with_columns(pl.Series(name, at.reshape(-1)))
        return like_given(result, frame), notes

    def _check_interval(self, interval: float | None) -> None:
        _, widest = self.levels_of_intervals
        if interval is not None and not 0 < interval <= widest:
            raise InvalidInput(f"interval must be above 0 and at most {widest:g}, got {interval:g}: try 0.9")

    def _forecast(self, windows: Windows, known: NDArray[np.float64]) -> Forecasts:
        known_future = known if windows.sequences.layout.known else None
        if self.fitted.network is None:
            return self.fitted.predict(windows, known_future)
        from heldout.sequence.torch_state import torch_as_found

        with torch_as_found(self.n_jobs):
            return self.fitted.predict(windows, known_future)

    def _read(self, frame: Any) -> tuple[Sequences, Table | None, tuple[str, ...]]:
        """Read new rows, and what of them lies ahead; without new rows there is the history."""
        if frame is None:
            return self.history, None, ()
        typed, found = self._typed(frame, self.schema.names)
        layout = self.history.layout
        known, n_missing = with_target(typed, layout.target[0])
        if not known.n_rows:
            raise DataError(
                f"{layout.target[0]!r} is missing in all {typed.n_rows} rows: give the values of the series up to now"
            )
        ahead = None
        if layout.known and n_missing:
            ahead = _table(typed.frame.filter(pl.col(layout.target[0]).is_null()), typed.schema, typed.source)
        joined = continued(self.history, read_sequences_like(known, self.history))
        notes = [*_notes(found, layout.time, layout.group)]
        notes += [f"not seen when the model was fitted, forecast from its own rows: {_listed(joined.unknown)}"] * bool(
            joined.unknown
        )
        notes += [f"too far from the rows the model keeps, forecast from the new ones: {_listed(joined.apart)}"] * bool(
            joined.apart
        )
        if n_missing:
            notes.append(f"{n_missing:,} rows without a target: the forecast begins after the last one that has it")
        return joined.sequences, ahead, tuple(notes)

    def _typed(self, frame: Any, names: tuple[str, ...]) -> tuple[Table, tuple[SchemaNote, ...]]:
        schema = self.schema.select(names)
        if isinstance(frame, str | Path):
            typed, notes = read_as(frame, schema)
            return _table(typed, schema, Path(frame).name), notes
        typed, notes = schema.check(frame)
        return _table(typed, schema, "the new rows"), notes

    def _future_names(self) -> tuple[str, ...]:
        layout = self.history.layout
        return (*layout.group, *layout.time, *layout.known)

    def with_manifest(self, document: Mapping[str, Any]) -> ForecastModel:
        """Return the model with what a report says of it."""
        winner = document["winner"]
        manifest = {
            "verdict": document["verdict"],
            "target": document["data"]["target"],
            "candidate": winner["name"],
            "metric": winner["metric"],
            "error": winner["error"],
            "ci_low": winner["ci_low"],
            "ci_high": winner["ci_high"],
            "split": document["split"]["scheme"],
            "horizon": self.horizon,
            "trained_on": {"n_rows": document["data"]["n_rows"], "sha256": document["data"]["sha256"]},
        }
        return replace(self, manifest=manifest)


def _table(frame: pl.DataFrame, schema: Schema, source: str) -> Table:
    return Table(frame=frame, schema=schema, source=source, sha256=None)


def _notes(found: tuple[SchemaNote, ...], time: tuple[str, ...], group: tuple[str, ...]) -> list[str]:
    """Return notes about values; times are always new, and series are spoken of by name."""
    told = [n for n in found if n.column not in (*time, *group) and n.what in ("unseen level", "outside range")]
    lines = [f"{n.column}: {n.what} in {n.n_rows:,} {'row' if n.n_rows == 1 else 'rows'} ({n.example})" for n in told]
    extra = [note.column for note in found if note.what == "extra column"]
    return [*lines, f"columns that the model does not use: {_listed(extra)}"] if extra else lines


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def model_of(
    fitted: FittedForecast, sequences: Sequences, horizon: int, schema: Schema, n_jobs: int | None = None
) -> ForecastModel:
    """Return the model with the last rows of its series.

    Parameters
    ----------
    fitted : FittedForecast
    sequences : Sequences
        All rows that it was fitted on.
    horizon : int
    schema : Schema
        Of the table.
    n_jobs : int, optional
    """
    layout = sequences.layout
    n_kept = max(least_history(fitted, sequences.season), _MOST_ROWS // sequences.n_series)
    end = np.repeat(sequences.offsets[1:], sequences.lengths)
    history, _ = rows_kept(sequences, np.arange(sequences.n_rows) >= end - n_kept)
    names = (*layout.group, *layout.time, *layout.target, *layout.known, *layout.static)
    return ForecastModel(fitted, replace(history, notes=()), horizon, schema.select(names), {}, n_jobs)


def least_history(fitted: FittedForecast, season: int) -> int:
    """Return how many rows the parts of a forecast look back at, at least."""
    parts = [fitted.baseline, *getattr(fitted.baseline, "parts", ())]
    steps = [int(getattr(part, "n_lags", 0)) for part in parts]
    features = getattr(fitted.baseline, "features", None)
    if isinstance(features, LagFeatures):
        steps += [*features.lags, *features.spans, *features.drifts, *features.cycles]
    if fitted.network is not None:
        steps.append(fitted.network.design.shape.length)
    return max(*steps, _SEASONS * season) + 1
