"""Reads a page as a test needs it: which element shows which value, and what text stands outside of those."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Shown:
    """An element with `data-path`."""

    path: str
    form: str
    decimals: int | None
    value: str | None
    title: str | None
    text: str = ""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    shown: Shown | None
    silent: bool
    words: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """Every element that shows a value, all ids and references, and the text outside."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shown: list[Shown] = []
        self.elements: list[Element] = []
        self.outside: list[str] = []
        self.title = ""
        self.headings: list[str] = []
        self._open: list[Element] = []
        self.feed(page)
        self.close()
        assert not self._open, f"not closed: {[one.tag for one in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        above = self._open[-1] if self._open else None
        shown = above.shown if above else None
        if "data-path" in attributes:
            assert shown is None, f"{attributes['data-path']} inside {shown}"
            decimals = attributes.get("data-decimals")
            shown = Shown(
                attributes["data-path"],
                attributes["data-form"],
                None if decimals is None else int(decimals),
                attributes.get("data-value"),
                attributes.get("title"),
            )
            self.shown.append(shown)
        axis = tag == "g" and attributes.get("class") == "axis"
        silent = (above.silent if above else False) or tag in {"style", "desc", "head"} or axis
        silent = silent or (tag == "title" and "svg" in [one.tag for one in self._open])
        element = Element(tag, attributes, shown, silent)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"
        if tag == "h2":
            self.headings.append(" ".join(" ".join(closed.words).split()))
        if self._open:
            self._open[-1].words += closed.words

    def handle_data(self, data: str) -> None:
        if not self._open:
            return
        here = self._open[-1]
        here.words.append(data)
        tags = [one.tag for one in self._open]
        if here.tag == "title":
            if "svg" not in tags:
                self.title += data
            elif here.shown is not None:
                here.shown.title = data
            return
        if here.shown is not None:
            # A long name in a figure stands in two lines: two texts of one value.
            here.shown.text = " ".join(f"{here.shown.text} {data}".split()) if "svg" in tags else here.shown.text + data
        elif not here.silent:
            self.outside.append(data)
