"""Results as a page, as figures and as text for the terminal; the input is the dictionary of report.json."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heldout.report import displays
    from heldout.report.page import render_html
    from heldout.report.terminal import summary_text
    from heldout.report.writing import write_report

__all__ = ["displays", "render_html", "summary_text", "write_report"]

_HOME = {
    "render_html": "heldout.report.page",
    "summary_text": "heldout.report.terminal",
    "write_report": "heldout.report.writing",
}


def __getattr__(name: str) -> Any:
    # Lazily: the command line prints a summary without Jinja2 or a display being imported.
    if name == "displays":
        return importlib.import_module("heldout.report.displays")
    if name not in _HOME:
        raise AttributeError(f"module 'heldout.report' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name]), name)
