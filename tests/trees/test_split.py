"""Splits: every path finds what trying all cuts finds, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference import growth
from reference.nodes import FORMATS, PATHS, avx2_is_there, make_rows

RULES = [
    growth.Rule(least=1),
    growth.Rule(least=20),
    growth.Rule(least=1, l2=3.5),
    growth.Rule(least=3, l2=0.1, least_hessian=1.5),
]


def scan(table, some, path, rule):
    return table.scan(some, path, rule.l2, rule.least, rule.least_hessian)


def in_units(rule, made):
    """The scan takes l2 and the least hessian in units of the integers."""
    scale = 2.0**made.hessian_exponent
    return growth.Rule(rule.max_leaves, rule.least, rule.l2 * scale, rule.least_hessian * scale)


def check_path(rows, some, path, rule):
    made, table = rows.twin(), rows.table()
    if made.count[some].sum() < 2 * rule.least:
        return  # growth scans no such node
    found = scan(table, some, path, in_units(rule, made))
    total = tuple(int(x) for x in made.sums[some].sum(axis=0))
    for feature, n in enumerate(rows.n_bins):
        bins = growth.histogram(rows.codes[feature], n, made, some)
        wanted = growth.best_of_feature(made, bins, total, rule)
        assert found["score"][feature] == wanted.score, feature
        if wanted.score > 0:
            assert (found["bin"][feature], found["missing_left"][feature]) == (wanted.bin, wanted.missing_left), feature
    best = growth.best_split(made, rows.codes, rows.n_bins, some, rule)
    if best.feature < 0:
        assert found["best"][0] == -1
    else:
        assert found["best"] == (best.feature, best.bin, best.missing_left, best.score, best.gain)
        assert found["left"] == best.left


@pytest.mark.parametrize("path", [*PATHS, "few"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("rule", RULES)
def test_every_path_finds_what_trying_all_cuts_finds(path, form, rule, seed):
    if path == "avx2" and not avx2_is_there():
        pytest.skip("this processor has no AVX2")
    for counts in (False, True):
        rows = make_rows(seed, form, counts=counts)
        rng = np.random.default_rng(seed)
        for share in (1.0, 0.5, 0.05):
            check_path(rows, rows.some(rng, share), path, rule)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(FORMATS),
    st.integers(2, 40),
    st.sampled_from([0.0, 0.5]),
    st.integers(1, 3),
)
def test_few_rows_of_few_values_have_the_same_ties_on_every_path(seed, form, n_rows, l2, least):
    rows = make_rows(seed, form, n_rows)
    rows.gradient = np.sign(rows.gradient) * np.float32(1)
    if rows.hessian is not None:
        rows.hessian[:] = 0.25
    every = np.arange(n_rows, dtype=np.uint32)
    for path in ("plain", "few", *(["avx2"] if avx2_is_there() else [])):
        check_path(rows, every, path, growth.Rule(least=least, l2=l2))


@pytest.mark.parametrize("all_bits", [False, True])
def test_a_unit_scan_reads_all_bits_only_where_rows_are_small(all_bits, seed):
    rows = make_rows(seed, "unit")
    if all_bits:
        rows.gradient *= np.float32(1e-8)
        rows.gradient[5] = 1.0
    assert rows.table().quantised()["all_bits"] is all_bits
    for path in ("plain", "few", *(["avx2"] if avx2_is_there() else [])):
        check_path(rows, np.arange(600, dtype=np.uint32), path, growth.Rule(least=1, l2=0.5))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", PATHS)
def test_a_scan_that_subtracts_finds_what_a_scan_of_the_rest_finds(form, path, seed):
    if path == "avx2" and not avx2_is_there():
        pytest.skip("this processor has no AVX2")
    rows = make_rows(seed, form)
    table, every = rows.table(), np.arange(600, dtype=np.uint32)
    taken = rows.some(np.random.default_rng(seed), 0.3)
    rest = np.setdiff1d(every, taken).astype(np.uint32)
    found, wanted = table.scan(every, path, taken=taken), table.scan(rest, "plain")
    assert found["best"] == wanted["best"]
    for name in ("score", "bin", "missing_left"):
        np.testing.assert_array_equal(found[name], wanted[name])


def test_ties_go_to_the_lowest_feature_the_lowest_bin_and_missing_left():
    rows = make_rows(0, "unit", 4, (1, 4, 4, 2, 2, 60, 2, 2, 2, 2, 2))
    rows.codes[:] = 0
    rows.codes[1] = rows.codes[2] = [0, 0, 2, 2]  # bins 0 and 1 give the same cut
    rows.gradient = np.array([-1, -1, 1, 1], dtype=np.float32)
    for path in ("plain", "few"):
        best = rows.table().scan(np.arange(4, dtype=np.uint32), path)["best"]
        assert best[:3] == (1, 0, True)
