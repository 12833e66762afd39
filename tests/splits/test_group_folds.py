"""Whole groups held out: never on both sides, balanced, stratified as far as groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.splits import GroupFolds

labels = st.lists(st.integers(0, 15), min_size=4, max_size=120).filter(lambda g: len(set(g)) >= 2)


def folds_of(splitter, n, y=None, groups=None):
    return list(splitter.split(np.empty((n, 1)), y, groups))


@given(groups=labels, n_folds=st.integers(2, 8), seed=st.integers(0, 99), classes=st.booleans())
def test_no_group_is_on_both_sides_and_every_row_is_tested_once(groups, n_folds, seed, classes):
    groups = np.array(groups)
    y = np.random.default_rng(seed).integers(3, size=len(groups)) if classes else None
    splitter = GroupFolds(n_folds, 2, seed, groups=groups)
    folds = folds_of(splitter, len(groups), y)
    n_groups = len(set(groups.tolist()))
    n_repeats = 2 if n_groups > n_folds else 1
    assert len(folds) == min(n_folds, n_groups) * n_repeats == splitter.get_n_splits()
    assert (np.bincount(np.concatenate([test for _, test in folds]), minlength=len(groups)) == n_repeats).all()
    for train, test in folds:
        assert len(train)
        assert len(test)
        assert not set(groups[train]) & set(groups[test])


@given(groups=labels, n_folds=st.integers(2, 8), seed=st.integers(0, 99))
def test_fold_sizes_differ_by_no_more_than_the_largest_group(groups, n_folds, seed):
    # Largest first, each to the emptiest fold: when the fullest fold got its last group it was the emptiest.
    groups = np.array(groups)
    sizes = [len(test) for _, test in folds_of(GroupFolds(n_folds, 1, seed), len(groups), groups=groups)]
    assert max(sizes) - min(sizes) <= np.bincount(groups).max()


def test_equal_groups_are_dealt_evenly_and_repeats_differ():
    groups = np.repeat(np.arange(12), 5)
    folds = folds_of(GroupFolds(4, 3, groups=groups), 60)
    assert {len(test) for _, test in folds} == {15}
    assert len({tuple(test) for _, test in folds}) == 12


def test_leave_one_group_out_is_not_repeated_in_vain():
    groups = np.repeat(np.arange(5), 4)
    splitter = GroupFolds(10, 3, groups=groups)
    assert splitter.get_n_splits() == 5
    assert GroupFolds(10, 3).get_n_splits(np.empty((20, 1)), None, groups) == 5
    assert GroupFolds(10, 3).get_n_splits() == 30


def test_classes_of_whole_groups_are_spread_over_the_folds():
    # 20 groups of one class each, 10 of either class: two of each class per fold of four groups.
    groups = np.repeat(np.arange(20), 6)
    y = np.repeat(np.arange(20) % 2, 6)
    for seed in range(20):
        for _, test in folds_of(GroupFolds(5, 1, seed, groups=groups), 120, y):
            assert np.bincount(y[test]).tolist() == [12, 12]


def test_a_class_of_one_group_only_is_missing_from_that_training_part():
    groups = np.repeat(np.arange(4), 5)
    y = np.where(groups == 0, "only here", "elsewhere")
    missing = [train for train, _ in folds_of(GroupFolds(4, groups=groups), 20, y) if "only here" not in y[train]]
    assert len(missing) == 1


def test_renaming_groups_changes_nothing_but_their_order():
    groups = np.array(["b", "a", "c", "a", "b", "c", "d", "d"])
    renamed = np.char.add("x", groups)
    first, second = (folds_of(GroupFolds(2, groups=g), 8) for g in (groups, renamed))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))


def test_units_are_the_groups():
    assert GroupFolds(groups=["b", "a", "b"]).units(3).tolist() == [1, 0, 1]
    assert GroupFolds().units(3, ["b", "a", "b"]).tolist() == [1, 0, 1]
    assert GroupFolds().scheme == "group"


def test_scikit_learn_hands_it_groups():
    from sklearn.dummy import DummyRegressor
    from sklearn.model_selection import cross_val_score

    X, y = np.zeros((20, 1)), np.arange(20.0)
    groups = np.repeat(np.arange(5), 4)
    assert len(cross_val_score(DummyRegressor(), X, y, groups=groups, cv=GroupFolds(3))) == 3
    assert len(cross_val_score(DummyRegressor(), X, y, cv=GroupFolds(3, groups=groups))) == 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: GroupFolds(1), "n_folds must be a whole number of 2 or more, got 1"),
        (lambda: folds_of(GroupFolds(), 4), "got no groups"),
        (lambda: folds_of(GroupFolds(groups=[1, 1, 1, 1]), 4), "at least 2 groups, got 1"),
        (lambda: folds_of(GroupFolds(groups=[1, 2, 3]), 4), r"groups must have shape \(4,\), got \(3,\)"),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
