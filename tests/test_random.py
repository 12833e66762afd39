"""One seed in, independent named streams out; one level of threads at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from threadpoolctl import threadpool_info

from heldout._random import seed_of, stream, stream_seed
from heldout._threads import one_thread_inside
from heldout.errors import InvalidInput

names = st.lists(st.one_of(st.text(min_size=1, max_size=8), st.integers(0, 99)), max_size=3).map(tuple)


@given(seed=st.integers(0, 2**40), first=names, second=names)
def test_equal_names_give_equal_draws_and_others_other_draws(
    seed: int, first: tuple[str | int, ...], second: tuple[str | int, ...]
) -> None:
    draw = stream(seed, *first).integers(2**62)
    assert draw == stream(seed, *first).integers(2**62)
    assert stream_seed(seed, *first) == stream_seed(seed, *first)
    if [str(name) for name in first] != [str(name) for name in second]:
        assert draw != stream(seed, *second).integers(2**62)
    assert draw != stream(seed + 1, *first).integers(2**62)


def test_the_order_of_names_matters() -> None:
    assert stream_seed(0, "fold", "tree") != stream_seed(0, "tree", "fold")


def test_streams_of_two_names_are_not_correlated() -> None:
    first, second = (stream(0, name).normal(size=20_000) for name in ("folds", "estimator"))
    assert stats.pearsonr(first, second).pvalue > 1e-5


def test_seeds_of_streams_are_31_bit_and_spread() -> None:
    seeds = np.array([stream_seed(0, "spread", run) for run in range(2_000)])
    assert seeds.min() >= 0
    assert seeds.max() < 2**31
    assert stats.kstest(seeds / 2**31, "uniform").pvalue > 1e-5


def test_integers_of_any_kind_are_their_own_seed() -> None:
    for state in (7, np.int64(7), np.uint8(7)):
        assert seed_of(state) == 7
        assert type(seed_of(state)) is int


def test_a_generator_gives_a_seed_that_follows_its_state() -> None:
    assert seed_of(np.random.default_rng(1)) == seed_of(np.random.default_rng(1))
    assert seed_of(np.random.default_rng(1)) != seed_of(np.random.default_rng(2))
    moving = np.random.default_rng(1)
    assert seed_of(moving) != seed_of(moving)
    assert seed_of(np.random.RandomState(1)) == seed_of(np.random.RandomState(1))
    assert seed_of(np.random.RandomState(1)) >= 0


def test_none_draws_a_fresh_seed() -> None:
    assert len({seed_of(None) for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("state", "came"), [(-1, "0 or more, got -1"), ("7", "got '7'"), (1.5, "got 1.5"), (True, "got True")]
)
def test_what_is_no_random_state_is_named(state: Any, came: str) -> None:
    for use in (seed_of, stream, stream_seed):
        with pytest.raises(InvalidInput, match=f"random_state must be .*{came}"):
            use(state)


def openmp_threads() -> set[int]:
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    return {_openmp_effective_n_threads(), *(p["num_threads"] for p in threadpool_info() if p["user_api"] == "openmp")}


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_inside_one_openmp_thread_runs_and_what_was_before_comes_back() -> None:
    before, blas = openmp_threads(), blas_threads()
    with one_thread_inside():
        assert openmp_threads() == {1}
        assert blas_threads() == blas
    assert openmp_threads() == before


def test_the_limit_is_lifted_after_an_error_too() -> None:
    before = openmp_threads()
    with pytest.raises(ZeroDivisionError, match="division"), one_thread_inside():
        1 / 0  # noqa: B018 - the error is what is tested
    assert openmp_threads() == before
