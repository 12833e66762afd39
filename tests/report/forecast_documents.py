"""Complete documents of audits of forecasts to render: made up, but each holds together."""

from __future__ import annotations

from typing import Any

import numpy as np

from report.documents import advice, assemble, candidate, differences, finding, iid, winner

NO_PARTS = "errors of forecasts are not split into variance and bias"
NO_RANDOM_SPLIT = "neighbouring windows share most of their values: what a random split would promise is not measured"
NOT_MEASURED = "what following it would do to the error is not measured"
STEPS = 12


def one(name: str, label: str, error: float, **more: Any) -> dict[str, Any]:
    known = more.pop("known", True)
    note = "conditional on the periods seen: a bootstrap over 21 blocks of a horizon, the same for all series"
    return candidate(
        name, label, error, half_width=0.21 if known else None, method="block_bootstrap", reason=NO_PARTS,
        estimand="error of forecasts in the part held out, by a model fitted once on what came before it",
        note=note if known else "there is no interval: 2 blocks of a horizon, or series, are too few", n_fits=2, **more,
    )  # fmt: skip


def example(what: str, seed: int, *, gaps: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    history = (20 + 3 * np.sin(np.arange(24) / 2) + rng.normal(size=24)).tolist()
    said = (20 + 3 * np.sin(np.arange(24, 24 + STEPS) / 2)).tolist()
    actual: list[float | None] = [value + float(rng.normal()) for value in said]
    return {
        "what": what,
        "series": f"shop {seed}",
        "origin": "2024-03-31 23:00:00",
        "start": "2024-03-31 00:00:00",
        "end": "2024-04-01 11:00:00",
        "history": [None, *history[1:]] if gaps else history,
        "prediction": said,
        "low": [value - 1.5 for value in said],
        "high": [value + 1.7 for value in said],
        "actual": [None, *actual[1:]] if gaps else actual,
    }


def by_step(rows: list[dict[str, Any]]) -> dict[str, Any]:
    growth = np.linspace(0.6, 1.3, STEPS)
    drawn = [row for row in rows if row["name"] != "drift"]
    lines = [{"name": r["name"], "label": r["label"], "error": (r["error"] * growth).tolist()} for r in drawn]
    return {"metric": "rmse", "metric_label": "RMSE", "lines": lines}


def skill(rows: list[dict[str, Any]], best: dict[str, Any]) -> list[dict[str, Any]]:
    naive = [row for row in rows if row["is_baseline"] and row is not best]
    return [
        {
            "name": row["name"],
            "label": row["label"],
            "improvement": 1 - best["error"] / row["error"],
            "ci_low": None if row["ci_low"] is None else 0.9 - best["error"] / row["error"],
            "ci_high": None if row["ci_low"] is None else 1.1 - best["error"] / row["error"],
        }
        for row in naive
    ]


def attention_maps() -> dict[str, Any]:
    return {
        "n_windows": 100,
        "n_windows_all": 1824,
        "lags": {
            "time": [3.0 * k for k in range(1, 17)],
            "weight": [0.03 + 0.05 * (k == 8) for k in range(1, 17)],
            "even": [1 / 20] * 16,
            "replica_spread": None,
            "window_spread": [0.01] * 15 + [None],
            "register_share": 0.11,
            "future_share": 0.2,
            "unit": "hours",
            "peak": "24 hours",
            "peak_time": 24.0,
            "season": 24.0,
            "patch": "3 hours",
            "n_windows": 100,
            "n_replicas": 1,
            "spread_over": "100 windows",
        },
        "deletion": {
            "difference": 0.012,
            "ci_low": -0.002,
            "ci_high": 0.026,
            "confidence_level": 0.95,
            "intact_loss": 0.41,
            "attended_loss": 0.452,
            "random_loss": 0.44,
            "loss": "squared_error",
            "share": 0.2,
            "n_hidden": 3.0,
            "n_random": 5,
            "n_windows": 200,
            "n_units": 16,
            "unit": "block of time",
            "explanatory": False,
            "sentence": "Not explanatory: hiding the most attended 20 % of the past is not shown to hurt more than "
            "hiding as much at random (0.012; 95 % interval -0.002 to 0.026).",
        },
    }


def document(
    rows: list[dict[str, Any]], chosen: str, parts: dict[str, Any], attention: dict[str, Any], **forecast: Any
) -> dict[str, Any]:
    best = next(row for row in rows if row["name"] == chosen)
    rng = np.random.default_rng(3)
    observed = rng.normal(20.0, 3.0, 400)
    found = [finding("sold", "lag 1", 0.93, "correlation"), finding("sold", "lags 2 to 24", 0.9, "correlation")]
    section = {
        "horizon": STEPS,
        "horizon_words": "12 hours",
        "ahead_words": "the next 12 hours",
        "step": "1 hour",
        "season": 24,
        "n_series": 3,
        "known": ["promotion", "holiday"],
        "static": ["size"],
        "origins": {
            "n_windows": 1824, "n_origins": 1824, "n_series": 3, "n_learned": 7300, "border": "one moment",
            "first": "2024-03-07 05:00:00", "last": "2024-04-01 11:00:00", "n_steps": 607, "unit": "block of time",
            "n_units": 21,
        },
        "measures": [
            {"name": r["name"], "label": r["label"], "rmse": r["error"], "mae": 0.8 * r["error"], "mase": None,
             "wql": 0.03 * r["error"]}
            for r in rows
        ],
        "coverage": [{"level": 0.5, "share": 0.4712}, {"level": 0.9, "share": 0.8634}],
        "by_step": by_step([best, *(row for row in rows if row is not best)]),
        "skill": skill(rows, best),
        "attention": attention,
        "interval": 0.9,
        "examples": [example("the last origin", 1), example("a typical one", 2, gaps=True)],
    } | forecast  # fmt: skip
    whole = assemble(
        parts,
        {
            "name": "sales.csv", "n_rows": 9120, "n_columns": 7, "n_features": 3, "target": "sold",
            "groups": {"columns": ["shop"], "n_groups": 3}, "time": {"columns": ["hour"]}, "n_target_missing": 4,
            "notes": ["4 rows with a missing 'sold' left out of 9,124"],
        },
        {
            "scheme": "blocked_time", "deploy": "future", "n_folds": 1, "n_repeats": 1,
            "reason": "Future values are later than these, so values from 2024-03-07 05:00:00 on are forecast by "
            "models fitted on what came before; no window learned from reaches into them.",
        },
        rows,
        chosen,
        "squared_error",
        {
            "iid": iid(parts["iid"], found, global_p_value=0.001, rejected=True),
            "winner": winner(best, rows),
            "differences": [row for row in differences(best, rows, "squared_error") if row["name"] != chosen],
            "predictions": {
                "kind": "scatter", "name": chosen, "n_rows": 21888, "x": observed.tolist(),
                "y": (observed + rng.normal(size=400)).tolist(),
            },
            "forecast": section,
            "attention": attention_maps() if attention["trained"] else None,
            "plan": {
                "time_budget": 120.0, "horizon": STEPS, "forecasters": [row["name"] for row in rows],
                "network": None, "n_resamples": 1000, "fits": 11, "rows": 9120, "left_out": [],
            },
        },
    )  # fmt: skip
    whole["optimism"] |= {"reason": NO_RANDOM_SPLIT}
    return whole


NOT_TRIED: dict[str, Any] = {
    "tried": False, "reason": None, "improvement": None, "ci_low": None, "ci_high": None, "against": None,
    "against_label": None, "worth_it": None, "stands_on": None, "stands_on_label": None, "n_steps": None,
    "trained": None, "context": None,
}  # fmt: skip


def forecast() -> dict[str, Any]:
    """Three shops, columns known in advance, attention chosen."""
    rows = [
        one("last-value", "the last value", 3.91, is_baseline=True),
        one("seasonal-naive", "the seasonal naive forecast", 2.63, is_baseline=True),
        one("drift", "the drift", 3.97, is_baseline=True),
        one("ridge", "ridge on lags", 2.04),
        one("attention", "attention", 1.62),
    ]
    parts = {
        "iid": "Rows are not independent (shop: ICC 0.41); later rows are predicted from earlier ones.",
        "model": "Attention forecasts the next 12 hours with RMSE 1.63 (95 % CI 1.42 to 1.86), conditional on the "
        "periods seen, 59 % (49 to 69) below the last value and 38 % (28 to 48) below the seasonal naive forecast.",
        "shortfall": "Attention lowers the error of ridge on lags by 21 % (14 to 27).",
        "next": "Next: forecast again as values come in: one step ahead RMSE is 0.972, 12 steps ahead 2.11.",
    }
    attention = NOT_TRIED | {
        "tried": True, "improvement": 0.206, "ci_low": 0.14, "ci_high": 0.27, "against": "ridge",
        "against_label": "ridge on lags", "worth_it": True, "stands_on": "ridge", "stands_on_label": "ridge on lags",
        "n_steps": 240, "trained": True, "context": 72,
    }  # fmt: skip
    whole = document(rows, "attention", parts, attention)
    whole["plan"]["network"] = {
        "stands_on": "ridge", "context": 72, "width": 64, "depth": 2, "batch_size": 256, "n_steps": 240, "n_threads": 2,
        "enough": True,
    }  # fmt: skip
    whole["advice"] = [
        advice(
            "forecast_often", "Forecast again as values come in: one step ahead RMSE is 0.972, 12 steps ahead 2.11.",
            "rmse", 0.972, reason=NOT_MEASURED,
        ),
        advice(
            "known_columns", "Name the columns whose future is known in advance (--known), if there are any; not used: "
            "visitors.", "columns not used", 1.0, reason=NOT_MEASURED,
        ),
    ]  # fmt: skip
    return whole


def naive_forecast() -> dict[str, Any]:
    """The last value wins, torch is missing, a horizon of one step, too few periods for any interval."""
    rows = [
        one("last-value", "the last value", 1.10, is_baseline=True, known=False, indicative=True),
        one("drift", "the drift", 1.13, is_baseline=True, known=False, indicative=True),
        one("ridge", "ridge on lags", 1.21, known=False, indicative=True),
    ]
    parts = {
        "iid": "Rows are not independent (sold: each row correlates 0.93 with the one before); later rows are "
        "predicted from earlier ones.",
        "model": "The last value erred least in forecasts of the next step: RMSE 1.11, from too few periods to tell "
        "candidates apart.",
        "shortfall": None,
        "next": None,
    }
    why = "attention was left out: torch is needed for sequence models, and is not installed: pip install it"
    short = [example("the last origin", 4)]
    for key in ("prediction", "low", "high", "actual"):
        short[0][key] = short[0][key][:1]
    whole = document(
        rows, "last-value", parts, NOT_TRIED | {"reason": why}, horizon=1, horizon_words="1 step",
        ahead_words="the next step", n_series=1, known=[], static=[], examples=short, coverage=[],
    )  # fmt: skip
    for line in whole["forecast"]["by_step"]["lines"]:
        line["error"] = line["error"][:1]
    whole["data"]["groups"] = None
    whole["winner"] |= {"improvement": 0.0, "improvement_percent": 0.0}
    whole["plan"]["left_out"] = [why]
    whole["advice"] = [
        advice(
            "no_signal", "Collect more periods: whether anything beats the last value cannot be told yet.", "rmse",
            None, reason="no intervals from so few periods",
        ),
        advice(
            "install_torch", "To try attention too, install torch: pip install 'heldout[sequence]'.", "rmse", None,
            reason=why,
        ),
    ]  # fmt: skip
    return whole
