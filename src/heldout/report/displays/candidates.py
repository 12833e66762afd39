"""Forest plot of the candidates."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import GREEN, Display, bare, ink, paper
from heldout.report.reading import baseline_position, winner_position

__all__ = ["CandidatesDisplay"]

ROW = 34.0  # points per candidate


class CandidatesDisplay(Display):
    """Forest plot: held-out error with its interval, training error, and the baseline as a dashed line.

    The chosen candidate is drawn as a diamond, at its error corrected for having been chosen.
    Intervals that are only indicative are dotted; where none is allowed there is no line.

    Examples
    --------
    >>> rows = [{"name": "ridge", "label": "ridge", "error": 2.0, "ci_low": 1.5, "ci_high": 2.5}]
    >>> display = CandidatesDisplay.from_result({"candidates": rows})
    >>> display.missing() is None, display.order()
    (True, [0])
    """

    title = "Error of every candidate on held-out rows"

    def order(self) -> list[int]:
        """Return the positions of the candidates with an error, best first."""
        found = [(k, self._ends(k)[0]) for k in range(len(self.document.get("candidates") or ()))]
        higher = self.at("candidates.0.metric") == "accuracy"
        known = [(k, error) for k, error in found if error is not None]
        return [k for k, _ in sorted(known, key=lambda pair: -pair[1] if higher else pair[1])]

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        return None if self.order() else "no candidate was finished"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 70 + ROW * len(self.order())

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "One row per candidate, best first: a filled mark at its error on held-out rows with a line for the "
            "interval, a hollow mark at its error on its training rows, and a dashed line at the baseline."
        )

    def _ends(self, k: int) -> tuple[float | None, float | None, float | None]:
        row = "winner" if k == winner_position(self.document) else f"candidates.{k}"
        return self.at(f"{row}.error"), self.at(f"{row}.ci_low"), self.at(f"{row}.ci_high")

    def _draw(self, ax: Any) -> None:
        order = self.order()
        heights = [float(-row) for row in range(len(order))]
        for y, k in zip(heights, order, strict=True):
            self._row(ax, y, k)
        self._baseline(ax)
        self.name_rows(ax, heights, [f"candidates.{k}.label" for k in order])
        ax.set_ylim(heights[-1] - 0.6, 0.85)
        ax.margins(x=0.06)
        low, high = ax.get_xlim()
        if low < 0.0 <= min(float(x) for line in ax.lines for x in line.get_xdata()):
            ax.set_xlim(-0.012 * (high - low), high)  # no error is negative: the axis need not go there
        label = self.at("candidates.0.metric_label") or "error"
        target = "" if self.at("data.task") == "classification" else f" of {self.at('data.target')}"
        ax.set_xlabel(str(label) + (target if len(target) < 30 else "")).set_parse_math(False)
        bare(ax)

    def _row(self, ax: Any, y: float, k: int) -> None:
        error, low, high = self._ends(k)
        chosen = k == winner_position(self.document)
        colour = GREEN if chosen else ink()
        if low is not None and high is not None:
            style = ":" if self.at(f"candidates.{k}.indicative") else "-"
            ax.plot([low, high], [y, y], color=colour, linewidth=1.6 if chosen else 1.2, linestyle=style, zorder=2)
        training = self.at(f"candidates.{k}.training_error")
        if training is not None:
            ax.plot([training], [y], "o", markersize=6, color=ink(), markerfacecolor=paper(), zorder=3)
        ax.plot([error], [y], "D" if chosen else "o", markersize=8 if chosen else 6, color=colour, zorder=4)
        path = "winner.error" if chosen else f"candidates.{k}.error"
        self.write(ax, (float(error or 0.0), y), path, decimals=self.metric_decimals)

    def _baseline(self, ax: Any) -> None:
        k = baseline_position(self.document)
        error = None if k is None else self._ends(k)[0]
        if error is None:
            return
        ax.axvline(error, color=ink(), linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)
        ax.annotate(
            "baseline", (error, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
            ha="center", va="bottom", fontsize="small", color=ink(),
        )  # fmt: skip
