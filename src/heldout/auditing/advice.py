"""What to do next, each piece with the number it rests on, or null and why.

The rules look only at numbers already in the report, so a reader can follow them:

=================  ==============================================================================
action             when
=================  ==============================================================================
``split_first``    the random split would have promised a better error than the safe one
``no_signal``      the interval of the improvement over the baseline reaches 0
``bag``            variance is the largest part of the error
``boost``          excess bias over another candidate is the largest part
``more_rows``      training on half as many rows makes the error worse
``unresolved``     most of the error is left in every candidate: noise, or a feature that is missing
=================  ==============================================================================

No forecast is made yet beyond the table's own size: that needs error curves over growing training sets, and a number
that is not measured is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heldout.auditing.wording import number, percent, share_interval
from heldout.losses import METRICS

__all__ = ["advise"]

NO_FORECAST = "no error curve over growing training sets is measured yet, so nothing is forecast beyond this table"
BAGGED = ("forest", "bagged-boosting")
LOSS_WORDS = {"squared_error": "squared error", "zero_one": "error rate"}


def _piece(
    action: str, sentence: str, metric: str, basis: float | None, reason: str | None = NO_FORECAST
) -> dict[str, Any]:
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


def has_signal(winner: Mapping[str, Any]) -> bool | None:
    """Say whether the improvement's interval stays above 0; None where there is no interval."""
    ends = winner["improvement_ci"]
    return None if ends is None else bool(ends[0] > 0)


def shares(candidate: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the parts of a candidate's expected loss as shares of it, or None where it was not decomposed.

    For the candidate with the lowest bias plus noise all of that is unresolved; for the others the excess over it is
    excess bias. The three sum to 1.
    """
    if candidate["variance"] is None or not candidate["expected_loss"]:
        return None
    total = candidate["expected_loss"]
    excess = candidate["excess_bias"] or 0.0
    return {
        "variance": candidate["variance"] / total,
        "excess_bias": excess / total,
        "unresolved": (candidate["bias_plus_noise"] - excess) / total,
    }


def advise(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the advice, most pressing first.

    Parameters
    ----------
    document : mapping
        The report so far: `winner`, `candidates`, `optimism`.
    """
    winner = document["winner"]
    candidate = next(c for c in document["candidates"] if c["name"] == winner["name"])
    pieces = [_signal(winner)] if has_signal(winner) is not True else []
    parts = shares(candidate)
    if parts is None:
        pieces.append(
            _piece(
                "unresolved",
                "What the error is made of is not known.",
                winner["metric"],
                None,
                candidate["reason"],
            )
        )
    elif not candidate["is_baseline"] and has_signal(winner) is not False:
        # Where there is no signal, the parts call for the same step again.
        pieces += _by_largest_part(candidate, parts)
    return [*pieces, *_split_first(document["optimism"])]


def _signal(winner: Mapping[str, Any]) -> dict[str, Any]:
    ends = winner["improvement_ci"]
    if winner["is_baseline"]:
        return _piece(
            "no_signal",
            f"Look for other features: no candidate was shown to beat {winner['label']}.",
            winner["metric"],
            winner["error"],
        )
    if ends is None:
        return _piece(
            "no_signal",
            f"Whether anything beats {winner['baseline_label']} cannot be told: too few groups or periods.",
            winner["metric"],
            None,
            "no interval of the improvement from so few groups or periods",
        )
    return _piece(
        "no_signal",
        f"Look for other features or more rows: nothing was shown to beat {winner['baseline_label']} "
        f"(improvement {share_interval(winner['improvement'], *ends)}).",
        winner["metric"],
        winner["improvement"],
    )


def _by_largest_part(candidate: Mapping[str, Any], parts: Mapping[str, float]) -> list[dict[str, Any]]:
    rules = {"variance": _bag, "excess_bias": _boost, "unresolved": _unresolved}
    order = sorted(parts, key=lambda part: -parts[part])
    pieces = [rules[order[0]](candidate, parts)]
    rows = _more_rows(candidate)
    if rows is not None:
        # Rows cure variance; where something else is the largest part, they come second.
        pieces.append(rows)
    return pieces


def _bag(candidate: Mapping[str, Any], parts: Mapping[str, float]) -> dict[str, Any]:
    word = LOSS_WORDS[candidate["decomposition"]["loss"]]
    if candidate["name"] in BAGGED:
        return _piece(
            "bag",
            f"Get more rows, or average more models: variance is {percent(parts['variance'])} of the {word}, although "
            f"{candidate['label']} averages models fitted on resampled rows already.",
            candidate["decomposition"]["loss"],
            candidate["variance"],
            "the gain from more bagging is not measured yet",
        )
    return _piece(
        "bag",
        f"Average models fitted on resampled rows, or get more rows: variance is {percent(parts['variance'])} "
        f"of the {word}, and bagging can remove at most that.",
        candidate["decomposition"]["loss"],
        candidate["variance"],
        "the gain from bagging is not measured yet",
    )


def _boost(candidate: Mapping[str, Any], parts: Mapping[str, float]) -> dict[str, Any]:
    word = LOSS_WORDS[candidate["decomposition"]["loss"]]
    return _piece(
        "boost",
        f"Use a richer model or boost this one: {percent(parts['excess_bias'])} of its {word} is bias that "
        "another candidate does not have.",
        candidate["decomposition"]["loss"],
        candidate["excess_bias"],
    )


def _unresolved(candidate: Mapping[str, Any], parts: Mapping[str, float]) -> dict[str, Any]:
    word = LOSS_WORDS[candidate["decomposition"]["loss"]]
    return _piece(
        "unresolved",
        f"Look for new features or measure the target better: {percent(parts['unresolved'])} of the {word} is "
        "noise, or bias that every candidate shares.",
        candidate["decomposition"]["loss"],
        candidate["unresolved"],
    )


def _more_rows(candidate: Mapping[str, Any]) -> dict[str, Any] | None:
    half, full = candidate["error_at_half"], candidate["error_same_loss"]
    if half is None or full is None or half <= full:
        return None
    word = candidate["decomposition"]["metric_label"]
    return _piece(
        "more_rows",
        f"More rows: trained on {candidate['decomposition']['n_train']:,} rows its {word} is {number(half)}, "
        f"on {candidate['decomposition']['n_train_full']:,} rows {number(full)}.",
        candidate["decomposition"]["loss"],
        half - full,
    )


def _split_first(optimism: Mapping[str, Any]) -> list[dict[str, Any]]:
    ends = optimism["ci_low"], optimism["ci_high"]
    if optimism["gap"] is None or ends[0] is None or ends[1] is None:
        return []
    # The gap is safe minus random: of an accuracy promised too high it lies below 0.
    flattered = ends[1] < 0 if METRICS[optimism["metric"]].higher_is_better else ends[0] > 0
    if not flattered:
        return []
    return [
        _piece(
            "split_first",
            f"Hold rows out as the verdict says: a random split would have promised {optimism['metric_label']} "
            f"{number(optimism['error_random'])} instead of {number(optimism['error_safe'])}.",
            optimism["metric"],
            optimism["gap"],
            None,
        )
    ]
