"""report.json as one page of HTML: offline, without script, in light, dark and print."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from heldout.report import forecast_sentences, sentences
from heldout.report.displays import (
    CandidatesDisplay,
    ConfusionDisplay,
    DifferencesDisplay,
    Display,
    ForecastDisplay,
    HorizonErrorDisplay,
    LagProfileDisplay,
    OptimismDisplay,
    OrderDisplay,
    PartsDisplay,
    PredictionsDisplay,
)
from heldout.report.numbers import NOT_KNOWN
from heldout.report.reading import as_document, baseline_position, winner_position
from heldout.report.svg import draw_svg
from heldout.report.words import Marked

__all__ = ["render_html"]

WIDE, NARROW = 720.0, 360.0


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("heldout.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def render_html(document: Mapping[str, Any]) -> str:
    """Return the page of an audit.

    Parameters
    ----------
    document : mapping
        The dictionary of report.json (an audit is taken too).

    Returns
    -------
    str
        One page that asks for nothing else: styles and figures are inside, there is no script. Each number
        is an element that names its place in report.json (``data-path``). The same document gives the same
        bytes.

    Raises
    ------
    InvalidInput
        The argument is neither an audit nor a dictionary.

    Examples
    --------
    >>> page = render_html({"verdict": "No signal."})
    >>> "<title>No signal.</title>" in page, "<script" in page
    (True, False)
    """
    document = as_document(document)
    words = Marked(document)
    page: str = _template().render(
        w=words,
        document=document,
        say=sentences,
        say_forecast=forecast_sentences,
        winner=winner_position(document),
        baseline=baseline_position(document),
        figures=_figures(document),
        style=Markup(files("heldout.report").joinpath("page.css").read_text("utf-8")),  # noqa: S704 - our own file
        not_known=NOT_KNOWN,
    )
    return page


def _figures(document: Mapping[str, Any]) -> dict[str, Markup]:
    """Return each figure, or the sentence that stands in its place."""
    kinds: dict[str, tuple[type[Display], bool]] = {
        "optimism": (OptimismDisplay, True),
        "order": (OrderDisplay, True),
        "candidates": (CandidatesDisplay, True),
        "parts": (PartsDisplay, True),
        "differences": (DifferencesDisplay, True),
        "scatter": (PredictionsDisplay, False),
        "confusion": (ConfusionDisplay, False),
        "steps": (HorizonErrorDisplay, True),
        "lags": (LagProfileDisplay, True),
    }
    drawn = {key: _figure(kind.from_result(document), key, twice) for key, (kind, twice) in kinds.items()}
    for k in range(len((document.get("forecast") or {}).get("examples") or ())):
        drawn[f"example{k}"] = _figure(ForecastDisplay.from_result(document, k), f"example-{k}", True)
    return drawn


def _figure(display: Display, key: str, twice: bool) -> Markup:
    if display.missing() is not None:
        return Markup("")
    if not twice:  # one drawing of points or cells fits both widths
        return Markup('<div class="drawn">{}</div>').format(draw_svg(display, key, width=420.0))
    return Markup('<div class="drawn wide">{}</div><div class="drawn narrow">{}</div>').format(
        draw_svg(display, f"{key}-wide", width=WIDE),
        draw_svg(display, f"{key}-narrow", width=NARROW),
    )
