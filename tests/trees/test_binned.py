"""The Python face of the bins: what it takes, what it refuses, what it promises."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from heldout import _native
from heldout.errors import InvalidInput
from heldout.trees import MAX_BINS, MISSING, Binned

from reference import bins as twin


@pytest.fixture
def matrix(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2_000, 5))
    X[:, 1] = np.round(X[:, 1], 1)
    X[:, 2] = 4.0
    X[:, 3] = np.nan
    X[rng.random(X.shape[0]) < 0.1, 4] = np.nan
    return X


def test_the_constants_are_those_of_the_compiled_module():
    assert (MAX_BINS, MISSING) == (_native.MAX_BINS, _native.MISSING) == (254, 255)


def test_a_binned_matrix_holds_the_twins_cut_points_and_codes(matrix, seed):
    weight = np.random.default_rng(seed).integers(0, 4, size=2_000)
    binned = Binned.from_array(matrix, weight, max_bins=40)
    assert (binned.n_rows, binned.n_features, repr(binned)) == (2_000, 5, "Binned(n_rows=2000, n_features=5)")
    assert binned.codes.shape == (5, 2_000)
    assert binned.codes.flags.c_contiguous
    for j in range(5):
        cuts = twin.find_cut_points(matrix[:, j], weight.astype(np.float64), 40)
        np.testing.assert_array_equal(binned.cut_points[j], cuts)
        np.testing.assert_array_equal(binned.codes[j], twin.bin_codes(matrix[:, j], cuts))
    assert binned.n_bins == (40, 40, 1, 1, 40)


def test_constant_and_all_missing_features_have_no_cut_points(matrix):
    binned = Binned.from_array(matrix)
    assert binned.cut_points[2].size == binned.cut_points[3].size == 0
    assert (binned.codes[2] == 0).all()
    assert (binned.codes[3] == MISSING).all()


def test_transform_gives_the_rows_it_was_made_from_their_codes_back(matrix):
    binned = Binned.from_array(matrix)
    np.testing.assert_array_equal(binned.transform(matrix), binned.codes)
    np.testing.assert_array_equal(binned.transform(matrix[5:9]), binned.codes[:, 5:9])
    assert binned.transform(matrix[:0]).shape == (5, 0)


def test_a_missing_value_in_new_rows_is_missing_even_where_none_was_seen():
    binned = Binned.from_array(np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(binned.transform([[np.nan], [-np.inf], [np.inf]]), [[255, 0, 1]])


def test_values_up_to_the_threshold_of_a_bin_have_that_code_or_a_lower_one(matrix):
    binned = Binned.from_array(matrix, max_bins=9)
    for b in range(8):
        below = matrix[:, 0] <= binned.threshold(0, b)
        np.testing.assert_array_equal(below, binned.codes[0] <= b)


def test_nothing_of_a_binned_matrix_can_be_changed(matrix):
    binned = Binned.from_array(matrix)
    for array in (binned.codes, *binned.cut_points):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(dataclasses.FrozenInstanceError, match="codes"):
        binned.codes = binned.codes


def test_the_callers_arrays_are_left_as_they_were(matrix):
    before, weight = matrix.copy(), np.ones(2_000)
    Binned.from_array(matrix, weight)
    np.testing.assert_array_equal(matrix, before)
    assert matrix.flags.writeable
    assert weight.flags.writeable


def test_whole_numbers_booleans_lists_frames_and_odd_memory_are_taken_as_numbers():
    values = np.array([[3, 1], [2, 0], [2, 1], [9, 0]])
    expected = Binned.from_array(values.astype(np.float64)).codes
    pandas = pytest.importorskip("pandas")
    packed = np.zeros(4, dtype=np.dtype([("flag", "u1"), ("x", "<f8", 2)]))
    packed["x"] = values  # neither aligned nor a whole number of steps apart
    kinds = [
        values,
        values.tolist(),
        values.astype(np.uint8),
        values.astype(">f8"),
        values.astype(np.float16),
    ]
    for X in [*kinds, pandas.DataFrame(values), packed["x"]]:
        np.testing.assert_array_equal(Binned.from_array(X).codes, expected)
    np.testing.assert_array_equal(Binned.from_array([[True], [False]]).codes, [[1, 0]])


def test_weights_scaled_by_a_power_of_two_give_the_same_cut_points(matrix, seed):
    weight = np.random.default_rng(seed).uniform(0, 3, size=2_000)
    one, other = Binned.from_array(matrix, weight), Binned.from_array(matrix, weight * 2.0**-40)
    for a, b in zip(one.cut_points, other.cut_points, strict=True):
        np.testing.assert_array_equal(a, b)


def test_threads_binning_at_once_get_what_one_gets_alone(matrix):
    alone = Binned.from_array(matrix)
    with ThreadPoolExecutor(4) as pool:
        for binned in pool.map(Binned.from_array, [matrix] * 16):
            np.testing.assert_array_equal(binned.codes, alone.codes)


@pytest.mark.parametrize("max_bins", [1, 255, 0, -3, 2.0, True, None, "20"])
def test_a_number_of_bins_out_of_range_is_refused(matrix, max_bins):
    with pytest.raises(InvalidInput, match=f"max_bins must be an int from 2 to 254, got {max_bins!r}"):
        Binned.from_array(matrix, max_bins=max_bins)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(3), r"two dimensions \(rows, features\), got shape \(3,\)"),
        (np.zeros((2, 2, 2)), r"got shape \(2, 2, 2\)"),
        (np.zeros((0, 3)), r"rows and features, got shape \(0, 3\)"),
        (np.zeros((3, 0)), r"rows and features, got shape \(3, 0\)"),
        (np.array([["a"], ["b"]]), "dense array of numbers, got dtype <U1"),
        (np.array([[1.0], ["b"]], dtype=object), "dense array of numbers, got ndarray"),
        (np.array([[1j], [2j]]), "dense array of numbers, got dtype complex128"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(X, message):
    with pytest.raises(InvalidInput, match=message):
        Binned.from_array(X)


def test_a_sparse_matrix_is_refused_by_its_name():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InvalidInput, match="dense array of numbers, got csr_array"):
        Binned.from_array(sparse.csr_array(np.eye(3)))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, 1.0], r"sample_weight must have shape \(3,\), got \(2,\)"),
        ([[1.0], [1.0], [1.0]], r"sample_weight must have shape \(3,\), got \(3, 1\)"),
        ([1.0, -0.5, 1.0], "at least 0, got -0.5 in row 1"),
        ([1.0, 1.0, np.nan], "finite and at least 0, got nan in row 2"),
        ([np.inf, 1.0, 1.0], "finite and at least 0, got inf in row 0"),
        ([0.0, 0.0, 0.0], "above 0 somewhere, got 3 zeros"),
        (["a", "b", "c"], "sample_weight must be a dense array of numbers, got dtype <U1"),
    ],
)
def test_weights_that_weigh_nothing_sensible_are_refused(weight, message):
    with pytest.raises(InvalidInput, match=message):
        Binned.from_array(np.arange(3.0)[:, None], weight)


def test_new_rows_of_another_width_are_refused(matrix):
    binned = Binned.from_array(matrix)
    with pytest.raises(InvalidInput, match="X must have 5 features, as when the bins were made, got 4"):
        binned.transform(matrix[:, :4])
    with pytest.raises(InvalidInput, match=r"two dimensions \(rows, features\), got shape \(5,\)"):
        binned.transform(matrix[0])


def test_a_threshold_that_does_not_exist_is_refused(matrix):
    binned = Binned.from_array(matrix, max_bins=4)
    for feature in (-1, 5):
        with pytest.raises(InvalidInput, match=f"feature must be between 0 and 4, got {feature}"):
            binned.threshold(feature, 0)
    for bin_ in (-1, 3):
        with pytest.raises(InvalidInput, match=f"below 3, the number of cut points of feature 0, got {bin_}"):
            binned.threshold(0, bin_)
    with pytest.raises(InvalidInput, match="below 0, the number of cut points of feature 2, got 0"):
        binned.threshold(2, 0)
