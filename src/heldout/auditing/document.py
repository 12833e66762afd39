"""The sections of `report.json`, from the results of the stages.

Only plain Python values go in: finite floats, ints, strings, lists, dicts and None, so that what is written can be
read back to the same document.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from heldout.auditing.optimism import Optimism, chosen_at_random, fewest_units
from heldout.auditing.scoring import Scored, Setting
from heldout.auditing.selection import Selection
from heldout.auditing.shortfall import Shortfall
from heldout.table import Dataset

__all__ = [
    "candidates_section",
    "data_section",
    "differences_section",
    "optimism_section",
    "plain",
    "predictions_section",
    "split_section",
    "versions_section",
    "winner_section",
]

MOST_POINTS = 2_000
AT_RANDOM = ("random", "stratified")


def plain(value: Any) -> Any:
    """Turn numpy values into Python's own; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def data_section(dataset: Dataset, name: str, n_columns: int) -> dict[str, Any]:
    """Describe the table."""
    groups = None
    if dataset.groups is not None:
        groups = {"columns": list(dataset.group_columns), "n_groups": len(np.unique(dataset.groups))}
    return {
        "name": name,
        "n_rows": len(dataset.target.values),
        "n_columns": n_columns,
        "n_features": dataset.features.width,
        "target": dataset.target.name,
        "task": dataset.target.task,
        "classes": list(dataset.target.classes) or None,
        "groups": groups,
        "time": {"columns": list(dataset.time_columns)} if dataset.time is not None else None,
        "n_target_missing": dataset.n_target_missing,
        "notes": list(dataset.notes),
        "sha256": dataset.sha256,
    }


def split_section(setting: Setting, n_repeats: int) -> dict[str, Any]:
    """Describe how rows were held out."""
    choice = setting.report.choice
    return {
        "scheme": choice.scheme,
        "deploy": choice.deploy,
        "gap": choice.gap,
        "n_folds": setting.n_folds,
        "n_repeats": n_repeats,
        "reason": choice.reason,
        "conditional": choice.conditional,
        "confidence_level": setting.confidence_level,
    }


def candidates_section(
    scored: Mapping[str, Scored], selection: Selection, shortfall: Shortfall, setting: Setting
) -> list[dict[str, Any]]:
    """Describe every candidate: error on training rows, on held-out rows, parts of the error."""
    return [_candidate(one, selection, shortfall, setting) for one in scored.values()]


def _candidate(scored: Scored, selection: Selection, shortfall: Shortfall, setting: Setting) -> dict[str, Any]:
    estimate, name = scored.estimate, scored.candidate.name
    return {
        "name": name,
        "label": scored.candidate.label,
        "metric": setting.metric.name,
        "metric_label": setting.metric.label,
        "is_baseline": scored.candidate.is_baseline,
        "training_error": estimate.training_error,
        "error": estimate.error,
        "ci_low": estimate.ci_low,
        "ci_high": estimate.ci_high,
        "standard_error": estimate.standard_error,
        "confidence_level": estimate.confidence_level,
        "method": estimate.method,
        "estimand": estimate.estimand,
        "indicative": estimate.indicative,
        "note": estimate.note,
        "n_fits": estimate.n_fits,
        "how_fitted": scored.folds.how_fitted,
        "tied": name in selection.tied,
        "accuracy": _accuracy(scored),
        "accuracy_training": scored.accuracy_training,
        "auc": scored.area_under_curve,
        **shortfall.of(name),
        "seconds": scored.seconds,
    }


def _accuracy(scored: Scored) -> float | None:
    return None if scored.zero_one is None else 1.0 - float(np.nanmean(scored.zero_one))


def differences_section(scored: Mapping[str, Scored], selection: Selection, setting: Setting) -> list[dict[str, Any]]:
    """Describe the paired differences in mean loss, candidate minus winner."""
    return [
        {
            "name": name,
            "label": scored[name].candidate.label,
            "loss": setting.metric.loss.name,
            "difference": difference.difference,
            "ci_low": difference.ci_low if difference.n_units >= fewest_units(setting) else None,
            "ci_high": difference.ci_high if difference.n_units >= fewest_units(setting) else None,
        }
        for name, difference in selection.differences.items()
    ]


