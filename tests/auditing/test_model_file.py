from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from heldout.auditing.archive import array_from_npy, npy_from_array, read_archive
from heldout.auditing.model_file import FittedModel, load_model, save_model
from heldout.errors import ModelFileError, SchemaMismatch
from heldout.table import OrdinalEncoder, ScaledEncoder, read_table, table_from_frame

STORED = Path(__file__).parent / "model_files"


def rows(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"size": rng.normal(size=n), "colour": rng.choice(["red", "blue"], n)})


def three_classes(model: Any = None, classes: tuple[str, ...] = ("high", "low", "mid")) -> FittedModel:
    table = table_from_frame(rows(90, 0))
    model = model or RandomForestClassifier(5, min_samples_leaf=3, random_state=0)
    fitted = Pipeline([("encoder", OrdinalEncoder()), ("model", model)]).fit(table.frame, np.arange(90) % 3)
    return FittedModel(fitted, table.schema, "classification", classes, "log_loss", None, {"created": "then"})


def numbers() -> FittedModel:
    table = table_from_frame(rows(60, 1))
    fitted = Pipeline([("encoder", ScaledEncoder()), ("model", Ridge())]).fit(table.frame, np.arange(60.0))
    return FittedModel(fitted, table.schema, "regression", (), "rmse", None, {"error": 1.5})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.heldout"
    model = three_classes()
    save_model(path, model, model.manifest)
    return path


# -- what comes back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [three_classes, numbers])
def test_a_model_comes_back_from_its_file_with_the_same_predictions_and_facts(make: Any, tmp_path: Path) -> None:
    model, path, new = make(), tmp_path / "model.heldout", rows(50, 2)
    save_model(path, model, model.manifest)
    loaded = load_model(path)
    assert loaded.predict(new).equals(model.predict(new))
    for field in ("schema", "task", "classes", "metric", "positive", "frame_kind"):
        assert getattr(loaded, field) == getattr(model, field)
    assert model.manifest.items() <= loaded.manifest.items()
    assert set(loaded.manifest["versions"]) == {"heldout", "python", "numpy", "scikit-learn"}


