"""The one sentence that stands first everywhere: terminal, title of the page, JSON.

Each part is written from fields of the report, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heldout.auditing.advice import LOSS_WORDS, has_signal, shares
from heldout.auditing.wording import interval, listed, percent, share_interval

__all__ = ["write_verdict"]


def write_verdict(document: Mapping[str, Any]) -> tuple[str, dict[str, str | None]]:
    """Return the verdict and its parts.

    Returns
    -------
    verdict : str
    parts : dict with `iid`, `model`, `shortfall` and `next`; None for a part that cannot be said
    """
    parts = {
        "iid": _iid(document),
        "model": _model(document),
        "shortfall": _shortfall(document),
        "next": _next(document),
    }
    return " ".join(part for part in parts.values() if part), parts


def _next(document: Mapping[str, Any]) -> str | None:
    # Advice that rests on no number says what is not known; that is no step to take.
    step = next((piece for piece in document["advice"] if piece["basis"] is not None), None)
    return None if step is None else f"Next: {_lowered(step['sentence'])}"


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _iid(document: Mapping[str, Any]) -> str:
    return str(document["iid"]["verdict"])


def _model(document: Mapping[str, Any]) -> str:
    winner = document["winner"]
    level = document["split"]["confidence_level"]
    error = interval(winner["error"], winner["ci_low"], winner["ci_high"], level)
    qualifier = _qualifier(document)
    accuracy = f", {percent(winner['accuracy'])} right" if _shows_accuracy(winner) else ""
    if winner["is_baseline"]:
        return (
            f"No signal: no candidate was shown to beat {winner['label']}, "
            f"{winner['metric_label']} {error}{accuracy}{qualifier}."
        )
    head = f"{_capital(winner['label'])}: {winner['metric_label']} {error}{accuracy}{qualifier}"
    return f"{head}, {_against(winner)}{_ties(winner)}."


def _shows_accuracy(winner: Mapping[str, Any]) -> bool:
    return winner["accuracy"] is not None and winner["metric"] not in {"accuracy", "error_rate"}


def _qualifier(document: Mapping[str, Any]) -> str:
    if not document["winner"]["indicative"]:
        return ""
    few = "periods" if document["split"]["scheme"] in {"blocked_time", "group_time"} else "groups"
    return f" (indicative: few {few})"


def _against(winner: Mapping[str, Any]) -> str:
    if winner["improvement"] is None:
        return f"not comparable with {winner['baseline_label']}"
    ends = winner["improvement_ci"] or (None, None)
    if has_signal(winner) is False:
        return f"not shown to beat {winner['baseline_label']}"
    what = "error rate " if winner["metric"] == "accuracy" else ""
    side = "below" if winner["improvement"] >= 0 else "above"
    share = abs(winner["improvement"])
    shown = share_interval(share, *ends) if winner["improvement"] >= 0 else percent(share)
    head, _, tail = shown.partition(", ")
    return f"{what}{head}{f' ({tail})' if tail else ''} {side} {winner['baseline_label']}"


def _ties(winner: Mapping[str, Any]) -> str:
    tied = winner["tied_with"]
    return f"; tied with {listed(tied)}, the simplest is taken" if tied else ""


def _shortfall(document: Mapping[str, Any]) -> str | None:
    winner = document["winner"]
    candidate = next(c for c in document["candidates"] if c["name"] == winner["name"])
    parts = shares(candidate)
    if parts is None or winner["is_baseline"]:
        return None
    word = LOSS_WORDS[candidate["decomposition"]["loss"]]
    size = f"at {candidate['decomposition']['n_train']:,} training rows"
    if parts["variance"] >= 0.5:
        ends = candidate["variance_share_ci"] or (None, None)
        return f"Most of the {word} is variance ({share_interval(parts['variance'], *ends)}, {size})."
    if parts["unresolved"] >= 0.5:
        return (
            f"Most of the {word} ({percent(parts['unresolved'])}, {size}) is unresolved: noise, or bias that every "
            "candidate shares."
        )
    return (
        f"The {word} is {percent(parts['variance'])} variance, {percent(parts['excess_bias'])} excess bias and "
        f"{percent(parts['unresolved'])} unresolved ({size})."
    )
