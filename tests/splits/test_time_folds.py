"""Later rows held out: training strictly earlier, equal times never cut, gaps counted in rows."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.splits import BlockedTime, GroupTime, Splitter

times = st.lists(st.integers(0, 40), min_size=6, max_size=120).filter(lambda t: len(set(t)) >= 3)


def folds_of(splitter, n, y=None, groups=None):
    return list(splitter.split(np.empty((n, 1)), y, groups))


@given(time=times, n_blocks=st.integers(1, 9), gap=st.integers(0, 5))
def test_all_training_rows_are_earlier_by_the_gap_and_no_time_is_cut(time, n_blocks, gap):
    time = np.array(time)
    splitter = BlockedTime(n_blocks, gap, time)
    block = splitter.units(len(time))
    try:
        folds = folds_of(splitter, len(time))
    except InvalidInput:
        first = np.bincount(block)[: block.max()].sum()
        assert gap > 0
        assert first - np.bincount(time)[: time.max() + 1].max() <= gap + np.bincount(time).max()
        return
    for train, test in folds:
        assert time[train].max() < time[test].min()
        # Between the last training row and the block lie at least `gap` rows, and no more than ties force.
        between = (time > time[train].max()) & (time < time[test].min())
        assert between.sum() >= gap
        ties = (time == time[between].min()).sum() if between.any() else 0
        assert between.sum() - ties < gap or gap == 0
    tested = np.concatenate([test for _, test in folds])
    assert len(tested) == len(set(tested.tolist()))
    assert all(len(set(block[time == t])) == 1 for t in set(time.tolist()))


@given(time=times, n_blocks=st.integers(1, 9), seed=st.integers(0, 99))
def test_shuffling_the_rows_gives_the_same_partition(time, n_blocks, seed):
    time = np.array(time)
    order = np.random.default_rng(seed).permutation(len(time))
    plain = folds_of(BlockedTime(n_blocks, 2, time), len(time)) if len(set(time.tolist())) > 8 else None
    if plain is None:
        return
    shuffled = folds_of(BlockedTime(n_blocks, 2, time[order]), len(time))
    for (train, test), (train_, test_) in zip(plain, shuffled, strict=True):
        assert set(order[train_]) == set(train)
        assert set(order[test_]) == set(test)


@given(n=st.integers(10, 300), n_blocks=st.integers(1, 9))
def test_distinct_times_give_blocks_within_one_row(n, n_blocks):
    sizes = np.bincount(BlockedTime(n_blocks).units(n))
    assert len(sizes) == min(n_blocks + 1, n)
    assert np.ptp(sizes) <= 1


def test_blocks_are_as_even_as_equal_times_allow():
    # Five years of 10 rows each, asked for eight blocks: one year each, the first only learned from.
    year = np.repeat(np.arange(2015, 2020), 10)
    splitter = BlockedTime(8, time=year)
    assert splitter.get_n_splits() == splitter.get_n_splits(np.empty((50, 1))) == 4
    assert [set(year[test]) for _, test in folds_of(splitter, 50)] == [{2016}, {2017}, {2018}, {2019}]


def test_one_time_that_most_rows_share_leaves_the_others_their_own_blocks():
    time = np.array([0] * 90 + list(range(1, 11)))
    assert np.bincount(BlockedTime(3, time=time).units(100)).tolist() == [90, 3, 3, 4]


def test_a_gap_longer_than_the_first_block_drops_the_first_test_block():
    folds = folds_of(BlockedTime(4, gap=12), 50)
    assert [(len(train), len(test)) for train, test in folds] == [(8, 10), (18, 10), (28, 10)]
    assert BlockedTime(4, gap=12).get_n_splits(np.empty((50, 1))) == 3
    assert BlockedTime(4).get_n_splits() == 4


def test_datetimes_of_any_kind_are_ordered():
    stamps = [datetime(2024, 1, day) for day in (3, 1, 2, 4)]
    for time in (np.array(stamps, dtype="datetime64[us]"), np.array(stamps, dtype=object)):
        assert [test.tolist() for _, test in folds_of(BlockedTime(3, time=time), 4)] == [[2], [0], [3]]


@given(time=times, seed=st.integers(0, 99), n_groups=st.integers(2, 9), gap=st.integers(0, 3))
def test_group_time_parts_both_groups_and_times(time, seed, n_groups, gap):
    time = np.array(time)
    groups = np.random.default_rng(seed).permutation(np.arange(len(time)) % n_groups)
    splitter = GroupTime(3, gap, time, groups, seed)
    try:
        folds = folds_of(splitter, len(time))
    except InvalidInput:
        assert splitter.get_n_splits() == 0
        return
    block = splitter.units(len(time))
    tested = np.concatenate([test for _, test in folds])
    assert len(tested) == len(set(tested.tolist()))
    assert not set(tested) & set(np.flatnonzero(block == 0))
    for train, test in folds:
        assert time[train].max() < time[test].min()
        assert not set(groups[train]) & set(groups[test])
    if not splitter.n_dropped(np.empty((len(time), 1))):
        assert len(tested) == (block > 0).sum()


def test_group_time_leaves_out_folds_without_training_rows_and_counts_them():
    # Group b is alone in the first block: when it is tested, nothing earlier is left to learn from.
    groups = np.array(["b", "b", "a", "b", "a", "b"])
    splitter = GroupTime(n_blocks=2, n_parts=2, groups=groups)
    X = np.empty((6, 1))
    assert splitter.n_dropped(X) == 1
    assert splitter.get_n_splits(X) == len(folds_of(splitter, 6)) == 3
    assert GroupTime().get_n_splits() == 12


def test_groups_nested_in_time_learn_from_all_earlier_rows():
    groups = np.repeat(np.arange(10), 4)
    folds = folds_of(GroupTime(n_blocks=4, groups=groups), 40)
    assert np.concatenate([test for _, test in folds]).size == 32
    assert max(len(train) for train, _ in folds) <= 32


def test_they_name_scheme_units_and_parameters():
    assert BlockedTime(2, gap=1, time=[1, 2, 3]).scheme == "blocked_time"
    assert GroupTime(groups=[1, 2]).scheme == "group_time"
    assert repr(BlockedTime(2, 1, [1, 2, 3])) == "BlockedTime(n_blocks=2, gap=1, time=<3 values>)"
    assert GroupTime(1, groups=[1, 2, 1, 2]).units(4).tolist() == [0, 0, 1, 1]
    assert isinstance(BlockedTime(), Splitter)
    assert isinstance(GroupTime(), Splitter)


def test_scikit_learn_takes_them_as_cv():
    from sklearn.dummy import DummyRegressor
    from sklearn.model_selection import cross_val_score

    X, y = np.zeros((40, 1)), np.arange(40.0)
    assert len(cross_val_score(DummyRegressor(), X, y, cv=BlockedTime(5))) == 5
    groups = np.arange(40) % 8
    n_folds = len(cross_val_score(DummyRegressor(), X, y, cv=GroupTime(3, groups=groups)))
    assert n_folds == GroupTime(3, groups=groups).get_n_splits(X)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BlockedTime(0), "n_blocks must be a whole number of 1 or more, got 0"),
        (lambda: BlockedTime(3, -1), "gap must be a whole number of 0 or more, got -1"),
        (lambda: GroupTime(n_parts=1), "n_parts must be a whole number of 2 or more, got 1"),
        (lambda: folds_of(BlockedTime(time=[1, 2, 3]), 4), r"time must have shape \(4,\), got \(3,\)"),
        (lambda: folds_of(BlockedTime(time=[1, 1, 1, 1]), 4), "at least 2 distinct values, got 1"),
        (lambda: folds_of(BlockedTime(time=["x", "b"]), 2), "time must be numbers or datetimes, got text such as 'x'"),
        (lambda: folds_of(BlockedTime(time=[1.0, np.nan, 2]), 3), "time must not be missing, got nan in row 1"),
        (
            lambda: folds_of(BlockedTime(time=np.array([datetime(2024, 1, 1), None], dtype=object)), 2),
            "time must not be missing, got None in row 1",
        ),
        (
            lambda: folds_of(BlockedTime(time=np.array(["2024-01-01", "NaT"], dtype="datetime64[D]")), 2),
            "time must not be missing, got NaT in row 1",
        ),
        (lambda: folds_of(BlockedTime(2, gap=50), 9), "gap=50 leaves no rows before any of 2 blocks"),
        (lambda: folds_of(GroupTime(), 9), "got no groups"),
        (
            lambda: folds_of(GroupTime(2, gap=50, groups=np.arange(9) % 3), 9),
            "none of 6 folds has earlier rows of other groups",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
