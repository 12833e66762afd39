"""report.html in its folder, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heldout.report.page import render_html

__all__ = ["write_report"]


def write_report(document: Mapping[str, Any], folder: str | Path) -> Path:
    """Write ``report.html`` into a folder.

    The page is written beside its place and then moved there, so a reader never meets half a page.

    Parameters
    ----------
    document : mapping
        The dictionary of report.json.
    folder : path
        Made when it is not there.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InvalidInput
        `document` is neither an audit nor a dictionary.
    OSError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report({"verdict": "No signal."}, folder).name
    'report.html'
    """
    page = render_html(document)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=folder, prefix=".report-", suffix=".html")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        # mkstemp makes files for the owner only; a report is to be shared as any other file is.
        mask = os.umask(0)
        os.umask(mask)
        Path(beside).chmod(0o666 & ~mask)
        Path(beside).replace(folder / "report.html")
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return folder / "report.html"
