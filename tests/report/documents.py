"""Complete sample documents (report.json, schema 1) to render: made up, but each holds together.

The parts of an error sum to it, the verdict is written from the fields, and every null has its reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ESTIMAND = "expected error on new rows from the same source, of models trained on nine tenths of the rows"
NO_FORECAST = "no error curve over growing training sets is measured yet, so nothing is forecast beyond this table"
LOWEST = "it has the lowest bias plus noise of the candidates: there is nothing to exceed"


def finding(column: str, statistic: str, effect: float | None, effect_name: str, **more: Any) -> dict[str, Any]:
    base = {
        "family": "order",
        "column": column,
        "statistic": statistic,
        "effect": effect,
        "effect_name": effect_name,
        "ci_low": None,
        "ci_high": None,
        "place": None,
        "p_value": 0.001,
        "adjusted_p_value": 0.004,
        "validity": "rows permuted as a whole",
        "harmless": False,
        "reason": None,
    }
    return base | more


def iid(verdict: str, findings: Sequence[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:
    base = {
        "n_rows": 500,
        "n_columns": 11,
        "order": "rows",
        "alpha": 0.05,
        "n_permutations": 999,
        "global_p_value": 0.31,
        "order_harmless": False,
        "sorted_by": None,
        "n_duplicates": 0,
        "intraclass_correlation": None,
        "n_groups": None,
        "verdict": verdict,
        "reason": "Future rows are taken to come as these rows came.",
        "seconds": 0.41,
        "rejected": False,
        "copies_held_together": False,
        "validity": "exact: permutations of all rows",
        "choice": {
            "scheme": "random",
            "deploy": "same",
            "gap": 0,
            "reason": "Future rows are taken to come as these rows came.",
            "conditional": None,
        },
        "findings": list(findings),
    }
    return base | more


PARTS = ("variance", "bias_plus_noise", "excess_bias", "unresolved")


def candidate(
    name: str,
    label: str,
    error: float,
    *,
    metric: tuple[str, str] = ("rmse", "RMSE"),
    half_width: float | None = 0.12,
    training: float | None = None,
    parts: tuple[float, float | None, float] | None = None,
    loss: str = "squared_error",
    reason: str | None = "there was no time left to decompose this candidate",
    **more: Any,
) -> dict[str, Any]:
    """One candidate; `parts` = variance, excess bias (None for the lowest), unresolved."""
    base: dict[str, Any] = {
        "name": name,
        "label": label,
        "metric": metric[0],
        "metric_label": metric[1],
        "is_baseline": False,
        "training_error": training,
        "error": error,
        "ci_low": None if half_width is None else error - half_width,
        "ci_high": None if half_width is None else error + half_width * 1.1,
        "standard_error": None if half_width is None else half_width / 2,
        "confidence_level": 0.95,
        "method": "corrected_repeated_kfold",
        "estimand": ESTIMAND,
        "indicative": False,
        "note": None,
        "n_fits": 30,
        "how_fitted": "one by one",
        "tied": False,
        "accuracy": None,
        "auc": None,
        "accuracy_training": None,
        "decomposition": None,
        "expected_loss": None,
        "expected_loss_ci": None,
        "variance": None,
        "variance_ci": None,
        "variance_share_ci": None,
        "bias_plus_noise": None,
        "bias_plus_noise_ci": None,
        "excess_bias": None,
        "excess_bias_ci": None,
        "unresolved": None,
        "unresolved_ci": None,
        "error_at_half": None,
        "error_same_loss": None,
        "reason": reason,
        "seconds": 1.234,
    }
    if parts is not None:
        base |= decomposed(*parts, loss=loss)
    return base | more


def decomposed(variance: float, excess: float | None, unresolved: float, *, loss: str) -> dict[str, Any]:
    rest = (excess or 0.0) + unresolved
    total = variance + rest
    spread = 0.12 * total

    def ends(value: float) -> list[float]:
        return [value - spread, value + spread]

    return {
        "decomposition": {
            "loss": loss,
            "metric_label": "RMSE" if loss == "squared_error" else "error rate",
            "label": "at n/2",
            "method": "disjoint",
            "n_train": 200,
            "n_train_full": 450,
            "n_fits": 50,
            "n_partitions": 5,
            "how_fitted": "one by one",
        },
        "expected_loss": total,
        "expected_loss_ci": ends(total),
        "variance": variance,
        "variance_ci": ends(variance),
        "variance_share_ci": [(variance - spread) / total, (variance + spread) / total],
        "bias_plus_noise": rest,
        "bias_plus_noise_ci": ends(rest),
        "excess_bias": excess,
        "excess_bias_ci": None if excess is None else ends(excess),
        "unresolved": unresolved,
        "unresolved_ci": ends(unresolved),
        "error_at_half": math.sqrt(total) if loss == "squared_error" else total,
        "error_same_loss": math.sqrt(0.9 * total) if loss == "squared_error" else 0.9 * total,
        "reason": LOWEST if excess is None else None,
    }


def winner(chosen: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    baseline = next(one for one in candidates if one["is_baseline"])
    shift = 0.011
    known = chosen["ci_low"] is not None
    share = 1 - (chosen["error"] + shift) / baseline["error"]
    base = {
        "name": chosen["name"],
        "label": chosen["label"],
        "is_baseline": chosen["is_baseline"],
        "metric": chosen["metric"],
        "metric_label": chosen["metric_label"],
        "error": chosen["error"] + shift,
        "ci_low": chosen["ci_low"] + shift if known else None,
        "ci_high": chosen["ci_high"] + shift if known else None,
        "method": chosen["method"],
        "estimand": chosen["estimand"],
        "indicative": chosen["indicative"],
        "note": chosen["note"],
        "error_before_correction": chosen["error"],
        "correction": shift,
        "baseline": baseline["name"],
        "baseline_label": baseline["label"],
        "improvement": share,
        "improvement_percent": 100 * share,
        "improvement_ci": [share - 0.06, share + 0.06] if known else None,
        "accuracy": chosen["accuracy"],
        "auc": chosen["auc"],
        "tied_with": [],
        "share_of_resamples_won": {one["name"]: (0.93 if one is chosen else 0.01) for one in candidates},
    }
    return base | more


def differences(chosen: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]], loss: str) -> list[dict[str, Any]]:
    square = 2 if loss == "squared_error" else 1
    rows = []
    for one in candidates:
        gap = one["error"] ** square - chosen["error"] ** square
        known = one["ci_low"] is not None and one is not chosen
        rows.append(
            {
                "name": one["name"],
                "label": one["label"],
                "loss": loss,
                "difference": gap,
                "ci_low": gap - 0.31 if known else None,
                "ci_high": gap + 0.33 if known else None,
            }
        )
    return rows


NO_OPTIMISM = "rows are held out at random already: there is no safer split to compare with"


def optimism(chosen: Mapping[str, Any], scheme: str, **more: Any) -> dict[str, Any]:
    base = {
        "name": chosen["name"],
        "label": chosen["label"],
        "metric": chosen["metric"],
        "metric_label": chosen["metric_label"],
        "scheme_random": "random",
        "scheme_safe": scheme,
        "error_random": None,
        "error_safe": None,
        "gap": None,
        "ci_low": None,
        "ci_high": None,
        "accuracy_random": None,
        "accuracy_safe": None,
        "accuracy_gap": None,
        "accuracy_gap_ci": None,
        "reason": NO_OPTIMISM,
        "by_candidate": [],
    }
    whole = base | more
    if whole["gap"] is not None:
        left_out = ("metric", "metric_label", "scheme_random", "scheme_safe", "reason", "by_candidate")
        whole["by_candidate"] = [{key: value for key, value in whole.items() if key not in left_out}]
    return whole


def advice(action: str, sentence: str, metric: str, basis: float | None, **more: Any) -> dict[str, Any]:
    base = {
        "action": action,
        "sentence": sentence,
        "metric": metric,
        "basis": basis,
        "forecast": None,
        "ci_low": None,
        "ci_high": None,
        "reason": NO_FORECAST,
    }
    return base | more


def assemble(
    verdict_parts: Mapping[str, str | None],
    data: Mapping[str, Any],
    split: Mapping[str, Any],
    candidates: Sequence[Mapping[str, Any]],
    chosen: str,
    loss: str,
    sections: Mapping[str, Any],
) -> dict[str, Any]:
    """Put the sections together as the audit does."""
    best = next(one for one in candidates if one["name"] == chosen)
    seconds = {"reading": 0.052, "iid": 0.41, "candidates": 8.7, "choice": 0.6, "decomposition": 6.1, "fitting": 0.33}
    return {
        "schema": 1,
        "verdict": " ".join(part for part in verdict_parts.values() if part),
        "verdict_parts": dict(verdict_parts),
        "data": {
            "name": "houses.csv",
            "n_rows": 500,
            "n_columns": 12,
            "n_features": 10,
            "target": "price",
            "task": "regression",
            "classes": None,
            "groups": None,
            "time": None,
            "n_target_missing": 3,
            "notes": ["3 rows have no target and were left out.", "The column 'id' is different text in every row."],
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
        | dict(data),
        "split": {
            "scheme": "random",
            "deploy": "same",
            "gap": 0,
            "n_folds": 10,
            "n_repeats": 3,
            "reason": "Future rows are taken to come as these rows came: rows are held out at random.",
            "conditional": None,
            "confidence_level": 0.95,
        }
        | dict(split),
        "candidates": [dict(one) for one in candidates],
        "winner": winner(best, candidates),
        "differences": differences(best, candidates, loss),
        "optimism": optimism(best, str(split.get("scheme", "random"))),
        "test": None,
        "plan": {
            "time_budget": 120.0,
            "n_folds": 10,
            "n_repeats": 3,
            "n_permutations": 999,
            "decomposed": [one["name"] for one in candidates if one["variance"] is not None],
            "n_partitions": 5,
            "split_at_random": [],
            "extra_candidates": [],
            "decomposition_rows": None,
            "n_resamples": 1000,
            "fits": 412,
            "rows": 500,
            "left_out": [],
        },
        "seed": 0,
        "versions": {"python": "3.12.1", "heldout": "0.1.0", "numpy": "2.0.0", "scikit-learn": "1.5.0"},
        "seconds": {**seconds, "total": sum(seconds.values())},
        "command": "heldout audit houses.csv --target price --seed 0",
        "created": "2026-01-05T10:20:30+00:00",
        "interrupted": False,
    } | dict(sections)


def regression() -> dict[str, Any]:
    """Ungrouped regression, rows held out at random; the money is in variance."""
    rng = np.random.default_rng(7)
    observed = rng.normal(50.0, 6.0, 500)
    predicted = 50.0 + 0.8 * (observed - 50.0) + rng.normal(0.0, 2.0, 500)
    rows = [
        candidate("mean", "predicting the mean", 6.02, is_baseline=True, training=6.01, parts=(0.04, 28.6, 7.1)),
        candidate("ridge", "ridge", 3.61, training=3.42, parts=(1.13, 4.9, 7.1)),
        candidate("tree", "single tree", 3.94, training=1.06, parts=(9.4, None, 7.1)),
        candidate("k-nn", "k-nearest neighbours", 4.12, training=None),
        candidate("forest", "forest", 3.08, training=1.31, parts=(4.2, 0.3, 7.1)),
        candidate(
            "boosting",
            "histogram gradient boosting",
            3.05,
            training=0.84,
            parts=(5.8, -0.4, 7.1),
            tied=True,
            how_fitted="together, cut points shared",
        ),
    ]
    parts = {
        "iid": "No evidence against exchangeable rows was found (p = 0.31, 11 columns); rows are held out at random.",
        "model": "Forest: RMSE 3.09 (95 % CI 2.97 to 3.22), 49 % (43 to 55) below predicting the mean; tied with "
        "histogram gradient boosting, the simplest is taken.",
        "shortfall": "Most of the squared error (61 %, at 200 training rows) is unresolved: noise, or bias that every "
        "candidate shares.",
        "next": "Next: look for new features or measure the target better.",
    }
    found = [
        finding(
            "target", "exact duplicates", 0.0, "rows equal to an earlier row", family="duplicates", p_value=None,
            adjusted_p_value=None, validity="a count", reason="discrete data has duplicates by right",
        )
    ]  # fmt: skip
    return assemble(
        parts,
        {},
        {},
        rows,
        "forest",
        "squared_error",
        {
            "iid": iid(parts["iid"], found),
            "winner": winner(rows[4], rows, tied_with=["histogram gradient boosting"]),
            "advice": [
                advice("unresolved", "Look for new features or measure the target better.", "squared_error", 7.1),
                advice(
                    "more_rows", "Twice the rows: RMSE 2.94.", "rmse", 0.31,
                    forecast=2.94, ci_low=2.83, ci_high=3.05, reason=None,
                ),
            ],
            "predictions": {
                "kind": "scatter",
                "name": "forest",
                "n_rows": 500,
                "x": observed.tolist(),
                "y": predicted.tolist(),
            },
        },
    )  # fmt: skip


VOWELS = ("hid", "hId", "hEd", "hAd", "hYd", "had", "hOd", "hod", "hUd", "hud", "hed")


def vowel() -> dict[str, Any]:
    """Eleven classes, whole speakers held out; a random split would have promised far more."""
    label = ("log_loss", "log loss")
    reason = "there was no time left to decompose this candidate"

    def one(name: str, text: str, error: float, accuracy: float, **more: Any) -> dict[str, Any]:
        return candidate(
            name, text, error, metric=label, loss="zero_one", method="corrected_t_groups", accuracy=accuracy,
            auc=0.5 + accuracy / 2.2, accuracy_training=min(1.0, accuracy + 0.4), n_fits=30, **more,
        )  # fmt: skip

    rows = [
        one("majority", "predicting the class shares", 2.3979, 0.0909, is_baseline=True, half_width=0.004,
            training=2.3979, parts=(0.0, 0.458, 0.452)),
        one("logistic", "logistic regression", 1.812, 0.431, half_width=0.31, training=0.93,
            parts=(0.061, 0.09, 0.452)),
        one("tree", "single tree", 5.93, 0.392, half_width=0.85, training=0.12, parts=(0.219, None, 0.452)),
        one("k-nn", "k-nearest neighbours", 3.10, 0.512, half_width=0.62, training=0.01, reason=reason),
        one("forest", "forest", 1.336, 0.5473, half_width=0.17, training=0.34, parts=(0.121, 0.02, 0.452)),
        one("boosting", "histogram gradient boosting", 1.71, 0.519, half_width=0.33, training=0.0004),
    ]  # fmt: skip
    counts = np.diag([52, 44, 61, 55, 38, 47, 41, 58, 49, 40, 57])
    for i in range(11):
        left = 90 - int(counts[i, i])
        counts[i, (i + 1) % 11] += left - left // 3
        counts[i, (i + 4) % 11] += left // 3
    parts = {
        "iid": "Rows are not independent (Speaker: ICC 0.41); new speakers are predicted by holding whole "
        "speakers out.",
        "model": "Forest: log loss 1.35 (95 % CI 1.18 to 1.53), 55 % right, 44 % (38 to 50) below predicting the class "
        "shares.",
        "shortfall": "Most of the error rate (76 %, at 200 training rows) is unresolved: noise, or bias that every "
        "candidate shares.",
        "next": "Next: hold rows out as the verdict says.",
    }
    found = [
        finding("F0", "intraclass correlation", 0.413, "intraclass correlation", family="groups",
                ci_low=0.28, ci_high=0.61),
        finding("F3", "intraclass correlation", 0.286, "intraclass correlation", family="groups",
                ci_low=0.17, ci_high=0.47),
        finding("F1", "lag 1", -0.192, "rank correlation with the row of its group before", place="inside groups"),
        finding("Class", "sorted", None, "the file is sorted", family="sorted", harmless=True, p_value=None,
                adjusted_p_value=None, reason="nothing is left within equal values"),
        finding("Class", "lag 1", 0.93, "rank correlation with the row before", harmless=True,
                reason="the file is sorted by Class"),
    ]  # fmt: skip
    data = {
        "name": "vowel.csv.gz",
        "n_rows": 990,
        "n_columns": 13,
        "n_features": 11,
        "target": "Class",
        "task": "classification",
        "classes": list(VOWELS),
        "groups": {"columns": ["Speaker"], "n_groups": 15},
        "n_target_missing": 0,
        "notes": [],
    }
    split = {"scheme": "group", "deploy": "new-groups", "reason": "Future rows come from speakers not seen here."}
    return assemble(
        parts,
        data,
        split,
        rows,
        "forest",
        "log_loss",
        {
            "iid": iid(parts["iid"], found, global_p_value=0.001, intraclass_correlation=0.413, n_groups=15,
                       n_rows=990),
            "optimism": optimism(
                rows[4], "group", error_random=0.6214, error_safe=1.347, gap=0.7256, ci_low=0.55, ci_high=0.9,
                accuracy_random=0.8323, accuracy_safe=0.5473, accuracy_gap=-0.285, accuracy_gap_ci=[-0.35, -0.22],
                reason=None,
            ),
            "advice": [
                advice("split_first", "Hold rows out as the verdict says: a random split would have promised log loss "
                       "0.62 instead of 1.35.", "log_loss", 0.7256, reason=None),
                advice("unresolved", "Look for new features or measure the target better.", "zero_one", 0.452),
            ],
            "predictions": {
                "kind": "confusion", "name": "forest", "n_rows": 990, "classes": list(VOWELS),
                "counts": counts.tolist(),
            },
            "command": "heldout demo",
        },
    )  # fmt: skip


def time_ordered() -> dict[str, Any]:
    """Time-ordered regression with a test file, intervals conditional on the periods seen, and work left out."""
    rng = np.random.default_rng(11)
    observed = np.cumsum(rng.normal(0.0, 30.0, 2000)) + 1500.0
    note = "conditional on the periods seen: no interval is validated for ordered rows"
    more = {"method": "block_t", "indicative": True, "note": note, "n_fits": 8}
    rows = [
        candidate("last", "the last value", 241.2, half_width=38.0, is_baseline=True, training=None,
                  parts=(0.0, 10400.0, 22100.0), **more),
        candidate("ridge", "ridge", 187.4, half_width=29.0, training=171.0, parts=(1210.0, 3900.0, 22100.0), **more),
        candidate("forest", "forest", 171.9, half_width=33.0, training=62.0, parts=(6900.0, None, 22100.0), **more),
        candidate("sklearn.svm:SVR", "sklearn.svm:SVR", 239.9, half_width=41.0, training=230.0, **more),
    ]  # fmt: skip
    parts = {
        "iid": "Rows are not independent (count: rank correlation 0.94 with the row before); later rows are predicted "
        "by training on earlier ones.",
        "model": "Forest: RMSE 172 (95 % CI 139 to 208) (if future rows continue this file's order), 29 % (23 to 35) "
        "below the last value.",
        "shortfall": "Most of the squared error (76 %, at 200 training rows) is unresolved.",
        "next": "Next: bag it.",
    }
    found = [
        finding("count", "lag 1", 0.942, "rank correlation with the row before", adjusted_p_value=0.0004),
        finding("temperature", "trend", 0.41, "rank correlation with the position of the row"),
        finding("windspeed", "change point", 12.4, "median after minus before", place="row 1,204 of 17,379"),
    ]
    shift = {
        "n_rows_reference": 17379,
        "n_rows_current": 3000,
        "verdict": "The test file differs in 2 of 12 columns; the largest shift is in 'temperature'.",
        "findings": [
            {"column": "temperature", "statistic": "shift", "effect": 0.61, "adjusted_p_value": 0.001, "example": None},
            {"column": "weather", "statistic": "new levels", "effect": 2, "adjusted_p_value": None, "example": "hail"},
        ],
    }
    data = {
        "name": "bike.csv",
        "n_rows": 17379,
        "target": "count",
        "time": {"columns": ["date", "hour"]},
        "sha256": None,
    }
    split = {
        "scheme": "blocked_time",
        "deploy": "future",
        "gap": 24,
        "n_folds": 8,
        "n_repeats": 1,
        "reason": "Future rows come later than these: each block is predicted from the rows before it.",
        "conditional": "if future rows continue this file's order",
    }
    document = assemble(
        parts,
        data,
        split,
        rows,
        "forest",
        "squared_error",
        {
            "iid": iid(parts["iid"], found, global_p_value=0.001, order="time", n_rows=17379),
            "optimism": optimism(
                rows[2], "blocked_time", error_random=68.0, error_safe=171.9, gap=103.9, ci_low=61.0, ci_high=147.0,
                reason=None,
            ),
            "test": {
                "name": "bike_2013.csv", "n_rows": 3000, "metric": "rmse", "metric_label": "RMSE", "method": "wald",
                "estimand": "error of this model on rows like those of the test file",
                "notes": ["weather: unseen level in 14 rows (hail)"], "error": 183.2, "ci_low": None, "ci_high": None,
                "accuracy": None, "shift": shift, "verdict": "The error on the test file lies inside the interval.",
            },
            "advice": [advice("bag", "Average models fitted on resampled rows.", "squared_error", 6900.0)],
            "predictions": {
                "kind": "scatter", "name": "forest", "n_rows": 15448, "x": observed.tolist(),
                "y": (observed + rng.normal(0.0, 60.0, 2000)).tolist(),
            },
        },
    )  # fmt: skip
    document["differences"] = [
        row | {"ci_low": None if row["ci_low"] is None else row["difference"] - 9000.0,
               "ci_high": None if row["ci_high"] is None else row["difference"] + 9500.0}
        for row in document["differences"]
    ]  # fmt: skip
    document["plan"]["split_at_random"] = ["forest"]
    document["plan"]["left_out"] = ["rows beyond 5,000 per fit in the decomposition", "the third repeat of the folds"]
    document["winner"]["correction"] = 0.0
    return document


def no_signal() -> dict[str, Any]:
    """Nothing beats the baseline, five groups only: no interval anywhere, nothing decomposed, interrupted."""
    few = "5 groups are too few for an interval; the errors of the groups range from 0.61 to 0.77"
    why = "5 groups are too few to train on disjoint halves"
    label = ("log_loss", "log loss")

    def one(name: str, text: str, error: float, **more: Any) -> dict[str, Any]:
        return candidate(name, text, error, metric=label, half_width=None, note=few, reason=why, method="range",
                         accuracy=0.52, auc=None, **more)  # fmt: skip

    rows = [
        one("majority", "predicting the class shares", 0.6931, is_baseline=True, training=0.6920),
        one("logistic", "logistic regression", 0.7214, training=0.61),
        one("forest", "forest", 0.7020, training=0.13),
    ]
    parts = {
        "iid": "No evidence against exchangeable rows was found (p = 0.48, 4 columns); whole groups are held out.",
        "model": "No signal: no candidate was shown to beat predicting the class shares (log loss 0.693).",
        "shortfall": None,
        "next": None,
    }
    document = assemble(
        parts,
        {
            "name": "noise.csv", "n_rows": 60, "n_columns": 6, "n_features": 4, "target": "outcome",
            "task": "classification", "classes": ["no", "yes"],
            "groups": {"columns": ["clinic", "ward"], "n_groups": 5},
            "notes": [], "n_target_missing": 0,
        },
        {"scheme": "group", "deploy": "new-groups", "n_folds": 5, "n_repeats": 1},
        rows,
        "majority",
        "log_loss",
        {
            "iid": iid(parts["iid"], global_p_value=None, n_rows=60),
            "advice": [
                advice("no_signal", "Whether anything beats predicting the class shares cannot be told: too few groups "
                       "for an interval.", "log_loss", None,
                       reason="fewer than 6 groups: no interval of the improvement"),
            ],
            "predictions": {
                "kind": "confusion", "name": "majority", "n_rows": 60, "classes": ["no", "yes"],
                "counts": [[31, 0], [29, 0]],
            },
            "seed": None,
            "command": None,
            "interrupted": True,
        },
    )  # fmt: skip
    document["optimism"]["reason"] = "interrupted before the random split was measured"
    document["winner"] |= {"correction": 0.0, "error": 0.6931, "improvement": None, "improvement_percent": None}
    document["plan"]["left_out"] = ["interrupted before the last stages were finished"]
    return document


def forecast() -> dict[str, Any]:
    """See `report.forecast_documents`, which is built from what stands above."""
    from report import forecast_documents

    return forecast_documents.forecast()


def naive_forecast() -> dict[str, Any]:
    """See `report.forecast_documents`."""
    from report import forecast_documents

    return forecast_documents.naive_forecast()


SAMPLES = {
    "regression": regression,
    "vowel": vowel,
    "time_ordered": time_ordered,
    "no_signal": no_signal,
    "forecast": forecast,
    "naive_forecast": naive_forecast,
}
