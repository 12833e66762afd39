"""docs/boosting.md lists exactly the parameters there are, with their defaults and LightGBM's names for them."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import heldout as ho

PAGE = Path(__file__).parents[1] / "docs" / "boosting.md"


def defaults(estimator: type) -> dict[str, Any]:
    parameters = inspect.signature(estimator.__init__).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters if parameter.name != "self")
    return {parameter.name: parameter.default for parameter in parameters if parameter.name != "self"}


def table() -> dict[str, tuple[str, str, str]]:
    """Return type, default and LightGBM's name by parameter, as the page lists them."""
    _, _, rest = PAGE.read_text("utf-8").partition("## Parameters")
    line = r"^\| `(\w+)` \| (.*?) \| (.*?) \| (?:`(\w+)`|none) \|$"
    rows = re.findall(line, rest.partition("\n## ")[0], flags=re.MULTILINE)
    assert len(rows) == len({name for name, *_ in rows})
    return {name: (kind, default, theirs) for name, kind, default, theirs in rows}


def test_the_page_lists_exactly_the_parameters_in_their_order() -> None:
    regression, classes = defaults(ho.BoostingRegressor), defaults(ho.BoostingClassifier)
    assert list(table()) == list(classes)
    assert [name for name in table() if name in regression] == list(regression)
    only = [name for name, (kind, *_) in table().items() if "classifier only" in kind]
    assert only == [name for name in classes if name not in regression]


def test_the_page_gives_the_defaults() -> None:
    regression, classes = defaults(ho.BoostingRegressor), defaults(ho.BoostingClassifier)
    for name, (_, default, _) in table().items():
        values = dict.fromkeys(repr(d[name]).replace("'", '"') for d in (regression, classes) if name in d)
        assert default == ", ".join(f"`{value}`" for value in values), name


def test_the_number_of_parameters_stays_small() -> None:
    assert len(table()) <= 18


def test_lightgbms_names_are_lightgbms() -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra `bench` is not installed")
    constructor = set(inspect.signature(lightgbm.LGBMRegressor.__init__).parameters)
    # These are not the constructor's: a general parameter, a callback's, and an argument of fit.
    elsewhere = {"max_bin", "early_stopping_rounds", "init_model"}
    assert {theirs for *_, theirs in table().values() if theirs} - constructor == elsewhere
    # Its subsample draws rows anew for every tree of one model: no replicas.
    assert {name for name, (*_, theirs) in table().items() if not theirs} == {"replicas", "resampling"}


def test_the_figures_are_those_of_the_results() -> None:
    path = PAGE.parent / "make_boosting_figures.py"
    spec = importlib.util.spec_from_file_location("make_boosting_figures", path)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert PAGE.read_text("utf-8") == maker.page_with(maker.section())
