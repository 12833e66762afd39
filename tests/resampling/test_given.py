"""The user's arrays: taken as they are, copied, and refused with the place where they are wrong."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.learner import PREDICTED, STOPS
from heldout.resampling import Given

WEIGHTS = [[2, 0], [0, 1], [255, 1]]


@pytest.mark.parametrize(
    "array",
    [
        WEIGHTS,
        tuple(map(tuple, WEIGHTS)),
        *(np.array(WEIGHTS, dtype=dtype) for dtype in ("u1", "i2", "i8", "u8", "f4", "f8")),
        np.asfortranarray(np.array(WEIGHTS, dtype="u1")),
        np.array(WEIGHTS)[::-1][::-1],
        pd.DataFrame(WEIGHTS),
        pl.DataFrame(WEIGHTS, orient="row"),
    ],
    ids=lambda array: f"{type(array).__name__} {getattr(array, 'dtype', '')}",
)
def test_any_array_of_whole_numbers_will_do(array):
    scheme = Given(array)
    assert scheme == Given(WEIGHTS)
    draw = scheme.draw(3, 2)
    assert draw.weights.tolist() == WEIGHTS
    assert draw.weights.flags.f_contiguous
    assert draw.roles is None


def test_booleans_say_which_rows_are_trained_on():
    assert Given([[True, False], [False, True]]) == Given([[1, 0], [0, 1]])


def test_later_changes_reach_neither_in_nor_out():
    mine, roles = np.array(WEIGHTS, dtype=np.uint8, order="F"), np.zeros((3, 2), dtype=np.uint8, order="F")
    scheme = Given(mine, roles)
    mine[:], roles[:] = 9, 2
    draw = scheme.draw(3, 2)
    assert draw.weights.tolist() == WEIGHTS
    assert not draw.roles.any()
    for array in (draw.weights, draw.roles):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_roles_are_part_of_the_value():
    plain, with_roles = Given(WEIGHTS), Given(WEIGHTS, np.full((3, 2), 2))
    assert plain != with_roles
    assert with_roles == Given(WEIGHTS, np.full((3, 2), 2.0))
    assert with_roles != Given(WEIGHTS, np.zeros((3, 2)))
    assert repr(plain) == "Given(weights=<3 x 2>, roles=None)"
    assert repr(with_roles) == "Given(weights=<3 x 2>, roles=<3 x 2>)"


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=20), random_state=st.integers(0, 99))
def test_weights_that_are_constant_within_groups_pass(labels, random_state):
    of_groups = np.random.default_rng(random_state).integers(1, 3, size=(5, 4))
    Given(of_groups[labels]).draw(len(labels), 4, groups=labels)


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=20), data=st.data())
def test_one_weight_that_differs_within_its_group_is_found(labels, data):
    labels = np.array(labels)
    shared = [row for row in range(len(labels)) if (labels == labels[row]).sum() > 1]
    if not shared:
        return
    weights = np.ones((len(labels), 3), dtype=int)
    weights[data.draw(st.sampled_from(shared)), data.draw(st.integers(0, 2))] = 7
    with pytest.raises(InvalidInput, match=r"weights must be constant within a group, got (1 and 7|7 and 1) in group"):
        Given(weights).draw(len(labels), 3, groups=labels)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([[1, 2], [-1, 1]], "weights must be whole numbers from 0 to 255, got -1 in row 1, column 0"),
        ([[1, 256], [1, 1]], "weights must be whole numbers from 0 to 255, got 256 in row 0, column 1"),
        ([[1, 0.5], [1, 1]], "weights must be whole numbers from 0 to 255, got 0.5 in row 0, column 1"),
        ([[1, np.nan], [1, 1]], "weights must be whole numbers from 0 to 255, got nan in row 0, column 1"),
        ([[1, np.inf], [1, 1]], "weights must be whole numbers from 0 to 255, got inf in row 0, column 1"),
        ([["a", "b"]], "in rows of equal length, got list of dtype <U1"),
        ([[1, 2], [1]], "in rows of equal length, got list of dtype object"),
        (np.array([[None]]), "in rows of equal length, got ndarray of dtype object"),
        ([1, 2, 3], r"weights must have two dimensions, rows and replicas, got shape \(3,\)"),
        (np.ones((2, 2, 1)), r"weights must have two dimensions, rows and replicas, got shape \(2, 2, 1\)"),
        (np.ones((3, 0)), r"weights must have two dimensions, rows and replicas, got shape \(3, 0\)"),
        (np.ones((0, 3)), r"weights must have two dimensions, rows and replicas, got shape \(0, 3\)"),
        ([[1, 0, 0], [1, 0, 2]], "weights must give every replica a row, got only 0 in column 1"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_with_their_place(weights, said):
    with pytest.raises(InvalidInput, match=said):
        Given(weights)


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ([[0, 4], [3, 0], [0, 0]], "roles must be whole numbers from 0 to 3, got 4 in row 0, column 1"),
        ([[0, 3]], r"roles must have the shape of weights, \(3, 2\), got \(1, 2\)"),
        ([[3, 3], [3, 0], [0, 0]], "roles must not have bit 1 where the weight is above 0, got 3 in row 0, column 0"),
        ([[0, 3], [3, 0], [0, 1]], "roles must not have bit 1 where the weight is above 0, got 1 in row 2, column 1"),
    ],
)
def test_roles_that_cannot_be_used_are_refused_with_their_place(roles, said):
    with pytest.raises(InvalidInput, match=said):
        Given(WEIGHTS, roles)


def test_a_training_row_may_have_its_prediction_wanted_but_not_stop():
    assert Given(WEIGHTS, np.full((3, 2), PREDICTED)).draw(3, 2).roles.tolist() == [[PREDICTED] * 2] * 3
    with pytest.raises(InvalidInput, match=f"roles must not have bit 1 .*, got {STOPS} in row 0, column 0"):
        Given(WEIGHTS, np.full((3, 2), STOPS))


@pytest.mark.parametrize(("n_rows", "n_replicas"), [(4, 2), (3, 5), (2, 3)])
def test_other_counts_than_the_arrays_are_refused(n_rows, n_replicas):
    said = re.escape(f"weights must have shape ({n_rows}, {n_replicas}), got (3, 2)")
    with pytest.raises(InvalidInput, match=said):
        Given(WEIGHTS).draw(n_rows, n_replicas)


def test_groups_that_the_weights_tear_apart_are_named():
    with pytest.raises(InvalidInput, match="got 2 and 0 in group ward 7, column 0: give all its rows one weight"):
        Given(WEIGHTS).draw(3, 2, groups=["ward 7", "ward 7", "ward 8"])
    with pytest.raises(InvalidInput, match=r"groups must have shape \(3,\), got \(2,\)"):
        Given(WEIGHTS).draw(3, 2, groups=[1, 2])


def test_some_rows_of_a_table_keep_their_weights_and_roles():
    roles = [[0, 3], [2, 0], [0, 2]]
    assert Given(WEIGHTS, roles).of_rows(np.array([2, 0])) == Given([[255, 1], [2, 0]], [[0, 2], [0, 3]])
    assert Given(WEIGHTS).of_rows(np.array([2])) == Given([[255, 1]])


def test_rows_without_which_a_replica_has_none_are_named():
    said = "one of the 1 rows that are trained on, got only others of 3 in column 1: give it one, or leave that column"
    with pytest.raises(InvalidInput, match=said):
        Given(WEIGHTS).of_rows(np.array([0]))