def test_equal_models_give_equal_bytes_and_a_loaded_model_saves_as_it_was(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    save_model(paths[0], three_classes(), {"created": "then"})
    save_model(paths[1], three_classes(), {"created": "then"})
    loaded = load_model(paths[0])
    save_model(paths[2], loaded, loaded.manifest)
    assert len({path.read_bytes() for path in paths}) == 1


def test_no_member_of_the_file_is_a_pickle(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        for name in archive.namelist():
            assert name.endswith((".json", ".npy"))
            if name.endswith(".npy"):
                np.lib.format.read_array(archive.open(name), allow_pickle=False)


def test_predictions_come_in_the_kind_of_frame_that_was_given() -> None:
    model, new = three_classes(), rows(7, 3)
    expected = model.predict(new)
    assert expected.columns == ["prediction", "probability: high", "probability: low", "probability: mid"]
    np.testing.assert_allclose(expected.select(pl.exclude("prediction")).sum_horizontal(), 1.0)
    frame = pd.DataFrame({s.name: s.to_list() for s in new}, index=[f"r{i}" for i in range(7)])
    out = model.predict(frame)
    assert isinstance(out, pd.DataFrame)
    assert out.index.tolist() == frame.index.tolist()
    assert out.to_dict("list") == expected.to_dict(as_series=False)
    arrow = model.predict(new.to_arrow())
    assert isinstance(arrow, pa.Table)
    assert arrow.to_pydict() == expected.to_dict(as_series=False)
    assert model.predict(table_from_frame(new)).equals(expected)


def test_the_predicted_class_is_the_most_probable_one() -> None:
    out = three_classes(LogisticRegression()).predict(rows(200, 4))
    table = out.select(pl.exclude("prediction")).to_numpy()
    assert out["prediction"].to_list() == [("high", "low", "mid")[k] for k in table.argmax(axis=1)]


@pytest.mark.parametrize(
    ("classes", "kind"),
    [(("0", "1", "2"), pl.Int64), (("0.5", "1.5", "2.5"), pl.Float64), (("01", "02", "03"), pl.String)],
)
def test_labels_that_are_numbers_are_predicted_as_numbers(classes: tuple[str, ...], kind: Any) -> None:
    assert three_classes(classes=classes).predict(rows(5, 5))["prediction"].dtype == kind


def test_a_class_that_training_never_saw_has_probability_zero() -> None:
    table = table_from_frame(rows(40, 6))
    fitted = Pipeline([("e", ScaledEncoder()), ("m", KNeighborsClassifier(3))]).fit(table.frame, np.arange(40) % 2 * 2)
    model = FittedModel(fitted, table.schema, "classification", ("a", "b", "c"), "log_loss", None, {})
    out = model.predict(rows(10, 7))
    assert out["probability: b"].to_list() == [0.0] * 10
    assert set(out["prediction"]) <= {"a", "c"}


def test_an_estimator_fitted_on_the_labels_themselves_is_understood() -> None:
    table = table_from_frame(rows(40, 8))
    labels = np.array(["b", "a"])[np.arange(40) % 2]
    fitted = Pipeline([("e", ScaledEncoder()), ("m", LogisticRegression())]).fit(table.frame, labels)
    model = FittedModel(fitted, table.schema, "classification", ("a", "b"), "log_loss", None, {})
    assert model.predict(table.frame)["prediction"].to_list() == fitted.predict(table.frame).tolist()
    other = replace(model, classes=("a", "z"))
    with pytest.raises(ModelFileError, match="names a class 'b', but the classes are a, z"):
        other.predict(table.frame)


def test_new_data_is_checked_and_what_is_new_in_it_is_noted() -> None:
    model = numbers()
    with pytest.raises(SchemaMismatch, match="size"):
        model.predict(pl.DataFrame({"colour": ["red"]}))
    _, notes = model.predict_with_notes(pl.DataFrame({"colour": ["green"], "size": [999.0], "extra": [1]}))
    assert {(note.column, note.what) for note in notes} == {
        ("colour", "unseen level"),
        ("size", "outside range"),
        ("extra", "extra column"),
    }


# -- a user's own estimator ---------------------------------------------------------------------------------


class Named(ClassifierMixin, BaseEstimator):
    """A user's own classifier, which wants a pandas frame and says class 1 for red."""

    def fit(self, X: Any, y: Any) -> Named:
        assert isinstance(X, pd.DataFrame)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        assert isinstance(X, pd.DataFrame)
        return (X["colour"] == "red").to_numpy().astype(int)


def foreign(kind: str = "pandas") -> FittedModel:
    table = table_from_frame(rows(30, 9))
    fitted = Named().fit(pd.DataFrame({s.name: s.to_list() for s in table.frame}), np.arange(30) % 2)
    return FittedModel(fitted, table.schema, "classification", ("no", "yes"), "accuracy", "yes", {}, kind)  # type: ignore[arg-type]


def test_a_foreign_estimator_gets_the_kind_of_frame_it_was_fitted_on_and_no_probability_is_made_up() -> None:
    new = rows(20, 10)
    expected = ["yes" if colour == "red" else "no" for colour in new["colour"]]
    for frame in (new, new.to_arrow(), new.to_pandas(), new.with_columns(extra=pl.lit(0)).to_pandas()):
        out = foreign().predict(frame)
        column = out["prediction"]
        assert (column.to_pylist() if isinstance(frame, pa.Table) else list(column)) == expected
        assert "probability: yes" not in (out.column_names if isinstance(frame, pa.Table) else list(out.columns))


class Same(ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> Same:
        self.classes_, self.kind_ = np.unique(y), type(X).__module__.partition(".")[0]
        return self

    def predict(self, X: Any) -> np.ndarray:
        assert type(X).__module__.partition(".")[0] == self.kind_
        return np.zeros(len(X), int)


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_a_foreign_estimator_fitted_on_polars_or_arrow_gets_that(kind: str) -> None:
    new = rows(20, 11)
    fitted = Same().fit(new if kind == "polars" else new.to_arrow(), np.arange(20) % 2)
    model = FittedModel(fitted, table_from_frame(new).schema, "classification", ("a", "b"), "accuracy", None, {}, kind)  # type: ignore[arg-type]
    assert model.predict(new.to_pandas())["prediction"].tolist() == ["a"] * 20


def test_a_foreign_estimator_is_loaded_only_when_its_type_is_trusted(tmp_path: Path) -> None:
    path, model, new = tmp_path / "model.heldout", foreign(), rows(20, 12)
    save_model(path, model, {})
    name = f"{Named.__module__}.Named"
    with pytest.raises(ModelFileError, match=rf"model\.heldout' holds types that are not trusted .*--trust {name}"):
        load_model(path)
    for trust in ((name,), name):
        assert load_model(path, trust=trust).predict(new).equals(model.predict(new))


def test_a_pipeline_of_scikit_learn_needs_no_trust(tmp_path: Path) -> None:
    new = rows(40, 13).select("size")
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(new, np.arange(40) % 2)
    model = FittedModel(fitted, table_from_frame(new).schema, "classification", ("a", "b"), "log_loss", None, {})
    save_model(tmp_path / "m", model, {})
    assert load_model(tmp_path / "m").predict(new).equals(model.predict(new))


# -- writing ------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.heldout"
    path.write_bytes(b"older")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ModelFileError, match=r"cannot write '.*model\.heldout' \(No space left on device\)"):
        save_model(path, numbers(), {})
    assert [p.name for p in tmp_path.iterdir()] == ["model.heldout"]
    assert path.read_bytes() == b"older"
    with pytest.raises(ModelFileError, match="No such file or directory"):
        save_model(tmp_path / "no such folder" / "m", numbers(), {})


def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    for bad in ({"error": float("nan")}, {"error": object()}):
        with pytest.raises(ModelFileError, match="manifest is no plain JSON"):
            save_model(tmp_path / "m", numbers(), bad)
    assert not list(tmp_path.iterdir())


# -- reading what is broken ---------------------------------------------------------------------------------


def refused(path: Path, match: str) -> None:
    with pytest.raises(ModelFileError, match=match) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent", "cannot read '.*absent': No such file")
    refused(tmp_path, "cannot read .*: Is a directory")
    (tmp_path / "empty").write_bytes(b"")
    refused(tmp_path / "empty", "is no model file, or is truncated")
    (tmp_path / "text").write_text("a,b\n1,2\n")
    refused(tmp_path / "text", "is no model file, or is truncated")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(tmp_path / "zip", "is a zip but no model file: it has no manifest.json")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    refused(saved, "truncated")


def forge(path: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None], *, rehash: bool = True) -> None:
    """Write the file again with other content; with `rehash`, as someone would who hides the change."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    listed = dict(manifest["members"])
    change(members, manifest)
    if rehash and manifest.get("members") == listed:
        manifest["members"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in members.items()
        }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, data in members.items():
            archive.writestr(name, data)


def set_bytes(name: str, data: bytes) -> Any:
    return lambda members, _: members.__setitem__(name, data)


def set_json(name: str, field: str, value: Any) -> Any:
    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        members[name] = json.dumps({**json.loads(members[name]), field: value}).encode()

    return change


ROOTS = "arrays/model.roots.npy"
HEADER = npy_from_array(np.zeros(2))

FORGED: list[tuple[Any, bool, str]] = [
    (set_bytes("model.json", b"{}"), False, "was altered: member 'model.json' does not match its SHA-256"),
    (lambda m, _: m.pop("schema.json"), False, "lacks member 'schema.json'"),
    (lambda m, _: m.pop("schema.json"), True, "lacks the member 'schema.json'"),
    (lambda m, _: m.pop(ROOTS), True, "KeyError: 'arrays/model.roots.npy'"),
    (set_bytes("extra.npy", b""), False, "has an unlisted member 'extra.npy'"),
    (set_bytes("../outside", b""), True, "unsafe name '../outside'"),
    (set_bytes("/etc/passwd", b""), True, "unsafe name '/etc/passwd'"),
    (set_bytes("arrays/../../x", b""), True, "unsafe name"),
    (set_bytes("a\\b", b""), True, "unsafe name"),
    (lambda _, f: f.update(members=None), True, "its manifest lists no members"),
    (lambda _, f: f.update(format="something else"), True, "is a zip but no model file: its manifest says so"),
    (lambda _, f: f.update(schema="1"), True, "its format is '1', not a number"),
    (lambda _, f: f.update(schema=0), True, "its format is 0"),
    (lambda _, f: f.update(schema=2, versions={"heldout": "7.1"}), True, "format 2, .* install heldout 7.1 or newer"),
    (lambda _, f: f.update(schema=2, versions=None), True, "install a newer heldout"),
    (set_bytes("model.json", b"\xff{"), True, "model.json is no JSON"),
    (set_bytes("model.json", b"[" * 100_000), True, "model.json is no JSON"),
    (set_bytes("model.json", b"[1]"), True, "model.json holds no JSON object"),
    (set_bytes("schema.json", b'{"columns": 3}'), True, "is damaged or altered .*schema"),
    (set_json("model.json", "task", "ranking"), True, "the task is 'ranking' with 3 classes"),
    (set_json("model.json", "classes", []), True, "with 0 classes"),
    (set_json("model.json", "classes", [1, 2, 3]), True, "the classes are"),
    (set_json("model.json", "classes", ["a", "b"]), True, "names a class"),
    (set_json("model.json", "frame_kind", "excel"), True, "'excel'"),
    (set_json("model.json", "estimator", {"kind": "magic"}), True, "KeyError"),
    (set_bytes("schema.json", b'{"columns": []}'), True, "the schema lacks: .*colour.*size"),
    (set_json("model.json", "arrays", 3), True, "is damaged or altered"),
    (set_bytes(ROOTS, b"no npy"), True, "damaged or altered"),
    (set_bytes(ROOTS, HEADER[:-1]), True, r"shape \(2,\) needs 16 bytes, got 15"),
    (set_bytes(ROOTS, HEADER.replace(b"(2,)", b"(9" + b"9" * 30 + b",)")), True, "damaged or altered"),
    (set_bytes(ROOTS, HEADER.replace(b"'<f8'", b"'|O' ")), True, "holds object, not numbers"),
    (set_bytes(ROOTS, HEADER.replace(b"(2,),", b"(-2,)")), True, "damaged or altered"),
    (set_bytes(ROOTS, HEADER[:6] + b"\x02" + HEADER[7:]), True, "another version of the npy format"),
    (set_bytes(ROOTS, npy_from_array(np.array([0, 10**6], np.int32))), True, "damaged or altered"),
]


@pytest.mark.parametrize(("change", "rehash", "match"), FORGED)
def test_a_forged_file_is_refused(saved: Path, change: Any, rehash: bool, match: str) -> None:
    forge(saved, change, rehash=rehash)
    refused(saved, match)


def test_a_forged_dump_of_a_foreign_estimator_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.heldout"
    save_model(path, foreign(), {})
    forge(path, set_bytes("arrays/dump.npy", npy_from_array(np.zeros(9, np.uint8))))
    refused(path, "its estimator cannot be read")


def test_two_members_of_one_name_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("model.json", "{}")
    refused(saved, "has two members named 'model.json'")


def test_a_member_that_is_packed_in_another_way_is_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("extra.npy", b"x" * 100)
    refused(saved, "'extra.npy' that is encrypted or packed in an unknown way")


def test_a_zip_bomb_is_refused_from_the_directory_alone(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10**7))
        archive.writestr("bomb2.npy", bytes(10**7))
    assert saved.stat().st_size < 200_000
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("a member was opened"))
    monkeypatch.setattr("heldout.auditing.archive.MOST_BYTES", 15_000_000)
    refused(saved, "is oversized: it unpacks to")
    monkeypatch.setattr("heldout.auditing.archive.MOST_BYTES", 5_000_000)
    refused(saved, "is oversized: 'bomb.npy' unpacks to 10000000 bytes")
    monkeypatch.setattr("heldout.auditing.archive.MOST_MEMBERS", 3)
    refused(saved, "more than the 3 a model file may have")


def test_a_member_whose_directory_entry_lies_about_its_size_is_refused_without_unpacking_it(
    saved: Path, tmp_path: Path
) -> None:
    """The directory says 10 bytes where 10 MB are packed: never more than 11 are read."""
    path = tmp_path / "liar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(10**7))
    data = path.read_bytes()
    path.write_bytes(data.replace((10**7).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(path, "damaged|no JSON")


def test_a_member_shorter_than_the_directory_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(12_345))
    data = path.read_bytes()
    path.write_bytes(data.replace((12_345).to_bytes(4, "little"), (54_321).to_bytes(4, "little")))
    refused(path, "member 'manifest.json' has 12345 bytes, not 54321")


def test_arrays_keep_type_shape_and_bits() -> None:
    rng = np.random.default_rng(14)
    for array in (rng.normal(size=(3, 4)), np.asfortranarray(rng.normal(size=(3, 4))), np.zeros((0, 5)), np.array(2.5)):
        np.testing.assert_array_equal(array_from_npy(npy_from_array(array)), array)
    for kind in (bool, np.uint8, np.int32, np.int64, np.float32, ">f8"):
        again = array_from_npy(npy_from_array(np.ones(3, kind)))
        assert again.dtype == np.dtype(kind).newbyteorder("<")


BYTES: dict[str, bytes] = {}


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_random_bytes_in_a_file_either_are_refused_or_change_no_prediction(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    new = rows(10, 15)
    if not BYTES:
        save_model(folder / "whole", three_classes(), {"created": "then"})
        BYTES["whole"] = (folder / "whole").read_bytes()
    broken = bytearray(BYTES["whole"])
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "broken"
    path.write_bytes(broken)
    try:
        loaded = load_model(path)
    except ModelFileError as problem:
        assert "\n" not in str(problem)  # noqa: PT017 - most flips raise; those that do must say so in one line
        return
    assert loaded.predict(new).equals(three_classes().predict(new))


# -- files of past versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(STORED.glob("*.heldout")), ids=lambda p: p.stem)
def test_stored_files_of_every_past_schema_still_load_and_predict_the_same(path: Path) -> None:
    schema = int(path.stem.split("_")[1])
    assert read_archive(path)[0]["schema"] == schema
    new = read_table(STORED / f"schema_{schema}_rows.csv").frame
    said = load_model(path).predict(new).to_dict(as_series=False)
    expected = json.loads(path.with_suffix(".json").read_text())
    assert said.keys() == expected.keys()
    for name, values in expected.items():
        if isinstance(values[0], str):
            assert said[name] == values
        else:
            np.testing.assert_allclose(said[name], values, rtol=1e-12)
