"""The gate for user arrays: what passes keeps its meaning, what does not is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from heldout._arrays import as_codes, as_target, is_frame, mean_one, n_rows, take_rows
from heldout.errors import InvalidInput

FRAME = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
FRAMES = [FRAME, FRAME.to_pandas(), FRAME.to_arrow()]
ARRAYS = [np.arange(6).reshape(3, 2), [[0, 1], [2, 3], [4, 5]], ((0, 1), (2, 3), (4, 5)), sparse.csr_matrix(np.eye(3))]


def test_frames_are_told_from_arrays() -> None:
    assert all(is_frame(frame) for frame in FRAMES)
    assert not any(is_frame(array) for array in ARRAYS)


@pytest.mark.parametrize("X", [*FRAMES, *ARRAYS], ids=lambda X: type(X).__name__)
def test_rows_are_counted_and_taken_in_the_callers_own_kind(X: Any) -> None:
    assert n_rows(X) == 3
    taken = take_rows(X, np.array([2, 0]))
    assert n_rows(taken) == 2
    if isinstance(X, list | tuple):
        assert taken.tolist() == [[4, 5], [0, 1]]
    else:
        assert type(taken) is type(X)
    if is_frame(X):
        assert pl.DataFrame(taken).to_dict(as_series=False) == {"a": [3, 1], "b": ["z", "x"]}
    elif sparse.issparse(X):
        np.testing.assert_array_equal(taken.toarray(), np.eye(3)[[2, 0]])


def test_rows_of_a_pandas_frame_are_taken_by_place_not_by_label() -> None:
    frame = pd.DataFrame({"a": [10, 20, 30]}, index=[2, 1, 0])
    assert take_rows(frame, np.array([0, 2]))["a"].tolist() == [10, 30]


def test_a_scalar_has_no_rows() -> None:
    with pytest.raises(InvalidInput, match="must have rows, got a scalar 3"):
        n_rows(3)


def test_a_target_passes_in_any_shape_of_one_column() -> None:
    for y in ([1.0, 2.0], np.array([[1.0], [2.0]]), pd.Series([1.0, 2.0]), pl.Series([1.0, 2.0]), pa.array([1.0, 2.0])):
        assert as_target(y, 2).tolist() == [1.0, 2.0]
    assert as_target(["a", "b"], 2).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("y", "came"),
    [
        (np.zeros((3, 2)), r"one dimension, got shape \(3, 2\)"),
        (np.array(1.0), r"one dimension, got shape \(\)"),
        ([1.0, 2.0], "3 rows but y has 2"),
        ([1.0, np.nan, 3.0], "finite, got nan in row 1"),
        ([1.0, 2.0, -np.inf], "finite, got -inf in row 2"),
    ],
)
def test_what_is_no_target_is_named(y: Any, came: str) -> None:
    with pytest.raises(InvalidInput, match=came):
        as_target(y, 3)


@given(labels=st.lists(st.one_of(st.integers(-5, 5)), min_size=1), data=st.data())
def test_codes_give_the_labels_back_and_do_not_depend_on_row_order(labels: list[int], data: st.DataObject) -> None:
    codes, levels = as_codes(labels, len(labels))
    assert levels[codes].tolist() == labels
    assert sorted(set(codes.tolist())) == list(range(len(levels)))
    assert levels.tolist() == sorted(set(labels))
    order = data.draw(st.permutations(range(len(labels))))
    other, _ = as_codes([labels[place] for place in order], len(labels))
    assert other.tolist() == [codes[place] for place in order]


def test_labels_of_mixed_kinds_become_text() -> None:
    codes, levels = as_codes(np.array(["b", None, "a", None], object), 4)
    assert levels[codes].tolist() == ["b", "None", "a", "None"]


@pytest.mark.parametrize(("labels", "came"), [([1, 2], r"\(2,\)"), ([[1], [2], [3]], r"\(3, 1\)")])
def test_labels_of_another_shape_are_named(labels: Any, came: str) -> None:
    with pytest.raises(InvalidInput, match=rf"units must have shape \(3,\), got {came}"):
        as_codes(labels, 3, "units")


@given(
    weight=st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=1, max_size=20).filter(any),
    factor=st.floats(1e-3, 1e3),
)
def test_weights_have_mean_one_keep_their_ratios_and_know_no_unit(weight: list[float], factor: float) -> None:
    made = mean_one(weight, len(weight))
    assert made is not None
    assert made.mean() == pytest.approx(1)
    np.testing.assert_allclose(made * np.mean(weight), weight, rtol=1e-9)
    again = mean_one(np.asarray(weight) * factor, len(weight))
    np.testing.assert_allclose(again, made, rtol=1e-9)


def test_no_weights_stay_none() -> None:
    assert mean_one(None, 3) is None


@pytest.mark.parametrize(
    ("weight", "came"),
    [
        ([1.0, 2.0], r"shape \(3,\), got \(2,\)"),
        ([1.0, -2.0, 1.0], "got -2.0"),
        ([1.0, np.nan, 1.0], "got nan"),
        ([1.0, np.inf, 1.0], "got inf"),
        ([0.0, 0.0, 0.0], "got 3 zeros"),
    ],
)
def test_what_are_no_weights_is_named(weight: list[float], came: str) -> None:
    with pytest.raises(InvalidInput, match=came):
        mean_one(weight, 3)
