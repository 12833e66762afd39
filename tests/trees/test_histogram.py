"""Histograms: exact sums, whatever the format, and a parent that is the sum of its children."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout import _native

from reference import growth
from reference.nodes import FORMATS, make_rows


def twin_histogram(rows, some):
    made = rows.twin()
    return [growth.histogram(rows.codes[j], n, made, some) for j, n in enumerate(rows.n_bins)]


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("counts", [False, True])
def test_sums_are_those_of_whole_numbers(form, counts, seed):
    rows = make_rows(seed, form, counts=counts)
    table, rng = rows.table(), np.random.default_rng(seed)
    every, some = np.arange(600, dtype=np.uint32), rows.some(rng)
    assert_same(table.histogram(every), twin_histogram(rows, every))
    assert_same(table.histogram(some), twin_histogram(rows, some))
    rest = np.setdiff1d(every, some).astype(np.uint32)
    assert_same(table.less_rows(every, some), twin_histogram(rows, rest))
    assert_same(table.combined(every, some, -1), twin_histogram(rows, rest))
    assert_same(table.combined(rest, some, 1), twin_histogram(rows, every))


@pytest.mark.parametrize("form", ["narrow", "flushed", "wide"])
@pytest.mark.parametrize("n_rows", [514, 65_535, 65_536, 131_071])
def test_bins_of_the_largest_rows_do_not_overflow(form, n_rows):
    """All rows of one bin, all with the largest values, negative ones above the fields of hessian and count."""
    codes = np.zeros((1, n_rows), dtype=np.uint8)
    gradient, hessian = np.full(n_rows, -8.0, dtype=np.float32), np.full(n_rows, 8.0, dtype=np.float32)
    count = np.full(n_rows, 255, dtype=np.uint8) if n_rows * 255 < 131_072 or form != "narrow" else None
    table = _native.stages.Table(codes, [1], gradient, hessian, count, FORMATS.index(form))
    (bins,) = table.histogram(np.arange(n_rows, dtype=np.uint32))
    assert tuple(bins[0]) == table.quantised()["total"]
    assert bins[0][2] == n_rows * (1 if count is None else 255)
    assert bins[0][0] < 0 < bins[0][1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(FORMATS), st.booleans(), st.integers(2, 20))
def test_each_node_of_a_tree_holds_the_sum_of_its_children(seed, form, counts, max_leaves):
    rows = make_rows(seed, form, n_rows=200, counts=counts)
    table = rows.table()
    tree = table.grow({"max_leaves": max_leaves, "least": 1})
    rows_of = {node: np.sort(own) for node, _, _, _, own in tree["leaves"]}
    for node in range(len(tree["feature"]) - 1, -1, -1):
        if tree["feature"][node] < 0:
            continue
        left = tree["left"][node]
        rows_of[node] = np.sort(np.concatenate([rows_of[left], rows_of[left + 1]]))
        parent, a, b = (table.histogram(rows_of[i]) for i in (node, left, left + 1))
        assert_same(parent, [x + y for x, y in zip(a, b, strict=True)])
        assert_same(table.combined(rows_of[node], rows_of[left], -1), b)
