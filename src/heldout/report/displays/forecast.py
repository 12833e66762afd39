"""A series, its forecast with an interval, and what came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from heldout.report.displays.display import BLUE, Display, bare, ink, paper, with_commas
from heldout.report.reading import as_document

__all__ = ["ForecastDisplay"]

# A label at the end of an axis stands within it; this many characters fit into a third of a narrow figure.
_SHORT_TIME = 16


class ForecastDisplay(Display):
    """History, forecast with its interval, and the values that came, of one window of the part held out.

    Parameters
    ----------
    document : mapping
    example : int, default 0
        Which of the windows in ``forecast.examples``: the last origin, a typical one, one of the hardest.

    Examples
    --------
    >>> one = {"series": "a", "origin": "4", "start": "3", "end": "6", "history": [1.0, 2.0], "prediction": [2.0, 2.0]}
    >>> one |= {"low": [1.0, 0.5], "high": [3.0, 3.5], "actual": [2.5, 3.0]}
    >>> ForecastDisplay.from_result({"forecast": {"examples": [one]}}).missing() is None
    True
    """

    def __init__(self, document: Mapping[str, Any], example: int = 0) -> None:
        super().__init__(document)
        self.example = example

    @classmethod
    def from_result(cls, result: Any, example: int = 0) -> Self:
        """Make the display of an audit, or of the dictionary of its report.json.

        Parameters
        ----------
        result : Audit or mapping
        example : int, default 0

        Raises
        ------
        InvalidInput
            The argument is neither.
        """
        return cls(as_document(result), example)

    @property
    def title(self) -> str:  # type: ignore[override]
        """What the figure is."""
        what = self.at(f"{self._path}.what")
        return "A forecast and what came" + (f": {what}" if what else "")

    @property
    def _path(self) -> str:
        return f"forecast.examples.{self.example}"

    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""
        if self.at(f"{self._path}.prediction"):
            return None
        return f"there is no example {self.example} of a forecast"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 250.0

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        return (
            "Time across, value up. A line for the values known, then a thick line for the forecast inside the shaded "
            "band of its interval, and hollow dots for the values that came."
        )

    def _draw(self, ax: Any) -> None:
        history, said, low, high, came = (
            self._values(name) for name in ("history", "prediction", "low", "high", "actual")
        )
        before = list(range(1 - len(history), 1))
        after = list(range(1, len(said) + 1))
        ax.plot(before, history, color=ink(), linewidth=1.0, label="known", zorder=2)
        ax.fill_between(after, low, high, color=BLUE, alpha=0.2, linewidth=0.0, zorder=1)
        ax.plot(after, low, color=BLUE, linewidth=0.6, zorder=1)
        ax.plot(after, high, color=BLUE, linewidth=0.6, zorder=1)
        marker = "o" if len(after) == 1 else None
        ax.plot(after, said, color=BLUE, linewidth=2.0, marker=marker, label="forecast and its interval", zorder=4)
        size = 4.0 if len(after) <= 60 else 2.5
        ax.plot(
            after, came, "o", markersize=size, color=ink(), markerfacecolor=paper(), markeredgewidth=0.8,
            label="what came", zorder=3,
        )  # fmt: skip
        ax.axvline(0.5, color=ink(), linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
        self._frame(ax, before[0], after[-1])

    def _values(self, name: str) -> list[float]:
        return [float("nan") if value is None else float(value) for value in self.at(f"{self._path}.{name}") or []]

    def _frame(self, ax: Any, first: int, last: int) -> None:
        ax.legend(
            ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, borderpad=0.2, handlelength=1.2,
            handletextpad=0.4, columnspacing=1.0, fontsize="small", borderaxespad=0.2,
        )  # fmt: skip
        ax.margins(x=0.01)
        bare(ax, keep=("bottom", "left"))
        with_commas(ax.yaxis)
        self._times(ax, first, last)
        target = str(self.at("data.target") or "")
        if target and len(target) < 30:
            ax.set_ylabel(target).set_parse_math(False)

    def _times(self, ax: Any, first: int, last: int) -> None:
        """Name the first time, the origin and the last time; the origin only where it has room."""
        names = {first: ("start", "left"), 0: ("origin", "center"), last: ("end", "right")}
        if self.narrow and len(str(self.at(f"{self._path}.origin"))) > _SHORT_TIME:
            del names[0]
        share = -first / max(last - first, 1)
        if not 0.3 < share < 0.7:
            names.pop(0, None)
        ax.set_xticks(list(names), [str(self.at(f"{self._path}.{name}") or "") for name, _ in names.values()])
        for label, (name, side) in zip(ax.get_xticklabels(), names.values(), strict=True):
            label.set_horizontalalignment(side)
            label.set_fontsize("small")
            self._marked(label, f"{self._path}.{name}", "text", None)
