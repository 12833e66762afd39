"""Folds of windows: no future that is learned from shares a time step with a future that is predicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.sequence.folds import fold_windows
from heldout.sequence.tail import set_apart
from heldout.sequence.windows import Windows, all_origins, last_origins

from reference.series import make_sequences


def futures(windows):
    """Return the rows that each window is to forecast, as a set."""
    rows, inside = windows.rows(1, windows.horizon)
    return [set(own[there].tolist()) for own, there in zip(rows, inside, strict=True)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=13),
    st.integers(1, 8),
    st.integers(2, 6),
    st.sampled_from(["grid", "late", "irregular"]),
    st.integers(0, 2**32 - 1),
)
def test_no_learned_future_overlaps_a_predicted_one(lengths, horizon, n_folds, times, seed):
    rng = np.random.default_rng(seed)
    sequences = make_sequences([np.zeros(length) for length in lengths])
    for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        if times == "late":
            sequences.count[start:end] += rng.integers(0, 30)
        if times == "irregular":
            sequences.count[start:end] = np.cumsum(rng.exponential(size=end - start) ** 3)
    whole = all_origins(sequences, horizon)
    some = whole.take(rng.permutation(len(whole))[: len(whole) // 2])
    beyond = Windows(sequences, np.arange(sequences.n_rows), horizon)
    for windows in (whole, some, beyond):
        folds = fold_windows(windows, n_folds)
        assert folds.of.shape == (len(windows),)
        assert folds.learn.shape == (folds.n_folds, len(windows))
        assert 1 <= folds.n_folds <= n_folds
        ahead = futures(windows)
        for fold in range(folds.n_folds):
            own = np.flatnonzero(folds.of == fold)
            predicted = set().union(*(ahead[k] for k in own)) if len(own) else set()
            assert not folds.learn[fold, own].any()
            for k in np.flatnonzero(folds.learn[fold]):
                assert not predicted & ahead[k]


def test_many_series_are_dealt_whole():
    sequences = make_sequences([np.zeros(5)] * 11)
    windows = all_origins(sequences, 2)
    folds = fold_windows(windows)
    for fold in range(5):
        assert set(windows.series[folds.of == fold]) == {s for s in range(11) if s % 5 == fold}
        assert (folds.learn[fold] == (folds.of != fold)).all()


def test_few_series_are_cut_into_the_same_blocks_of_time_with_a_purge_of_a_horizon():
    sequences = make_sequences([np.zeros(52), np.zeros(52)])
    windows = all_origins(sequences, 3)
    folds = fold_windows(windows)
    count = sequences.count[windows.origin]
    assert folds.n_folds == 5
    # 49 origins a series: 0 .. 48 in blocks of 9.8.
    assert [int((folds.of == fold).sum()) for fold in range(5)] == [20, 20, 20, 20, 18]
    assert set(count[folds.of == 2]) == set(range(20, 30))
    assert set(count[folds.learn[2]]) == set(range(18)) | set(range(32, 49))


def test_there_are_fewer_folds_where_time_is_short_and_one_learns_from_nothing():
    windows = all_origins(make_sequences([np.zeros(30)]), 10)
    folds = fold_windows(windows)
    assert folds.n_folds == 2
    windows = all_origins(make_sequences([np.zeros(20)]), 10)
    folds = fold_windows(windows)
    assert folds.n_folds == 1
    assert not folds.learn.any()
    empty = fold_windows(last_origins(make_sequences([np.zeros(3)]), 2).take(np.zeros(0, dtype=np.intp)))
    assert (empty.n_folds, len(empty.of)) == (1, 0)


def test_folds_of_some_windows_are_taken_from_those_of_all():
    folds = fold_windows(all_origins(make_sequences([np.zeros(30)]), 2))
    some = folds.take(np.array([3, 20]))
    assert some.of.tolist() == folds.of[[3, 20]].tolist()
    assert np.array_equal(some.learn, folds.learn[:, [3, 20]])


@pytest.mark.parametrize("n_folds", [1, 0, -2])
def test_one_fold_is_refused(n_folds):
    with pytest.raises(InvalidInput, match=f"n_folds must be 2 or more, got {n_folds}"):
        fold_windows(all_origins(make_sequences([np.zeros(30)]), 2), n_folds)


def test_windows_set_apart_share_no_future_step_with_those_trained_on(seed):
    rng = np.random.default_rng(seed)
    sequences = make_sequences([np.zeros(200), np.zeros(150)])
    for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        sequences.count[start:end] = np.cumsum(rng.exponential(size=end - start) ** 3)
    windows = all_origins(sequences, 6)
    train, apart = set_apart(windows)
    assert len(train)
    assert len(apart)
    ahead = futures(windows)
    assert not set().union(*(ahead[k] for k in train)) & set().union(*(ahead[k] for k in apart))
