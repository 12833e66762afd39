"""A display as SVG inside the page.

matplotlib draws with fixed sentinel colours, which become ``currentColor`` and the page's background, so one
drawing serves light, dark and paper. Texts that show a value of report.json say which (``data-path``), ids are
made unique per figure, and what nothing refers to is left out. The same document gives the same bytes.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from heldout.report.displays.display import Display, read_mark
from heldout.report.numbers import show
from heldout.report.reading import look_up

__all__ = ["draw_svg"]

INK = "#010203"
PAPER = "#fefdfc"
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "heldout",
    "svg.id": None,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12.0,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "axes.facecolor": PAPER,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.color": INK,
    "hatch.linewidth": 0.5,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}
_SPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# Older versions of matplotlib write the shorthand, newer ones each property; the family is the page's.
_SHORTHAND = re.compile(r"font: (?:(?:bold|italic|\d+) )*([\d.]+px)[^;]*")
_FAMILY = re.compile(r"font-family: [^;]*;? ?")
_LONG = re.compile(r"(\d+\.\d{2})\d+")
# Settings of matplotlib are global to the process; two threads must not draw with each other's.
_LOCK = threading.Lock()


def draw_svg(display: Display, key: str, *, width: float) -> Markup:
    """Draw a display as an SVG element for the page.

    Parameters
    ----------
    display : Display
    key : str
        Prefix of the ids, unique in the page.
    width : float
        In CSS pixels; text is drawn at 12 of them.
    """
    drawn = _drawn(display, width)
    root = ElementTree.fromstring(drawn)  # noqa: S314 - matplotlib wrote it a line ago
    _strip(root)
    _mark(root, display.document)
    _rename(root, key)
    root.attrib.clear()
    size = re.search(r'viewBox="([^"]+)"', drawn)
    assert size is not None  # noqa: S101 - matplotlib always writes one
    root.attrib |= {"class": "figure", "role": "img", "viewBox": size[1], "style": f"max-width: {width:.0f}px"}
    root.attrib["aria-labelledby"] = f"{key}-title {key}-desc"
    _name(root, key, display)
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=True))  # noqa: S704 - escaped by ElementTree


def _drawn(display: Display, width: float) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with _LOCK, matplotlib.rc_context(SETTINGS):
        display.narrow = width < 500
        figure = Figure(figsize=(width / 72, display.height() / 72), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        display.plot(axes)
        held = io.StringIO()
        figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return held.getvalue()


def _strip(root: ElementTree.Element) -> None:
    """Drop metadata and namespaces: inside HTML they are not needed."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_SPACE}metadata":
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SPACE)
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
        for name in ("style", "fill", "stroke"):
            if name in element.attrib:
                plain = _FAMILY.sub("", _SHORTHAND.sub(r"font-size: \1", element.attrib[name]))
                element.set(name, plain.replace(INK, "currentColor").replace(PAPER, "var(--paper)"))
        for name in ("d", "x", "y", "transform"):
            if name in element.attrib:
                element.set(name, _LONG.sub(r"\1", element.attrib[name]).strip())
    for group in root.iter("g"):
        _hoist(group)


def _hoist(group: ElementTree.Element) -> None:
    """Say the style of two thousand equal points once."""
    uses = [child for child in group if child.tag == "use"]
    styles = {child.get("style") for child in uses}
    if len(uses) > 1 and len(styles) == 1 and (style := styles.pop()):
        group.set("style", style)
        for child in uses:
            del child.attrib["style"]


def _mark(root: ElementTree.Element, document: Mapping[str, Any]) -> None:
    for group in root.iter("g"):
        name = group.get("id", "")
        if name.startswith("matplotlib.axis"):
            group.set("class", "axis")
        mark = read_mark(name)
        if mark is None:
            continue
        path, form, decimals = mark
        value = look_up(document, path)
        del group.attrib["id"]
        group.attrib |= {"data-path": path, "data-form": form}
        if decimals is not None:
            group.set("data-decimals", str(decimals))
        if form in ("text", "short"):
            if show(value, form, decimals) != str(value):
                title = ElementTree.Element("title")
                title.text = str(value)
                group.insert(0, title)
        else:
            group.set("data-value", repr(value))


def _rename(root: ElementTree.Element, key: str) -> None:
    """Number the ids that are referred to, and drop the others."""
    used: dict[str, str] = {}
    for element in root.iter():
        for value in element.attrib.values():
            for target in [*_REFERENCE.findall(value), *([value[1:]] if value.startswith("#") else [])]:
                used.setdefault(target, f"{key}-{len(used)}")
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", used[identity])
        for name, value in list(element.attrib.items()):
            if value.startswith("#") and value[1:] in used and name == "href":
                element.set(name, f"#{used[value[1:]]}")
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(lambda found: f"url(#{used[found[1]]})", value))


def _name(root: ElementTree.Element, key: str, display: Display) -> None:
    for tag, text in (("desc", display.description()), ("title", display.title)):
        element = ElementTree.Element(tag, {"id": f"{key}-{tag}"})
        element.text = text
        root.insert(0, element)
