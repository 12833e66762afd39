"""Paired differences to the winner."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import Display, bare, ink, paper

__all__ = ["DifferencesDisplay"]

ROW = 32.0


class DifferencesDisplay(Display):
    """Mean loss of each other candidate minus the winner's, on the same rows, with its interval."""

    title = "Paired differences to the chosen candidate"

    def order(self) -> list[int]:
        """Return the positions of the differences that are known, smallest first; the winner's own is left out."""
        found = [
            (k, self.at(f"differences.{k}.difference"))
            for k in range(len(self.document.get("differences") or ()))
            if self.at(f"differences.{k}.name") != self.at("winner.name")
        ]
        return [k for k, value in sorted((p for p in found if p[1] is not None), key=lambda pair: pair[1])]

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        return None if self.order() else "there is no second candidate to compare with"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 66 + ROW * len(self.order())

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "One row per other candidate: a dot at its mean loss minus that of the chosen one on the same rows, with "
            "a line for the interval. To the right of the line at nought the chosen candidate errs less."
        )

    def _draw(self, ax: Any) -> None:
        order = self.order()
        heights = [float(-row) for row in range(len(order))]
        ax.axvline(0.0, color=ink(), linewidth=0.9, zorder=1)
        for y, k in zip(heights, order, strict=True):
            row = f"differences.{k}"
            low, high = self.at(f"{row}.ci_low"), self.at(f"{row}.ci_high")
            if low is not None and high is not None:
                ax.plot([low, high], [y, y], color=ink(), linewidth=1.2, zorder=2)
            # Filled only where the interval leaves nought out: told apart without reading the axis.
            apart = low is not None and high is not None and (low > 0 or high < 0)
            ax.plot(
                [self.at(f"{row}.difference")], [y], "o", markersize=6, color=ink(), zorder=4,
                markerfacecolor=ink() if apart else paper(),
            )  # fmt: skip
            self.write(ax, (self.at(f"{row}.difference"), y), f"{row}.difference", decimals=self.loss_decimals)
        self.name_rows(ax, heights, [f"differences.{k}.label" for k in order])
        ax.set_ylim(heights[-1] - 0.6, 0.85)
        ax.margins(x=0.06)
        ax.set_xlabel("mean loss above the chosen candidate's")
        bare(ax)
