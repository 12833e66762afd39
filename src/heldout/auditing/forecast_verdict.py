"""The verdict of an audit of forecasts, each part from fields of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heldout.auditing.forecast_wording import share_words, side_word
from heldout.auditing.wording import interval, listed

__all__ = ["write_forecast_verdict"]


def write_forecast_verdict(document: Mapping[str, Any]) -> tuple[str, dict[str, str | None]]:
    """Return the verdict and its parts.

    Returns
    -------
    verdict : str
    parts : dict with `iid`, `model`, `shortfall` (whether attention was worth it) and `next`; None for a part that
        cannot be said
    """
    parts = {
        "iid": str(document["iid"]["verdict"]),
        "model": _model(document),
        "shortfall": _attention(document["forecast"]["attention"]),
        "next": _next(document),
    }
    return " ".join(part for part in parts.values() if part), parts


def _next(document: Mapping[str, Any]) -> str | None:
    step = next((piece for piece in document["advice"] if piece["basis"] is not None), None)
    return None if step is None else f"Next: {step['sentence'][0].lower()}{step['sentence'][1:]}"


def _model(document: Mapping[str, Any]) -> str:
    winner, forecast = document["winner"], document["forecast"]
    level = document["split"]["confidence_level"]
    error = interval(winner["error"], winner["ci_low"], winner["ci_high"], level)
    ahead = forecast["ahead_words"]
    name = winner["label"][0].upper() + winner["label"][1:]
    if winner["ci_low"] is None:
        return (
            f"{name} erred least in forecasts of {ahead}: {winner['metric_label']} {error}, from too few periods to "
            "tell candidates apart."
        )
    few = "; few periods: indicative" if winner["indicative"] else ""
    said = f"{winner['metric_label']} {error}, conditional on the periods seen{few}"
    if winner["is_baseline"]:
        return f"{name} suffices for {ahead}: {said}; nothing tried was shown to forecast better."
    return f"{name} forecasts {ahead} with {said}, {_skill(forecast)}{_ties(winner)}."


def _skill(forecast: Mapping[str, Any]) -> str:
    """Say by how much the error lies below that of the last value and of the seasonal naive forecast."""
    named = [one for one in forecast["skill"] if one["name"] in ("last-value", "seasonal-naive")]
    return listed([f"{_share(one)} {side_word(one['improvement'])} {one['label']}" for one in named])


def _share(one: Mapping[str, Any]) -> str:
    return share_words(one["improvement"], one["ci_low"], one["ci_high"])


def _ties(winner: Mapping[str, Any]) -> str:
    tied = winner["tied_with"]
    return f"; tied with {listed(tied)}, the simplest is taken" if tied else ""


def _attention(attention: Mapping[str, Any]) -> str | None:
    if not attention["tried"]:
        return None
    error = f"{_share(attention)} {side_word(attention['improvement'])} that of {attention['against_label']}"
    if not attention["trained"]:
        steps = attention["n_steps"]
        return (
            f"Whether attention is worth it cannot be told: the time budget had room for {steps:,} steps of training "
            "only."
        )
    if attention["worth_it"] is None:
        return f"Whether attention is worth it cannot be told: too few periods (its error is {error})."
    if attention["worth_it"]:
        return f"Attention lowers the error of {attention['against_label']} by {_share(attention)}."
    return f"Attention was not worth it: its error is {error}."
