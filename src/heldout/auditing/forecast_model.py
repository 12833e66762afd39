"""A fitted forecast that predicts the next horizon of series, with the last rows of those it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heldout.sequence.cutting import rows_kept
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.sequences import Sequences

__all__ = ["ForecastModel", "model_of"]

# Rows of all series together that a model keeps; more only where its context needs them.
_MOST_ROWS = 100_000


@dataclass(frozen=True, eq=False)
class ForecastModel:
    """A model that forecasts.

    Parameters
    ----------
    fitted : FittedForecast
    history : Sequences
        The last rows of each series: with them, new rows need not begin at the beginning.
    horizon : int
    manifest : dict
        What else the file says: metrics, how it was made. Plain JSON.
    """

    fitted: FittedForecast
    history: Sequences
    horizon: int
    manifest: dict[str, Any]

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


def model_of(fitted: FittedForecast, sequences: Sequences, horizon: int) -> ForecastModel:
    """Return the model with the last rows of its series.

    Parameters
    ----------
    fitted : FittedForecast
    sequences : Sequences
        All rows that it was fitted on.
    horizon : int
    """
    n_kept = max(least_history(fitted, sequences.season), _MOST_ROWS // sequences.n_series)
    end = np.repeat(sequences.offsets[1:], sequences.lengths)
    history, _ = rows_kept(sequences, np.arange(sequences.n_rows) >= end - n_kept)
    return ForecastModel(fitted, replace(history, notes=()), horizon, {})


def least_history(fitted: FittedForecast, season: int) -> int:
    """Return how many rows the parts of a forecast look back at, at least."""
    network = 0 if fitted.network is None else fitted.network.design.shape.length
    return max(network, int(getattr(fitted.baseline, "n_lags", 0)), 3 * season) + 1