def predictions_section(scored: Scored, setting: Setting) -> dict[str, Any]:
    """Give the held-out predictions of the winner: a scatter of at most 2,000 points, or the confusion counts."""
    tested = np.flatnonzero(np.isfinite(scored.folds.losses))
    predictions, y = scored.folds.predictions, setting.y
    head = {"name": scored.candidate.name, "n_rows": len(tested)}
    if setting.classes is None:
        # Evenly spaced in the order of the target: the tails are shown, and no draw is needed.
        shown = tested[np.argsort(y[tested], kind="stable")]
        if len(shown) > MOST_POINTS:
            shown = shown[np.linspace(0, len(shown) - 1, MOST_POINTS).astype(int)]
        return {"kind": "scatter", **head, "x": plain(y[shown]), "y": plain(predictions[shown])}
    codes = predictions[tested]
    codes = codes.argmax(axis=1) if codes.ndim == 2 else codes.astype(int)
    counts = np.zeros((len(setting.classes), len(setting.classes)), int)
    np.add.at(counts, (y[tested].astype(int), codes), 1)
    return {
        "kind": "confusion",
        **head,
        "classes": list(setting.dataset.target.classes),
        "counts": plain(counts),
    }


def versions_section(
    packages: Sequence[str] = ("heldout", "numpy", "scipy", "scikit-learn", "polars"),
) -> dict[str, str]:
    """Give the versions that the numbers depend on."""
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def winner_section(scored: Mapping[str, Scored], selection: Selection, setting: Setting) -> dict[str, Any]:
    """Describe the winner: its error and interval, both shifted by what having won flatters."""
    winner, baseline = scored[selection.winner], scored[selection.baseline]
    shift, mean = selection.shift, winner.mean_loss
    in_metric = setting.metric.from_mean_loss
    ends = None
    if mean.ci_low is not None and mean.ci_high is not None:
        ends = sorted([in_metric(mean.ci_low + shift), in_metric(mean.ci_high + shift)])
    error = in_metric(mean.error + shift)
    improvement = selection.improvement
    return {
        "name": selection.winner,
        "label": winner.candidate.label,
        "is_baseline": winner.candidate.is_baseline,
        "metric": setting.metric.name,
        "metric_label": setting.metric.label,
        "error": error,
        "ci_low": ends[0] if ends else None,
        "ci_high": ends[1] if ends else None,
        "method": winner.estimate.method,
        "estimand": winner.estimate.estimand,
        "indicative": winner.estimate.indicative,
        "note": winner.estimate.note,
        "error_before_correction": winner.estimate.error,
        "correction": error - winner.estimate.error,
        "baseline": selection.baseline,
        "baseline_label": baseline.candidate.label,
        "improvement": improvement.share,
        "improvement_percent": None if improvement.share is None else 100 * improvement.share,
        "improvement_ci": None if improvement.ci is None else list(improvement.ci),
        "accuracy": _accuracy(winner),
        "auc": winner.area_under_curve,
        "tied_with": [scored[name].candidate.label for name in selection.tied if name != selection.winner],
        "share_of_resamples_won": dict(zip(scored, selection.corrected.share_of_resamples_won, strict=True)),
    }


def optimism_section(
    optimism: Mapping[str, Optimism],
    scored: Mapping[str, Scored],
    winner: str,
    setting: Setting,
) -> dict[str, Any]:
    """Describe what a random split would have promised beside what the safe split says.

    The error promised is that of the candidate which a random split would have chosen: the wrong split misleads the
    choice too.
    """
    reason = None
    name = chosen_at_random(optimism, setting.metric) or winner
    if setting.scheme in AT_RANDOM:
        reason = "rows are held out at random already: there is no safer split to compare with"
    elif not optimism:
        reason = "interrupted before the random split was measured"
    return {
        "name": name,
        "label": scored[name].candidate.label,
        "metric": setting.metric.name,
        "metric_label": setting.metric.label,
        "scheme_random": "random",
        "scheme_safe": setting.report.choice.scheme,
        **_gap_fields(optimism.get(name)),
        "reason": reason,
        "by_candidate": [
            {"name": name, "label": scored[name].candidate.label, **_gap_fields(optimism[name])}
            for name in scored
            if name in optimism
        ],
    }


def _gap_fields(optimism: Optimism | None) -> dict[str, Any]:
    main, accuracy = (None, None) if optimism is None else (optimism.main, optimism.accuracy)
    ends = None if accuracy is None or accuracy.ci_low is None else [accuracy.ci_low, accuracy.ci_high]
    return {
        "error_random": None if main is None else main.error_random,
        "error_safe": None if main is None else main.error_safe,
        "gap": None if main is None else main.gap,
        "ci_low": None if main is None else main.ci_low,
        "ci_high": None if main is None else main.ci_high,
        "accuracy_random": None if accuracy is None else accuracy.error_random,
        "accuracy_safe": None if accuracy is None else accuracy.error_safe,
        "accuracy_gap": None if accuracy is None else accuracy.gap,
        "accuracy_gap_ci": ends,
    }
