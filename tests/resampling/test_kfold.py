"""Folds: one held-out turn per row and repeat, equal sizes, every deal as likely as any other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import InvalidInput
from heldout.resampling import KFold


@given(data=st.data(), k=st.integers(2, 12), repeats=st.integers(1, 5), random_state=st.integers(0, 2**32))
def test_every_row_is_held_out_once_a_repeat_in_folds_of_equal_size(data, k, repeats, random_state):
    n_rows = data.draw(st.integers(k, 50))
    scheme = data.draw(st.sampled_from([KFold(k), KFold(repeats=repeats), KFold(k, repeats)]))
    weights = scheme.draw(n_rows, k * repeats, random_state=random_state).weights
    assert weights.max() == 1
    out = (weights == 0).reshape(n_rows, repeats, k)
    assert (out.sum(axis=2) == 1).all()
    sizes = out.sum(axis=0)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= 1


def test_without_counts_there_is_one_repeat_of_as_many_folds_as_replicas():
    assert ((KFold().draw(20, 7).weights == 0).sum(axis=1) == 1).all()


def test_every_deal_is_as_likely_as_any_other(law, seed):
    repeats = 9000
    folds = (KFold(k=3).draw(5, 3 * repeats, random_state=seed).weights == 0).reshape(5, repeats, 3).argmax(axis=2)
    deals = [
        deal for deal in itertools.product(range(3), repeat=5) if np.bincount(deal, minlength=3).tolist() == [2, 2, 1]
    ]
    assert len(deals) == math.factorial(5) // 4
    law(map(tuple, folds.T.tolist()), dict.fromkeys(deals, 1 / len(deals)))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: KFold(k=1), "k must be a whole number of 2 or more, got 1"),
        (lambda: KFold(k=2.5), "k must be a whole number of 2 or more, got 2.5"),
        (lambda: KFold(repeats=0), "repeats must be a whole number of 1 or more, got 0"),
        (lambda: KFold(5, 2).draw(40, 7), r"KFold\(k=5, repeats=2\) is 10 replicas, got n_replicas=7"),
        (lambda: KFold(5).draw(40, 7), r"KFold\(k=5, repeats=None\) needs a multiple of 5 replicas, got n_replicas=7"),
        (lambda: KFold(repeats=3).draw(40, 7), "needs a multiple of 3 replicas, got n_replicas=7"),
        (lambda: KFold(repeats=3).draw(40, 3), r"KFold\(k=None, repeats=3\) of 3 replicas has 1 fold"),
        (lambda: KFold().draw(40, 1), r"KFold\(k=None, repeats=None\) of 1 replicas has 1 fold"),
        (lambda: KFold().draw(4, 5), "of 5 replicas has 5 folds for 4 rows: use fewer folds"),
    ],
)
def test_folds_that_cannot_be_dealt_are_refused(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
