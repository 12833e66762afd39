"""The findings about dependence between rows."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import VERMILION, Display, bare, ink, paper

__all__ = ["OrderDisplay"]

ROW = 30.0
MOST = 8  # findings drawn; the table has all


class OrderDisplay(Display):
    """Strip of the findings whose effect lies between -1 and 1 (correlations), largest first.

    Filled marks are findings that decide the split; hollow ones are harmless.
    """

    title = "How strongly rows depend on one another"

    def order(self) -> list[int]:
        """Return the positions of the findings drawn."""
        findings = self.at("iid.findings") or ()
        known = [k for k, one in enumerate(findings) if self._drawable(one)]
        return sorted(known, key=lambda k: -abs(findings[k]["effect"]))[:MOST]

    @staticmethod
    def _drawable(finding: Any) -> bool:
        effect, name = finding.get("effect"), str(finding.get("effect_name") or "")
        return effect is not None and abs(effect) <= 1 and "correlation" in name.lower()

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        return None if self.order() else "no finding is a correlation"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 56 + ROW * len(self.order())

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "One row per finding, largest first: a stem from nought to the correlation, with its interval where one "
            "is known. Filled marks decide the split, hollow ones are harmless."
        )

    def _draw(self, ax: Any) -> None:
        order = self.order()
        heights = [float(-row) for row in range(len(order))]
        ax.axvline(0.0, color=ink(), linewidth=0.9, zorder=1)
        for y, k in zip(heights, order, strict=True):
            row = f"iid.findings.{k}"
            effect, harmless = self.at(f"{row}.effect"), bool(self.at(f"{row}.harmless"))
            colour = ink() if harmless else VERMILION
            ax.plot([0.0, effect], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=2)
            low, high = self.at(f"{row}.ci_low"), self.at(f"{row}.ci_high")
            if low is not None and high is not None:
                ax.plot([low, high], [y, y], color=ink(), linewidth=1.0, zorder=3)
            fill = paper() if harmless else colour
            ax.plot([effect], [y], "o", markersize=6, color=colour, markerfacecolor=fill, zorder=4)
            self.write(ax, (effect, y), f"{row}.effect", decimals=2)
        self.name_rows(ax, heights, [f"iid.findings.{k}.column" for k in order])
        self._statistics(ax, heights, order)
        drawn = [self.at(f"iid.findings.{k}.effect") for k in order]
        # A little beyond 1, or a correlation of 1 would lose half its mark.
        ax.set_xlim(-1.03 if min(drawn) < -0.05 else -0.08, 1.03)
        ax.set_ylim(heights[-1] - 0.6, 0.85)
        ax.set_xlabel("correlation")
        bare(ax)

    def _statistics(self, ax: Any, heights: list[float], order: list[int]) -> None:
        if self.narrow:
            return
        for y, k in zip(heights, order, strict=True):
            self._marked(
                ax.annotate(
                    str(self.at(f"iid.findings.{k}.statistic")), (1.0, y), xycoords=("axes fraction", "data"),
                    xytext=(8, 0), textcoords="offset points", ha="left", va="center", fontsize="small", color=ink(),
                    annotation_clip=False,
                ),
                f"iid.findings.{k}.statistic", "text", None,
            )  # fmt: skip
