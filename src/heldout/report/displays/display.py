"""What all displays share: where their numbers come from, the inks, and numbers that name their source."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from heldout.errors import InvalidInput
from heldout.report.numbers import MINUS, show
from heldout.report.reading import as_document, look_up
from heldout.report.words import loss_decimals, metric_decimals

__all__ = ["BLUE", "GREEN", "ORANGE", "VERMILION", "Display", "mark_of", "read_mark"]

# Okabe and Ito (2008): told apart by every kind of colour vision; hatches and shapes tell apart without colour.
ORANGE = "#E69F00"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"  # what was chosen

LONGEST_NAME, LONGEST_LINE = 30, 17  # characters beside a wide and a narrow figure

_MARK = "value-of:"


def mark_of(path: str, form: str, decimals: int | None) -> str:
    """Return the group id that says which value of report.json a text in a figure shows."""
    return f"{_MARK}{path}|{form}|{'' if decimals is None else decimals}"


def read_mark(group_id: str) -> tuple[str, str, int | None] | None:
    """Return (path, form, decimals) of such an id; None for any other id."""
    if not group_id.startswith(_MARK):
        return None
    path, form, decimals = group_id.removeprefix(_MARK).rsplit("|", 2)
    return path, form, int(decimals) if decimals else None


class Display(ABC):
    """A figure of the report.

    Attributes
    ----------
    title : str
        What the figure is, for readers that cannot see it.
    ax_, figure_ : matplotlib Axes and Figure, after `plot`.
    """

    title: str

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.metric_decimals = metric_decimals(document)
        self.loss_decimals = loss_decimals(document)
        # A figure in a narrow column leaves out what the table beside it says as well.
        self.narrow = False

    @classmethod
    def from_result(cls, result: Any) -> Self:
        """Make the display of an audit, or of the dictionary of its report.json.

        Parameters
        ----------
        result : Audit or mapping

        Raises
        ------
        InvalidInput
            The argument is neither.
        """
        return cls(as_document(result))

    @abstractmethod
    def missing(self) -> str | None:
        """Return why this figure cannot be drawn, or None when it can."""

    @abstractmethod
    def height(self) -> float:
        """Return the height that suits, in points."""

    @abstractmethod
    def description(self) -> str:
        """Return what the figure shows, for readers that cannot see it."""

    @abstractmethod
    def _draw(self, ax: Any) -> None:
        """Draw into the axes."""

    def plot(self, ax: Any = None) -> Self:
        """Draw the figure.

        Parameters
        ----------
        ax : matplotlib Axes or None
            None makes a new figure with pyplot, so that a notebook shows it.

        Returns
        -------
        self, with `ax_` and `figure_`

        Raises
        ------
        InvalidInput
            The figure cannot be drawn honestly; the message says why.
        """
        why = self.missing()
        if why is not None:
            raise InvalidInput(f"{type(self).__name__} cannot be drawn: {why}")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(640 / 72, self.height() / 72), layout="constrained")
        self.ax_ = ax
        self.figure_ = ax.figure
        self._draw(ax)
        return self

    def at(self, path: str) -> Any:
        """Return the value at a path of report.json."""
        return look_up(self.document, path)

    def write(
        self,
        ax: Any,
        where: tuple[float, float],
        path: str,
        form: str = "number",
        decimals: int | None = None,
        *,
        side: str = "above",
        size: str = "small",
    ) -> None:
        """Write the value at a path beside a point of the figure, marked with where it comes from."""
        offset, ha, va = {
            "above": ((0, 6), "center", "bottom"),
            "right": ((6, 0), "left", "center"),
            "on": ((0, 0), "center", "center"),
        }[side]
        text = ax.annotate(
            show(self.at(path), form, decimals), where, xytext=offset, textcoords="offset points",
            ha=ha, va=va, fontsize=size, color=ink(), annotation_clip=False,
        )  # fmt: skip
        self._marked(text, path, form, decimals)

    def name_rows(self, ax: Any, positions: list[float], paths: list[str]) -> None:
        """Label the rows of the figure with names: in two lines where the column is narrow, else cut when long."""
        names, widths = [], []
        for path in paths:
            name = show(self.at(path), "short", LONGEST_NAME)
            lines = textwrap.wrap(name, LONGEST_LINE, break_long_words=False, break_on_hyphens=False)
            fits = len(lines) <= 2 and all(len(line) <= LONGEST_LINE for line in lines)
            widths.append(LONGEST_NAME if fits or not self.narrow else LONGEST_LINE)
            names.append("\n".join(lines) if fits and self.narrow else show(self.at(path), "short", widths[-1]))
        ax.set_yticks(positions, names)
        for label, path, width in zip(ax.get_yticklabels(), paths, widths, strict=True):
            self._marked(label, path, "short", width)

    @staticmethod
    def _marked(text: Any, path: str, form: str, decimals: int | None) -> Any:
        text.set_gid(mark_of(path, form, decimals))
        text.set_parse_math(False)  # a name with two dollar signs is a name
        return text


def ink() -> str:
    """Return the colour of text, from matplotlib's settings: the caller's, or the page's."""
    import matplotlib

    return str(matplotlib.rcParams["text.color"])


def paper() -> str:
    """Return the colour behind the figure."""
    import matplotlib

    return str(matplotlib.rcParams["axes.facecolor"])


def bare(ax: Any, *, keep: tuple[str, ...] = ("bottom",)) -> None:
    """Take away the frame and tick marks that are not read."""
    for side, spine in ax.spines.items():
        spine.set_visible(side in keep)
        spine.set_linewidth(0.8)
    ax.tick_params(length=0, axis="y")
    ax.tick_params(length=3, width=0.8, axis="x")
    with_commas(ax.xaxis)


def with_commas(axis: Any) -> None:
    """Write the numbers of an axis as the text does."""
    from matplotlib.ticker import FuncFormatter

    axis.get_major_locator().set_params(nbins=6)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace("-", MINUS)))
