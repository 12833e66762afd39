"""Disjoint training sets share no row; every partition is as likely as any other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.resampling import Disjoint


@given(data=st.data(), n_rows=st.integers(1, 50), n_replicas=st.integers(1, 20), random_state=st.integers(0, 2**32))
def test_sets_of_one_size_share_no_row_within_a_partition(data, n_rows, n_replicas, random_state):
    size = data.draw(st.integers(1, n_rows))
    weights = Disjoint(size).draw(n_rows, n_replicas, random_state=random_state).weights
    assert (weights.sum(axis=0) == size).all()
    fit = n_rows // size
    for start in range(0, n_replicas, fit):
        assert weights[:, start : start + fit].sum(axis=1).max() <= 1


@given(data=st.data(), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), random_state=st.integers(0, 2**32))
def test_listed_sizes_are_kept_and_share_no_row(data, sizes, random_state):
    n_rows = sum(sizes) + data.draw(st.integers(0, 10))
    weights = Disjoint(sizes).draw(n_rows, len(sizes), random_state=random_state).weights
    assert weights.sum(axis=0).tolist() == sizes
    assert weights.sum(axis=1).max() <= 1


def test_every_partition_is_as_likely_as_any_other(law, seed):
    partitions = 6000
    weights = Disjoint(2).draw(5, 2 * partitions, random_state=seed).weights.reshape(5, partitions, 2)
    # 0: in neither set, 1: in the first, 2: in the second.
    of_rows = weights[..., 0] + 2 * weights[..., 1]
    ways = [way for way in itertools.product(range(3), repeat=5) if np.bincount(way, minlength=3).tolist() == [1, 2, 2]]
    assert len(ways) == 30
    law(map(tuple, of_rows.T.tolist()), dict.fromkeys(ways, 1 / 30))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Disjoint(0), "sizes must be a whole number of 1 or more, got 0"),
        (lambda: Disjoint(0.5), "sizes must be a whole number of 1 or more, got 0.5"),
        (lambda: Disjoint("many"), "sizes must be a whole number of 1 or more, got 'many'"),
        (lambda: Disjoint([3, -2]), "sizes must be a whole number of 1 or more, got -2"),
        (lambda: Disjoint([]), "sizes must hold a size for each replica, got none"),
        (lambda: Disjoint(11).draw(10, 2), "sizes must be at most 10, the number of rows, got 11"),
        (lambda: Disjoint([6, 5]).draw(10, 2), "sizes must add up to at most 10, the number of rows, got 11"),
        (lambda: Disjoint([3, 3]).draw(10, 5), "sizes lists 2 training sets, got n_replicas=5"),
    ],
)
def test_sets_that_cannot_be_drawn_are_refused(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
