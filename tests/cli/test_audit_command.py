"""`heldout audit` from a file to a folder, and what it says where."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from .conftest import small_frame

QUICK = ["--candidates", "ridge,tree", "--time-budget", "2", "--threads", "1"]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One audit of a small table for all tests that only look at what it left."""
    from heldout.cli import run

    folder = tmp_path_factory.mktemp("audited")
    small_frame().write_csv(folder / "table.csv")
    arguments = ["audit", str(folder / "table.csv"), "--target", "outcome", "--group", "subject", *QUICK]
    assert run([*arguments, "--out", str(folder / "out")]) == 0
    return folder


def test_an_audit_writes_report_numbers_and_model(audited: Path) -> None:
    names = {path.name for path in (audited / "out").iterdir()}
    assert names == {"report.html", "report.json", "model.heldout"}
    document = json.loads((audited / "out" / "report.json").read_text(encoding="utf-8"))
    assert document["split"]["scheme"] == "group"
    assert [candidate["name"] for candidate in document["candidates"]] == ["baseline", "ridge", "tree"]
    assert document["winner"]["name"] == "ridge"
    assert document["command"].startswith("heldout audit ")


def test_the_model_file_predicts_new_rows_of_a_file(audited: Path, heldout: Callable[..., Any], tmp_path: Path) -> None:
    fresh = small_frame().select("colour", "x").head(5)
    fresh.write_csv(tmp_path / "new.csv")
    printed = heldout("predict", audited / "out" / "model.heldout", tmp_path / "new.csv")
    assert printed.code == 0
    predictions = pl.read_csv(printed.out.encode())
    assert predictions.columns == ["prediction"]
    # The target is 2 x and noise of 0.3: an independent answer to what a ridge regression must say.
    assert (predictions["prediction"] - 2 * fresh["x"]).abs().max() < 0.4
    for name in ("p.csv", "p.tsv", "p.jsonl", "p.parquet"):
        written = heldout("predict", audited / "out" / "model.heldout", tmp_path / "new.csv", "--out", tmp_path / name)
        assert (written.code, written.out) == (0, "")
    assert pl.read_parquet(tmp_path / "p.parquet").equals(predictions)
    assert pl.read_csv(tmp_path / "p.csv").equals(predictions)
    assert pl.read_csv(tmp_path / "p.tsv", separator="\t").equals(predictions)
    assert pl.read_ndjson(tmp_path / "p.jsonl").equals(predictions)


def test_predict_tells_on_stderr_what_training_never_saw(
    audited: Path, heldout: Callable[..., Any], tmp_path: Path
) -> None:
    frame = pl.DataFrame({"x": [0.1, 99.0], "colour": ["violet", "red"], "shoe": [1, 2]})
    frame.write_csv(tmp_path / "new.csv")
    outcome = heldout("predict", audited / "out" / "model.heldout", tmp_path / "new.csv")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 3
    assert "colour: unseen level in 1 row (such as violet)" in outcome.err
    assert "x: outside range in 1 row (such as 99" in outcome.err
    assert "columns that the model does not use: shoe" in outcome.err


def test_a_model_of_rows_takes_nothing_that_forecasts_take(
    audited: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    model, rows = audited / "out" / "model.heldout", audited / "table.csv"
    is_one_line(heldout("predict", model, rows, "--interval", "0.9"), "--interval 0.9", "leave it out")
    is_one_line(heldout("predict", model, rows, "--future", rows), "--future", "table.csv", "leave it out")


def test_predict_needs_every_column_of_the_training_table(
    audited: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None], tmp_path: Path
) -> None:
    pl.DataFrame({"color": ["red"], "x": [0.1]}).write_csv(tmp_path / "new.csv")
    out = tmp_path / "p.csv"
    outcome = heldout("predict", audited / "out" / "model.heldout", tmp_path / "new.csv", "--out", out)
    is_one_line(outcome, "'colour'", "'color'")
    assert not out.exists()


