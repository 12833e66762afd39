"""How the error grows with the steps ahead."""

from __future__ import annotations

import textwrap
from typing import Any

from heldout.report.displays.display import (
    GREEN,
    LONGEST_LINE,
    LONGEST_NAME,
    ORANGE,
    Display,
    bare,
    ink,
    with_commas,
)
from heldout.report.numbers import show

__all__ = ["HorizonErrorDisplay"]

# Of the height of the axes: what two lines of a label need, and a single one.
_ROOM, _ROOM_NARROW = 0.075, 0.14
# Where a name begins, in widths of the axes: a thin line leads there from the end of its own.
_LEAD = 1.04
_STYLES = {
    "last-value": (0, (1, 2)),
    "seasonal-naive": (0, (5, 3)),
    "drift": (0, (5, 2, 1, 2)),
    "attention": (0, (3, 1)),
}


class HorizonErrorDisplay(Display):
    """Error at each step ahead: the chosen candidate, the naive forecasts and attention, named at their ends.

    Examples
    --------
    >>> lines = [{"name": "ridge", "label": "ridge", "error": [1.0, 1.5]}]
    >>> steps = {"by_step": {"metric_label": "RMSE", "lines": lines}}
    >>> HorizonErrorDisplay.from_result({"forecast": steps}).missing() is None
    True
    """

    title = "The error at each step ahead"

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        error = self.at("forecast.by_step.lines.0.error")
        if not error:
            return "no forecasts were compared step by step"
        return None if len(error) > 1 else "a horizon of one step has no shape"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 280.0

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "Steps ahead across, error up from nought: a thick line for the chosen candidate, broken lines for the "
            "naive forecasts and for attention, each named at its right end."
        )

    def _draw(self, ax: Any) -> None:
        lines = self.at("forecast.by_step.lines")
        top = 0.0
        for k, line in enumerate(lines):
            values = [float("nan") if value is None else float(value) for value in line["error"]]
            chosen = line["name"] == self.at("winner.name")
            colour = GREEN if chosen else ORANGE if line["name"] == "attention" else ink()
            style = "-" if chosen else _STYLES.get(line["name"], "--")
            ax.plot(
                range(1, len(values) + 1), values, color=colour, linestyle=style, linewidth=2.2 if chosen else 1.2,
                zorder=4 if chosen else 2 + 0.1 * k,
            )  # fmt: skip
            top = max([top, *(value for value in values if value == value)])
        ax.set_ylim(0.0, 1.08 * top or 1.0)
        ax.set_xlim(1, len(lines[0]["error"]))
        self._names(ax, lines)
        ax.set_xlabel("steps ahead")
        ax.set_ylabel(str(self.at("forecast.by_step.metric_label") or "error"))
        bare(ax, keep=("bottom", "left"))
        ax.xaxis.get_major_locator().set_params(integer=True)
        with_commas(ax.yaxis)

    def _names(self, ax: Any, lines: list[Any]) -> None:
        """Write each name at the end of its line, moved apart where two ends are close."""
        top = ax.get_ylim()[1]
        last = [next((value for value in reversed(line["error"]) if value is not None), 0.0) for line in lines]
        heights = apart([value / top for value in last], _ROOM_NARROW if self.narrow else _ROOM)
        for k, height in enumerate(heights):
            drawn = ax.lines[k]
            ax.plot(
                [1.0, _LEAD], [last[k] / top, height], transform=ax.transAxes, clip_on=False, linewidth=0.8,
                color=drawn.get_color(), linestyle=drawn.get_linestyle(),
            )  # fmt: skip
            path = f"forecast.by_step.lines.{k}.label"
            name = show(self.at(path), "short", LONGEST_NAME)
            rows = textwrap.wrap(name, LONGEST_LINE, break_long_words=False) if self.narrow else [name]
            text = ax.annotate(
                "\n".join(rows), (_LEAD, height), xycoords="axes fraction", xytext=(3, 0), textcoords="offset points",
                ha="left", va="center", fontsize="small", color=ink(), annotation_clip=False,
            )  # fmt: skip
            self._marked(text, path, "short", LONGEST_NAME)


def apart(heights: list[float], room: float) -> list[float]:
    """Return heights at least so far apart, in the same order, none above 1 unless there is no room.

    Examples
    --------
    >>> [round(height, 2) for height in apart([0.9, 0.2, 0.95], 0.1)]
    [0.9, 0.2, 1.0]
    """
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = [heights[k] for k in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + room)
    over = max(0.0, placed[-1] - 1.0) if placed else 0.0
    for k in range(len(placed) - 1, -1, -1):
        limit = placed[k] - over if k == len(placed) - 1 else placed[k + 1] - room
        placed[k] = min(placed[k], limit)
    result = [0.0] * len(heights)
    for place, k in zip(placed, order, strict=True):
        result[k] = place
    return result
