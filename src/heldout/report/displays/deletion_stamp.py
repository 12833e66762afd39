"""What a deletion test found, written over a figure of attention, and a stamp where nothing is explained."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from heldout.report.displays.display import VERMILION, Display, mark_of, paper
from heldout.report.reading import as_document

__all__ = ["stamp", "with_deletion"]

UNTESTED = "Not tested by deletion: this is where attention looks, which need not be what matters."


def with_deletion(result: Any, deletion: Any) -> Mapping[str, Any]:
    """Return the dictionary of attention maps, with a deletion test where one is given.

    Parameters
    ----------
    result : AttentionMaps or mapping
    deletion : DeletionTest, mapping or None

    Examples
    --------
    >>> with_deletion({"attention": {"lags": None}}, {"explanatory": False})
    {'attention': {'lags': None, 'deletion': {'explanatory': False}}}
    """
    document = as_document(result)
    if deletion is None:
        return document
    return {**document, "attention": {**document.get("attention", {}), "deletion": as_document(deletion)}}


def stamp(display: Display, ax: Any, pad: float) -> None:
    """Write the finding above the axes, and "not explanatory" across them unless the test shows that they explain.

    Parameters
    ----------
    display : Display
    ax : matplotlib Axes
    pad : float
        Points between the axes and what is written above them.
    """
    explanatory = display.at("attention.deletion.explanatory")
    said = UNTESTED if explanatory is None else str(display.at("attention.deletion.sentence"))
    lines = textwrap.wrap(said, 50 if display.narrow else 105)
    title = ax.set_title("\n".join(lines), fontsize="small", loc="left", pad=pad)
    title.set_parse_math(False)
    if explanatory is not None:
        title.set_gid(mark_of("attention.deletion.sentence", "text", None))
    if explanatory is False:
        ax.annotate(
            "not explanatory", (0.5, 0.55), xycoords="axes fraction", ha="center", va="center", rotation=12,
            fontsize="x-large" if display.narrow else "xx-large", fontweight="bold", color=VERMILION, zorder=6,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": paper(), "edgecolor": VERMILION, "linewidth": 2.0},
        )  # fmt: skip
