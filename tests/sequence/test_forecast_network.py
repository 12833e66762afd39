"""The forecasting network: stage 0 before the first step, one series at a time, whatever is padded or told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heldout.sequence.baselines import RidgeOnLags
from heldout.sequence.examples import Examples
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.folds import fold_windows
from heldout.sequence.generators import torch_generator
from heldout.sequence.learned_windows import learnable
from heldout.sequence.network import Design, ForecastNetwork, forecast, moves
from heldout.sequence.network_fit import choose_design
from heldout.sequence.network_moves import moves_of
from heldout.sequence.sequences import Sequences
from heldout.sequence.stage_zero import spread_of_errors
from heldout.sequence.windows import Windows, last_origins

from reference.series import make_sequences, with_gaps
from reference.small_forecasts import LEVELS, small_plan

torch = pytest.importorskip("torch")

ENCODERS = ("attention", "recurrent")


def some_sequences(seed: int, *, variables: int = 2, level: float = 50.0) -> Sequences:
    rng = np.random.default_rng(seed)
    lengths = (40, 9, 30, 3)
    return make_sequences(
        [with_gaps(level + rng.normal(size=(n, variables)), 0.1, rng) for n in lengths],
        4,
        known=[np.stack([rng.normal(size=n), rng.integers(0, 3, n)], axis=1) for n in lengths],
        static=np.stack([rng.integers(0, 3, 4), rng.normal(size=4)], axis=1),
        levels={"k1": ("a", "b"), "s0": ("x", "y")},
    )


def untrained(sequences: Sequences, seed: int = 0, **changes: Any) -> tuple[FittedForecast, Windows]:
    """Return stage 0 with a network that was not trained yet, and the windows it would learn from."""
    plan = small_plan(**changes)
    windows = learnable(sequences, plan.horizon)
    fitted = RidgeOnLags().fit(windows, fold_windows(windows))
    design, _ = choose_design(windows, plan, 1.0)
    spread = spread_of_errors(windows, fitted.out_of_fold(), LEVELS)
    network = ForecastNetwork(design, torch_generator(seed))
    return FittedForecast(fitted, LEVELS, spread, np.zeros_like(spread), plan.loss, network), windows


def shake(network: ForecastNetwork, seed: int, size: float = 1.0) -> None:
    """Give every weight a random value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))


def predictions(fitted: FittedForecast, windows: Windows, **more: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    found = fitted.predict(windows, **more)
    return found.point, found.quantiles


@pytest.mark.parametrize("loss", ["quantile", "absolute_error", "squared_error"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("level", [50.0, 1e9])
def test_before_training_the_forecast_is_that_of_stage_zero_to_the_bit(
    encoder: str, level: float, loss: str, seed: int
) -> None:
    joined, windows = untrained(some_sequences(seed, level=level), loss=loss, encoder=encoder, cross=True, depth=2)
    alone = replace(joined, network=None)
    for found, expected in zip(predictions(joined, windows), predictions(alone, windows), strict=True):
        assert np.array_equal(found, expected)
    if loss == "squared_error":
        assert np.array_equal(predictions(joined, windows)[0], joined.baseline.predict(windows))


def test_before_training_every_replica_says_what_stage_zero_says(seed: int) -> None:
    joined, windows = untrained(some_sequences(seed), replicas=3)
    point, quantiles = joined.scaled(windows)
    alone = replace(joined, network=None).scaled(windows)
    assert point.shape[0] == 3
    assert np.array_equal(point, np.broadcast_to(alone[0], point.shape))
    assert np.array_equal(quantiles, np.broadcast_to(alone[1], quantiles.shape))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([0.1, 1.0, 30.0, 1e6]), st.sampled_from(ENCODERS))
def test_quantiles_never_cross_whatever_the_weights(seed: int, size: float, encoder: str) -> None:
    fitted, windows = untrained(some_sequences(seed), encoder=encoder, replicas=2)
    assert fitted.network is not None
    shake(fitted.network, seed, size)
    rng = np.random.default_rng(seed)
    shifted = replace(fitted, shifts=rng.normal(size=fitted.shifts.shape))
    for one in (fitted, shifted):
        point, quantiles = predictions(one, windows)
        assert np.isfinite(quantiles).all()
        assert (np.diff(quantiles, axis=-1) >= 0).all()
        assert np.array_equal(point, quantiles[..., 2])
    assert (np.diff(fitted.scaled(windows)[1], axis=-1) > 0).all()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_series_is_forecast_alike_with_and_without_the_others(encoder: str, seed: int) -> None:
    """The forecast of a short series must not hang on what stands before it in the table."""
    sequences = some_sequences(seed)
    fitted, _ = untrained(sequences, encoder=encoder)
    assert fitted.network is not None
    shake(fitted.network, seed)
    told = np.random.default_rng(seed).integers(0, 3, (4, 3, 2)).astype(float)
    every = last_origins(sequences, 3)
    base = np.full((4, 3, 2), 50.0)
    together = moves_of(fitted.network, every, base, fitted.spread, told)
    for series, (start, end) in enumerate(zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)):
        alone = replace(
            sequences,
            target=sequences.target[start:end],
            known=sequences.known[start:end],
            count=sequences.count[start:end],
            static=sequences.static[[series]],
            offsets=np.array([0, end - start]),
            labels=sequences.labels[[series]],
        )
        own = moves_of(fitted.network, last_origins(alone, 3), base[:1], fitted.spread, told[[series]])
        for found, expected in zip(own, together, strict=True):
            np.testing.assert_allclose(found[:, 0], expected[:, series], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_context_beyond_the_start_of_a_series_adds_nothing_but_tokens_that_none_sees(encoder: str, seed: int) -> None:
    """Whole tokens of padding change no forecast: the network for 16 steps says what the one for 8 says."""
    sequences = make_sequences([np.random.default_rng(seed).normal(size=8)], 1)
    windows, base, spread = last_origins(sequences, 4), np.zeros((1, 4, 1)), np.tile(np.arange(5.0), (4, 1))
    found = []
    for length in (8, 16):
        design, _ = choose_design(windows, small_plan(horizon=4, context=length, encoder=encoder), 1.0)
        network = ForecastNetwork(replace(design, patch=4), torch_generator(0))
        shake(network, seed)
        found.append(moves_of(network, windows, base, spread))
    for short, long in zip(*found, strict=True):
        np.testing.assert_allclose(short, long, rtol=1e-4, atol=1e-5)


def test_every_input_reaches_the_forecast(seed: int) -> None:
    """Context, stage 0, known past and future, static columns and cycles: a change of each moves the forecast."""
    sequences = some_sequences(seed)
    fitted, windows = untrained(sequences, cross=True, depth=2)
    assert fitted.network is not None
    shake(fitted.network, seed)
    fitted.network.eval()
    design, spread = fitted.network.design, torch.from_numpy(fitted.spread)
    batch = Examples(windows, np.full((len(windows), 3, 2), 50.0), design.shape).gather(torch.arange(5))
    before = moves(fitted.network, batch, spread)
    changed = {
        "context": batch.context + 1,
        "context_known": 1 - batch.context_known,
        "base": batch.base + 1,
        "static": batch.static + 1,
        "cycles": batch.cycles + 1,
        "known": torch.cat([batch.known[:, :8] + 1, batch.known[:, 8:]], dim=1),
        "known ahead": torch.cat([batch.known[:, :8], batch.known[:, 8:] + 1], dim=1),
    }
    for name, tensor in changed.items():
        after = moves(fitted.network, replace(batch, **{name.split()[0]: tensor}), spread)
        for old, new in zip(before, after, strict=True):
            assert (old - new).abs().amax(dim=(0, 2, 3)).flatten()[:5].min() > 1e-6, f"{name} is not seen"
    for name in ("target", "target_known"):
        after = moves(fitted.network, replace(batch, **{name: getattr(batch, name) + 1}), spread)
        assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True)), f"{name} is seen"