def test_predict_names_the_line_of_a_value_of_another_type(
    audited: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("x,colour\n0.1,red\ntall,red\n")
    outcome = heldout("predict", audited / "out" / "model.heldout", tmp_path / "new.csv")
    is_one_line(outcome, "'x'", "'tall'", "line 3")


def spoiled(model: bytes, how: str) -> bytes:
    if how == "truncated":
        return model[: len(model) // 2]
    if how == "altered":
        place = len(model) // 3
        return model[:place] + bytes([model[place] ^ 0xFF]) + model[place + 1 :]
    if how == "newer":
        return with_manifest(model, schema=99)
    return b"no model at all"


def with_manifest(model: bytes, **changes: Any) -> bytes:
    """The file of a version of heldout that writes another manifest."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "manifest.json":
                content = json.dumps(json.loads(content) | changes).encode()
            new.writestr(member, content)
    return buffer.getvalue()


@pytest.mark.parametrize("how", ["truncated", "altered", "newer", "something else"])
def test_a_model_file_that_cannot_be_used_gets_one_line(
    how: str, audited: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None], tmp_path: Path
) -> None:
    model, out = tmp_path / "model.heldout", tmp_path / "p.csv"
    model.write_bytes(spoiled((audited / "out" / "model.heldout").read_bytes(), how))
    outcome = heldout("predict", model, audited / "table.csv", "--out", out)
    is_one_line(outcome, "model.heldout", *(["newer"] if how == "newer" else []))
    assert not out.exists()


def test_an_oversized_model_file_gets_one_line(
    audited: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heldout.auditing.archive.MOST_BYTES", 1000)
    is_one_line(heldout("predict", audited / "out" / "model.heldout", audited / "table.csv"), "oversized", "1000")


def test_a_model_file_that_is_not_there_gets_one_line(
    heldout: Callable[..., Any], is_one_line: Callable[..., None], table: Path
) -> None:
    is_one_line(heldout("predict", table.with_name("absent.heldout"), table), "absent.heldout")


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--out", "p.xlsx"], [".xlsx", ".csv"]),
        (["--out", "no/such/folder/p.csv"], ["no/such/folder"]),
        (["--interval", "1.5"], ["--interval"]),
    ],
)
def test_predict_refuses_what_it_cannot_do_before_it_reads(
    options: list[str], fragments: list[str], heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    is_one_line(heldout("predict", "absent.heldout", "absent.csv", *options), *fragments)


def test_stdout_holds_the_summary_alone_and_stays_on_one_screen(table: Path, heldout: Callable[..., Any]) -> None:
    folder = table.parent / "out"
    outcome = heldout("audit", table, "--target", "outcome", *QUICK, "--out", folder)
    assert outcome.code == 0
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    lines = outcome.out.splitlines()
    assert " ".join(outcome.out.split()).startswith(document["verdict"])
    assert lines[-1] == f"Report: {folder / 'report.html'}"
    assert len(lines) <= 25
    assert max(len(line) for line in lines[:-1]) <= 80


def test_json_prints_the_very_document_that_is_written(table: Path, heldout: Callable[..., Any]) -> None:
    folder = table.parent / "out"
    outcome = heldout("audit", table, "--target", "outcome", *QUICK, "--out", folder, "--json")
    assert json.loads(outcome.out) == json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_rows_without_a_target_are_counted_and_a_rare_class_runs(tmp_path: Path, heldout: Callable[..., Any]) -> None:
    kind = ["common", "usual"] * 39 + ["rare", None]
    small_frame().with_columns(outcome=pl.Series(kind)).write_csv(tmp_path / "table.csv")
    folder = tmp_path / "out"
    outcome = heldout(
        "audit",
        tmp_path / "table.csv",
        "--target",
        "outcome",
        "--candidates",
        "tree",
        "--time-budget",
        "2",
        "--out",
        folder,
    )
    assert outcome.code == 0, outcome.err
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))["data"]
    assert (data["n_rows"], data["n_target_missing"]) == (79, 1)
    assert data["classes"] == ["common", "rare", "usual"]


def test_the_plan_of_a_report_is_repeated_to_the_same_numbers(audited: Path, heldout: Callable[..., Any]) -> None:
    first = json.loads((audited / "out" / "report.json").read_text(encoding="utf-8"))
    outcome = heldout(
        "audit", audited / "table.csv", "--target", "outcome", "--group", "subject", *QUICK,
        "--plan", audited / "out" / "report.json", "--out", audited / "again", "--json",
    )  # fmt: skip
    again = json.loads(outcome.out)
    assert again["verdict"] == first["verdict"]
    assert [(c["name"], c["error"], c["variance"]) for c in again["candidates"]] == [
        (c["name"], c["error"], c["variance"]) for c in first["candidates"]
    ]


def test_an_interrupted_audit_is_written_and_ends_with_130(
    table: Path, heldout: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    stand_in(interrupted=True)
    outcome = heldout("audit", table, "--target", "outcome", "--fail-on", "baseline", "--out", table.parent / "out")
    assert outcome.code == 130
    assert (table.parent / "out" / "report.json").exists()
    assert "interrupted" in outcome.err


def test_an_interrupt_before_anything_is_finished_writes_nothing(
    table: Path, heldout: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("heldout.auditing.audit", stopped)
    outcome = heldout("audit", table, "--target", "outcome", "--out", table.parent / "out")
    assert outcome.code == 130
    assert outcome.err == "heldout: interrupted before anything was finished: nothing was written\n"
    assert not (table.parent / "out").exists()


def test_an_estimator_of_the_users_own_is_scored_beside_the_baseline(
    table: Path, heldout: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "from sklearn.dummy import DummyRegressor\nmedian = DummyRegressor(strategy='median')\n"
    (table.parent / "my_estimators.py").write_text(module)
    monkeypatch.chdir(table.parent)
    outcome = heldout(
        "audit", table, "--target", "outcome", "--candidates", "my_estimators:median", "--time-budget", "2", "--json",
        "--out", table.parent / "out",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    scored = json.loads(outcome.out)["candidates"]
    assert [candidate["name"] for candidate in scored if not candidate["is_baseline"]] == ["median"]
