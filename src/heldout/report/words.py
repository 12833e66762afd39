"""Values of report.json written out: as plain text, or as HTML that says which value each number is.

`Words` and `Marked` share every rule of rounding; they differ only in `Marked` wrapping what it writes in
``<span data-path="candidates.0.error" data-value="2.4149">2.41</span>``, so that a reader (or a test) can hold
the page against report.json number by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from heldout.report.numbers import decimals_for, show
from heldout.report.reading import look_up

__all__ = ["Marked", "Words", "loss_decimals", "metric_decimals", "percent_decimals"]

# From here on the interval of a share is narrower than one percentage point: 2 x 0.5 / sqrt(n) < 0.01.
ROWS_FOR_TENTHS = 10_000


def _width(low: Any, high: Any) -> float | None:
    return high - low if isinstance(low, int | float) and isinstance(high, int | float) else None


def metric_decimals(document: Mapping[str, Any]) -> int:
    """Return the decimals of every error: what the interval of the winner allows, as in the verdict."""
    error = look_up(document, "winner.error")
    error = look_up(document, "candidates.0.error") if error is None else error
    return decimals_for(_width(look_up(document, "winner.ci_low"), look_up(document, "winner.ci_high")), error)


def loss_decimals(document: Mapping[str, Any]) -> int:
    """Return the decimals of mean losses, their parts and differences: what the median interval allows."""
    intervals: list[Any] = [row.get("variance_ci") for row in document.get("candidates") or ()]
    intervals += [(row.get("ci_low"), row.get("ci_high")) for row in document.get("differences") or ()]
    widths = sorted(width for ends in intervals if ends and (width := _width(ends[0], ends[1])))
    sizes = [abs(row["expected_loss"]) for row in document.get("candidates") or () if row.get("expected_loss")]
    return decimals_for(widths[len(widths) // 2] if widths else None, min(sizes, default=None))


def percent_decimals(document: Mapping[str, Any]) -> int:
    """Return the decimals of shares of rows."""
    return 1 if (look_up(document, "data.n_rows") or 0) >= ROWS_FOR_TENTHS else 0


class Words:
    """Writes values as plain text.

    Examples
    --------
    >>> Words({"winner": {"error": 2.4149, "ci_low": 2.29, "ci_high": 2.55}}).number("winner.error")
    '2.41'
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._metric = metric_decimals(document)
        self._loss = loss_decimals(document)
        self._percent = percent_decimals(document)

    def at(self, path: str) -> Any:
        """Return the value itself, for a decision."""
        return look_up(self.document, path)

    def _write(self, path: str, form: str, decimals: int | None = None) -> str:
        return show(self.at(path), form, decimals)

    def say(self, sentence: str, **parts: Any) -> str:
        """Put written values into a sentence."""
        return sentence.format(**parts)

    def _known(self, path: str, form: str, decimals: int | None, why: str | None) -> str:
        written = self._write(path, form, decimals)
        if why is not None and self.at(path) is None and self.at(why) is not None:
            return self.say("{written}: {reason}", written=written, reason=self.text(why))
        return written

    def number(self, path: str, decimals: int | None = None, why: str | None = None) -> str:
        """Write an error, in units of the metric."""
        return self._known(path, "number", self._metric if decimals is None else decimals, why)

    def loss(self, path: str, why: str | None = None) -> str:
        """Write a mean loss or a part of it."""
        return self._known(path, "number", self._loss, why)

    def free(self, path: str, why: str | None = None) -> str:
        """Write a number of no known spread: three significant digits."""
        return self._known(path, "number", None, why)

    def percent(self, path: str, decimals: int = 0) -> str:
        """Write a share as a percentage; a whole one unless said otherwise, as the verdict does."""
        return self._write(path, "percent", decimals)

    def share(self, path: str) -> str:
        """Write a share in a table: with tenths of a percent where there are rows enough."""
        return self._write(path, "percent", self._percent)

    def level(self, path: str) -> str:
        """Write a level of confidence or of a test."""
        return self._write(path, "level")

    def count(self, path: str, why: str | None = None) -> str:
        """Write a whole number."""
        return self._known(path, "count", None, why)

    def length(self, path: str) -> str:
        """Write how many entries a list has."""
        return self._write(path, "length")

    def p_value(self, path: str, why: str | None = None) -> str:
        """Write a p-value."""
        return self._known(path, "p_value", None, why)

    def seconds(self, path: str) -> str:
        """Write a duration."""
        return self._write(path, "seconds")

    def text(self, path: str) -> str:
        """Write a name or a sentence."""
        return self._write(path, "text")

    def short(self, path: str) -> str:
        """Write a name, cut in the middle when it is long."""
        return self._write(path, "short")

    def names(self, path: str) -> str:
        """Write a list of names, with commas between."""
        written = [self.text(f"{path}.{position}") for position in range(len(self.at(path) or ()))]
        return self.say(
            ", ".join(f"{{n{k}}}" for k in range(len(written))), **{f"n{k}": w for k, w in enumerate(written)}
        )

    def anything(self, path: str) -> str:
        """Write a value whose kind is not known beforehand."""
        value = self.at(path)
        if isinstance(value, dict):
            keys = [key for key in value if value[key] is not None]
            written = {f"v{k}": self.anything(f"{path}.{key}") for k, key in enumerate(keys)}
            written |= {f"k{k}": key.replace("_", " ") for k, key in enumerate(keys)}
            return self.say("; ".join(f"{{k{k}}} {{v{k}}}" for k in range(len(keys))), **written)
        if isinstance(value, list | tuple):
            listed = {f"v{k}": self.anything(f"{path}.{k}") for k in range(len(value))}
            return self.say(", ".join(f"{{{key}}}" for key in listed) or "none", **listed)
        if isinstance(value, bool | str):
            return self.text(path)
        return self.count(path) if isinstance(value, int) else self.free(path)

    def interval(self, low: str, high: str, kind: str = "number", why: str | None = None) -> str:
        """Write "a to b", or that it is not known."""
        if self.at(low) is None or self.at(high) is None:
            return self._known(low, "number", None, why)
        write = getattr(self, kind)
        return self.say("{low} to {high}", low=write(low), high=write(high))


class Marked(Words):
    """Writes values as HTML whose elements name the value they show."""

    def _write(self, path: str, form: str, decimals: int | None = None) -> str:
        value = self.at(path)
        written = show(value, form, decimals)
        held = len(value) if form == "length" and value is not None else value
        attributes: dict[str, object] = {"path": path, "form": form, "value": repr(held), "written": written}
        places: str = "" if decimals is None else Markup(' data-decimals="{}"').format(decimals)
        kind = "text" if form in ("text", "short") else "number"
        if form == "short" and written != str(value):
            places += Markup(' title="{}"').format(value)
        if kind == "text":  # its value is the text itself
            return Markup('<span class="text" data-path="{path}" data-form="{form}"{places}>{written}</span>').format(
                places=places, **attributes
            )
        return Markup(
            '<span class="number" data-path="{path}" data-form="{form}" data-value="{value}"{places}>{written}</span>'
        ).format(places=places, **attributes)

    def say(self, sentence: str, **parts: Any) -> str:
        """Put written values into a sentence of HTML; what is not marked up already is escaped."""
        return Markup(sentence).format(**parts)  # noqa: S704 - sentences are ours; format escapes the parts
