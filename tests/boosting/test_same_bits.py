"""What must not change a bit of the model: threads, instruction sets, the order of rows, copies instead of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout import BoostingClassifier, BoostingRegressor

from reference.ensembles import assert_same_bits, same_bits

KINDS = ("regression", "two", "five")
# Each reaches other paths: large nodes, nodes of few rows, features of which a tree takes some, and shrunken leaves.
SETTINGS: list[dict[str, Any]] = [
    {"n_trees": 15},
    {"n_trees": 4, "min_leaf_weight": 1, "max_leaves": 400, "l2": 0.5},
    {"n_trees": 10, "max_features": 0.4, "random_state": 7, "max_bins": 16},
]

pytestmark = pytest.mark.parametrize("kind", KINDS)
every_setting = pytest.mark.parametrize("parameters", SETTINGS, ids=["plain", "deep", "sparse"])


def raw_of(model: Any, X: Any) -> Any:
    return model.predict(X) if isinstance(model, BoostingRegressor) else model.predict_proba(X)


@every_setting
@pytest.mark.parametrize("weighted", ["unweighted", "whole", "fractional"])
def test_any_number_of_threads_grows_the_same_trees(
    kind: str, parameters: dict[str, Any], weighted: str, table: Any, make_model: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y = table.target_of(kind)
    weight = {"unweighted": None, "whole": rng.integers(0, 4, len(y)), "fractional": rng.gamma(2.0, size=len(y))}[
        weighted
    ]
    X_large = np.tile(table.X, (3, 1))  # enough rows for threads to share a prediction
    alone = make_model(kind, n_jobs=1, **parameters).fit(table.X, y, sample_weight=weight)
    for n_jobs in (2, 3, 5):
        beside = make_model(kind, n_jobs=n_jobs, **parameters).fit(table.X, y, sample_weight=weight)
        assert_same_bits(alone.ensemble_, beside.ensemble_)
        assert same_bits(raw_of(alone, X_large), raw_of(beside, X_large))
        assert same_bits(alone.apply(X_large), beside.apply(X_large))


@every_setting
def test_plain_code_grows_the_same_trees(
    kind: str, parameters: dict[str, Any], table: Any, make_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = table.target_of(kind)
    monkeypatch.delenv("HELDOUT_SIMD", raising=False)
    wide = make_model(kind, **parameters).fit(table.X, y)
    predicted = raw_of(wide, table.X)
    monkeypatch.setenv("HELDOUT_SIMD", "plain")
    plain = make_model(kind, **parameters).fit(table.X, y)
    assert_same_bits(wide.ensemble_, plain.ensemble_)
    assert same_bits(predicted, raw_of(plain, table.X))


@every_setting
def test_the_order_of_rows_does_not_matter(
    kind: str, parameters: dict[str, Any], table: Any, make_model: Any, seed: int
) -> None:
    y = table.target_of(kind)
    order = np.random.default_rng(seed).permutation(len(y))
    one = make_model(kind, **parameters).fit(table.X, y)
    other = make_model(kind, n_jobs=3, **parameters).fit(table.X[order], y[order])
    assert_same_bits(one.ensemble_, other.ensemble_)
    assert same_bits(raw_of(one, table.X)[order], raw_of(other, table.X[order]))


@every_setting
def test_a_whole_weight_is_that_many_copies(
    kind: str, parameters: dict[str, Any], table: Any, make_model: Any, seed: int
) -> None:
    y = table.target_of(kind)
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 6, len(y))
    weight[0] = 255
    copies = rng.permutation(np.repeat(np.arange(len(y)), weight))
    weighted = make_model(kind, **parameters).fit(table.X, y, sample_weight=weight)
    copied = make_model(kind, **parameters).fit(table.X[copies], y[copies])
    assert_same_bits(weighted.ensemble_, copied.ensemble_)


@every_setting
@pytest.mark.parametrize("rest", ["one", "fractional"])
def test_weight_zero_leaves_a_row_out(
    kind: str, parameters: dict[str, Any], rest: str, table: Any, make_model: Any, seed: int
) -> None:
    y = table.target_of(kind)
    rng = np.random.default_rng(seed)
    there = rng.random(len(y)) < 0.8
    weight = np.where(there, 1.0 if rest == "one" else rng.gamma(2.0, size=len(y)), 0.0)
    X = table.X.copy()
    X[~there, 0] = 1e6 + np.arange((~there).sum())  # what is left out shapes no cut point
    weighted = make_model(kind, **parameters).fit(X, y, sample_weight=weight)
    without = make_model(kind, **parameters).fit(X[there], y[there], sample_weight=weight[there])
    assert_same_bits(weighted.ensemble_, without.ensemble_)


def test_float32_and_float64_of_the_same_values_give_the_same_model(kind: str, table: Any, make_model: Any) -> None:
    y = table.target_of(kind)
    short = table.X.astype(np.float32)
    one = make_model(kind, n_trees=10).fit(short, y)
    other = make_model(kind, n_trees=10).fit(short.astype(np.float64), y)
    assert_same_bits(one.ensemble_, other.ensemble_)
    assert same_bits(raw_of(one, short), raw_of(other, short.astype(np.float64)))


def test_memory_order_does_not_matter(kind: str, table: Any, make_model: Any) -> None:
    y = table.target_of(kind)
    wide = np.repeat(np.repeat(table.X, 2, axis=0), 3, axis=1)
    fields = np.zeros(len(y), dtype=[("tag", "i1"), ("row", "f8", table.X.shape[1])])
    fields["row"] = table.X
    one = make_model(kind, n_trees=10).fit(table.X, y)
    for X in (
        np.asfortranarray(table.X),
        wide[::2, ::3],
        table.X[::-1, ::-1].copy()[::-1, ::-1],
        fields["row"],  # steps of 89 bytes
        table.X.astype(">f8"),
    ):
        other = make_model(kind, n_trees=10).fit(X, y)
        assert_same_bits(one.ensemble_, other.ensemble_)
        assert same_bits(raw_of(one, table.X), raw_of(one, X))
        assert same_bits(one.apply(table.X), one.apply(X))


cells = st.sampled_from([np.nan, -np.inf, np.inf, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 1e300])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_small_tables_keep_all_of_it(kind: str, data: st.DataObject) -> None:
    n_rows = data.draw(st.integers(1, 40))
    n_features = data.draw(st.integers(1, 5))
    X = np.array(data.draw(st.lists(cells, min_size=n_rows * n_features, max_size=n_rows * n_features)))
    X = X.reshape(n_rows, n_features)
    codes = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_rows, max_size=n_rows)))
    weight = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n_rows, max_size=n_rows)))
    weight[data.draw(st.integers(0, n_rows - 1))] = 2
    parameters = {
        "n_trees": 3,
        "min_leaf_weight": data.draw(st.integers(1, 4)),
        "max_leaves": data.draw(st.integers(1, 12)),
        "learning_rate": data.draw(st.sampled_from([0.1, 1.0])),
        "max_bins": data.draw(st.sampled_from([2, 3, 254])),
    }
    copies = np.repeat(np.arange(n_rows), weight)
    # A class whose rows all weigh 0 is a class of the weighted table alone.
    y = codes * 1.5 if kind == "regression" else np.isin(codes, codes[copies]) * codes
    if kind == "two":
        y = (y > 0).astype(int)
    if kind != "regression" and set(np.unique(y)) != set(np.unique(y[copies])):
        y = np.where(weight > 0, y, y[copies[0]])
    model = BoostingRegressor if kind == "regression" else BoostingClassifier
    one = model(n_jobs=1, **parameters).fit(X, y, sample_weight=weight)
    other = model(n_jobs=3, **parameters).fit(X[copies[::-1]], y[copies[::-1]])
    assert_same_bits(one.ensemble_, other.ensemble_)
