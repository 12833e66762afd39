"""Forecast models in their file: the same forecasts come back, and what was forged is refused before it is used."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout._random import stream
from heldout.auditing.archive import array_from_npy, npy_from_array
from heldout.auditing.forecast_candidates import LEVELS, fit_alone, learning_part
from heldout.auditing.forecast_model import ForecastModel, model_of
from heldout.auditing.model_file import load_model, save_model
from heldout.auditing.stored_baselines import READERS
from heldout.errors import HeldoutError, ModelFileError
from heldout.sequence.baselines import BASELINES
from heldout.sequence.plan import FitPlan

from .small_series import read, shops
from .test_model_file import forge, refused, set_bytes, set_json

OPTIONS: dict[str, Any] = {"group": ["shop"], "known": ["promotion"]}


def ahead() -> pl.DataFrame:
    rows = shops(107)
    return rows.filter(pl.int_range(pl.len()).over("shop") >= 100).drop("y")


@cache
def alone(name: str = "ridge") -> ForecastModel:
    series = read(shops(100), **OPTIONS)
    fitted = fit_alone(name, learning_part(series.sequences, 7), "squared_error", {})
    assert fitted is not None
    return model_of(fitted.forecast, series.sequences, 7, series.schema, 1)


@cache
def with_network() -> ForecastModel:
    pytest.importorskip("torch")
    from heldout.sequence.generators import torch_generator
    from heldout.sequence.network import ForecastNetwork
    from heldout.sequence.network_fit import choose_design

    plan = FitPlan(
        7, LEVELS, None, "squared_error", 1.0, 1, "attention", False, 14, 16, 1, None, None, 0.95, 0
    )  # fmt: skip
    series = read(shops(100), **OPTIONS)
    design, _ = choose_design(learning_part(series.sequences, 7).every, plan, 1.0)
    network = ForecastNetwork(design, torch_generator(0))
    rng = stream(0, "weights")
    for parameter in network.parameters():  # an output of nought would hide a weight that is lost
        parameter.data += parameter.data.new_tensor(0.05 * rng.normal(size=tuple(parameter.shape)))
    return replace(alone(), fitted=replace(alone().fitted, network=network.eval()))


def model(name: str) -> ForecastModel:
    return with_network() if name == "attention" else alone(name)


@pytest.fixture(params=["ridge", "attention"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "model.heldout"
    save_model(path, model(request.param), {"created": "then"})
    return path


# -- what comes back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*BASELINES, "attention"])
def test_a_model_comes_back_from_its_file_with_the_same_forecasts(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.heldout"
    whole = model(name)
    save_model(path, whole, {"verdict": "good"})
    loaded = load_model(path)
    assert isinstance(loaded, ForecastModel)
    assert loaded.predict(future=ahead(), interval=0.9).equals(whole.predict(future=ahead(), interval=0.9))
    later = shops(104).filter(pl.int_range(pl.len()).over("shop") >= 100)
    rows = shops(111).filter(pl.int_range(pl.len()).over("shop") >= 104).drop("y")
    assert loaded.predict(later, future=rows).equals(whole.predict(later, future=rows))
    assert loaded.manifest["verdict"] == "good"
    save_model(tmp_path / "again", loaded, {"verdict": "good"})
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_every_baseline_has_a_reader() -> None:
    assert set(BASELINES) <= set(READERS)


def test_a_baseline_without_a_reader_is_not_stored(tmp_path: Path) -> None:
    class Odd:
        name = "odd"

    odd: Any = replace(alone(), fitted=replace(alone().fitted, baseline=Odd()))  # type: ignore[arg-type]
    with pytest.raises(ModelFileError, match="the baseline 'odd' cannot be stored"):
        save_model(tmp_path / "model.heldout", odd, {})


def test_members_are_json_npy_and_one_safetensors(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        names = archive.namelist()
    assert all(name.endswith((".json", ".npy", ".safetensors")) for name in names)
    assert sum(name.endswith(".safetensors") for name in names) <= 1


@pytest.mark.parametrize("kind", ["text", "number", "boolean", "datetime"])
def test_series_are_named_by_any_kind_of_column(kind: str, tmp_path: Path) -> None:
    names: dict[str, list[Any]] = {
        "text": ["a", "b"],
        "number": [1.5, 2.5],
        "boolean": [False, True],
        "datetime": [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 2)],
    }
    parts = [shops(100, 1).with_columns(shop=pl.lit(name)) for name in names[kind]]
    series = read(pl.concat(parts), group=["shop"])
    fitted = fit_alone("last-value", learning_part(series.sequences, 7), "squared_error", {})
    assert fitted is not None
    whole = model_of(fitted.forecast, series.sequences, 7, series.schema)
    save_model(tmp_path / "model.heldout", whole, {})
    assert load_model(tmp_path / "model.heldout").predict().equals(whole.predict())  # type: ignore[call-arg, arg-type]


def test_a_model_without_a_network_is_read_and_used_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "model.heldout"
    save_model(path, alone("last-value"), {})
    ahead().write_csv(tmp_path / "ahead.csv")
    program = (
        "import sys, heldout; model = heldout.load(sys.argv[1]); model.predict(future=sys.argv[2], interval=0.9);"
        "print('torch' in sys.modules)"
    )
    arguments = [sys.executable, "-c", program, str(path), str(tmp_path / "ahead.csv")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_network_says_what_it_needs_where_torch_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.heldout"
    save_model(path, with_network(), {})
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    refused(path, r"holds a network of attention: torch is needed .* pip install 'heldout\[sequence\]'")


# -- what is refused ----------------------------------------------------------------------------------------------


def change_json(*path: str | int, to: Any) -> Callable[..., None]:
    """Put a value into model.json."""

    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        document = json.loads(members["model.json"])
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        members["model.json"] = json.dumps(document).encode()

    return change


def change_array(name: str, make: Callable[[np.ndarray], Any]) -> Callable[..., None]:
    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        member = f"arrays/{name}.npy"
        members[member] = npy_from_array(np.asarray(make(array_from_npy(members[member]).copy())))

    return change


def with_value(place: Any, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def put(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return put


FORGED: list[tuple[Any, str]] = [
    (change_json("kind", to="forcast"), "damaged or altered"),
    (change_json("horizon", to=0), "the horizon is 0"),
    (change_json("horizon", to=10**9), "the horizon is 1000000000"),
    (change_json("horizon", to=8), r"the spread of the quantiles has shape \(7, 13\), not \(8, 13\)"),
    (change_json("horizon", to=True), "the horizon is True"),
    (change_json("loss", to="luck"), "the loss 'luck'"),
    (change_json("baseline", "name", to="magic"), "KeyError: 'magic'"),
    (change_json("baseline", to=[]), "damaged or altered"),
    (change_array("levels", lambda a: a[::-1]), "the levels do not rise"),
    (change_array("levels", with_value(0, np.nan)), "the levels do not rise"),
    (change_array("levels", lambda a: a[:1]), r"the levels have shape \(1,\)"),
    (change_array("levels", with_value(6, 0.55)), r"with \.5 among them"),
    (change_array("spread", lambda a: a[:, 1:]), r"the spread of the quantiles has shape \(7, 12\)"),
    (change_array("shifts", with_value((0, 0), np.inf)), "the shifts of the quantiles .* not finite"),
    (change_array("shifts", lambda a: a.astype(np.float32)), "the shifts of the quantiles"),
    (change_array("baseline.weights", lambda a: a[:, :6]), r"weights of shape \(.*, 6\) do not forecast 7 steps"),
    (change_array("baseline.weights", lambda a: a[:1]), r"weights of shape \(1, 7\) do not forecast"),
    (change_array("baseline.weights", with_value((0, 0), np.nan)), "a weight is not finite"),
    (change_json("arrays", to=["levels"]), "KeyError: 'spread'"),
    (set_bytes("schema.json", b'{"columns": []}'), "the schema is not that of the history"),
    (change_array("history.offsets", with_value(-1, 10**6)), "the series of the history do not follow"),
    (change_array("history.offsets", with_value(1, 0)), "the series of the history do not follow"),
    (change_array("history.offsets", lambda a: a.astype(np.int32)), "the history has no series"),
    (change_array("history.offsets", lambda a: a[:1]), "static of the history has shape"),
    (change_array("history.target", lambda a: a[:-1]), "target of the history has shape"),
    (change_array("history.target", with_value((3, 0), np.inf)), "a value of the history is infinite"),
    (change_array("history.known", lambda a: a[:, :0]), r"known of the history has shape \(300, 0\), not \(300, 1\)"),
    (change_array("history.count", with_value(5, 1e30)), "a time of the history is not finite, or no time"),
    (change_array("history.count", with_value(5, np.nan)), "a time of the history is not finite"),
    (change_array("history.count", lambda a: a[::-1]), "do not rise step by step"),
    (change_array("history.count", lambda a: 2 * a), "do not rise step by step"),
    (change_json("history", "season", to=0), "the season is 0"),
    (change_json("history", "season", to=10**9), "the season is 1000000000"),
    (change_json("history", "calendar", to=False), "the times are counted in second steps and the calendar is False"),
    (change_json("history", "calendar", to="yes"), "the calendar 'yes'"),
    (change_json("history", "step", "unit", to="fortnight"), "the step is counted in 'fortnight'"),
    (change_json("history", "step", "size", to=0.0), "the step is 0.0"),
    (change_json("history", "step", "size", to="day"), "damaged or altered"),
    (change_json("history", "layout", "target", to=["y", "z"]), "the history has 2 targets"),
    (change_json("history", "layout", "target", to=[3]), "are no names, or one is named twice"),
    (change_json("history", "layout", "group", to=["day"]), "are no names, or one is named twice"),
    (change_json("history", "layout", "levels", to={"y": ["a"]}), "the levels of 'y' are no texts, or of no column"),
    (change_json("history", "labels", to=[]), "do not fit the group columns"),
    (change_json("history", "labels", 0, "values", to=["a", "b"]), "'shop' does not name each of 3 series"),
    (change_json("history", "labels", 0, "values", to=["a", "a", "b"]), "two series of the history have one name"),
    (change_json("history", "labels", 0, "values", to=[1, 2, 3]), "'shop' does not name each of 3 series"),
    (change_json("history", "labels", 0, "kind", to="colour"), "KeyError: 'colour'"),
]  # fmt: skip


FORGED_OTHERS = {
    "theta": [
        (change_json("baseline", "trend_share", to=2.0), "the share of the trend is 2.0"),
        (change_json("baseline", "name", to="ridge"), r"a baseline of arrays \['weights'\] has \[\]"),
    ],
    "boosting": [
        (change_json("baseline", "n_features", to=3), "feature|features"),
        (change_json("baseline", "features", "season", to=12), "another season or calendar than the history"),
        (change_json("baseline", "features", "calendar", to=False), "another season or calendar than the history"),
        (change_json("baseline", "features", "lags", to=[0]), r"the lags of boosting are \[0\]"),
        (change_json("baseline", "features", "spans", to=[10**9]), r"the spans of boosting are"),
        (change_json("baseline", "features", "lags", to=[1, 2]), "the history gives"),
        (change_array("baseline.value", with_value(0, np.inf)), "the value of a tree is not finite"),
        (change_array("baseline.left", with_value(0, 10**6)), "damaged or altered"),
        (change_array("baseline.starts", with_value(-1, 10**6)), "damaged or altered"),
        (change_array("baseline.base", lambda a: np.append(a, 0.0)), "damaged or altered"),
    ],
    "theta-and-ridge": [
        (change_json("baseline", "parts", 0, "name", to="drift"), r"the combination is of \['drift', 'ridge'\]"),
        (change_json("baseline", "parts", to=[]), r"the combination is of \[\], not of"),
        (change_array("baseline.1.weights", lambda a: a[:, :6]), "do not forecast 7 steps"),
    ],
}


@pytest.mark.parametrize(
    ("name", "change", "match"), [(name, *one) for name, forged in FORGED_OTHERS.items() for one in forged]
)
def test_other_baselines_that_are_forged_are_refused(name: str, change: Any, match: str, tmp_path: Path) -> None:
    path = tmp_path / "model.heldout"
    save_model(path, alone(name), {})
    forge(path, change)
    refused(path, match)


@pytest.mark.parametrize(("change", "match"), FORGED)
def test_a_forged_forecast_is_refused(change: Any, match: str, tmp_path: Path) -> None:
    path = tmp_path / "model.heldout"
    save_model(path, alone(), {})
    forge(path, change)
    refused(path, match)


def network(*path: str, to: Any) -> Any:
    return change_json("network", *path, to=to)


FORGED_NETWORKS: list[tuple[Any, str]] = [
    (set_bytes("network.safetensors", b""), "its weights are no safetensors"),
    (set_bytes("network.safetensors", b"\xff" * 100), "its weights are no safetensors"),
    (lambda m, _: m.pop("network.safetensors"), "its weights are no safetensors"),
    (network("width", to=8192), "a network of these sizes has at least"),
    (network("width", to=32), "at least 4544 weights"),
    (network("width", to=10**9), "the width of the network is 1000000000, not 1 to 8192"),
    (network("width", to=15), "n_heads"),
    (network("depth", to=0), "the depth of the network is 0"),
    (network("depth", to=255), "a network of these sizes has at least"),
    (network("depth", to=2), "the weights '.*' are None, not"),
    (network("patch", to=2.5), "the patch of the network is 2.5"),
    (network("shape", "length", to=10**7), "the length of the network is 10000000"),
    (network("shape", "horizon", to=6), "forecasts another horizon"),
    (network("shape", "n_variables", to=2), "is for other data than one target"),
    (network("shape", "known_levels", to=[5]), "the weights '.*' are .*, not"),
    (network("shape", "known_levels", to=[-1]), "a number of levels that is none"),
    (network("shape", "static_levels", to=[]), r"the static_centre of the network is \[.*\], for 0 columns"),
    (network("shape", "cycles", to=[0.0]), "the cycles of the network"),
    (network("shape", "known_centre", to=[float("inf")]), r"the known_centre of the network is \[inf\], for 1 columns"),
    (network("shape", "known_scale", to=[0.0]), r"the known_scale of the network is \[0.0\]"),
    (network("shape", "known_scale", to=[1.0, 1.0]), r"the known_scale of the network is \[1.0, 1.0\], for 1 columns"),
    (network("n_levels", to=10**6), "the network has 1000000 levels"),
    (network("middle", to=99), "the median at 99"),
    (network("middle", to=5), "takes another level as its median"),
    (network("replicas", to=0), "the network has 0 replicas"),
    (network("replicas", to=2), "the weights|at least"),
    (network("encoder", to="magic"), "is for other data than one target"),
    (network("dropout", to=1.5), "the dropout of the network is 1.5"),
    (network("surprise", to=1), "TypeError"),
    (set_json("model.json", "network", 7), "damaged or altered"),
]


@pytest.mark.parametrize(("change", "match"), FORGED_NETWORKS)
def test_a_forged_network_is_refused(change: Any, match: str, tmp_path: Path) -> None:
    path = tmp_path / "model.heldout"
    save_model(path, with_network(), {})
    forge(path, change)
    refused(path, match)


@pytest.mark.parametrize("kind", ["infinite", "double"])
def test_weights_that_are_no_finite_float32_are_refused(kind: str, tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        weights = load(members["network.safetensors"])
        name = sorted(weights)[0]
        weights[name] = weights[name].astype(np.float64) if kind == "double" else np.full_like(weights[name], np.nan)
        members["network.safetensors"] = save(weights)

    path = tmp_path / "model.heldout"
    save_model(path, with_network(), {})
    forge(path, change)
    refused(path, "are no float32, or not finite")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**12), st.floats(), st.text(max_size=3), st.just([]), st.just({})
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(*here, key) for key in keys] + [p for key in keys for p in places(value[key], (*here, key))]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_value_in_the_document_or_an_array_is_refused_or_forecasts(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hashes made anew, as by someone who hides the change: no exception but our own leaves load or predict."""
    path = tmp_path_factory.getbasetemp() / "forged.heldout"
    save_model(path, alone(), {})

    def change(members: dict[str, bytes], _: dict[str, Any]) -> None:
        document = json.loads(members["model.json"])
        if data.draw(st.booleans()):
            place = data.draw(st.sampled_from(places(document)))
            change_json(*place, to=data.draw(VALUES.filter(lambda v: v == v and v not in (np.inf, -np.inf))))(
                members, {}
            )
            return
        name = data.draw(st.sampled_from(document["arrays"]))
        array = array_from_npy(members[f"arrays/{name}.npy"]).copy()
        flat = array.reshape(-1)
        flat[data.draw(st.integers(0, len(flat) - 1))] = data.draw(st.integers(-(2**40), 2**40))
        members[f"arrays/{name}.npy"] = npy_from_array(array)

    forge(path, change)
    try:
        found = load_model(path).predict(future=ahead(), interval=0.9)  # type: ignore[call-arg]
    except HeldoutError as problem:
        assert "\n" not in str(problem)  # noqa: PT017 - most changes raise; those that do must say so in one line
        return
    assert found.height == 7 * 3
