"""Blocks of time: whole blocks, their law, and rows near a training row that judge nothing."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.learner import PREDICTED, STOPS
from heldout.resampling import Blocks


def roles_by_distance(weights, gap):
    """Compare every row with every training row: roles as they should be, by brute force."""
    roles = np.zeros(weights.shape, dtype=int)
    for replica in range(weights.shape[1]):
        training = [row for row in range(len(weights)) if weights[row, replica] > 0]
        for row in range(len(weights)):
            if all(abs(row - other) > gap for other in training):
                roles[row, replica] = STOPS | PREDICTED
    return roles


@given(n_rows=st.integers(2, 50), length=st.integers(1, 20), random_state=st.integers(0, 2**32))
def test_blocks_stay_whole_and_as_many_are_drawn_as_there_are(n_rows, length, random_state):
    assume(length < n_rows)
    draw = Blocks(length).draw(n_rows, 6, random_state=random_state)
    assert draw.roles is None
    starts = np.arange(0, n_rows, length)
    of_blocks = draw.weights[starts].astype(int)
    assert np.array_equal(draw.weights, of_blocks[np.arange(n_rows) // length])
    assert (of_blocks.sum(axis=0) == len(starts)).all()


@given(n_rows=st.integers(2, 40), length=st.integers(1, 10), gap=st.integers(1, 15), random_state=st.integers(0, 2**32))
def test_rows_within_the_gap_of_a_training_row_have_no_role(n_rows, length, gap, random_state):
    assume(length < n_rows)
    assume(gap < length * (-(-n_rows // length) - 1))
    draw = Blocks(length, gap).draw(n_rows, 6, random_state=random_state)
    assert np.array_equal(draw.roles, roles_by_distance(draw.weights, gap))
    assert np.array_equal(draw.weights, Blocks(length).draw(n_rows, 6, random_state=random_state).weights)


def test_the_largest_gap_leaves_one_row_in_some_replica(seed):
    # Two blocks of 3 and 2 rows: only the first row, with the last block alone in the bag, is 3 rows away.
    roles = Blocks(3, gap=2).draw(5, 200, random_state=seed).roles
    assert set(np.flatnonzero(roles.any(axis=1)).tolist()) == {0}


def test_whole_draws_come_with_the_probabilities_of_balls_in_cells(law, seed):
    weights = Blocks(3).draw(8, 20_000, random_state=seed).weights[[0, 3, 6]]
    ways = [way for way in itertools.product(range(4), repeat=3) if sum(way) == 3]
    law(map(tuple, weights.T.tolist()), {way: 6 / math.prod(map(math.factorial, way)) / 27 for way in ways})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Blocks(0), "length must be a whole number of 1 or more, got 0"),
        (lambda: Blocks(2.5), "length must be a whole number of 1 or more, got 2.5"),
        (lambda: Blocks(3, gap=-1), "gap must be a whole number of 0 or more, got -1"),
        (lambda: Blocks(11).draw(10, 2), "length must be below the number of rows, got 11 for 10 rows"),
        (lambda: Blocks(10).draw(10, 2), "length must be below the number of rows, got 10 for 10 rows"),
        (lambda: Blocks(4, gap=8).draw(10, 2), "gap must be below 8, got 8 for 10 rows in blocks of 4"),
    ],
)
def test_blocks_that_cannot_be_drawn_are_refused(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
