"""A real audit gives a document that is described and a page that equals it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import heldout
from heldout import examples
from report.page_reader import Page
from report.test_page import assert_shows, follow
from report.test_report_json import describing, documented, fields, fits


@pytest.mark.slow
def test_the_audit_of_the_shipped_table_is_described_and_shown_as_it_is(tmp_path: Path) -> None:
    table = Path(examples.__file__).with_name("vowel.csv.gz")
    audit = heldout.audit(table, target="Class", group="SpeakerNumber", drop=["TT"], random_state=0, time_budget=10)
    audit.save(tmp_path)
    document = json.loads((tmp_path / "report.json").read_text("utf-8"))
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.title == document["verdict"]
    assert len(page.shown) > 300
    for shown in page.shown:
        assert_shows(shown, follow(document, shown.path))
    assert [text for text in page.outside if re.search(r"\d", text)] == []
    described = documented()
    for path, value in fields(document):
        if isinstance(value, dict) and any(one.startswith(f"{path}.") for one in described):
            continue
        rows = describing(path, described)
        assert len(rows) == 1, f"{path} is described by {rows}"
        assert fits(value, described[rows[0]]), f"{path} = {value!r} is no {described[rows[0]]}"
