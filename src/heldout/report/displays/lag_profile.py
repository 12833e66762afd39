"""How far back attention looks."""

from __future__ import annotations

from typing import Any, Self

from heldout.report.displays.deletion_stamp import stamp, with_deletion
from heldout.report.displays.display import BLUE, Display, bare, ink, with_commas
from heldout.report.numbers import show

__all__ = ["LagProfileDisplay"]

MOST_TICKS = 8


class LagProfileDisplay(Display):
    """Mean attention on the past by lag in the user's time, with a band over replicas or windows.

    Registers are left out, and told beside it. The dashed line is where all tokens would get the same. Where a deletion
    test does not show that what is looked at matters, the figure is stamped "not explanatory".

    Examples
    --------
    >>> lags = {"time": [1.0, 2.0, 3.0], "weight": [0.1, 0.7, 0.2], "even": [0.3, 0.3, 0.3], "unit": "days"}
    >>> LagProfileDisplay.from_result({"attention": {"lags": lags}}).missing() is None
    True
    """

    title = "How far back attention looks"

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
        if self.at("attention.lags") is None:
            return "there are no maps of a layer along time"
        return None if len(self.at("attention.lags.time")) > 1 else "there is one lag only"

    def height(self) -> float:
        """Return the height that suits, in points."""
        return 300.0

    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""
        said = self.at("attention.deletion.sentence") or "No deletion test says whether what is looked at matters."
        return (
            "A line of the mean attention on a token of the past against how long before the forecast value it lies, "
            f"with a band of one standard deviation, and a dashed line for even attention. {said}"
        )

    def _draw(self, ax: Any) -> None:
        time, weight = self.at("attention.lags.time"), self.at("attention.lags.weight")
        top = self._band(ax, time, weight)
        ax.plot(time, self.at("attention.lags.even"), color=ink(), linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)
        ax.annotate(
            "even", (time[-1], self.at("attention.lags.even")[-1]), xytext=(4, 0), textcoords="offset points",
            ha="left", va="center", fontsize="small", color=ink(), annotation_clip=False,
        )  # fmt: skip
        ax.plot(time, weight, color=BLUE, linewidth=2.0, zorder=3)
        self._peak(ax, weight)
        ax.set_ylim(0.0, 1.12 * max(top, *weight, *self.at("attention.lags.even")))
        ax.set_xlim(min(0.0, time[0]), time[-1])
        patch = self.at("attention.lags.patch")
        ax.set_ylabel("mean attention on a token" + (f" of {patch}" if patch else ""))
        unit = str(self.at("attention.lags.unit"))
        ax.set_xlabel(f"{unit} before the value forecast")
        bare(ax, keep=("bottom", "left"))
        with_commas(ax.yaxis)
        if all(float(one).is_integer() for one in time):
            ax.xaxis.get_major_locator().set_params(integer=True)
        self._season(ax, time)
        self._beside(ax)
        stamp(self, ax, pad=24)

    def _band(self, ax: Any, time: list[float], weight: list[float]) -> float:
        """Draw one standard deviation to both sides, over replicas where there are several; return its top."""
        spread = self.at("attention.lags.replica_spread") or self.at("attention.lags.window_spread") or []
        known = [k for k, one in enumerate(spread) if one is not None]
        if not known:
            return 0.0
        low, high = [max(0.0, weight[k] - spread[k]) for k in known], [weight[k] + spread[k] for k in known]
        ax.fill_between([time[k] for k in known], low, high, color=BLUE, alpha=0.22, linewidth=0, zorder=2)
        return float(max(high))

    def _peak(self, ax: Any, weight: list[float]) -> None:
        at = self.at("attention.lags.peak_time")
        if at is None:
            return
        ax.plot([at], [max(weight)], "o", color=BLUE, markersize=6, zorder=4)
        self.write(ax, (at, max(weight)), "attention.lags.peak", "text")

    def _season(self, ax: Any, time: list[float]) -> None:
        """Put the ticks at whole seasons, where the lags span one."""
        season = self.at("attention.lags.season")
        if season is None or season > time[-1]:
            return
        n = int(time[-1] / season + 1e-9)
        step = -(-n // MOST_TICKS)
        if n >= 2:
            ax.set_xticks([season * k for k in range(0, n + 1, step)])
        for k in range(1, n + 1, step):
            ax.axvline(season * k, color=ink(), linewidth=0.6, alpha=0.25, zorder=0)

    def _beside(self, ax: Any) -> None:
        """Say above the axes what the band is and what lies apart: each value, and what it is after it."""
        parts = [
            (0.0, ": the band is their standard deviation", "attention.lags.spread_over", "text"),
            (0.5, " on registers", "attention.lags.register_share", "percent"),
            (0.7, " of the rest on the future", "attention.lags.future_share", "percent"),
        ]
        if self.narrow:
            parts = [(0.0, *parts[1][1:]), (0.42, *parts[2][1:])]
        for place, words, path, form in parts:
            if self.at(path) is None:
                continue
            value = ax.annotate(
                show(self.at(path), form), (place, 1.0), xycoords="axes fraction", xytext=(0, 5),
                textcoords="offset points", ha="left", va="bottom", fontsize="small", color=ink(),
            )  # fmt: skip
            self._marked(value, path, form, None)
            ax.annotate(
                words, (1.0, 0.0), xycoords=value, xytext=(1, 0), textcoords="offset points", ha="left",
                va="bottom", fontsize="small", color=ink(), annotation_clip=False,
            )  # fmt: skip
