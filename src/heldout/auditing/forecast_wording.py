"""Steps and horizons in the user's words."""

from __future__ import annotations

from heldout.sequence.time_step import TimeStep

__all__ = ["ahead_words", "horizon_words", "joined"]


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


def joined(sentences: list[str]) -> str:
    """Join what is not empty by spaces.

    Examples
    --------
    >>> joined(["One.", "", "Two."])
    'One. Two.'
    """
    return " ".join(sentence for sentence in sentences if sentence)
