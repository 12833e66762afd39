"""Quantising: exact sums in fields that never overflow, the twin's words to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout import _native

from reference import quantise as twin

stages = _native.stages


def check_against_the_twin(gradient, hessian=None, count=None, forced=None, n_threads=1):
    made = stages.quantise(
        gradient, hessian, count, -1 if forced is None else twin.FORMATS.index(forced), n_threads=n_threads
    )
    wanted = twin.quantise(gradient, hessian, count, forced)
    for name in (
        "format",
        "gradient_exponent",
        "hessian_exponent",
        "rows_per_flush",
        "all_bits",
        "fine_gradient_exponent",
        "fine_hessian_exponent",
    ):
        assert made[name] == getattr(wanted, name), name
    if wanted.format in ("flushed", "wide"):
        assert made["count_bits"] == wanted.count_bits
    np.testing.assert_array_equal(made["words"], wanted.words)
    total = made["total"]
    assert total == wanted.total
    check_fields(made, wanted)
    return made


def check_fields(made, wanted):
    """Sums of magnitudes, so of any rows, fit the fields of a word; for flushed rows, those of one flush."""
    g, h, c = np.abs(wanted.gradient), wanted.hessian, wanted.count
    if made["format"] == "flushed":
        n = made["rows_per_flush"]
        assert n >= 1
        g, h, c = int(g.max()) * n, int(h.max()) * n, int(c.max()) * n
    else:
        g, h, c = int(g.sum()), int(h.sum()), int(c.sum())
    room = {"unit": (39, 24, 24), "narrow": (23, 23, 17), "flushed": (23, 23, 17), "wide": (51, 40, made["count_bits"])}
    bits = room[made["format"]]
    assert g < 2 ** bits[0]
    assert c < 2 ** bits[2]
    if made["format"] != "unit":
        assert h < 2 ** bits[1]


@pytest.mark.parametrize("forced", [None, "narrow", "flushed", "wide"])
@pytest.mark.parametrize("with_hessian", [False, True])
@pytest.mark.parametrize("with_count", [False, True])
def test_words_are_the_twins(forced, with_hessian, with_count, seed):
    rng = np.random.default_rng(seed)
    gradient = rng.standard_t(3, 3_000).astype(np.float32)
    hessian = rng.uniform(0, 0.25, 3_000).astype(np.float32) if with_hessian else None
    count = rng.integers(0, 5, 3_000).astype(np.uint8) if with_count else None
    check_against_the_twin(gradient, hessian, count, forced)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=40),
    st.sampled_from([None, "narrow", "flushed", "wide"]),
    st.booleans(),
    st.integers(1, 255),
)
def test_words_are_the_twins_for_any_gradients(values, forced, with_hessian, largest_count):
    gradient = np.array(values, dtype=np.float32)
    hessian = (np.abs(gradient) / np.float32(7)).astype(np.float32) if with_hessian else None
    count = np.full(gradient.size, largest_count, dtype=np.uint8)
    check_against_the_twin(gradient, hessian, count, forced)


@pytest.mark.parametrize("n_rows", [65_535, 65_536, 131_071, 131_072])
@pytest.mark.parametrize("kind", ["equal", "alternating", "one huge"])
def test_no_field_overflows_at_the_edges_of_weight(n_rows, kind):
    gradient = np.full(n_rows, 3.4e38, dtype=np.float32)
    if kind == "alternating":
        gradient[::2] *= -1
    if kind == "one huge":
        gradient[1:] = 1e-3
    hessian = np.full(n_rows, 0.25, dtype=np.float32)
    made = check_against_the_twin(gradient, hessian)
    by_weight = "narrow" if n_rows < 131_072 else "flushed"
    assert made["format"] == ("wide" if kind == "one huge" else by_weight)
    assert check_against_the_twin(gradient)["format"] == ("wide" if kind == "one huge" else "unit")


def test_rows_of_count_255_flush_before_their_counts_overflow(seed):
    rng = np.random.default_rng(seed)
    gradient, hessian = rng.normal(size=2_000).astype(np.float32), rng.uniform(0.1, 0.2, 2_000).astype(np.float32)
    made = check_against_the_twin(gradient, hessian, np.full(2_000, 255, dtype=np.uint8), "flushed")
    assert made["rows_per_flush"] * 255 < 2**17


@pytest.mark.parametrize("small", [1e-6, 1e-30])
@pytest.mark.parametrize("with_hessian", [False, True])
@pytest.mark.parametrize("times", [7, 9, 255])
def test_a_row_that_counts_often_is_as_many_rows_when_a_format_is_chosen(small, with_hessian, times):
    gradient = np.full(400, small, dtype=np.float32)
    gradient[7] = 1.0
    hessian = np.full(400, 0.25, dtype=np.float32) if with_hessian else None
    made = check_against_the_twin(gradient, hessian, np.full(400, times, dtype=np.uint8))
    copies = check_against_the_twin(np.repeat(gradient, times), None if hessian is None else np.repeat(hessian, times))
    for name in ("format", "all_bits", "gradient_exponent", "hessian_exponent", "total"):
        assert made[name] == copies[name], name


@pytest.mark.parametrize("units", [0, 1, -1, 4095, -4095, 4096, -4096, 9999])
def test_only_gradients_between_0_and_4096_units_call_for_all_bits(units):
    """One row sets the scale; all others are so many units of it."""
    gradient = np.zeros(42, dtype=np.float32)
    gradient[0] = 1.0
    gradient[1:] = np.ldexp(units, -stages.quantise(gradient)["gradient_exponent"])
    for rows in (gradient, gradient[:4]):  # four rows at a time, and those left over
        assert check_against_the_twin(np.ascontiguousarray(rows))["all_bits"] == (0 < abs(units) < 4096)


def test_threads_change_nothing_of_many_rows(seed):
    rng = np.random.default_rng(seed)
    gradient, hessian = rng.normal(size=30_000).astype(np.float32), rng.uniform(0, 1, 30_000).astype(np.float32)
    wanted = stages.quantise(gradient, hessian)
    for n_threads in (2, 3, 5):
        made = stages.quantise(gradient, hessian, n_threads=n_threads)
        np.testing.assert_array_equal(made.pop("words"), wanted["words"])
        assert made == {name: value for name, value in wanted.items() if name != "words"}


def test_halves_round_to_even():
    gradient = np.array([1.0, 2.0**-39 * 1.5, 2.0**-39 * 2.5, -(2.0**-39) * 1.5], dtype=np.float32)
    exponent = stages.quantise(gradient)["gradient_exponent"]
    gradient[1:] = np.ldexp(np.array([1.5, 2.5, -1.5]), -exponent)
    assert (stages.quantise(gradient)["words"][1:] >> 24).tolist() == [2, 2, -2]
