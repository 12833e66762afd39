"""Conditions under which an audit fails a build (``--fail-on``)."""

from __future__ import annotations

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
    findings = ((document.get("test") or {}).get("shift") or {}).get("findings", ())
    broken = [
        f"rows of the test file are exact copies of training rows ({finding['effect']:g})"
        for finding in findings
        if "duplicates across" in str(finding.get("statistic")) and not finding.get("harmless")
    ]
    optimism = document.get("optimism") or {}
    low, safe = optimism.get("ci_low"), optimism.get("error_safe")
    if low is not None and safe is not None and low > TOLERATED_GAP * abs(safe):
        broken.append(
            f"a random split would have promised {optimism['metric_label']} {optimism['error_random']:.4g} "
            f"where the safe split gives {safe:.4g}; the gap is at least {low:.3g}, more than "
            f"{TOLERATED_GAP:.0%} of the error"
        )
    return broken


def _baseline(document: Mapping[str, Any]) -> list[str]:
    winner = document.get("winner") or {}
    ends = winner.get("improvement_ci")
    if ends is None:
        return [f"whether {winner.get('label', 'any candidate')} beats the baseline could not be shown"]
    if ends[0] <= 0:
        interval = f"from {ends[0]:.3g} to {ends[1]:.3g}"
        return [f"the interval of the improvement over the baseline reaches 0 ({interval})"]
    return []
