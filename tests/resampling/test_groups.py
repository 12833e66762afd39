"""Groups stay whole; groups are drawn as rows would be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.resampling import Groups

LABELS = st.lists(st.integers(0, 8), min_size=2, max_size=40).filter(lambda labels: len(set(labels)) > 1)
each = pytest.mark.parametrize("scheme", [Groups(), Groups(0.5)], ids=repr)


@given(labels=LABELS, share=st.none() | st.floats(0.05, 0.95), random_state=st.integers(0, 2**32))
def test_groups_stay_whole_and_as_many_are_drawn_as_should_be(labels, share, random_state):
    labels = np.array(labels)
    weights = Groups(share).draw(len(labels), 20, groups=labels, random_state=random_state).weights
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    of_groups = weights[first].astype(int)
    assert np.array_equal(weights, of_groups[codes])
    if share is None:
        assert (of_groups.sum(axis=0) == len(first)).all()
    else:
        assert of_groups.max() == 1
        assert len(set(of_groups.sum(axis=0).tolist())) == 1
        counts = (of_groups == 0).cumsum(axis=1)
        assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


@each
@given(data=st.data(), labels=LABELS)
def test_what_is_drawn_depends_on_labels_not_on_places(scheme, data, labels):
    labels = np.array(labels)
    order = np.array(data.draw(st.permutations(range(len(labels)))))
    one = scheme.draw(len(labels), 5, groups=labels).weights
    assert np.array_equal(scheme.draw(len(labels), 5, groups=labels[order]).weights, one[order])
    named = np.array([f"group {label}" for label in labels], dtype=object)
    assert np.array_equal(scheme.draw(len(labels), 5, groups=named).weights, one)


def test_whole_bootstraps_of_groups_come_with_the_probabilities_of_balls_in_cells(law, seed):
    labels = np.array(["a", "b", "b", "c", "c", "c"])
    weights = Groups().draw(6, 20_000, groups=labels, random_state=seed).weights[[0, 1, 3]]
    ways = [way for way in itertools.product(range(4), repeat=3) if sum(way) == 3]
    law(map(tuple, weights.T.tolist()), {way: 6 / math.prod(map(math.factorial, way)) / 27 for way in ways})


def test_every_choice_of_groups_is_as_likely_as_any_other(law, seed):
    runs = 3000
    labels = np.repeat([0, 1, 2, 3], [1, 2, 3, 4])
    chosen = [
        tuple(
            np.unique(labels[Groups(0.5).draw(10, 1, groups=labels, random_state=seed * runs + run).weights[:, 0] > 0])
        )
        for run in range(runs)
    ]
    law([tuple(map(int, one)) for one in chosen], dict.fromkeys(itertools.combinations(range(4), 2), 1 / 6))


@each
def test_groups_that_cannot_be_drawn_are_refused(scheme):
    with pytest.raises(InvalidInput, match=r"draws whole groups, got groups=None: pass one label per row"):
        scheme.draw(4, 2)
    with pytest.raises(InvalidInput, match=r"groups must have shape \(4,\), got \(3,\)"):
        scheme.draw(4, 2, groups=[1, 2, 3])
    with pytest.raises(InvalidInput, match=r"needs at least 2 groups, got only ward 7: one must be held out"):
        scheme.draw(3, 2, groups=["ward 7"] * 3)


@pytest.mark.parametrize("share", [0.0, 1.0, 7, "half"])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(
        InvalidInput, match=f"share must lie between 0 and 1, got {share!r}: give the part of the group"
    ):
        Groups(share)
