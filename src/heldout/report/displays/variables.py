"""Which variable looks at which."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import BLUE, Display, ink
from heldout.report.numbers import show

__all__ = ["VariablesDisplay"]

MOST_VARIABLES = 12  # more do not leave room for a number in each cell


class VariablesDisplay(Display):
    """Mean attention from each variable that is forecast (rows) to each that is looked at (columns); rows sum to 1.

    With more than 12 variables, the 12 that get the most attention are drawn.

    Examples
    --------
    >>> reason = "there is one variable"
    >>> VariablesDisplay.from_result({"attention": {"variables": {"weight": None, "reason": reason}}}).missing()
    'there is one variable'
    """

    title = "Which variable looks at which"

    def shown(self) -> list[int]:
        """Return the positions of the variables drawn, in the order of the table."""
        weight = self.at("attention.variables.weight") or []
        got = [sum(row[k] for row in weight) for k in range(len(weight))]
        return sorted(sorted(range(len(weight)), key=lambda k: -got[k])[:MOST_VARIABLES])

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        if self.at("attention.variables.weight") is not None:
            return None
        return str(self.at("attention.variables.reason") or "there are no maps across variables")

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 90.0 + 32.0 * len(self.shown())

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "A grid of mean attention weights: the variable that is forecast down the side, the variable looked at "
            "along the top; the fuller a cell, the more weight."
        )

    def _draw(self, ax: Any) -> None:
        from matplotlib.patches import Rectangle

        shown, weight = self.shown(), self.at("attention.variables.weight")
        for y, i in enumerate(shown):
            for x, j in enumerate(shown):
                # At most half the colour, so that the ink on it stays legible, light or dark.
                ax.add_patch(Rectangle((x, y), 1, 1, facecolor=BLUE, alpha=0.03 + 0.55 * weight[i][j], linewidth=0))
                self.write(ax, (x + 0.5, y + 0.5), f"attention.variables.weight.{i}.{j}", decimals=2, side="on")
        ax.set_xlim(0, len(shown))
        ax.set_ylim(len(shown), 0)
        self._name(ax, shown)

    def _name(self, ax: Any, shown: list[int]) -> None:
        places = [position + 0.5 for position in range(len(shown))]
        paths = [f"attention.variables.names.{k}" for k in shown]
        self.name_rows(ax, places, paths)
        width = 12
        names = [show(self.at(path), "short", width) for path in paths]
        steep = max(len(name) for name in names) * len(names) > 48
        ax.xaxis.tick_top()
        ax.set_xticks(places, names, rotation=45 if steep else 0, ha="left" if steep else "center")
        for label, path in zip(ax.get_xticklabels(), paths, strict=True):
            self._marked(label, path, "short", width)
        ax.xaxis.set_label_position("top")
        ax.set_xlabel("looked at", labelpad=10)
        ax.set_ylabel("forecast")
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        # ink() is asked for here, so that a caller's settings hold.
        ax.tick_params(labelcolor=ink())
