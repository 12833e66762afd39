"""The random split says X, the safe split says Y."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import GREEN, Display, bare, ink

__all__ = ["OptimismDisplay"]

SAFE = {
    "group": "whole groups\nheld out",
    "blocked_time": "later rows\nheld out",
    "group_time": "later rows of\nother groups",
    "stratified": "stratified split",
    "random": "random split",
}


class OptimismDisplay(Display):
    """Two bars from nought: what a random split would have promised, and what the safe split says.

    Classification speaks in accuracy, regression in its metric.
    """

    title = "What a random split promises, and what the safe split says"

    def _pair(self) -> tuple[str, str]:
        stem = "accuracy" if self._in_accuracy() else "error"
        return f"optimism.{stem}_random", f"optimism.{stem}_safe"

    def _in_accuracy(self) -> bool:
        return self.at("optimism.accuracy_random") is not None and self.at("optimism.accuracy_safe") is not None

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        if all(self.at(path) is not None for path in self._pair()):
            return None
        return str(self.at("optimism.reason") or "the two splits were not compared")

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 140.0

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        what = "share of rows predicted right" if self._in_accuracy() else "error"
        return f"Two bars from nought: the {what} by a random split (hatched) and by the split that was used."

    def _draw(self, ax: Any) -> None:
        from matplotlib.ticker import PercentFormatter

        form = "percent" if self._in_accuracy() else "number"
        decimals = self.metric_decimals
        if self._in_accuracy():
            decimals = 0 if abs(self.at("optimism.accuracy_gap") or 1.0) >= 0.01 else 1
        looks = (("none", "////"), (GREEN, ""))
        for y, path, (colour, hatch) in zip((0.0, -1.0), self._pair(), looks, strict=True):
            value = float(self.at(path))
            ax.barh(y, value, height=0.55, color=colour, hatch=hatch, edgecolor=ink(), linewidth=0.8)
            self.write(ax, (value, y), path, form, decimals, side="right", size="large")
        ax.set_yticks([0.0, -1.0], ["random split", SAFE.get(self.at("optimism.scheme_safe"), "safe split")])
        ax.set_ylim(-1.5, 0.5)
        ax.margins(x=0.18)
        ax.set_xlim(left=0.0)
        if self._in_accuracy():
            ax.set_xlim(right=1.0 if max(patch.get_width() for patch in ax.patches) < 0.88 else 1.14)
            ax.set_xlabel("held-out rows predicted right")
        else:
            ax.set_xlabel(str(self.at("optimism.metric_label") or "error"))
        bare(ax)
        if self._in_accuracy():
            ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
            ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
