"""What to do next with a forecast, each piece with the number it rests on.

====================  =========================================================================
action                when
====================  =========================================================================
``no_signal``         no candidate was shown to beat the best naive forecast
``widen_intervals``   intervals held fewer values than they promise by more than 5 points
``forecast_often``    the error one step ahead is less than 0.8 of that at the end of the horizon
``known_columns``     columns were not used, since their future is not known
``more_time``         attention had too few steps of training to be judged by
``install_torch``     attention was not tried because torch is not installed
====================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heldout.auditing.wording import number, percent

__all__ = ["advise_forecast"]

_TOLERATED = 0.05
_GROWS = 0.8
NO_FORECAST = "what following it would do to the error is not measured"


def _piece(action: str, sentence: str, metric: str, basis: float | None, reason: str = NO_FORECAST) -> dict[str, Any]:
    return {
        "action": action,
        "sentence": sentence,
        "metric": metric,
        "basis": basis,
        "forecast": None,
        "ci_low": None,
        "ci_high": None,
        "reason": reason,
    }


def advise_forecast(document: Mapping[str, Any], unused: Sequence[str]) -> list[dict[str, Any]]:
    """Return the advice, most pressing first.

    Parameters
    ----------
    document : mapping
        The report so far: `winner`, `forecast`.
    unused : sequence of str
        Columns that played no part.
    """
    rules = (_no_signal, _intervals, _often, _more_time)
    pieces = [*(rule(document) for rule in rules), _columns(unused), _torch(document)]
    return [piece for piece in pieces if piece is not None]


def _no_signal(document: Mapping[str, Any]) -> dict[str, Any] | None:
    winner = document["winner"]
    ends = winner["improvement_ci"]
    if winner["ci_low"] is None:
        sentence = f"Collect more periods: whether anything beats {winner['baseline_label']} cannot be told yet."
        return _piece("no_signal", sentence, winner["metric"], None, "no intervals from so few periods")
    if winner["is_baseline"]:
        sentence = f"Use {winner['label']}, or look for columns known in advance: nothing tried forecasts better."
        return _piece("no_signal", sentence, winner["metric"], winner["error"])
    if ends[0] > 0:
        return None
    sentence = f"Look for columns known in advance: nothing was shown to beat {winner['baseline_label']}."
    return _piece("no_signal", sentence, winner["metric"], winner["improvement"])


def _intervals(document: Mapping[str, Any]) -> dict[str, Any] | None:
    forecast = document["forecast"]
    share = next((one["share"] for one in forecast["coverage"] if one["level"] == forecast["interval"]), None)
    if share is None or share >= forecast["interval"] - _TOLERATED:
        return None
    sentence = (
        f"Trust the intervals less: those of {percent(forecast['interval'])} held {percent(share)} of the values; the "
        "series changed since what they were set by."
    )
    return _piece("widen_intervals", sentence, "share of values held", share)


def _often(document: Mapping[str, Any]) -> dict[str, Any] | None:
    by_step, horizon = document["forecast"]["by_step"], document["forecast"]["horizon"]
    error = by_step["lines"][0]["error"]
    if horizon < 2 or error[0] is None or error[-1] is None or error[0] >= _GROWS * error[-1]:
        return None
    label = by_step["metric_label"]
    sentence = (
        f"Forecast again as values come in: one step ahead {label} is {number(error[0])}, {horizon} steps ahead "
        f"{number(error[-1])}."
    )
    return _piece("forecast_often", sentence, by_step["metric"], error[0])


def _more_time(document: Mapping[str, Any]) -> dict[str, Any] | None:
    attention, budget = document["forecast"]["attention"], document["plan"]["time_budget"]
    if not attention["tried"] or attention["trained"]:
        return None
    sentence = (
        f"Give attention more time (--time-budget above {budget:g}): {attention['n_steps']:,} steps of training are "
        "too few to judge it by."
    )
    return _piece("more_time", sentence, "steps of training", float(attention["n_steps"]))


def _columns(unused: Sequence[str]) -> dict[str, Any] | None:
    if not unused:
        return None
    listed = ", ".join(unused[:4]) + (f" and {len(unused) - 4} more" if len(unused) > 4 else "")
    sentence = f"Name the columns whose future is known in advance (--known), if there are any; not used: {listed}."
    return _piece("known_columns", sentence, "columns not used", float(len(unused)))


def _torch(document: Mapping[str, Any]) -> dict[str, Any] | None:
    reason = document["forecast"]["attention"]["reason"]
    if reason is None or "torch" not in reason:
        return None
    sentence = "To try attention too, install torch: pip install 'heldout[sequence]'."
    return _piece("install_torch", sentence, document["winner"]["metric"], None, reason)
