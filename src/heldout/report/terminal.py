"""The summary on the terminal: the verdict, the candidates, the two splits, what next."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from heldout.report import sentences
from heldout.report.numbers import MINUS, shorten
from heldout.report.reading import as_document, baseline_position, winner_position
from heldout.report.words import Words

__all__ = ["summary_text"]

MOST_LINES = 22  # of the 25 a terminal shows at once; the caller adds where the files lie


def summary_text(document: Mapping[str, Any], *, width: int = 80) -> str:
    """Return the summary of an audit as plain text.

    Parameters
    ----------
    document : mapping
        The dictionary of report.json (an audit is taken too).
    width : int, default 80

    Returns
    -------
    str
        At most 22 lines of at most `width` columns; the first are the verdict, wrapped. No colours, and no
        control characters, whatever the columns of the table are called.

    Raises
    ------
    InvalidInput
        The argument is neither an audit nor a dictionary.

    Examples
    --------
    >>> print(summary_text({"verdict": "No signal: no candidate was shown to beat the mean."}, width=30))
    No signal: no candidate was
    shown to beat the mean.
    """
    words = Words(as_document(document))
    verdict = _wrapped(words.at("verdict") or "No verdict.", width)
    tail = _splits(words, width) + _next(words, width, pieces=2)
    if len(verdict) + len(tail) + 2 + len(words.at("candidates") or ()) > MOST_LINES:
        # The verdict ends with the next step already: a row of the table is worth more.
        tail = _splits(words, width) + _next(words, width, pieces=1)
    room = MOST_LINES - len(verdict) - len(tail)
    lines = verdict[:MOST_LINES] + (_candidates(words, width, room) if room >= 4 else []) + tail
    return "\n".join(lines[:MOST_LINES])


def _plain(text: str) -> str:
    """Keep a hostile column name from moving the cursor, and old code pages from failing on a minus sign."""
    return "".join(sign if sign.isprintable() else " " for sign in text).replace(MINUS, "-").replace("\u2026", "..")


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(_plain(text), width, subsequent_indent=indent, break_on_hyphens=False)


def _splits(words: Words, width: int) -> list[str]:
    if words.at("optimism.error_safe") is None:
        return []
    return ["", *_wrapped(sentences.iid_finding(words), width)[:3]]


def _next(words: Words, width: int, pieces: int) -> list[str]:
    lines = []
    for k in range(min(pieces, len(words.at("advice") or ()))):
        lines += _wrapped(f"- {words.text(f'advice.{k}.sentence')}", width, "  ")[:2]
    return ["", "What next:", *lines] if lines else []


def _candidates(words: Words, width: int, room: int) -> list[str]:
    rows = len(words.at("candidates") or ())
    if not rows:
        return []
    accuracy = any(words.at(f"candidates.{k}.accuracy") is not None for k in range(rows))
    heads = ["candidate", words.at("candidates.0.metric_label") or "error", sentences.interval_words(words)]
    # Forecasts have no error on training rows.
    training = ["training"] if words.at("forecast") is None else []
    table = [heads + training + (["right"] if accuracy else [])]
    order, left_out = _chosen_rows(words, rows, room - 2)
    table += [_row(words, k, bool(training), accuracy) for k in order]
    name = max(12, min(max(len(row[0]) for row in table), width - 46))
    lines = ["", *(_aligned(row, name, width) for row in table)]
    return [*lines, f"  and {left_out} more in report.html"] if left_out else lines


def _chosen_rows(words: Words, rows: int, room: int) -> tuple[list[int], int]:
    """Best first; the winner and the baseline are always among those shown."""
    higher = words.at("candidates.0.metric") == "accuracy"

    def rank(k: int) -> float:
        error = words.at(f"candidates.{k}.error")
        return float("inf") if error is None else -error if higher else error

    order = sorted(range(rows), key=rank)
    if rows <= room:
        return order, 0
    kept = {k for k in (winner_position(words.document), baseline_position(words.document)) if k is not None}
    for k in order:
        if len(kept) < max(room - 1, 2):
            kept.add(k)
    return [k for k in order if k in kept], rows - len(kept)


def _row(words: Words, k: int, training: bool, accuracy: bool) -> list[str]:
    chosen = k == winner_position(words.document)
    row = "winner" if chosen else f"candidates.{k}"
    cells = [
        ("> " if chosen else "  ") + words.text(f"candidates.{k}.label"),
        words.number(f"{row}.error"),
        words.interval(f"{row}.ci_low", f"{row}.ci_high"),
    ]
    cells += [words.number(f"candidates.{k}.training_error")] if training else []
    return cells + ([words.percent(f"candidates.{k}.accuracy")] if accuracy else [])


def _aligned(row: list[str], name: int, width: int) -> str:
    first, error, interval, *rest = (_plain(cell) for cell in row)
    line = f"{_plain(shorten(first, name)):<{name}} {error:>9} {interval:>18} " + " ".join(f"{c:>9}" for c in rest)
    return line.rstrip()[:width]
