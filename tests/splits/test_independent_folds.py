"""Folds of rows: every row once, sizes and class shares even, deterministic, usable by scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from heldout.errors import InvalidInput
from heldout.splits import RandomFolds, Splitter, StratifiedFolds
from heldout.splits.dealing import deal


def folds_of(splitter, n, y=None, groups=None):
    return list(splitter.split(np.empty((n, 1)), y, groups))


@given(n=st.integers(4, 200), n_folds=st.integers(2, 12), n_repeats=st.integers(1, 3), seed=st.integers(0, 99))
def test_random_folds_test_every_row_once_per_repeat_in_sizes_within_one(n, n_folds, n_repeats, seed):
    n_folds = min(n_folds, n)
    folds = folds_of(RandomFolds(n_folds, n_repeats, seed), n)
    assert len(folds) == n_folds * n_repeats == RandomFolds(n_folds, n_repeats).get_n_splits()
    tested = np.concatenate([test for _, test in folds])
    assert (np.bincount(tested, minlength=n) == n_repeats).all()
    sizes = [len(test) for _, test in folds]
    assert max(sizes) - min(sizes) <= 1
    for train, test in folds:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n))


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=8), n_folds=st.integers(2, 10), seed=st.integers(0, 99))
def test_stratified_folds_differ_by_at_most_one_row_of_each_class_and_in_all(counts, n_folds, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    n_folds = min(n_folds, len(y))
    if n_folds < 2:
        return
    y = np.random.default_rng(seed).permutation(y)
    folds = folds_of(StratifiedFolds(n_folds, 1, seed), len(y), y)
    table = np.array([np.bincount(y[test], minlength=len(counts)) for _, test in folds])
    assert np.array_equal(table.sum(axis=0), counts)
    assert (table.max(axis=0) - table.min(axis=0) <= 1).all()
    assert np.ptp(table.sum(axis=1)) <= 1


def test_a_class_rarer_than_the_folds_is_spread_as_far_as_it_goes():
    y = np.array(["common"] * 47 + ["rare"] * 3)
    folds = folds_of(StratifiedFolds(10), 50, y)
    assert sorted(int((y[test] == "rare").sum()) for _, test in folds) == [0] * 7 + [1] * 3
    assert all((y[train] == "rare").sum() >= 2 for train, _ in folds)


@given(
    units=st.lists(st.integers(0, 20), min_size=10, max_size=80).filter(lambda u: len(set(u)) >= 3),
    seed=st.integers(0, 99),
)
def test_rows_of_one_unit_never_part_even_when_stratified(units, seed):
    units = np.array(units)
    y = np.random.default_rng(seed).integers(3, size=len(units))
    for kind in (RandomFolds, StratifiedFolds):
        folds = folds_of(kind(3, 2, seed, units=units), len(units), y)
        assert (np.bincount(np.concatenate([test for _, test in folds]), minlength=len(units)) == 2).all()
        for train, test in folds:
            assert not set(units[train]) & set(units[test])
            assert len(test)


@given(seed=st.integers(0, 50), n_single=st.integers(20, 60))
def test_single_rows_level_out_what_units_left_uneven(seed, n_single):
    units = np.concatenate([np.repeat([0, 1, 2], 5), np.arange(3, 3 + n_single)])
    fold = deal(4, np.random.default_rng(seed), classes=np.zeros(len(units), np.intp), units=units)
    assert np.ptp(np.bincount(fold, minlength=4)) <= 1


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_equal_seeds_give_equal_folds_and_others_do_not(seed):
    first, again, other = (
        np.concatenate([test for _, test in folds_of(RandomFolds(5, 1, s), 60)]) for s in (seed, seed, seed + 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_seed_means_another_draw_each_time():
    splitter = RandomFolds(5, random_state=None)
    draws = {tuple(np.concatenate([test for _, test in folds_of(splitter, 60)])) for _ in range(3)}
    assert len(draws) == 3


def test_every_pair_of_rows_is_as_likely_to_share_a_fold():
    # Whatever the place in the file: permuting rows changes nothing in distribution.
    n, n_folds, draws = 6, 3, 3000
    together = np.zeros((n, n))
    for seed in range(draws):
        fold = np.empty(n, int)
        for k, (_, test) in enumerate(folds_of(RandomFolds(n_folds, 1, seed), n)):
            fold[test] = k
        together += fold[:, None] == fold[None, :]
    pairs = together[np.triu_indices(n, 1)]
    # Each pair shares a fold with probability (6/3 - 1) / (6 - 1) = 1/5. Pairs are not independent, hence a
    # Bonferroni bound over 15 binomial tests instead of a chi-square.
    p = min(stats.binomtest(int(count), draws, 0.2).pvalue for count in pairs)
    assert p > 1e-5 / 15


def test_stratified_folds_are_drawn_alike_wherever_a_class_stands_in_the_file():
    first = np.zeros(3)
    for seed in range(1500):
        y = np.repeat([0, 1], [2, 4])
        for k, (_, test) in enumerate(folds_of(StratifiedFolds(3, 1, seed), 6, y)):
            first[k] += 0 in test
    assert stats.chisquare(first).pvalue > 1e-5


def test_scikit_learn_takes_them_as_cv():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(int)
    assert len(cross_val_score(LogisticRegression(), X, y, cv=RandomFolds(5, 2))) == 10
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=StratifiedFolds(4)).fit(X, y)
    assert search.n_splits_ == 4


def test_they_cannot_be_changed_but_pickled_and_shown():
    splitter = StratifiedFolds(3, units=[0, 0, 1, 2])
    assert repr(splitter) == "StratifiedFolds(n_folds=3, n_repeats=1, random_state=0, units=<4 values>)"
    assert repr(pickle.loads(pickle.dumps(splitter))) == repr(splitter)  # noqa: S301 - made here
    assert isinstance(splitter, Splitter)
    assert (splitter.scheme, RandomFolds().scheme) == ("stratified", "random")
    assert splitter.units(4).tolist() == [0, 0, 1, 2]
    assert RandomFolds().units(4) is None
    with pytest.raises(AttributeError, match="make a new one with n_folds=4"):
        splitter.n_folds = 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RandomFolds(1), "n_folds must be a whole number of 2 or more, got 1"),
        (lambda: RandomFolds(2.5), "n_folds must be a whole number of 2 or more, got 2.5"),
        (lambda: RandomFolds(5, 0), "n_repeats must be a whole number of 1 or more, got 0"),
        (lambda: folds_of(RandomFolds(5), 4), "n_folds=5 needs as many rows, got 4"),
        (lambda: folds_of(RandomFolds(3, units=[0, 0, 1, 1]), 4), "n_folds=3 needs as many distinct units, got 2"),
        (lambda: folds_of(RandomFolds(3, units=[0, 1, 2]), 4), r"units must have shape \(4,\), got \(3,\)"),
        (lambda: folds_of(StratifiedFolds(3), 4), "got no y"),
        (lambda: folds_of(StratifiedFolds(3), 4, [0, 1, 0]), r"y must have shape \(4,\), got \(3,\)"),
        (lambda: folds_of(RandomFolds(3, random_state="a"), 4), "random_state must be None, an int"),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
