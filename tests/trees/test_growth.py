"""Growth: the twin's trees, whatever is kept, recomputed or shared among threads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heldout import _native

from reference import growth, losses
from reference.nodes import FORMATS, make_rows

stages = _native.stages
HUGE = 10**6


def bits(tree):
    """All of a tree and the rows of its leaves: in any order, as a leaf may have been parted in vain."""
    arrays = [tree[name].tobytes() for name in ("feature", "bin", "left", "missing_left", "gain", "count")]
    return arrays, [(*leaf[:4], np.sort(leaf[4]).tobytes()) for leaf in tree["leaves"]]


def as_settings(rule, **tuning):
    found = {"max_leaves": rule.max_leaves, "least": rule.least, "l2": rule.l2, "least_hessian": rule.least_hessian}
    return {**found, **tuning}


def check_against_the_twin(tree, wanted):
    for name in ("feature", "bin", "left", "missing_left", "gain"):
        assert tree[name].tolist() == getattr(wanted, name), name
    assert tree["count"].tolist() == [sums[2] for sums in wanted.sums]
    for node, g, h, count, rows in tree["leaves"]:
        assert (g, h, count) == wanted.sums[node]
        np.testing.assert_array_equal(rows, wanted.rows[node])
    assert [leaf[0] for leaf in tree["leaves"]] == wanted.leaves


RULES = [
    growth.Rule(max_leaves=31, least=1),
    growth.Rule(max_leaves=12, least=20, l2=2.0),
    growth.Rule(max_leaves=600, least=3, l2=0.1, least_hessian=0.6),
    growth.Rule(max_leaves=1, least=1),
    growth.Rule(max_leaves=2, least=1),
    growth.Rule(max_leaves=31, least=400),
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("counts", [False, True])
def test_trees_are_the_twins(form, rule, counts, seed):
    rows = make_rows(seed, form, counts=counts)
    wanted = growth.grow(rows.twin(), rows.codes, rows.n_bins, rule)
    check_against_the_twin(rows.table().grow(as_settings(rule)), wanted)


def test_features_that_are_not_allowed_are_not_split(seed):
    rows = make_rows(seed, "narrow")
    allowed = np.arange(11) % 3 == 1
    rule = growth.Rule(max_leaves=20, least=5)
    wanted = growth.grow(rows.twin(), rows.codes, rows.n_bins, rule, allowed)
    found = rows.table().grow(as_settings(rule), allowed=allowed)
    check_against_the_twin(found, wanted)
    assert set(found["feature"]) <= {-1, 1, 4, 7, 10}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("counts", [False, True])
def test_what_is_kept_or_shared_changes_no_bit(form, counts, seed):
    rows = make_rows(seed, form, n_rows=1_500, counts=counts)
    table, rule = rows.table(), growth.Rule(max_leaves=40, least=2, l2=0.3)
    wanted = bits(table.grow(as_settings(rule)))
    for few_rows in (1, 30, HUGE):
        for together_rows in (1, 200, HUGE):
            for shared_rows, pool_bytes in ((1, 0), (HUGE, 0), (1, 2**28), (64, 200_000)):
                tuning = {
                    "few_rows": few_rows,
                    "together_rows": together_rows,
                    "shared_rows": shared_rows,
                    "pool_bytes": pool_bytes,
                }
                for n_threads in (1, 2, 3, 5):
                    assert bits(table.grow(as_settings(rule, **tuning), n_threads)) == wanted, (tuning, n_threads)


def test_the_paths_that_must_change_nothing_are_taken(seed):
    if stages.path_counts() is None:
        pytest.skip("built without HELDOUT_COUNT_PATHS")
    rows = make_rows(seed, "flushed", n_rows=1_500)
    table, rule = rows.table(), growth.Rule(max_leaves=40, least=2)
    stages.reset_path_counts()
    for few_rows, together_rows in ((1, 1), (1, HUGE), (200, 200)):
        tuning = {"few_rows": few_rows, "together_rows": together_rows, "shared_rows": 1, "pool_bytes": 0}
        table.grow(as_settings(rule, **tuning), 3)
    of_replicas = {"listed_bag", "replicas_apart", "replica_together", "refit"}
    taken = {name for name, count in stages.path_counts().items() if count}
    assert taken == stages.path_counts().keys() - of_replicas


@pytest.mark.parametrize("form", FORMATS)
def test_rows_in_another_order_give_the_same_tree(form, seed):
    rows = make_rows(seed, form, counts=True)
    settings = as_settings(growth.Rule(max_leaves=20, least=3))
    wanted = rows.table().grow(settings)
    order = np.random.default_rng(seed).permutation(600)
    rows.codes, rows.gradient, rows.count = rows.codes[:, order].copy(), rows.gradient[order], rows.count[order]
    if rows.hessian is not None:
        rows.hessian = rows.hessian[order]
    found = rows.table().grow(settings)
    for name in ("feature", "bin", "left", "missing_left", "gain", "count"):
        np.testing.assert_array_equal(found[name], wanted[name])
    for a, b in zip(found["leaves"], wanted["leaves"], strict=True):
        assert a[:4] == b[:4]
        np.testing.assert_array_equal(np.sort(order[a[4]]), b[4])


@pytest.mark.parametrize("form", ["unit", "narrow", "wide"])
def test_a_row_that_counts_twice_is_two_rows(form, seed):
    """Exponents come from bounds that know rows apart: not in flushed rows, whose largest is that times its count."""
    rows = make_rows(seed, form, counts=True)
    copies = make_rows(seed, form, counts=True)
    times = np.repeat(np.arange(600), rows.count)
    copies.codes, copies.gradient, copies.count = rows.codes[:, times].copy(), rows.gradient[times], None
    if rows.hessian is not None:
        copies.hessian = rows.hessian[times]
    one, other = rows.table(), copies.table()
    for name in ("gradient_exponent", "hessian_exponent", "total"):
        assert one.quantised()[name] == other.quantised()[name], name
    settings = as_settings(growth.Rule(max_leaves=20, least=3))
    found, wanted = one.grow(settings), other.grow(settings)
    for name in ("feature", "bin", "left", "missing_left", "gain", "count"):
        np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.95, 1.0])
def test_chosen_features_are_the_twins(share, seed):
    for n_features in (1, 2, 10, 37):
        for tree in range(5):
            found = stages.choose_features(n_features, share, seed, tree)
            wanted = losses.choose_features(n_features, share, seed, tree)
            assert found.tolist() == ([] if wanted is None else wanted.tolist())
            assert math.isclose(found.sum(), 0 if wanted is None else max(1, round(share * n_features)))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_of_equal_gains_the_leaf_whose_rows_come_first_is_split(n_threads):
    codes = np.repeat([[0, 0, 1, 1], [0, 1, 0, 1]], 4, axis=1).astype(np.uint8)
    gradient = np.repeat([-11, -9, 9, 11], 4).astype(np.float32)
    table = stages.Table(codes, [2, 2], gradient)
    tree = table.grow({"max_leaves": 3, "least": 1}, n_threads)
    assert tree["feature"].tolist() == [0, 1, -1, -1, -1]
    both = table.grow({"max_leaves": 4, "least": 1}, n_threads)
    assert both["gain"][1] == both["gain"][2]
