"""report.html is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heldout import report
from heldout.errors import InvalidInput
from heldout.report import render_html, write_report
from report.documents import SAMPLES


def test_the_page_is_written_into_a_new_folder(tmp_path: Path) -> None:
    path = write_report(SAMPLES["no_signal"](), tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / "report.html"
    assert path.read_text("utf-8") == render_html(SAMPLES["no_signal"]())
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


@pytest.mark.skipif(os.name == "nt", reason="permission bits are of POSIX")
def test_the_page_can_be_read_by_others_as_any_new_file(tmp_path: Path) -> None:
    path = write_report({"verdict": "No signal."}, tmp_path)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_leaves_the_old_page_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report({"verdict": "Old."}, tmp_path)
    old = path.read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError(f"no room for {target.name}")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match=r"no room for report\.html"):
        write_report({"verdict": "New."}, tmp_path)
    assert path.read_bytes() == old
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_what_is_no_document_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="got str"):
        write_report("report.json", tmp_path / "new")  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_the_room_names_what_it_has() -> None:
    assert report.displays.CandidatesDisplay.__name__ == "CandidatesDisplay"
    with pytest.raises(AttributeError, match="no attribute 'pdf'"):
        report.pdf  # noqa: B018 - reading it is the test
