"""Conditions under which an audit fails a build (``--fail-on``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from heldout.cli.options import split_names
from heldout.errors import InvalidInput

__all__ = ["CONDITIONS", "broken_conditions", "parse_conditions"]

CONDITIONS = ("iid", "baseline")

# A gap this small, relative to the error, is not worth failing a build for even when it is surely there.
TOLERATED_GAP = 0.02


def parse_conditions(values: Sequence[str] | None) -> list[str]:
    """Return the conditions asked for.

    Raises
    ------
    InvalidInput
        A condition there is not.

    Examples
    --------
    >>> parse_conditions(["iid,baseline"])
    ['iid', 'baseline']
    """
    names = split_names(values)
    for name in names:
        if name not in CONDITIONS:
            raise InvalidInput(f"--fail-on {name}: there is no such condition; choose from {', '.join(CONDITIONS)}")
    return names


def broken_conditions(document: Mapping[str, Any], conditions: Sequence[str]) -> list[str]:
    """Return a sentence for each condition that holds in a report, naming the numbers it rests on."""
    rules = {"iid": _iid, "baseline": _baseline}
    return [f"--fail-on {name}: {sentence}" for name in conditions for sentence in rules[name](document)]


def _iid(document: Mapping[str, Any]) -> list[str]:
    return [*_leaks(document), *_optimistic(document.get("optimism") or {})]


def _leaks(document: Mapping[str, Any]) -> list[str]:
    """Tell when more rows of the test file are copies of training rows than coarse data has by right.

    Where values repeat by chance, a new row has an equal among n training rows at most about twice as often as a
    training row has one among the rows before it, of which there are n / 2 on average. Both counts are given three
    standard errors (and three where none was counted), so a handful of copies is no leak.
    """
    shift = (document.get("test") or {}).get("shift")
    if not shift or not shift.get("n_duplicates"):
        return []
    copies, n_rows = shift["n_duplicates"], shift["n_current"]
    within = document["iid"]["n_duplicates"]
    by_right = min(1.0, 2 * (within + 3 * math.sqrt(within) + 3) / document["data"]["n_rows"])
    if copies <= n_rows * by_right + 3 * math.sqrt(n_rows * by_right * (1 - by_right)):
        return []
    return [f"{copies:,} of {n_rows:,} rows of the test file are exact copies of training rows"]


def _optimistic(optimism: Mapping[str, Any]) -> list[str]:
    low, high, safe = (optimism.get(field) for field in ("ci_low", "ci_high", "error_safe"))
    if low is None or high is None or safe is None:
        return []
    error, least = abs(safe), low
    from heldout.losses import METRICS  # numpy, which `heldout --help` does without

    if METRICS[optimism["metric"]].higher_is_better:
        # The gap is safe minus random: of an accuracy that was promised too high it is below 0.
        error, least = 1.0 - safe, -high
    if least <= TOLERATED_GAP * error:
        return []
    return [
        f"a random split would have promised {optimism['metric_label']} {optimism['error_random']:.4g} where the "
        f"safe split gives {safe:.4g}; the gap is at least {least:.3g}, more than {TOLERATED_GAP:.0%} of the error"
    ]


def _baseline(document: Mapping[str, Any]) -> list[str]:
    winner = document.get("winner") or {}
    ends = winner.get("improvement_ci")
    if winner.get("is_baseline"):
        return [f"no candidate was shown to beat {winner['label']}"]
    if ends is None:
        return [f"whether {winner.get('label', 'any candidate')} beats the baseline could not be shown"]
    if ends[0] <= 0:
        interval = f"from {ends[0]:.3g} to {ends[1]:.3g}"
        return [f"the interval of the improvement over the baseline reaches 0 ({interval})"]
    return []
