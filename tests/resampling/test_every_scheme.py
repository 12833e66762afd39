"""What holds for all schemes: the form of a draw, equal seeds, the first replicas, copies, values, bad counts."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone

from heldout.errors import InvalidInput
from heldout.resampling import (
    Blocks,
    Bootstrap,
    Disjoint,
    Given,
    Groups,
    KFold,
    Poisson,
    Resampling,
    Subsample,
)

WEIGHTS = np.random.default_rng(1).integers(1, 4, size=(40, 12))
ROLES = np.full((40, 12), 2)
SCHEMES = [
    Bootstrap(),
    Poisson(),
    Subsample(),
    Subsample(0.3),
    KFold(),
    KFold(k=4),
    KFold(repeats=3),
    KFold(k=6, repeats=2),
    Groups(),
    Groups(share=0.5),
    Blocks(7),
    Blocks(length=3, gap=2),
    Disjoint(9),
    Disjoint([5, 2, 3, 1, 4, 2, 2, 2, 2, 2, 2, 2]),
    Given(WEIGHTS),
    Given(WEIGHTS, ROLES),
]
RANDOM = SCHEMES[:-2]
ROW_SCHEMES = [scheme for scheme in RANDOM if not isinstance(scheme, Groups)]
# Those of which every further replica leaves the earlier ones as they are.
GROWING = [scheme for scheme in RANDOM if scheme not in (KFold(), KFold(repeats=3), KFold(k=6, repeats=2), SCHEMES[13])]
each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
LABELS = np.random.default_rng(2).integers(8, size=40)


def drawn(scheme, n_replicas=12, n_rows=40, random_state=0):
    groups = LABELS[np.arange(n_rows) % 40] if isinstance(scheme, Groups) else None
    return scheme.draw(n_rows, n_replicas, groups=groups, random_state=random_state)


@each_scheme
def test_a_draw_is_one_column_of_bytes_per_replica(scheme, seed):
    draw = drawn(scheme, random_state=seed)
    for array in (draw.weights, draw.roles):
        if array is not None:
            assert array.shape == (40, 12)
            assert array.dtype == np.uint8
            assert array.flags.f_contiguous
    assert draw.weights.any(axis=0).all()
    assert isinstance(scheme, Resampling)


@pytest.mark.parametrize("scheme", RANDOM, ids=repr)
def test_equal_seeds_give_equal_draws_and_others_do_not(scheme, seed):
    first, second = drawn(scheme, random_state=seed), drawn(scheme, random_state=seed)
    assert np.array_equal(first.weights, second.weights)
    assert (first.roles is None) == (second.roles is None)
    if first.roles is not None:
        assert np.array_equal(first.roles, second.roles)
    assert not np.array_equal(first.weights, drawn(scheme, random_state=seed + 1).weights)
    by_generator = [drawn(scheme, random_state=np.random.default_rng(seed)).weights for _ in range(2)]
    assert np.array_equal(*by_generator)
    assert not np.array_equal(drawn(scheme, random_state=None).weights, drawn(scheme, random_state=None).weights)


@pytest.mark.parametrize("scheme", GROWING, ids=repr)
@given(fewer=st.integers(1, 12), more=st.integers(0, 12), random_state=st.integers(0, 2**32))
def test_the_first_replicas_stay_when_more_are_asked_for(scheme, fewer, more, random_state):
    if isinstance(scheme, KFold):
        fewer, more = fewer * 4, more * 4
    few = drawn(scheme, n_replicas=fewer, random_state=random_state)
    many = drawn(scheme, n_replicas=fewer + more, random_state=random_state)
    assert np.array_equal(few.weights, many.weights[:, :fewer])
    if few.roles is not None:
        assert np.array_equal(few.roles, many.roles[:, :fewer])


def test_schemes_do_not_share_their_random_numbers(seed):
    bootstrap = Bootstrap().draw(40, 5, random_state=seed).weights
    of_groups = Groups().draw(40, 5, groups=np.arange(40), random_state=seed).weights
    of_blocks = Blocks(1).draw(40, 5, random_state=seed).weights
    assert not np.array_equal(bootstrap, of_groups)
    assert not np.array_equal(bootstrap, of_blocks)
    assert not np.array_equal(of_groups, of_blocks)


class Holder(BaseEstimator):
    """An estimator with a scheme for a parameter."""

    def __init__(self, resampling="bootstrap"):
        self.resampling = resampling


@each_scheme
def test_a_scheme_survives_being_a_parameter_copied_and_stored(scheme):
    estimator = Holder(scheme)
    copies = [
        clone(estimator).resampling,
        Holder().set_params(resampling=scheme).get_params()["resampling"],
        copy.copy(scheme),
        copy.deepcopy(scheme),
        *(pickle.loads(pickle.dumps(scheme, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)),  # noqa: S301 - ours
    ]
    for other in copies:
        assert other == scheme
        assert hash(other) == hash(scheme)
        assert repr(other) == repr(scheme)
        one, two = drawn(scheme), drawn(other)
        assert np.array_equal(one.weights, two.weights)
        assert two.weights.flags.f_contiguous
    assert type(scheme).__name__ in repr(estimator)


def test_schemes_are_equal_when_their_parameters_are():
    for i, one in enumerate(SCHEMES):
        assert [one == other for other in SCHEMES] == [i == j for j in range(len(SCHEMES))]
    assert Subsample(np.float64(0.5)) == Subsample(0.5)
    assert Disjoint(np.array([2, 3])) == Disjoint([2, 3]) == Disjoint((2, 3))
    assert Blocks(np.int64(3)) == Blocks(3, gap=0)
    assert Bootstrap() != "bootstrap"
    assert Given(WEIGHTS) != "given"


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if not isinstance(scheme, Given)], ids=repr)
def test_what_a_scheme_shows_makes_it_again(scheme):
    import heldout.resampling

    assert eval(repr(scheme), vars(heldout.resampling)) == scheme  # noqa: S307 - the text is ours


@each_scheme
def test_a_scheme_cannot_be_changed(scheme):
    name = next((field.name for field in dataclasses.fields(scheme)), "anything")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(scheme, name, 3)


@each_scheme
@pytest.mark.parametrize(
    ("n_rows", "n_replicas", "said"),
    [
        (0, 12, "n_rows must be a whole number of 1 or more, got 0"),
        (40, 0, "n_replicas must be a whole number of 1 or more, got 0"),
        (40, -3, "n_replicas must be a whole number of 1 or more, got -3"),
        (40, 2.0, "n_replicas must be a whole number of 1 or more, got 2.0"),
        (40, True, "n_replicas must be a whole number of 1 or more, got True"),
        ("40", 2, "n_rows must be a whole number of 1 or more, got '40'"),
    ],
)
def test_counts_that_are_none_are_refused(scheme, n_rows, n_replicas, said):
    with pytest.raises(InvalidInput, match=said):
        scheme.draw(n_rows, n_replicas, groups=LABELS if isinstance(scheme, Groups) else None)


@pytest.mark.parametrize("scheme", ROW_SCHEMES, ids=repr)
def test_groups_are_refused_where_rows_are_drawn(scheme):
    name = type(scheme).__name__
    with pytest.raises(InvalidInput, match=rf"^{name}\(.* got groups: use heldout\.resampling\.Groups\(\)"):
        scheme.draw(40, 12, groups=LABELS)


@each_scheme
def test_a_seed_that_is_none_is_refused_by_all_but_the_given(scheme):
    if isinstance(scheme, Given):
        assert np.array_equal(drawn(scheme, random_state="anything").weights, WEIGHTS)
    else:
        with pytest.raises(InvalidInput, match="random_state must be None, an int or a numpy generator, got 'one'"):
            drawn(scheme, random_state="one")


@pytest.mark.parametrize(
    "scheme", [Bootstrap(), Poisson(), Subsample(0.8), Subsample(0.1), Blocks(50, 3), Disjoint(99)]
)
def test_a_draw_holds_no_more_than_its_bytes_and_a_few_columns(scheme):
    n_rows, n_replicas = 20_000, 100
    tracemalloc.start()
    draw = scheme.draw(n_rows, n_replicas)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = draw.weights.nbytes + (0 if draw.roles is None else draw.roles.nbytes)
    assert peak < kept + 10 * 8 * n_rows


def test_schemes_load_neither_scipy_nor_frames():
    script = (
        "import heldout.resampling, sys; "
        "print(sorted({'sklearn', 'scipy', 'polars', 'pandas', 'matplotlib', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