def test_variables_see_each_other_only_where_asked(seed: int) -> None:
    sequences = some_sequences(seed)
    for cross in (False, True):
        fitted, windows = untrained(sequences, cross=cross, depth=2)
        assert fitted.network is not None
        shake(fitted.network, seed)
        fitted.network.eval()
        batch = Examples(windows, np.full((len(windows), 3, 2), 50.0), fitted.network.design.shape).gather(
            torch.arange(5)
        )
        other = batch.context.clone()
        other[:, 1] += 1
        spread = torch.from_numpy(fitted.spread)
        old, new = (moves(fitted.network, one, spread)[0][:, :, 0] for one in (batch, replace(batch, context=other)))
        assert torch.equal(old, new) != cross


@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(1, 30),
    horizon=st.integers(1, 20),
    patch=st.integers(1, 9),
    replicas=st.integers(1, 3),
    n_levels=st.integers(1, 5),
)
def test_any_sizes_give_forecasts_of_the_right_shape(
    length: int, horizon: int, patch: int, replicas: int, n_levels: int
) -> None:
    sequences = some_sequences(0)
    windows = Windows(sequences, np.arange(sequences.n_rows), horizon)
    design, _ = choose_design(windows, small_plan(horizon=horizon, context=length, replicas=replicas), 1.0)
    design = replace(design, patch=patch, n_levels=n_levels, middle=n_levels // 2)
    network = ForecastNetwork(design, torch_generator(0))
    shake(network, 0)
    batch = Examples(windows, np.zeros((len(windows), horizon, 2)), design.shape).gather(torch.arange(4))
    spread = torch.arange(float(n_levels)).expand(horizon, -1)
    point, quantiles = forecast(network, batch, spread)
    assert point.shape == (replicas, 4, 2, horizon)
    assert quantiles.shape == (replicas, 4, 2, horizon, n_levels)
    assert torch.isfinite(quantiles).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.booleans(), st.sampled_from(ENCODERS))
def test_a_design_comes_back_from_json(replicas: int, cross: bool, encoder: str) -> None:
    windows = learnable(some_sequences(0), 3)
    design, _ = choose_design(windows, small_plan(replicas=replicas, cross=cross, encoder=encoder), 1.0)
    assert Design.from_json(json.loads(json.dumps(design.to_json()))) == design
    older = json.loads(json.dumps(design.to_json()))
    for name in ("known_centre", "known_scale", "static_centre", "static_scale"):
        del older["shape"][name]
    assert Design.from_json(older).shape.known_centre == ()
