"""Steps and horizons in the user's words."""

from __future__ import annotations

import datetime

import numpy as np

from heldout.sequence.sequences import Sequences
from heldout.sequence.time_step import TimeStep

__all__ = ["ahead_words", "horizon_words", "share_words", "side_word", "time_words"]

_NARROW = 0.02
_DAY = 86_400.0


def horizon_words(step: TimeStep, horizon: int) -> str:
    """Return the length of a horizon in words.

    Examples
    --------
    >>> horizon_words(TimeStep("second", 3600.0, True), 24), horizon_words(TimeStep("second", 900.0, True), 8)
    ('24 hours', '8 steps of 15 minutes')
    >>> horizon_words(TimeStep("number", 1.0, True), 1), horizon_words(TimeStep("month", 3.0, True), 4)
    ('1 step', '4 steps of 3 months')
    """
    steps = f"{horizon} step{'' if horizon == 1 else 's'}"
    if step.unit == "number" or not step.regular:
        return steps
    number, _, unit = str(step).partition(" ")
    if number == "1":
        return f"{horizon} {unit}{'' if horizon == 1 else 's'}"
    return f"{steps} of {step}"


def ahead_words(step: TimeStep, horizon: int) -> str:
    """Return "the next 24 hours", "the next step".

    Examples
    --------
    >>> ahead_words(TimeStep("second", 3600.0, True), 24), ahead_words(TimeStep("month", 1.0, True), 1)
    ('the next 24 hours', 'the next month')
    """
    words = horizon_words(step, horizon)
    return f"the next {words.removeprefix('1 ') if horizon == 1 else words}"


def share_words(share: float, low: float | None, high: float | None) -> str:
    """Return the size of a share in percent with its interval, turned so that the share is positive.

    Examples
    --------
    >>> share_words(0.12, 0.08, 0.16), share_words(-0.02, -0.05, 0.01)
    ('12 % (8 to 16)', '2 % (-1 to 5)')
    >>> share_words(0.012, 0.0112, 0.0131), share_words(0.3, None, None)
    ('1.2 % (1.1 to 1.3)', '30 %')
    """
    if low is None or high is None:
        return f"{100 * abs(share):.0f} %"
    ends = (low, high) if share >= 0 else (-high, -low)
    decimals = 0 if high - low >= _NARROW else 1
    said = [f"{100 * value:.{decimals}f}" for value in (abs(share), *ends)]
    said = [number.removeprefix("-") if float(number) == 0 else number for number in said]
    return f"{said[0]} % ({said[1]} to {said[2]})"


def side_word(share: float) -> str:
    """Return on which side of the other an error lies.

    Examples
    --------
    >>> side_word(0.1), side_word(-0.1)
    ('below', 'above')
    """
    return "below" if share >= 0 else "above"


def time_words(sequences: Sequences, count: float) -> str:
    """Return a time as the user writes it; days without the hour where all steps are days or longer.

    Parameters
    ----------
    sequences : Sequences
    count : float
        In steps.
    """
    value = sequences.time_of(np.array([count]))[0]
    if isinstance(value, datetime.datetime):
        step = sequences.step
        whole_days = step.unit != "second" or step.size % _DAY == 0
        at_midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if whole_days and at_midnight else value.isoformat(sep=" ")
    return f"{value:.10g}"
