"""The section `forecast` of `report.json`: horizon, errors by step, intervals, skill, attention, and examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.auditing.forecast_candidates import LEVELS, ForecastScored
from heldout.auditing.forecast_metrics import ForecastMetric
from heldout.auditing.forecast_origins import HeldOutEnd
from heldout.auditing.forecast_plan import NetworkSizes
from heldout.auditing.forecast_route import ATTENTION
from heldout.auditing.forecast_selection import Estimate, ForecastSelection
from heldout.auditing.forecast_wording import ahead_words, horizon_words, time_words
from heldout.sequence.measures import Measures, measure
from heldout.sequence.windows import Windows

__all__ = ["Shown", "forecast_section"]

INTERVAL = 0.9
_LEAST_HISTORY, _MOST_HISTORY = 12, 240
_HARD = 0.9
# Drawn step by step beside the winner.
_LINES = ("last-value", "seasonal-naive", ATTENTION)


@dataclass(frozen=True, eq=False)
class Shown:
    """What the section is written from."""

    scored: Mapping[str, ForecastScored]
    selection: ForecastSelection
    held: HeldOutEnd
    metric: ForecastMetric
    scale: NDArray[np.float64]
    sizes: NetworkSizes | None
    why_no_attention: str | None

    @property
    def winner(self) -> ForecastScored:
        """The chosen candidate."""
        return self.scored[self.selection.winner]

    def measures(self, one: ForecastScored) -> Measures:
        """Return every error of a candidate."""
        return measure(self.held.tested, one.found, LEVELS, self.scale)


def forecast_section(shown: Shown) -> dict[str, Any]:
    """Return the section."""
    windows = shown.held.tested
    sequences = windows.sequences
    every = {name: shown.measures(one) for name, one in shown.scored.items()}
    return {
        "horizon": windows.horizon,
        "horizon_words": horizon_words(sequences.step, windows.horizon),
        "ahead_words": ahead_words(sequences.step, windows.horizon),
        "step": str(sequences.step),
        "season": sequences.season,
        "n_series": sequences.n_series,
        "known": list(sequences.layout.known),
        "static": list(sequences.layout.static),
        "origins": _origins(shown),
        "measures": [
            {
                "name": name,
                "label": shown.scored[name].label,
                "rmse": found.mse**0.5,
                "mae": found.mae,
                "mase": found.mase,
                "wql": found.wql,
            }
            for name, found in every.items()
        ],
        "coverage": [
            {"level": level, "share": share} for level, share in sorted(every[shown.winner.name].coverage.items())
        ],
        "by_step": _by_step(shown),
        "skill": [
            {"name": name, "label": shown.scored[name].label, **_estimate(one)}
            for name, one in shown.selection.skill.items()
        ],
        "attention": _attention(shown),
        "interval": INTERVAL,
        "examples": _examples(shown),
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"improvement": one.value, "ci_low": one.ci_low, "ci_high": one.ci_high}


def _origins(shown: Shown) -> dict[str, Any]:
    held, windows = shown.held, shown.held.tested
    sequences = windows.sequences
    count = sequences.count[windows.origin]
    return {
        "n_windows": len(windows),
        "n_origins": held.n_origins,
        "n_series": len(np.unique(windows.series)),
        "n_learned": held.learned.n_rows,
        "border": "one moment" if held.together else "each series",
        "first": time_words(sequences, count.min() + 1),
        "last": time_words(sequences, count.max() + windows.horizon),
        "n_steps": held.n_steps,
        "unit": shown.selection.unit,
        "n_units": shown.selection.n_units,
    }


def _by_step(shown: Shown) -> dict[str, Any]:
    """Return the error of the candidates at each step ahead, of those whose lines are drawn."""
    truth = shown.held.tested.future()
    squared = shown.metric.loss == "squared_error"
    wanted = (shown.winner.name, *_LINES)
    names = dict.fromkeys(name for name in wanted if name in shown.scored)
    lines = []
    for name in names:
        error = np.abs(shown.scored[name].found.point - truth)
        mean = np.nanmean(error**2 if squared else error, axis=(0, 2))
        lines.append(
            {
                "name": name,
                "label": shown.scored[name].label,
                "error": (np.sqrt(mean) if squared else mean).tolist(),
            }
        )
    return {"metric": "rmse" if squared else "mae", "metric_label": "RMSE" if squared else "MAE", "lines": lines}


def _attention(shown: Shown) -> dict[str, Any]:
    found, against = shown.selection.attention, shown.selection.attention_against
    empty = {"improvement": None, "ci_low": None, "ci_high": None}
    sizes = shown.sizes
    return {
        "tried": found is not None,
        "reason": shown.why_no_attention,
        **(empty if found is None else _estimate(found)),
        "against": against,
        "against_label": None if against is None else shown.scored[against].label,
        "worth_it": None if found is None or found.ci_low is None else bool(found.ci_low > 0),
        "stands_on": None if sizes is None else sizes.stands_on,
        "stands_on_label": None if sizes is None else shown.scored[sizes.stands_on].label,
        "n_steps": None if sizes is None else sizes.n_steps,
        "trained": None if sizes is None else sizes.enough,
        "context": None if sizes is None else sizes.context,
    }


def _examples(shown: Shown) -> list[dict[str, Any]]:
    """Return some windows of the part held out, with what came before, what was said and what came."""
    windows = shown.held.tested
    losses = shown.selection.losses[shown.winner.name]
    known = np.flatnonzero(np.isfinite(losses))
    order = known[np.argsort(losses[known], kind="stable")]
    time = windows.sequences.count[windows.origin]
    wanted = {
        "the last origin": int(known[np.argmax(time[known])]),
        "a typical one": int(order[len(order) // 2]),
        "one of the hardest": int(order[int(_HARD * (len(order) - 1))]),
    }
    chosen: dict[int, str] = {}
    for what, place in wanted.items():
        chosen.setdefault(place, what)
    return [_example(shown, windows, place, what) for place, what in chosen.items()]


def _example(shown: Shown, windows: Windows, place: int, what: str) -> dict[str, Any]:
    sequences, horizon = windows.sequences, windows.horizon
    one = windows.take(np.array([place]))
    n_history = int(np.clip(max(2 * horizon, 2 * sequences.season), _LEAST_HISTORY, _MOST_HISTORY))
    n_history = min(n_history, int(one.origin[0] - sequences.offsets[one.series[0]] + 1))
    low, high = (int(np.argmin(np.abs(LEVELS - level))) for level in ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2))
    found = shown.winner.found
    count = sequences.count[one.origin[0]]
    return {
        "what": what,
        "series": sequences.name(int(one.series[0])),
        "origin": time_words(sequences, count),
        "history": one.values(1 - n_history, 0)[0, :, 0].tolist(),
        "prediction": found.point[place, :, 0].tolist(),
        "low": found.quantiles[place, :, 0, low].tolist(),
        "high": found.quantiles[place, :, 0, high].tolist(),
        "actual": one.future()[0, :, 0].tolist(),
        "start": time_words(sequences, count + 1 - n_history),
        "end": time_words(sequences, count + horizon),
    }
