"""The deletion test tells attention that matters from attention that does not, and never says more than was shown."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from heldout.errors import InvalidInput
from heldout.sequence import Forecaster, deletion_test
from heldout.sequence.attending import attending_network, backbone_of
from heldout.sequence.deletion import DeletionTest, _highest, _Trial
from heldout.sequence.examples import Examples
from heldout.sequence.judging import quantile_losses
from heldout.sequence.windows import last_origins

from statistical import assert_rate


def changed(forecaster: Any, change: Any) -> Any:
    """Return a copy of a forecaster with a change to the networks that it forecasts by and that is tested."""
    one = copy.deepcopy(forecaster)
    with torch.no_grad():
        for fitted in (one.fitted_, one.result_.before_tail):
            change(attending_network(one, fitted))
    return one


def look_evenly(network: Any) -> None:
    for block in backbone_of(network).blocks:
        block.attention.query.weight.zero_()


def trial(forecaster: Any, share: float = 0.2) -> _Trial:
    fitted, windows = forecaster.result_.before_tail, forecaster.result_.tail
    network = attending_network(forecaster, fitted)
    return _Trial(network, fitted, Examples(windows, fitted.baseline.predict(windows), network.design.shape), share)


def test_attention_to_the_planted_lag_is_explanatory(planted: Any) -> None:
    test = deletion_test(planted)
    assert test.explanatory
    assert 0 < test.ci_low < test.difference < test.ci_high
    assert test.difference == pytest.approx(test.attended_loss - test.random_loss)
    assert test.attended_loss > test.random_loss > test.intact_loss
    assert test.n_hidden == 2.0  # a fifth of nine tokens
    assert (test.unit, test.n_units, test.n_random) == ("series", 24, 10)
    assert test.sentence.startswith("Explanatory: hiding the most attended 20 % of the past raises the loss by more")


def test_a_network_that_says_nothing_is_not_explanatory(planted: Any) -> None:
    test = deletion_test(changed(planted, lambda network: network.head.weight.zero_()), n_random=2)
    assert (test.difference, test.ci_low, test.ci_high) == (0.0, 0.0, 0.0)
    assert not test.explanatory
    assert test.sentence.startswith("Not explanatory: ")


@pytest.mark.slow
def test_even_attention_is_seldom_called_explanatory(planted: Any) -> None:
    # A one-sided error of 0.025, and what the percentile bootstrap of 24 series adds. Measured in other runs: 13 / 400
    # with ten random choices, 16 / 400 with one. The power against a true rate of 0.15 is 0.81.
    even = changed(planted, look_evenly)
    runs = 200
    hits = sum(deletion_test(even, n_random=1, random_state=run).explanatory for run in range(runs))
    assert_rate("even attention called explanatory", hits, runs, at_most=0.05)


def test_equal_attention_is_ranked_at_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    present = np.ones((4000, 1, 5), bool)
    present[:, :, 4] = False
    chosen = _highest(np.zeros(present.shape), present, np.full((4000, 1), 2.0), rng)
    assert (chosen.sum(axis=-1) == 2).all()
    share = chosen.mean(axis=(0, 1))
    # Each of four present tokens is taken in half of the windows; five standard deviations of 0.0079 are allowed.
    np.testing.assert_allclose(share[:4], 0.5, rtol=0, atol=0.04)
    assert share[4] == 0


def test_the_most_attended_are_taken(seed: int) -> None:
    score = np.random.default_rng(seed).random((50, 3, 7))
    present = score > 0.2
    n = np.minimum(present.sum(axis=-1), 3).astype(np.float64)
    chosen = _highest(score, present, n, np.random.default_rng(seed))
    assert (chosen.sum(axis=-1) == n).all()
    assert not (chosen & ~present).any()
    left = np.where(present & ~chosen, score, -1.0).max(axis=-1)
    assert (np.where(chosen, score, 2.0).min(axis=-1) >= left).all()


def test_what_is_hidden_is_not_used_in_any_way(planted: Any) -> None:
    one = trial(planted)
    batch = one.examples.gather(torch.arange(6))
    hidden = np.zeros((6, 1, 9), bool)
    hidden[:, :, [2, 4]] = True
    wild = replace(batch, context=batch.context + 1e3 * torch.from_numpy(hidden))
    np.testing.assert_array_equal(one._losses(one._hide(batch, hidden)), one._losses(one._hide(wild, hidden)))
    assert (one._losses(batch) != one._losses(wild)).all()
    present = planted_tokens(one, one._hide(batch, hidden))
    assert present[:, :9].tolist() == (~hidden[:, 0]).tolist()


def planted_tokens(one: _Trial, batch: Any) -> Any:
    _, _, present = one.network.tokens(batch)
    return present.numpy()


def test_hidden_tokens_are_whole_patches(seed: int) -> None:
    frame = pl.DataFrame({"day": np.arange(300), "sold": np.random.default_rng(seed).normal(size=300)})
    forecaster = Forecaster(
        4, time="day", target="sold", stage0=None, season=1, context=100, width=32, n_steps=2, batch_size=16, n_jobs=1
    ).fit(frame)
    one = trial(forecaster)
    patch, n_past = one.network.design.patch, one.network.design.n_past
    assert (patch, n_past) == (3, 34)
    hidden = np.zeros((2, 1, n_past), bool)
    hidden[:, :, [0, -1]] = True
    batch = one._hide(one.examples.gather(torch.arange(2)), hidden)
    # A hundred steps: the first token holds one of them, the others three.
    assert torch.nonzero(batch.context_known[0, 0] == 0).flatten().tolist() == [0, 97, 98, 99]
    test = deletion_test(forecaster, n_random=1)
    assert test.unit == "block of time"
    assert test.n_hidden == 7.0


def test_losses_are_those_by_which_attention_was_judged(planted: Any) -> None:
    one, tail = trial(planted), planted.result_.tail
    losses = one._losses(one.examples.gather(torch.arange(len(tail))))
    fitted = planted.result_.before_tail
    _, scaled = fitted.scaled(tail)
    quantiles = np.maximum.accumulate(scaled.mean(axis=0) + fitted.shifts[:, None], axis=-1)
    np.testing.assert_allclose(losses, quantile_losses(tail, quantiles, fitted.levels), rtol=1e-4, atol=1e-5)


def test_a_run_repeats_itself_and_other_draws_differ(planted: Any) -> None:
    one, two, other = (deletion_test(planted, n_random=2, random_state=state) for state in (3, 3, 4))
    assert one == two
    assert one.attended_loss == other.attended_loss
    assert one.random_loss != other.random_loss


def test_windows_can_be_given(planted: Any) -> None:
    tail = planted.result_.tail
    some = deletion_test(planted, tail.take(tail.series < 4), n_random=1)
    assert (some.n_windows, some.n_units) == (28, 4)
    assert not some.explanatory  # four series show nothing, whatever the difference


def test_several_variables_lose_tokens_of_their_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"day": np.arange(80), "a": rng.normal(size=80), "b": rng.normal(size=80)})
    forecaster = Forecaster(
        2, time="day", target=["a", "b"], stage0=None, season=1, context=6, width=32, n_steps=2, batch_size=16,
        cross=True, loss="squared_error", n_jobs=1,
    ).fit(frame)  # fmt: skip
    test = deletion_test(forecaster, n_random=2)
    assert (test.loss, test.n_hidden) == ("squared_error", 1.0)
    assert np.isfinite(test.difference)


def test_too_few_units_show_nothing() -> None:
    test = DeletionTest(0.5, -np.inf, np.inf, 0.95, 0.1, 0.8, 0.3, "quantile", 0.2, 2.0, 10, 40, 3, "series")
    assert not test.explanatory
    assert test.sentence == (
        "Not explanatory: hiding the most attended 20 % of the past was tried on 3 series, too few for an interval."
    )
    section = json.loads(json.dumps(test.to_dict(), allow_nan=False))
    assert (section["ci_low"], section["explanatory"]) == (None, False)
    assert "3 blocks of time" in replace(test, unit="block of time").sentence


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"share": 0.0}, "share must lie between 0 and 1, got 0.0"),
        ({"share": 1}, "share must lie between 0 and 1, got 1"),
        ({"n_random": 0}, "n_random must be a whole number from 1 on, got 0"),
        ({"n_random": 1.5}, "n_random .* got 1.5"),
        ({"confidence_level": 95}, "confidence_level must lie between 0 and 1, got 95"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(planted: Any, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        deletion_test(planted, **asked)


def test_windows_without_a_future_are_refused(planted: Any) -> None:
    with pytest.raises(InvalidInput, match="got 24 windows and none of them"):
        deletion_test(planted, last_origins(planted.sequences_, 2))


def test_attention_that_was_not_kept_is_not_tested(planted: Any) -> None:
    one = copy.copy(planted)
    one.fitted_ = replace(planted.fitted_, network=None)
    with pytest.raises(InvalidInput, match="expected a forecaster that kept its attention"):
        deletion_test(one)
