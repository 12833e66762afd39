"""Models that are kept: pickled, copied, cloned, loaded without a copy."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from reference.ensembles import assert_same_bits, same_bits

KINDS = ("regression", "two", "five")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy])  # noqa: S301
def test_a_kept_model_predicts_the_same(kind: str, keep: Any, table: Any, make_model: Any) -> None:
    model = make_model(kind, n_trees=6).fit(table.X, table.target_of(kind), X_val=table.X, y_val=table.target_of(kind))
    kept = keep(model)
    assert_same_bits(model.ensemble_, kept.ensemble_)
    assert np.array_equal(model.predict(table.X), kept.predict(table.X))
    assert np.array_equal(model.predict(table.X[:1]), kept.predict(table.X[:1]))
    assert same_bits(model.validation_losses_, kept.validation_losses_)
    assert repr(kept.ensemble_) == repr(model.ensemble_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_loaded_without_a_copy(kind: str, table: Any, make_model: Any, tmp_path: Path) -> None:
    model = make_model(kind, n_trees=6).fit(table.X, table.target_of(kind))
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert not loaded.ensemble_.value.flags.writeable
    assert np.array_equal(model.predict(table.X), loaded.predict(table.X))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_model_can_be_warm_started(kind: str, table: Any, make_model: Any) -> None:
    y = table.target_of(kind)
    model = make_model(kind, n_trees=3, warm_start=True).fit(table.X, y)
    kept = pickle.loads(pickle.dumps(model))  # noqa: S301
    kept.set_params(n_trees=8).fit(table.X, y)
    assert_same_bits(make_model(kind, n_trees=8).fit(table.X, y).ensemble_, kept.ensemble_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clone_has_the_parameters_and_no_model(kind: str, table: Any, make_model: Any) -> None:
    model = make_model(kind, n_trees=4, learning_rate=0.3, max_features=0.5, random_state=2)
    model.fit(table.X, table.target_of(kind))
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "ensemble_")
    assert_same_bits(model.ensemble_, twin.fit(table.X, table.target_of(kind)).ensemble_)
