"""A scheme from its name, an object or an array."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import heldout.resampling
from heldout.errors import InvalidInput
from heldout.resampling import (
    Blocks,
    Bootstrap,
    Disjoint,
    Draw,
    Given,
    Groups,
    KFold,
    Poisson,
    Resampling,
    Subsample,
    find_resampling,
)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("bootstrap", Bootstrap()),
        ("poisson", Poisson()),
        ("subsample", Subsample(0.8)),
        ("kfold", KFold()),
        ("groups", Groups()),
    ],
)
def test_a_name_is_the_scheme_with_its_defaults(name, scheme):
    assert find_resampling(name) == scheme


def test_an_object_is_itself_even_when_it_is_not_ours():
    class All:
        def draw(self, n_rows, n_replicas, *, groups=None, random_state=0):  # noqa: ARG002 - the protocol's
            return Draw(np.ones((n_rows, n_replicas), dtype=np.uint8, order="F"))

    for scheme in (Bootstrap(), Blocks(3), Disjoint(4), All()):
        assert find_resampling(scheme) is scheme


@pytest.mark.parametrize("wrap", [list, np.array, tuple, pd.DataFrame])
def test_an_array_is_wrapped(wrap):
    assert find_resampling(wrap([[1, 0], [0, 1]])) == Given([[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("bootsrap", "resampling must be one of 'bootstrap', 'poisson', .*, 'groups', got 'bootsrap'"),
        ("blocks", r"resampling 'blocks' has no default: pass heldout.resampling.Blocks\(length=...\)"),
        ("disjoint", r"resampling 'disjoint' has no default: pass heldout.resampling.Disjoint\(sizes=...\)"),
        (Subsample, r"resampling must be an object, got the class Subsample: write Subsample\(...\)"),
        (None, "resampling must be a name, an object with draw, or an array of weights, got None"),
        (10, "resampling must be a name, an object with draw, or an array of weights, got 10"),
        ([[1, -1]], "weights must be whole numbers from 0 to 255, got -1 in row 0, column 1"),
    ],
)
def test_what_is_no_scheme_is_refused(what, said):
    with pytest.raises(InvalidInput, match=said):
        find_resampling(what)


def test_all_public_schemes_can_be_found_or_say_what_they_need():
    schemes = {name for name in heldout.resampling.__all__ if isinstance(getattr(heldout.resampling, name), type)}
    assert schemes - {"Draw", "Resampling", "Given"} == {
        type(scheme).__name__
        for scheme in (Bootstrap(), Poisson(), Subsample(), KFold(), Groups(), Blocks(1), Disjoint(1))
    }
    assert all(issubclass(getattr(heldout.resampling, name), Resampling) for name in schemes - {"Draw"})
