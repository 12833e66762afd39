"""The compiled bins against the exact twin, and against what bins have to be."""

from __future__ import annotations

import itertools

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heldout import _native

from reference import bins as twin

SMALLEST = 5e-324
LARGEST = float(np.finfo(np.float64).max)

EDGES = [0.0, -0.0, SMALLEST, -SMALLEST, 2 * SMALLEST, -2 * SMALLEST, 3 * SMALLEST, 2.2250738585072014e-308]
EDGES += [1.0, np.nextafter(1, 2), np.nextafter(1, 0), -1.0, np.nextafter(-1, 0), LARGEST, -LARGEST]
EDGES += [np.nextafter(LARGEST, 0), LARGEST / 2, np.inf, -np.inf, np.nan]

any_value = st.one_of(st.floats(), st.sampled_from(EDGES), st.integers(-3, 3).map(float))
any_weight = st.one_of(
    st.integers(0, 4).map(float),
    st.floats(0, 1e300, allow_subnormal=True),
    st.sampled_from([0.0, SMALLEST, 1e-30, 0.5, 1.0, LARGEST]),
)


@st.composite
def weighted_columns(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Draw values, weights or None, and a number of bins that is often too small for all values."""
    column = draw(arrays.arrays(np.float64, st.integers(0, 60), elements=any_value))
    weight = draw(st.none() | arrays.arrays(np.float64, column.size, elements=any_weight))
    return column, weight, draw(st.integers(2, 12) | st.just(254))


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def codes_of(column: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    return _native.bin_codes(column[:, None], [cuts])[0]


@settings(max_examples=600, deadline=None)
@given(weighted_columns())
@example((np.array(EDGES), None, 254))
@example((np.array(EDGES), None, 5))
@example((np.array([-np.inf, -LARGEST, LARGEST, np.inf]), None, 254))
@example((np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 0.0]), 2))
def test_cut_points_and_codes_equal_those_of_exact_arithmetic_to_the_bit(drawn):
    column, weight, max_bins = drawn
    cuts = _native.find_cut_points(column, weight, max_bins)
    assert same_bits(cuts, twin.find_cut_points(column, weight, max_bins))
    assert same_bits(codes_of(column, cuts), twin.bin_codes(column, cuts))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([250, 254, 255, 256, 2000]), st.booleans())
def test_columns_of_many_values_equal_the_twin_with_all_bins_in_use(random_seed, n_values, weighted):
    rng = np.random.default_rng(random_seed)
    column = rng.choice(rng.normal(size=n_values), size=2 * n_values)
    column[rng.integers(0, column.size, 20)] = np.nan
    weight = rng.choice([0.0, 0.3, 1.0, 7.0, 5000.0], p=[0.2, 0.3, 0.3, 0.19, 0.01], size=column.size)
    weight = weight if weighted else None
    cuts = _native.find_cut_points(column, weight)
    assert same_bits(cuts, twin.find_cut_points(column, weight))
    assert same_bits(codes_of(column, cuts), twin.bin_codes(column, cuts))


@pytest.mark.parametrize("n_rows", [4095, 4096, 20_000])
@pytest.mark.parametrize("kind", ["normal", "rounded", "float32", "all equal", "one differs", "wide"])
def test_long_columns_which_are_sorted_digit_by_digit_equal_the_twin(n_rows, kind, seed):
    rng = np.random.default_rng(seed)
    column = rng.normal(size=n_rows)
    if kind == "rounded":
        column = np.round(column, 1) + 0.0
    elif kind == "float32":
        column = column.astype(np.float32)
    elif kind == "all equal":
        column[:] = -3.25
    elif kind == "one differs":
        column[:] = -3.25
        column[n_rows // 2] = 7.0
    elif kind == "wide":
        column = np.sign(column) * 10.0 ** rng.uniform(-320, 308, n_rows)
        column[:3] = np.inf, -np.inf, np.nan
    weight = rng.uniform(0, 2, n_rows) * (rng.random(n_rows) < 0.9)
    for weights in (None, weight):
        cuts = _native.find_cut_points(column, weights)
        assert same_bits(cuts, twin.find_cut_points(column, weights))
        assert same_bits(codes_of(column, cuts), twin.bin_codes(column, cuts))


@settings(max_examples=150, deadline=None)
@given(weighted_columns(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit_of_the_cut_points(drawn, random):
    column, weight, max_bins = drawn
    order = list(range(column.size))
    random.shuffle(order)
    shuffled = _native.find_cut_points(column[order], None if weight is None else weight[order], max_bins)
    assert same_bits(shuffled, _native.find_cut_points(column, weight, max_bins))


@settings(max_examples=150, deadline=None)
@given(weighted_columns())
def test_missing_rows_and_rows_of_weight_zero_shape_no_cut(drawn):
    column, weight, max_bins = drawn
    keep = ~np.isnan(column) if weight is None else ~np.isnan(column) & (weight > 0)
    without = _native.find_cut_points(column[keep], None if weight is None else weight[keep], max_bins)
    assert same_bits(without, _native.find_cut_points(column, weight, max_bins))


@settings(max_examples=150, deadline=None)
@given(weighted_columns(), st.data())
def test_whole_weights_give_what_repeated_rows_give(drawn, data):
    column, _, max_bins = drawn
    times = data.draw(arrays.arrays(np.int64, column.size, elements=st.integers(0, 50)))
    repeated = _native.find_cut_points(np.repeat(column, times), None, max_bins)
    assert same_bits(_native.find_cut_points(column, times.astype(np.float64), max_bins), repeated)


@settings(max_examples=150, deadline=None)
@given(weighted_columns(), st.lists(any_value.filter(lambda x: x == x), max_size=30))
def test_cut_points_increase_strictly_and_codes_never_fall_as_values_rise(drawn, new):
    column, weight, max_bins = drawn
    cuts = _native.find_cut_points(column, weight, max_bins)
    assert cuts.size < max_bins
    assert (cuts[1:] > cuts[:-1]).all()
    rising = np.sort(np.array([*column[~np.isnan(column)], *new]))
    codes = codes_of(rising, cuts).astype(int)
    assert (np.diff(codes) >= 0).all()
    assert ((codes >= 0) & (codes <= cuts.size)).all()


@settings(max_examples=150, deadline=None)
@given(weighted_columns())
def test_a_value_goes_left_of_a_cut_exactly_when_it_is_not_above_it(drawn):
    column, weight, max_bins = drawn
    cuts = _native.find_cut_points(column, weight, max_bins)
    for value, code in zip(column, codes_of(column, cuts), strict=True):
        if np.isnan(value):
            assert code == 255
        else:
            assert [bool(value <= cut) for cut in cuts] == [code <= b for b in range(cuts.size)]


@pytest.mark.parametrize("n_values", [1, 2, 3, 127, 128, 129, 253, 254])
def test_up_to_254_distinct_values_each_get_a_bin_of_their_own(n_values, seed):
    values = np.sort(np.random.default_rng(seed).normal(size=n_values))
    cuts = _native.find_cut_points(np.tile(values, 3))
    np.testing.assert_array_equal(codes_of(values, cuts), np.arange(n_values))
    np.testing.assert_array_equal(cuts, (values[1:] + values[:-1]) / 2)


def test_neighbouring_doubles_subnormals_and_infinities_each_get_a_bin_of_their_own():
    values = [
        -np.inf,
        -LARGEST,
        -1.0,
        np.nextafter(-1.0, 0),
        -2 * SMALLEST,
        -SMALLEST,
        0.0,
        SMALLEST,
        2 * SMALLEST,
    ]
    values += [
        1.0,
        np.nextafter(1.0, 2),
        np.nextafter(np.nextafter(1.0, 2), 2),
        np.nextafter(LARGEST, 0),
        LARGEST,
    ]
    values = np.array([*values, np.inf])
    cuts = _native.find_cut_points(values)
    np.testing.assert_array_equal(codes_of(values, cuts), np.arange(values.size))


def test_negative_zero_is_zero_and_no_cut_is_negative_zero():
    assert _native.find_cut_points(np.array([-0.0, 0.0])).size == 0
    for a, b in itertools.permutations([-0.0, 0.0, 1.0, -1.0, SMALLEST, -2 * SMALLEST], 2):
        cuts = _native.find_cut_points(np.array([a, b]))
        assert not np.signbit(cuts[cuts == 0]).any()
        np.testing.assert_array_equal(codes_of(np.array([-0.0]), cuts), codes_of(np.array([0.0]), cuts))


@pytest.mark.parametrize("column", [[], [7.0] * 9, [np.nan] * 4, [np.nan, 2.0, 2.0], [np.inf] * 3])
def test_constant_and_all_missing_columns_have_no_cut_points(column):
    column = np.array(column, dtype=np.float64)
    cuts = _native.find_cut_points(column)
    assert cuts.size == 0
    np.testing.assert_array_equal(codes_of(column, cuts), np.where(np.isnan(column), 255, 0))


@pytest.mark.parametrize("max_bins", [2, 7, 64, 254])
def test_many_distinct_values_of_equal_weight_fill_all_bins_evenly(max_bins, seed):
    column = np.random.default_rng(seed).normal(size=10_000)
    sizes = np.bincount(codes_of(column, _native.find_cut_points(column, None, max_bins)))
    assert sizes.size == max_bins
    assert sizes.max() - sizes.min() <= 1


def test_a_value_that_most_rows_share_takes_one_bin_and_leaves_the_rest_to_the_others(seed):
    others = np.random.default_rng(seed).uniform(1, 2, size=1_000)
    cuts = _native.find_cut_points(np.concatenate([np.zeros(100_000), others]), None, 101)
    assert cuts.size == 100
    np.testing.assert_array_equal(np.bincount(codes_of(others, cuts))[1:], np.full(100, 10))


def test_weighted_bins_differ_from_the_mean_weight_by_less_than_one_row(seed):
    rng = np.random.default_rng(seed)
    column, weight = rng.normal(size=5_000), rng.uniform(0.5, 1.5, size=5_000)
    sums = np.bincount(codes_of(column, _native.find_cut_points(column, weight, 50)), weights=weight)
    np.testing.assert_allclose(sums, weight.sum() / 50, atol=1.5)


@pytest.mark.parametrize(("quarters", "cut"), [(0, 1.5), (1, 1.5), (2, 1.5), (3, 2.5), (4, 2.5)])
def test_weights_are_rounded_to_the_nearest_unit_and_ties_to_even(quarters, cut):
    # Three rows of at most weight 1: the unit is 2**-51, as 1 < 2**1, 3 < 2**2 and 54 - 1 - 2 = 51. The first row
    # fills one of two bins if it weighs no less than the other two, which are above it by so many quarters of a unit.
    weight = np.array([1.0, 0.5, 0.5 + quarters * 2.0**-53])
    column = np.array([1.0, 2.0, 3.0])
    assert _native.find_cut_points(column, weight, 2).tolist() == [cut]
    assert twin.find_cut_points(column, weight, 2).tolist() == [cut]


@pytest.mark.parametrize(("last", "cut"), [(0.0, 1.5), (SMALLEST, 2.5)])
def test_a_weight_far_below_the_unit_counts_as_one_unit_and_a_weight_of_zero_as_none(last, cut):
    # The first row weighs exactly as much as the next two, so that one unit more moves the cut.
    column, weight = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.5, 0.5, last])
    assert _native.find_cut_points(column, weight, 2).tolist() == [cut]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F", "reversed", "every other"])
def test_dtype_and_memory_order_and_read_only_arrays_change_nothing(dtype, order, seed):
    values = np.random.default_rng(seed).normal(size=(3_000, 4)).astype(np.float32)
    matrix = {
        "C": np.ascontiguousarray(values, dtype=dtype),
        "F": np.asfortranarray(values, dtype=dtype),
        "reversed": np.ascontiguousarray(values[::-1, ::-1], dtype=dtype)[::-1, ::-1],
        "every other": np.repeat(np.repeat(values.astype(dtype), 2, axis=0), 2, axis=1)[::2, ::2],
    }[order]
    matrix.setflags(write=False)
    cuts = [_native.find_cut_points(matrix[:, j]) for j in range(4)]
    expected = [twin.find_cut_points(values[:, j].astype(np.float64)) for j in range(4)]
    assert all(same_bits(a, b) for a, b in zip(cuts, expected, strict=True))
    codes = _native.bin_codes(matrix, cuts)
    assert codes.flags.c_contiguous
    assert same_bits(codes, np.stack([twin.bin_codes(values[:, j], cuts[j]) for j in range(4)]))


@pytest.mark.parametrize("chunk", [1, 7, 1023, 1024, 1025, 2999])
def test_rows_binned_in_chunks_have_the_codes_of_rows_binned_at_once(chunk, seed):
    matrix = np.random.default_rng(seed).normal(size=(3_000, 2))
    cuts = [_native.find_cut_points(matrix[:, j]) for j in range(2)]
    whole = _native.bin_codes(matrix, cuts)
    parts = [_native.bin_codes(matrix[i : i + chunk], cuts) for i in range(0, 3_000, chunk)]
    assert same_bits(np.ascontiguousarray(np.concatenate(parts, axis=1)), whole)


def test_the_module_refuses_arguments_that_would_read_outside_an_array():
    column = np.zeros(3)
    with pytest.raises(ValueError, match="max_bins must be between 1 and 254"):
        _native.find_cut_points(column, None, 255)
    with pytest.raises(ValueError, match="weight must have as many entries as column"):
        _native.find_cut_points(column, np.ones(2))
    with pytest.raises(ValueError, match="at most 253 cut points"):
        _native.bin_codes(column[:, None], [np.arange(254.0)])
    with pytest.raises(ValueError, match="one entry per feature"):
        _native.bin_codes(column[:, None], [])
    with pytest.raises(TypeError, match="incompatible function arguments"):
        _native.find_cut_points(np.array([1, 2]))
