"""Data frames and lists, as users have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import DataConversionWarning

from heldout import BoostingClassifier, BoostingRegressor

from reference.ensembles import assert_same_bits

NAMES = [f"column {i}" for i in range(11)]


@pytest.mark.parametrize(
    "make_frame", [lambda X: pd.DataFrame(X, columns=NAMES), lambda X: pl.DataFrame(X, schema=NAMES)]
)
def test_a_frame_is_fitted_as_its_matrix(make_frame: Any, table: Any) -> None:
    frame = make_frame(table.X)
    model = BoostingRegressor(n_trees=5).fit(frame, table.y)
    assert_same_bits(model.ensemble_, BoostingRegressor(n_trees=5).fit(table.X, table.y).ensemble_)
    assert model.feature_names_in_.tolist() == NAMES
    assert np.array_equal(model.predict(frame), BoostingRegressor(n_trees=5).fit(table.X, table.y).predict(table.X))


def test_columns_of_several_kinds_become_numbers(table: Any) -> None:
    whole = pd.array(np.where(np.isnan(table.X[:, 1]), -1, table.X[:, 1]).astype(int), dtype="Int64")
    whole[np.isnan(table.X[:, 1])] = pd.NA
    frame = pd.DataFrame({"whole": whole, "truth": table.X[:, 0] > 0, "short": table.X[:, 0].astype(np.float32)})
    matrix = np.column_stack([table.X[:, 1], table.X[:, 0] > 0, table.X[:, 0].astype(np.float32)])
    one = BoostingRegressor(n_trees=5).fit(frame, pd.Series(table.y))
    assert_same_bits(one.ensemble_, BoostingRegressor(n_trees=5).fit(matrix, table.y).ensemble_)


def test_categories_in_words_are_refused(table: Any) -> None:
    frame = pd.DataFrame({"word": pd.Categorical(np.where(table.y > 0, "up", "down"))})
    with pytest.raises(ValueError, match="the column 'word' must hold numbers, got category: encode it"):
        BoostingRegressor().fit(frame, table.y)


def test_lists_are_fitted(table: Any) -> None:
    one = BoostingClassifier(n_trees=3).fit(table.X.tolist(), table.two.tolist())
    assert_same_bits(one.ensemble_, BoostingClassifier(n_trees=3).fit(table.X, table.two).ensemble_)
    assert one.predict(table.X[0:3].tolist()).tolist() == one.predict(table.X[0:3]).tolist()


def test_a_target_of_one_column_is_taken_with_a_warning(table: Any) -> None:
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model = BoostingRegressor(n_trees=3).fit(table.X, table.y[:, None])
    assert model.predict(table.X).shape == (3000,)


@pytest.mark.parametrize("labels", [["b", "a"], [True, False], [3.0, -1.0], [10**12, 5]])
def test_labels_of_any_kind_come_back_as_they_were(labels: list[Any], table: Any) -> None:
    y = np.array(labels)[(table.y > 0).astype(int)]
    model = BoostingClassifier(n_trees=5).fit(table.X, y)
    predicted = model.predict(table.X)
    assert predicted.dtype == y.dtype
    assert model.classes_.tolist() == sorted(labels)
    assert (predicted == y).mean() > 0.7


def test_words_may_be_objects(table: Any) -> None:
    one = BoostingClassifier(n_trees=5).fit(table.X, table.two.astype(object))
    assert (one.predict(table.X) == BoostingClassifier(n_trees=5).fit(table.X, table.two).predict(table.X)).all()
