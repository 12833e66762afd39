"""The sections of `report.json` of an audit of forecasts: those of any audit, with nulls where forecasts have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from heldout.auditing.document import MOST_POINTS, plain
from heldout.auditing.forecast_candidates import ForecastScored
from heldout.auditing.forecast_metrics import ForecastMetric
from heldout.auditing.forecast_origins import HeldOutEnd
from heldout.auditing.forecast_reading import SeriesTable
from heldout.auditing.forecast_selection import Estimate, ForecastSelection
from heldout.auditing.forecast_wording import time_words
from heldout.auditing.shortfall import EMPTY
from heldout.sequence.sequences import Sequences

__all__ = [
    "candidates_section",
    "data_section",
    "differences_section",
    "optimism_section",
    "predictions_section",
    "split_section",
    "winner_section",
]

CONDITIONAL = "conditional on the periods seen"
NO_PARTS = "errors of forecasts are not split into variance and bias"
NO_RANDOM_SPLIT = "neighbouring windows share most of their values: what a random split would promise is not measured"
TOO_FEW = "there is no interval: {n} blocks of a horizon, or series, are too few"


def data_section(table: SeriesTable, name: str) -> dict[str, Any]:
    """Describe the table."""
    sequences = table.sequences
    layout = sequences.layout
    groups = {"columns": list(layout.group), "n_groups": sequences.n_series} if layout.group else None
    return {
        "name": name,
        "n_rows": table.n_rows,
        "n_columns": table.n_columns,
        "n_features": len(layout.known) + len(layout.static),
        "target": layout.target[0],
        "task": "regression",
        "classes": None,
        "groups": groups,
        "time": {"columns": list(layout.time)},
        "n_target_missing": table.n_target_missing,
        "notes": list(table.notes),
        "sha256": table.sha256,
    }


def split_section(sequences: Sequences, held: HeldOutEnd, confidence_level: float) -> dict[str, Any]:
    """Describe what was held out."""
    if held.together:
        border = time_words(sequences, sequences.count.max() - held.n_steps + 1)
        which = f"values from {border} on are forecast"
    else:
        which = "the last values of each series are forecast (series end at different times)"
    return {
        "scheme": "blocked_time",
        "deploy": "future",
        "gap": 0,
        "n_folds": 1,
        "n_repeats": 1,
        "reason": f"Future values are later than these, so {which} by models fitted on what came before; no window "
        "learned from reaches into them.",
        "conditional": None,
        "confidence_level": confidence_level,
    }


def candidates_section(
    scored: Mapping[str, ForecastScored], selection: ForecastSelection, metric: ForecastMetric, level: float
) -> list[dict[str, Any]]:
    """Describe every candidate."""
    return [_candidate(one, selection, metric, level) for one in scored.values()]


def _candidate(
    one: ForecastScored, selection: ForecastSelection, metric: ForecastMetric, level: float
) -> dict[str, Any]:
    error = selection.errors[one.name]
    return {
        "name": one.name,
        "label": one.label,
        "metric": metric.name,
        "metric_label": metric.label,
        "is_baseline": one.is_baseline,
        "training_error": None,
        "error": error.value,
        "ci_low": error.ci_low,
        "ci_high": error.ci_high,
        "standard_error": error.standard_error,
        "confidence_level": level,
        "method": "block_bootstrap",
        "estimand": "error of forecasts in the part held out, by a model fitted once on what came before it",
        "indicative": selection.indicative,
        "note": _note(selection),
        "n_fits": one.n_fits,
        "how_fitted": "one by one",
        "tied": one.name in selection.tied,
        "accuracy": None,
        "accuracy_training": None,
        "auc": None,
        **EMPTY,
        "reason": NO_PARTS,
        "seconds": one.seconds,
    }


def _note(selection: ForecastSelection) -> str:
    if not selection.has_intervals:
        return TOO_FEW.format(n=selection.n_units)
    unit = "blocks of a horizon, the same for all series" if selection.unit == "block of time" else "series"
    return f"{CONDITIONAL}: a bootstrap over {selection.n_units:,} {unit}"


def winner_section(
    scored: Mapping[str, ForecastScored], selection: ForecastSelection, metric: ForecastMetric
) -> dict[str, Any]:
    """Describe the winner: its error and interval, both shifted by what having won flatters."""
    winner, error = scored[selection.winner], selection.errors[selection.winner]
    mean = float(np.nanmean(selection.losses[selection.winner]))
    correction = metric.from_mean_loss(mean + selection.shift) - error.value
    skill = Estimate(0.0, None, None) if winner.is_baseline else selection.skill[selection.baseline]
    return {
        "name": winner.name,
        "label": winner.label,
        "is_baseline": winner.is_baseline,
        "metric": metric.name,
        "metric_label": metric.label,
        "error": error.value + correction,
        "ci_low": None if error.ci_low is None else error.ci_low + correction,
        "ci_high": None if error.ci_high is None else error.ci_high + correction,
        "method": "block_bootstrap",
        "estimand": f"error of forecasts, {CONDITIONAL}",
        "indicative": selection.indicative,
        "note": _note(selection),
        "error_before_correction": error.value,
        "correction": correction,
        "baseline": selection.baseline,
        "baseline_label": scored[selection.baseline].label,
        "improvement": skill.value,
        "improvement_percent": 100 * skill.value,
        "improvement_ci": None if skill.ci_low is None else [skill.ci_low, skill.ci_high],
        "accuracy": None,
        "auc": None,
        "tied_with": [scored[name].label for name in selection.tied if name != selection.winner],
        "share_of_resamples_won": dict(selection.share_won),
    }


def differences_section(
    scored: Mapping[str, ForecastScored], selection: ForecastSelection, metric: ForecastMetric
) -> list[dict[str, Any]]:
    """Describe the paired differences in mean loss, candidate minus winner."""
    return [
        {
            "name": name,
            "label": scored[name].label,
            "loss": metric.loss,
            "difference": one.value,
            "ci_low": one.ci_low,
            "ci_high": one.ci_high,
        }
        for name, one in selection.differences.items()
    ]


def optimism_section(winner: ForecastScored, metric: ForecastMetric) -> dict[str, Any]:
    """Say why there is no random split to compare with."""
    empty = ("error_random", "error_safe", "gap", "ci_low", "ci_high")
    accuracy = ("accuracy_random", "accuracy_safe", "accuracy_gap", "accuracy_gap_ci")
    return {
        "name": winner.name,
        "label": winner.label,
        "metric": metric.name,
        "metric_label": metric.label,
        "scheme_random": "random",
        "scheme_safe": "blocked_time",
        **dict.fromkeys((*empty, *accuracy)),
        "reason": NO_RANDOM_SPLIT,
        "by_candidate": [],
    }


def predictions_section(winner: ForecastScored, held: HeldOutEnd) -> dict[str, Any]:
    """Give at most 2,000 values of the part held out with their forecasts, evenly spaced in the order of the value."""
    truth, said = held.tested.future().reshape(-1), winner.found.point.reshape(-1)
    known = np.flatnonzero(np.isfinite(truth))
    shown = known[np.argsort(truth[known], kind="stable")]
    if len(shown) > MOST_POINTS:
        shown = shown[np.linspace(0, len(shown) - 1, MOST_POINTS).astype(int)]
    return {
        "kind": "scatter",
        "name": winner.name,
        "n_rows": len(known),
        "x": plain(truth[shown]),
        "y": plain(said[shown]),
    }
