from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from heldout.auditing.forecast_metrics import FORECAST_METRICS
from heldout.auditing.forecast_origins import HeldOutEnd
from heldout.auditing.forecast_selection import ForecastSelection, choose_forecaster

NAMES = ("last-value", "ridge", "attention")


@dataclass(frozen=True)
class Named:
    is_baseline: bool


@dataclass(frozen=True)
class OfSeries:
    series: np.ndarray


@dataclass(frozen=True)
class Held:
    time: np.ndarray
    tested: OfSeries


def chosen(
    losses: dict[str, np.ndarray], *, horizon: int = 5, metric: str = "mse", time: Any = None
) -> ForecastSelection:
    n = len(next(iter(losses.values())))
    held = Held(np.arange(n, dtype=float) if time is None else time, OfSeries(np.zeros(n, np.int64)))
    scored = {name: Named(name == "last-value") for name in losses}
    return choose_forecaster(
        cast(Any, scored), losses, cast(HeldOutEnd, held), FORECAST_METRICS[metric],
        horizon=horizon, confidence_level=0.95, seed=0, n_resamples=200,
    )  # fmt: skip


def noisy(*means: float, n: int = 400, spread: float = 0.1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {name: mean + spread * rng.normal(size=n) for name, mean in zip(NAMES, means, strict=True)}


def test_the_lowest_error_is_chosen_where_it_is_told_apart() -> None:
    found = chosen(noisy(3.0, 2.0, 1.0))
    assert (found.winner, found.tied, found.baseline) == ("attention", ("attention",), "last-value")
    assert found.attention is not None
    assert found.attention_against == "ridge"
    assert found.attention.value == pytest.approx(0.5, abs=0.02)
    assert 0 < (found.attention.ci_low or 0) < found.attention.value < (found.attention.ci_high or 0)
    assert found.skill["last-value"].value == pytest.approx(2 / 3, abs=0.02)


def test_a_tie_goes_to_the_simpler_one_and_attention_is_not_shown_to_help() -> None:
    found = chosen(noisy(3.0, 2.0, 1.9999, spread=0.5))
    assert (found.winner, found.tied) == ("ridge", ("ridge", "attention"))
    assert found.attention is not None
    assert (found.attention.ci_low or 0) < 0 < (found.attention.ci_high or 0)


def test_the_last_value_wins_where_nothing_beats_it() -> None:
    found = chosen(noisy(2.0, 2.001, 2.002, spread=0.5))
    assert found.winner == "last-value"
    assert found.skill == {}


def test_equal_losses_are_a_tie() -> None:
    same = np.random.default_rng(0).exponential(size=200)
    found = chosen(dict.fromkeys(NAMES, same))
    assert (found.winner, found.tied) == ("last-value", NAMES)
    assert found.shift == 0.0


def test_with_fewer_than_five_blocks_the_lowest_error_is_taken_and_there_is_no_interval() -> None:
    found = chosen(noisy(3.0, 2.0, 1.9, n=24, spread=0.5))
    assert found.n_units == 1
    assert not found.has_intervals
    assert found.winner == min(NAMES, key=lambda name: found.errors[name].value)
    for one in (*found.errors.values(), *found.differences.values(), *found.skill.values(), found.attention):
        assert one is not None
        assert one.ci_low is one.ci_high is one.standard_error is None
    assert found.shift == 0.0


def test_an_interval_of_rmse_is_the_root_of_that_of_the_squared_error() -> None:
    losses = noisy(3.0, 2.0, 1.0)
    squared, root = chosen(losses), chosen(losses, metric="rmse")
    for name in NAMES:
        assert root.errors[name].value == pytest.approx(squared.errors[name].value ** 0.5)
        assert root.errors[name].ci_low == pytest.approx((squared.errors[name].ci_low or 0) ** 0.5)
        assert root.errors[name].ci_high == pytest.approx((squared.errors[name].ci_high or 0) ** 0.5)
    assert squared.attention is not None
    assert root.attention is not None
    assert 1 - root.attention.value == pytest.approx((1 - squared.attention.value) ** 0.5)


def test_blocks_that_hang_together_give_a_wider_interval_than_origins_drawn_one_by_one() -> None:
    rng = np.random.default_rng(1)
    slow = np.repeat(rng.exponential(size=40), 10)
    wide = chosen(dict.fromkeys(NAMES, slow), horizon=10).errors["ridge"]
    narrow = chosen(dict.fromkeys(NAMES, slow), horizon=1).errors["ridge"]
    assert (wide.standard_error or 0) > 2 * (narrow.standard_error or 0)


def test_windows_without_a_value_take_no_part() -> None:
    losses = noisy(3.0, 2.0, 1.0)
    losses["ridge"][::3] = np.nan
    found = chosen(losses)
    assert found.errors["attention"].value == pytest.approx(np.delete(losses["attention"], np.s_[::3]).mean())


def test_having_won_by_luck_costs_something_and_the_shares_sum_to_one() -> None:
    rng = np.random.default_rng(2)
    found = chosen({name: rng.exponential(size=300) for name in NAMES}, horizon=1)
    assert found.shift >= 0.0
    assert sum(found.share_won.values()) == pytest.approx(1.0)


def test_a_faultless_baseline_cannot_be_beaten() -> None:
    losses = {"last-value": np.zeros(100), "ridge": np.zeros(100)}
    assert chosen(losses).winner == "last-value"
