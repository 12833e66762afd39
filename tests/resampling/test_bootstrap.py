"""Bootstrap and Poisson weights follow their laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heldout.resampling import Bootstrap, Poisson

from statistical import assert_rate, power

RUNS = 20_000
EACH = pytest.mark.parametrize("scheme", [Bootstrap(), Poisson()], ids=repr)


def multinomial(n, n_cells):
    """Return the probability of every way to drop n balls into cells of equal chance."""
    ways = [way for way in itertools.product(range(n + 1), repeat=n_cells) if sum(way) == n]
    return {way: math.factorial(n) / math.prod(math.factorial(count) for count in way) / n_cells**n for way in ways}


def columns(weights):
    return map(tuple, weights.T.tolist())


@given(n_rows=st.integers(1, 60), n_replicas=st.integers(1, 8), random_state=st.integers(0, 2**32))
def test_a_bootstrap_draws_as_many_rows_as_there_are(n_rows, n_replicas, random_state):
    weights = Bootstrap().draw(n_rows, n_replicas, random_state=random_state).weights
    assert (weights.sum(axis=0) == n_rows).all()


@pytest.mark.parametrize("n_rows", [2, 3])
def test_whole_bootstraps_come_with_the_probabilities_of_balls_in_cells(n_rows, law, seed):
    law(columns(Bootstrap().draw(n_rows, RUNS, random_state=seed).weights), multinomial(n_rows, n_rows))


def test_a_row_of_a_bootstrap_has_a_binomial_weight(law, seed):
    n_rows = 50
    first_row = Bootstrap().draw(n_rows, RUNS, random_state=seed).weights[0]
    # Four and more are taken together, since five would be expected too seldom for chi-square.
    chances = {k: float(stats.binom.pmf(k, n_rows, 1 / n_rows)) for k in range(4)}
    law(np.minimum(first_row, 4).tolist(), chances | {4: float(stats.binom.sf(3, n_rows, 1 / n_rows))})


@pytest.mark.parametrize(("scheme", "share"), [(Bootstrap(), (1 - 1 / 50) ** 50), (Poisson(), math.exp(-1))])
def test_a_row_is_out_of_the_bag_as_often_as_it_should_be(scheme, share, seed):
    runs = 5_000
    out = int((scheme.draw(50, runs, random_state=seed).weights[7] == 0).sum())
    assert power(runs, share, share + 0.04) > 0.9
    assert power(runs, share, share - 0.04) > 0.9
    assert_rate(f"{scheme}: row out of the bag", out, runs, at_least=share, at_most=share)


def test_two_rows_of_a_bootstrap_are_out_of_the_bag_together_as_often_as_they_should_be(law, seed):
    out = Bootstrap().draw(10, RUNS, random_state=seed).weights == 0
    one, both = (1 - 1 / 10) ** 10, (1 - 2 / 10) ** 10
    chance = {
        (True, True): both,
        (True, False): one - both,
        (False, True): one - both,
        (False, False): 1 - 2 * one + both,
    }
    for i, j in itertools.combinations(range(10), 2):
        law(zip(out[i].tolist(), out[j].tolist(), strict=True), chance)


def test_poisson_weights_are_independent_and_never_all_zero(law, seed):
    chance = {k: math.exp(-1) / math.factorial(k) for k in range(3)}
    chance[3] = 1 - sum(chance.values())
    ways = {way: math.prod(chance[k] for k in way) for way in itertools.product(range(4), repeat=2)}
    # Poisson weights given that one of them is above 0.
    of_all = 1 - ways.pop((0, 0))
    weights = Poisson().draw(2, RUNS, random_state=seed).weights
    law(columns(np.minimum(weights, 3)), {way: p / of_all for way, p in ways.items()})


@EACH
@pytest.mark.parametrize("n_rows", [1, 2])
def test_a_replica_of_the_smallest_tables_has_a_row(scheme, n_rows, seed):
    assert scheme.draw(n_rows, 500, random_state=seed).weights.any(axis=0).all()


@EACH
def test_two_replicas_are_independent(scheme, law, seed):
    """The weights of a row in neighbouring replicas: each pair as often as the product of their chances says."""
    weights = scheme.draw(50, 2 * RUNS, random_state=seed).weights[3]
    of_one = stats.binom(50, 1 / 50) if scheme == Bootstrap() else stats.poisson(1)
    chance = [float(of_one.pmf(k)) for k in range(3)]
    chance.append(1 - sum(chance))
    pairs = zip(*np.minimum(weights, 3).reshape(-1, 2).T.tolist(), strict=True)
    law(pairs, {(i, j): chance[i] * chance[j] for i in range(4) for j in range(4)})


def test_a_bootstrap_of_other_chances_would_be_caught(law):
    """Rows drawn by rounding uniform numbers get half the chance at both ends: the law must not pass that."""
    rng = np.random.default_rng(0)
    rounded = np.rint(rng.random((3, RUNS)) * 2).astype(int)
    weights = np.stack([(rounded == row).sum(axis=0) for row in range(3)])
    with pytest.raises(AssertionError, match="contradict the law"):
        law(columns(weights), multinomial(3, 3))
