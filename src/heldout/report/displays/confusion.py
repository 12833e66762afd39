"""Which class was taken for which."""

from __future__ import annotations

from typing import Any

from heldout.report.displays.display import BLUE, Display, ink

__all__ = ["ConfusionDisplay"]

MOST_CLASSES = 12  # more do not leave room for a number in each cell


class ConfusionDisplay(Display):
    """Counts of held-out rows by class that came (rows) and class predicted (columns).

    With more than 12 classes, the 12 with the most mistakes are drawn.
    """

    title = "Classes that came against classes predicted"

    def classes(self) -> list[int]:
        """Return the positions of the classes drawn, in the order of report.json."""
        counts = self.at("predictions.counts") or []
        if len(counts) <= MOST_CLASSES:
            return list(range(len(counts)))
        wrong = [sum(counts[i]) + sum(row[i] for row in counts) - 2 * counts[i][i] for i in range(len(counts))]
        return sorted(sorted(range(len(counts)), key=lambda i: (-wrong[i], i))[:MOST_CLASSES])

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        if self.at("predictions.kind") == "confusion" and len(self.classes()) > 1:
            return None
        return "there are no held-out predictions of a class"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 90.0 + 29.0 * len(self.classes())

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "A grid of counts: the class that came down the side, the class predicted along the top; the fuller a "
            "cell, the larger its share of the row. Rows on the diagonal were predicted right."
        )

    def _draw(self, ax: Any) -> None:
        from matplotlib.patches import Rectangle

        shown = self.classes()
        counts = self.at("predictions.counts")
        for y, i in enumerate(shown):
            total = sum(counts[i])
            for x, j in enumerate(shown):
                share = counts[i][j] / total if total else 0.0
                if share:  # at most half the colour, so that the ink on it stays legible, light or dark
                    ax.add_patch(Rectangle((x, y), 1, 1, facecolor=BLUE, alpha=0.08 + 0.5 * share, linewidth=0))
                if i == j:
                    ax.add_patch(Rectangle((x, y), 1, 1, facecolor="none", edgecolor=ink(), linewidth=0.6))
                if counts[i][j]:
                    self.write(ax, (x + 0.5, y + 0.5), f"predictions.counts.{i}.{j}", "count", side="on")
        ax.set_xlim(0, len(shown))
        ax.set_ylim(len(shown), 0)
        self._name(ax, shown)

    def _name(self, ax: Any, shown: list[int]) -> None:
        places = [position + 0.5 for position in range(len(shown))]
        paths = [f"predictions.classes.{i}" for i in shown]
        self.name_rows(ax, places, paths)
        width = 8
        from heldout.report.numbers import show

        names = [show(self.at(path), "short", width) for path in paths]
        steep = max(len(name) for name in names) > (4 if len(names) > 5 else 8)
        ax.xaxis.tick_top()
        ax.set_xticks(places, names, rotation=45 if steep else 0, ha="left" if steep else "center")
        for label, path in zip(ax.get_xticklabels(), paths, strict=True):
            self._marked(label, path, "short", width)
        ax.xaxis.set_label_position("top")
        ax.set_xlabel("predicted")
        ax.set_ylabel("came")
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
