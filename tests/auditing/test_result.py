"""An audit is saved whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import heldout as ho
from heldout.auditing.result import check_folder
from heldout.errors import DataError

from .small import line_table

FILES = ["model.heldout", "report.html", "report.json"]


@pytest.fixture(scope="module")
def audit() -> ho.Audit:
    return ho.audit(line_table(), "y", candidates=["ridge"], time_budget=0.3, n_jobs=1)


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class Writer:
    """An entry point whose writer does what it is told."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def load(self) -> Any:
        return self.action


def test_all_files_are_written_and_the_numbers_are_the_documents(audit: ho.Audit, tmp_path: Path) -> None:
    folder = audit.save(tmp_path / "a" / "new" / "folder")
    assert everything_in(folder) == FILES
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == audit.to_dict()
    assert everything_in(tmp_path)[:3] == ["a", "a/new", "a/new/folder"]
    assert ho.load(folder / "model.heldout").manifest["verdict"] == audit.verdict


def test_a_second_audit_replaces_the_files_and_leaves_others_alone(audit: ho.Audit, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    audit.save(tmp_path)
    assert everything_in(tmp_path) == sorted([*FILES, "notes.txt"])
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["schema"] == 1


def test_a_writer_that_fails_leaves_nothing(audit: ho.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(document: dict[str, Any], folder: Path) -> None:
        (folder / "report.html").write_text("half")
        raise RuntimeError("the page cannot be drawn")

    monkeypatch.setattr("heldout.auditing.result.entry_points", lambda **_: [Writer(failing)])
    with pytest.raises(RuntimeError, match="cannot be drawn"):
        audit.save(tmp_path / "deep" / "out")
    assert everything_in(tmp_path) == []
    with pytest.raises(RuntimeError, match="cannot be drawn"):
        audit.save(tmp_path)
    assert everything_in(tmp_path) == []


def test_files_are_finished_on_the_disk_of_the_folder_they_end_in(
    audit: ho.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []
    monkeypatch.setattr(
        "heldout.auditing.result.entry_points", lambda **_: [Writer(lambda _, folder: places.append(folder))]
    )
    audit.save(tmp_path / "a" / "b")
    audit.save(tmp_path / "a" / "b")
    # A move is a rename only within one file system; the parent of a folder that is there may be closed to us.
    assert places[0].parents[1] == tmp_path
    assert places[1].parents[1] == tmp_path / "a" / "b"


def test_writers_get_the_document_and_the_folder(
    audit: ho.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counting(document: dict[str, Any], folder: Path) -> None:
        (folder / "rows.txt").write_text(str(document["data"]["n_rows"]))

    asked: list[str] = []

    def found(group: str) -> list[Writer]:
        asked.append(group)
        return [Writer(counting)]

    monkeypatch.setattr("heldout.auditing.result.entry_points", found)
    audit.save(tmp_path)
    assert asked == ["heldout.audit_writers"]
    assert (tmp_path / "rows.txt").read_text() == "90"


def test_a_number_that_is_not_finite_is_never_written(audit: ho.Audit, tmp_path: Path) -> None:
    broken = ho.Audit(
        document=audit.document | {"seed": float("nan")},
        iid=audit.iid,
        splitter=audit.splitter,
        candidates=audit.candidates,
        decompositions={},
        best=None,
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        broken.save(tmp_path / "out")
    assert everything_in(tmp_path) == []


def test_without_a_model_the_report_is_written_alone(audit: ho.Audit, tmp_path: Path) -> None:
    stopped = ho.Audit(
        document=audit.document,
        iid=audit.iid,
        splitter=audit.splitter,
        candidates=audit.candidates,
        decompositions={},
        best=None,
        interrupted=True,
    )
    assert everything_in(stopped.save(tmp_path / "out")) == FILES[1:]


@pytest.mark.parametrize("place", ["taken", "taken/deeper"])
def test_a_file_in_the_way_is_named(audit: ho.Audit, tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").write_text("a file")
    for write in (check_folder, audit.save):
        with pytest.raises(DataError, match=r"taken' is a file; choose another --out folder"):
            write(tmp_path / place)
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_folder_in_the_way_of_a_file_is_named_and_nothing_is_written(audit: ho.Audit, tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(DataError, match=r"report\.json': a folder of that name is in the way"):
        audit.save(tmp_path)
    assert everything_in(tmp_path) == ["report.json"]


def test_a_folder_that_cannot_be_written_is_named(
    audit: ho.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("heldout.auditing.result.tempfile.NamedTemporaryFile", refused)
    for write in (check_folder, audit.save):
        with pytest.raises(DataError, match=r"out' \(Permission denied\): choose another --out folder"):
            write(tmp_path / "out")
    assert everything_in(tmp_path) == []


def test_a_name_too_long_for_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too long"):
        check_folder(tmp_path / ("x" * 5_000))


@pytest.mark.parametrize("there_before", [True, False])
def test_a_disk_that_fails_at_the_last_step_is_named(
    audit: ho.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there_before: bool
) -> None:
    out = tmp_path / "out"
    if there_before:
        out.mkdir()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    whole = os.replace

    def full_for_the_page(path: Path, target: Path) -> None:
        if Path(target) == out / "model.heldout":
            full(path, target)
        whole(path, target)

    monkeypatch.setattr(Path, "rename", full)
    monkeypatch.setattr("heldout.auditing.result.os.replace", full_for_the_page)
    with pytest.raises(DataError, match=r"cannot write into '.*out' \(No space left on device\)"):
        audit.save(out)
    assert everything_in(tmp_path) == (["out"] if there_before else [])


def test_a_new_folder_may_be_read_by_others_as_any_folder_made_here(audit: ho.Audit, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    folder = audit.save(tmp_path / "out")
    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_checking_a_folder_makes_nothing(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert everything_in(tmp_path) == []


def test_a_relative_folder_is_found_from_where_one_stands(
    audit: ho.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert audit.save("out") == Path("out")
    assert everything_in(tmp_path / "out") == FILES
    assert os.listdir(tmp_path) == ["out"]


def test_an_audit_reads_as_its_verdict(audit: ho.Audit) -> None:
    assert str(audit) == audit.verdict == audit.document["verdict"]
    assert audit.advice == audit.document["advice"]
    assert audit.advice is not audit.document["advice"]
