"""Hold-outs, disjoint training sets, size-matched random folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.splits import (
    BlockedTime,
    GroupFolds,
    GroupTime,
    HoldOut,
    RandomFolds,
    StratifiedFolds,
    disjoint_training_sets,
    matched_random_folds,
)

GROUPS = np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 7, 8, 4])


@pytest.mark.parametrize(
    "splitter",
    [
        RandomFolds(7, 2),
        StratifiedFolds(5),
        GroupFolds(4, 3, groups=GROUPS),
        BlockedTime(4, gap=3),
        GroupTime(3, groups=GROUPS[::-1]),
        HoldOut(0.3),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_matched_random_folds_have_the_very_same_sizes(splitter):
    X, y = np.empty((40, 1)), np.arange(40) % 3
    wanted = [(len(train), len(test)) for train, test in splitter.split(X, y)]
    matched = matched_random_folds(splitter, X, y)
    assert [(len(train), len(test)) for train, test in matched] == wanted
    for train, test in matched:
        assert not set(train) & set(test)
        assert len(set(train)) == len(train)


def test_matched_folds_of_a_k_fold_type_test_each_row_once_per_repeat():
    matched = matched_random_folds(GroupFolds(4, 3, groups=GROUPS), np.empty((40, 1)))
    for repeat in range(3):
        tested = np.concatenate([test for _, test in matched[4 * repeat : 4 * repeat + 4]])
        assert np.array_equal(np.sort(tested), np.arange(40))


def test_matched_folds_of_forward_chaining_test_no_row_twice_and_ignore_order():
    matched = matched_random_folds(BlockedTime(4), np.empty((100, 1)), random_state=3)
    tested = np.concatenate([test for _, test in matched])
    assert len(set(tested.tolist())) == len(tested) == 80
    assert any(train.max() > test.min() for train, test in matched)
    again = matched_random_folds(BlockedTime(4), np.empty((100, 1)), random_state=3)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(matched, again, strict=True))


@given(n=st.integers(4, 80), n_sets=st.integers(1, 6), seed=st.integers(0, 99))
def test_disjoint_sets_cover_the_rows_once_in_sizes_within_one(n, n_sets, seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice(200, size=n, replace=False)
    parts = disjoint_training_sets(rows, min(n_sets, n), rng=rng)
    assert sorted(np.concatenate(parts).tolist()) == sorted(rows.tolist())
    assert np.ptp([len(part) for part in parts]) <= 1


def test_disjoint_sets_keep_class_shares_and_whole_groups():
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", "c"])[np.arange(90) % 3]
    rows = np.arange(30, 90)
    for part in disjoint_training_sets(rows, 4, y=y, stratify=True, rng=rng):
        assert np.unique(y[part], return_counts=True)[1].tolist() == [5, 5, 5]
    groups = np.arange(90) // 5
    parts = disjoint_training_sets(rows, 3, groups=groups, rng=rng)
    assert [len(part) for part in parts] == [20, 20, 20]
    seen = [set(groups[part]) for part in parts]
    assert sum(len(part) for part in seen) == len(set().union(*seen))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_sets": 0}, "n_sets must be a whole number of 1 or more, got 0"),
        ({"n_sets": 9}, "n_sets=9 needs as many rows, got 8"),
        ({"n_sets": 3, "groups": [0] * 4 + [1] * 4}, "n_sets=3 needs as many groups, got 2"),
        ({"n_sets": 2, "stratify": True}, "got no y"),
        ({"n_sets": 2, "stratify": True, "y": [0] * 5}, "one value per row of the table, got 5 for row 7"),
    ],
)
def test_disjoint_sets_that_cannot_be_cut_are_refused_by_name(options, said):
    with pytest.raises(InvalidInput, match=said):
        disjoint_training_sets(np.arange(8), rng=np.random.default_rng(0), **options)


@given(n=st.integers(2, 100), fraction=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_a_hold_out_tests_the_share_asked_for_to_the_nearest_row(n, fraction, seed):
    train, test = next(HoldOut(fraction, random_state=seed).split(np.empty((n, 1))))
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n))
    assert len(test) == pytest.approx(np.clip(fraction * n, 1, n - 1), abs=0.5 + 1e-9)


def test_a_hold_out_takes_whole_groups_or_the_last_times():
    train, test = next(HoldOut(0.25, groups=GROUPS).split(np.empty((40, 1))))
    assert not set(GROUPS[train]) & set(GROUPS[test])
    time = np.array([5, 1, 3, 3, 4, 2])
    train, test = next(HoldOut(0.3, time=time).split(np.empty((6, 1))))
    assert set(test) == {0, 4}
    schemes = [HoldOut().scheme, HoldOut(groups=GROUPS).scheme, HoldOut(time=time).scheme]
    assert schemes == ["random", "group", "blocked_time"]
    assert HoldOut().units(6) is None
    assert HoldOut(time=time).units(6).tolist() == [4, 0, 2, 2, 3, 1]
    assert HoldOut(groups=GROUPS).units(40).tolist() == GROUPS.tolist()
    assert (HoldOut(n_repeats=4).get_n_splits(), HoldOut(n_repeats=4, time=time).get_n_splits()) == (4, 1)
    assert len({tuple(test) for _, test in HoldOut(n_repeats=4).split(np.empty((40, 1)))}) == 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: HoldOut(1.0), "fraction must lie between 0 and 1, got 1.0"),
        (lambda: HoldOut(groups=[1, 2], time=[1, 2]), "takes groups or time, got both"),
        (lambda: next(HoldOut().split([[1]])), "at least 2 rows, got 1"),
        (lambda: next(HoldOut(groups=[1, 1]).split([[1], [2]])), "at least 2 groups, got 1"),
    ],
)
def test_a_hold_out_that_cannot_be_made_is_refused_by_name(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
