"""Balanced subsamples: equal sizes, rows held out equally often, every subset as likely as any other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.resampling import Subsample

SHARES = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)


@given(n_rows=st.integers(2, 60), n_replicas=st.integers(1, 25), share=SHARES, random_state=st.integers(0, 2**32))
def test_sizes_are_equal_and_every_row_is_held_out_equally_often(n_rows, n_replicas, share, random_state):
    weights = Subsample(share).draw(n_rows, n_replicas, random_state=random_state).weights
    assert weights.max() == 1
    sizes = weights.sum(axis=0)
    assert (sizes == sizes[0]).all()
    assert 1 <= sizes[0] <= n_rows - 1
    # To the nearest row, except where that would leave nothing to train on or nothing to hold out.
    assert abs(int(sizes[0]) - share * n_rows) <= 0.5 + 1e-9 or sizes[0] in (1, n_rows - 1)
    # After each replica, not only at the end: so each chooses among the rows held out least often so far.
    counts = (weights == 0).cumsum(axis=1)
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_every_subset_is_as_likely_as_any_other_in_each_replica(share, law, seed):
    """Ties are broken at random, also where a replica takes the last of those waiting and some others."""
    runs = 3000
    columns = [Subsample(share).draw(5, 4, random_state=seed * runs + run).weights.T for run in range(runs)]
    subsets = list(itertools.combinations(range(5), round(share * 5)))
    for replica in range(4):
        chosen = [tuple(np.flatnonzero(column[replica]).tolist()) for column in columns]
        law(chosen, dict.fromkeys(subsets, 1 / len(subsets)))


def test_the_second_replica_takes_the_rest_and_one_other_at_random(law, seed):
    """Of 5 rows with 3 held out, the second replica holds out the 2 left over and one of the 3, each as likely."""
    runs = 3000
    extra = []
    for run in range(runs):
        weights = Subsample(0.4).draw(5, 2, random_state=seed * runs + run).weights
        first, second = (set(np.flatnonzero(column == 0).tolist()) for column in weights.T)
        assert set(range(5)) - first <= second
        extra.append(next(iter(first & second)))
    law(extra, dict.fromkeys(range(5), 1 / 5))


@pytest.mark.parametrize("share", [0, 1, 1.5, -0.2, float("nan"), "0.8", True, None])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InvalidInput, match=f"share must lie between 0 and 1, got {share!r}: give the part of the rows"):
        Subsample(share)


def test_a_single_row_is_refused():
    with pytest.raises(InvalidInput, match=r"Subsample\(share=0.8\) needs at least 2 rows, got 1"):
        Subsample().draw(1, 3)


def test_the_third_replica_chooses_at_random_among_those_held_out_once(law, seed):
    """Of five rows, three held out a time: after two replicas one row has been held out twice, the others once."""
    held_out = np.array([Subsample(0.4).draw(5, 3, random_state=seed + run).weights.T == 0 for run in range(2000)])
    waited = ~held_out[:, 0]  # held out in the second replica for the first time
    law((held_out[:, 2] & waited).sum(axis=1).tolist(), {1: 1 / 2, 2: 1 / 2})
