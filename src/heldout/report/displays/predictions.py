"""Held-out predictions against what came."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import BLUE, Display, bare, ink, with_commas

__all__ = ["MOST_POINTS", "PredictionsDisplay"]

MOST_POINTS = 2000


class PredictionsDisplay(Display):
    """Scatter of observed against predicted values, each row predicted by a model that never saw it."""

    title = "Held-out predictions against observed values"

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        if self.at("predictions.kind") == "scatter" and self.points()[0]:
            return None
        return "there are no held-out predictions of a number"

    def points(self) -> tuple[list[float], list[float]]:
        """Return predicted and observed values, at most 2,000, evenly picked from those in report.json."""
        observed, predicted = self.at("predictions.x") or [], self.at("predictions.y") or []
        pairs = [(p, o) for o, p in zip(observed, predicted, strict=True) if o is not None and p is not None]
        step = -(-len(pairs) // MOST_POINTS) or 1
        pairs = pairs[::step]
        return [p for p, _ in pairs], [o for _, o in pairs]

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 400.0

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return "A dot per row: predicted value across, observed value up; on the dashed diagonal the two agree."

    def _draw(self, ax: Any) -> None:
        predicted, observed = self.points()
        low, high = min(predicted + observed), max(predicted + observed)
        pad = 0.04 * (high - low) or 1.0
        ends = [low - pad, high + pad]
        ax.plot(ends, ends, color=ink(), linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)
        size, opacity = (4.0, 0.55) if len(predicted) <= 500 else (3.0, 0.35)
        ax.plot(predicted, observed, "o", markersize=size, color=BLUE, alpha=opacity, markeredgewidth=0, zorder=2)
        ax.set_xlim(ends)
        ax.set_ylim(ends)
        ax.set_aspect("equal")
        ax.set_xlabel("predicted")
        ax.set_ylabel("observed")
        bare(ax, keep=("bottom", "left"))
        with_commas(ax.yaxis)
