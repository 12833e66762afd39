"""Where attention looks, step by step of the forecast."""

from __future__ import annotations

from typing import Any, Self

from heldout.report.displays.deletion_stamp import stamp, with_deletion
from heldout.report.displays.display import BLUE, Display, ink, with_commas
from heldout.report.numbers import show

__all__ = ["AttentionDisplay"]

ROW, LEAST_ROWS = 17.0, 7
MOST_NAMED = 12


class AttentionDisplay(Display):
    """Heat map of attention weights: steps forecast down the side, tokens looked at along the user's time.

    The mean over the layers, heads, replicas, windows and variables of the maps: to see one head alone, ask for it.
    What rests on registers, which have no time, is written at the end of each row; with it a row sums to 1. Where a
    deletion test does not show that what is looked at matters, the figure is stamped "not explanatory".

    Examples
    --------
    >>> AttentionDisplay.from_result({"attention": {"map": None}}).missing()
    'there are no maps of a layer along time'
    """

    title = "Where attention looks"

    @classmethod
    def from_result(cls, result: Any, deletion: Any = None) -> Self:
        """Make the display of attention maps.

        Parameters
        ----------
        result : AttentionMaps or mapping
            A mapping as `AttentionMaps.to_dict` returns it.
        deletion : DeletionTest, optional
            As `heldout.sequence.deletion_test` returns it.

        Raises
        ------
        InvalidInput
            The result is neither.
        """
        return cls(with_deletion(result, deletion))

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        return None if self.at("attention.map") is not None else "there are no maps of a layer along time"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 150.0 + ROW * max(LEAST_ROWS, len(self.at("attention.map.weights") or ()))

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        said = self.at("attention.deletion.sentence") or "No deletion test says whether what is looked at matters."
        return (
            "A grid: steps of the forecast down the side, the time of the tokens looked at along the bottom; the "
            "fuller a cell, the more weight. At the end of each row, the share that rests on registers. "
            f"{said}"
        )

    def _draw(self, ax: Any) -> None:
        weights = self.at("attention.map.weights")
        largest = max(max(row) for row in weights)
        self._cells(ax, weights, largest)
        self._origin(ax)
        self._rows(ax, len(weights))
        self._registers(ax, len(weights))
        self._key(ax, largest)
        stamp(self, ax, pad=22)
        ax.tick_params(length=0, axis="y")
        for spine in ax.spines.values():
            spine.set_visible(False)

    def _edges(self) -> list[float]:
        size = float(self.at("attention.map.size"))
        first, last = self.at("attention.map.first"), self.at("attention.map.last")
        return [*((step - 0.5) * size for step in first), (last[-1] + 0.5) * size]

    def _cells(self, ax: Any, weights: list[list[float]], largest: float) -> None:
        ax.pcolormesh(
            self._edges(), range(len(weights) + 1), weights, cmap=_shades(), vmin=0.0, vmax=largest, edgecolors="none"
        )
        ax.set_ylim(len(weights), 0)
        ax.set_xlim(self._edges()[0], self._edges()[-1])

    def _origin(self, ax: Any) -> None:
        at = 0.5 * float(self.at("attention.map.size"))
        ax.axvline(at, color=ink(), linewidth=0.9, linestyle=(0, (5, 4)))
        ax.annotate(
            "origin", (at, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize="small", color=ink(),
        )  # fmt: skip
        ax.set_xlabel(f"looked at: {self.at('attention.map.unit')} from the origin")
        with_commas(ax.xaxis)
        if float(self.at("attention.map.size")).is_integer():
            ax.xaxis.get_major_locator().set_params(integer=True)
        season = self.at("attention.lags.season")
        low, high = ax.get_xlim()
        if season is not None and 2 * season <= high - low:
            step = season * max(1, round((high - low) / season / 8))
            ticks = [step * k for k in range(int(low // step), int(high // step) + 1)]
            ax.set_xticks([tick for tick in ticks if low <= tick <= high])

    def _rows(self, ax: Any, n: int) -> None:
        size = float(self.at("attention.map.size"))
        first, last = self.at("attention.map.row_first"), self.at("attention.map.row_last")
        named = range(0, n, -(-n // MOST_NAMED))
        names = [
            f"{first[k] * size:,.6g}" if first[k] == last[k] else f"{first[k] * size:,.6g} to {last[k] * size:,.6g}"
            for k in named
        ]
        ax.set_yticks([k + 0.5 for k in named], names)
        ax.set_ylabel(f"forecast: {self.at('attention.map.unit')} ahead")

    def _registers(self, ax: Any, n: int) -> None:
        right = self._edges()[-1]
        for k in range(0, n, -(-n // MOST_NAMED)):
            self.write(ax, (right, k + 0.5), f"attention.map.registers.{k}", "percent", side="right")
        ax.annotate(
            "on registers", (1.0, 1.0), xycoords="axes fraction", xytext=(4, 3), textcoords="offset points",
            ha="left", va="bottom", fontsize="small", color=ink(), annotation_clip=False,
        )  # fmt: skip

    def _key(self, ax: Any, largest: float) -> None:
        from matplotlib.patches import Patch

        shades = [
            Patch(facecolor=(*_rgb(), part), edgecolor=ink(), linewidth=0.6, label=show(part * largest, decimals=2))
            for part in (0.0, 0.5, 1.0)
        ]
        ax.legend(
            handles=shades, ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, borderpad=0.2,
            handlelength=1.2, handletextpad=0.4, columnspacing=1.0, fontsize="small", borderaxespad=0.2,
        )  # fmt: skip


def _shades() -> Any:
    """Return shades from nothing to blue, so that the page shows through where there is no weight, light or dark."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("attention", [(*_rgb(), 0.0), (*_rgb(), 1.0)])


def _rgb() -> tuple[float, float, float]:
    red, green, blue = (int(BLUE[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue
