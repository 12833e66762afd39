"""What the error of each candidate is made of."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import BLUE, ORANGE, Display, bare, ink

__all__ = ["PartsDisplay"]

ROW = 36.0
PARTS = (
    ("variance", "variance", ORANGE, ""),
    ("excess_bias", "excess bias", BLUE, ""),
    ("unresolved", "unresolved", "#A6A6A6", "///"),
)


class PartsDisplay(Display):
    """Stacked bars from nought: variance, excess bias over the best candidate, and what none resolved.

    A negative estimate is drawn to the left of nought, not clipped.
    """

    title = "What the error of each candidate is made of"

    def order(self) -> list[int]:
        """Return the positions of the candidates whose parts are known, smallest mean loss first."""
        rows = range(len(self.document.get("candidates") or ()))
        known = [k for k in rows if self.at(f"candidates.{k}.variance") is not None and self._rest(k)]
        return sorted(known, key=lambda k: float(self.at(f"candidates.{k}.expected_loss") or 0.0))

    def _rest(self, k: int) -> bool:
        return self.at(f"candidates.{k}.unresolved") is not None

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        return None if self.order() else "the error of no candidate was taken apart"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 84 + ROW * len(self.order())

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "One bar per candidate, from nought: variance (orange), excess bias over the best candidate (blue), and "
            "unresolved (grey, hatched). A thin line is the interval of the variance."
        )

    def _draw(self, ax: Any) -> None:
        order = self.order()
        heights = [float(-row) for row in range(len(order))]
        for y, k in zip(heights, order, strict=True):
            right = left = 0.0
            for key, _, colour, hatch in PARTS:
                value = float(self.at(f"candidates.{k}.{key}") or 0.0)
                start = right if value >= 0 else left
                ax.barh(y, value, left=start, height=0.5, color=colour, hatch=hatch, edgecolor=ink(), linewidth=0.6)
                right, left = (right + value, left) if value >= 0 else (right, left + value)
            self._whisker(ax, y, k)
            path = f"candidates.{k}.expected_loss"
            self.write(ax, (right, y), path, decimals=self.loss_decimals, side="right")
        left = min([0.0, *(patch.get_x() + patch.get_width() for patch in ax.patches), *self._lower_ends(order)])
        if left < 0:
            ax.axvline(0.0, color=ink(), linewidth=0.9)
        self._key(ax)
        self.name_rows(ax, heights, [f"candidates.{k}.label" for k in order])
        ax.set_ylim(heights[-1] - 0.6, 0.6)
        ax.margins(x=0.12)
        ax.set_xlim(left=1.08 * left)
        ax.set_xlabel(self._loss_label())
        bare(ax)

    def _whisker(self, ax: Any, y: float, k: int) -> None:
        ends = self.at(f"candidates.{k}.variance_ci")
        if ends and ends[0] is not None and ends[1] is not None:
            ax.plot(ends, [y + 0.36, y + 0.36], color=ink(), linewidth=1.2, solid_capstyle="butt")

    def _lower_ends(self, order: list[int]) -> list[float]:
        ends = [self.at(f"candidates.{k}.variance_ci.0") for k in order]
        return [end for end in ends if end is not None]

    def _loss_label(self) -> str:
        for k in self.order():
            loss = self.at(f"candidates.{k}.decomposition.loss")
            if loss:
                return "mean " + str({"zero_one": "zero-one loss (share of rows wrong)"}.get(loss, loss)).replace(
                    "_", " "
                )
        return "mean loss"

    def _key(self, ax: Any) -> None:
        from matplotlib.patches import Patch

        swatches = [
            Patch(facecolor=colour, hatch=hatch, edgecolor=ink(), linewidth=0.6, label=label)
            for _, label, colour, hatch in PARTS
        ]
        ax.legend(
            handles=swatches, ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, borderpad=0.2,
            handlelength=1.2, handletextpad=0.4, columnspacing=1.0, fontsize="small", borderaxespad=0.2,
        )  # fmt: skip
