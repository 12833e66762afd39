"""Maps are the weights that the network uses: exact, whole with registers, placed in the user's time."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from heldout.errors import DataError, InvalidInput
from heldout.sequence import Forecaster
from heldout.sequence.attending import attending_network, backbone_of, examples_of
from heldout.sequence.attention_maps import AttentionMaps, attention_maps
from heldout.sequence.examples import Examples
from heldout.sequence.known_future import with_known_future
from heldout.sequence.scaling import scaling_of
from heldout.sequence.windows import Windows, last_origins

from reference.attention import Formula, naive_attention


def small(frame: pl.DataFrame, **options: Any) -> Forecaster:
    """Return a forecaster of a network that has barely learned, which its maps must tell as exactly as any other."""
    asked = {"time": "day", "target": "sold", "stage0": None, "season": 1, "context": 8, "width": 32, "n_steps": 3}
    return Forecaster(3, **(asked | {"n_jobs": 1, "batch_size": 16} | options)).fit(frame)


def table(seed: int, n_rows: int = 60, **columns: Any) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(size=n_rows) for name in ("sold", "heat", "rain")}
    return pl.DataFrame({"day": np.arange(n_rows)} | numbers | columns)


@pytest.fixture(scope="module")
def crossed() -> Forecaster:
    return small(table(0), target=["sold", "heat", "rain"], cross=True, depth=3, replicas=2)


def test_rows_sum_to_1_with_registers(planted: Any, crossed: Forecaster) -> None:
    for forecaster in (planted, crossed):
        maps = forecaster.attention()
        np.testing.assert_allclose(maps.weights.sum(-1) + maps.register_share, 1.0, rtol=0, atol=2e-6)
        assert (maps.register_share > 0).all()
        assert maps.weights.dtype == np.float32


def test_maps_are_those_of_the_formula_in_float64(crossed: Forecaster) -> None:
    maps = crossed.attention()
    network = attending_network(crossed)
    windows = last_origins(crossed.sequences_, 3)
    base = crossed.fitted_.baseline.predict(windows)
    batch = Examples(windows, base, network.design.shape).gather(torch.arange(len(windows)))
    backbone = backbone_of(network)
    given = {one.layer: one for one in backbone.attention_inputs(*network.tokens(batch), n_variables=3)}
    rows = maps.rows + backbone.n_registers
    for place, layer in enumerate(maps.layers):
        for replica in range(2):
            for variable in range(3):
                W = weights_of(given[layer].attention, replica)
                formula = Formula(2, 2, rotary=True, normalise=True, n_registers=4)
                X = given[layer].X[replica, variable].double().numpy()
                shown = given[layer].present[variable].numpy()
                _, exact = naive_attention(X, W, formula, given[layer].positions[variable].double().numpy(), shown)
                found = maps.weights[place, replica, 0, variable]
                np.testing.assert_allclose(found, exact[:, rows, 4:], rtol=0, atol=2e-6)
                registers = maps.register_share[place, replica, 0, variable]
                np.testing.assert_allclose(registers, exact[:, rows, :4].sum(-1), rtol=0, atol=2e-6)


def test_maps_across_variables_are_those_of_the_formula_in_float64(crossed: Forecaster) -> None:
    maps = crossed.attention()
    network = attending_network(crossed)
    windows = last_origins(crossed.sequences_, 3)
    base = crossed.fitted_.baseline.predict(windows)
    batch = Examples(windows, base, network.design.shape).gather(torch.arange(len(windows)))
    backbone = backbone_of(network)
    (given,) = backbone.attention_inputs(*network.tokens(batch), n_variables=3, layers=[1])
    assert maps.across_layers == (1,)
    for replica in range(2):
        W = weights_of(given.attention, replica)
        for place, row in enumerate(maps.rows):
            X = given.X[replica, backbone.n_registers + row].double().numpy()
            _, exact = naive_attention(X, W, Formula(2, 2, normalise=True))
            np.testing.assert_allclose(maps.across[0, replica, 0, :, place], exact, rtol=0, atol=2e-6)


def weights_of(attention: Any, replica: int) -> dict[str, Any]:
    names = {"query": attention.query.weight, "key": attention.key.weight, "value": attention.value.weight}
    names |= {"output": attention.output.weight, "score_scale": attention.score_scale}
    return {name: weight[replica].detach().double().numpy() for name, weight in names.items()}


@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_the_size_of_chunks_changes_nothing(planted: Any, chunk: int) -> None:
    whole, cut = attention_maps(planted), attention_maps(planted, chunk=chunk)
    # Sums in products of other sizes may be added in another order.
    np.testing.assert_allclose(cut.weights, whole.weights, rtol=0, atol=1e-6)
    np.testing.assert_allclose(cut.register_share, whole.register_share, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(cut.present, whole.present)


def test_what_is_asked_for_is_part_of_the_whole(crossed: Forecaster) -> None:
    whole = crossed.attention()
    assert (whole.layers, whole.across_layers, whole.heads) == ((0, 2), (1,), (0, 1))
    part = crossed.attention(layers=[2, 1], heads=[1], steps=[3, 1])
    assert (part.layers, part.across_layers, part.heads, part.rows.tolist()) == ((2,), (1,), (1,), [8, 10])
    np.testing.assert_allclose(part.weights, whole.weights[1:, :, :, :, 1:][..., [0, 2], :], rtol=0, atol=1e-6)
    np.testing.assert_allclose(part.across, whole.across[:, :, :, 1:, [0, 2]], rtol=0, atol=1e-6)


def test_steps_in_one_token_are_one_row(seed: int) -> None:
    forecaster = small(table(seed, 200), context=100)
    patch = attending_network(forecaster).design.patch
    assert patch == 3
    maps = forecaster.attention(steps=[1, 2, 3])
    assert len(maps.rows) == 1
    assert maps.times.words[maps.rows[0]] == "1 to 3 steps after the origin"
    assert maps.times.words[0] == "99 steps before the origin"  # 100 steps are 33 tokens of three and one more
    assert maps.times.words[33] == "2 to 0 steps before the origin"


def test_the_profile_peaks_at_the_planted_lag_in_every_replica(planted: Any) -> None:
    profile = planted.attention(planted.result_.tail).lags()
    assert profile.peak == 5
    assert (profile.lag[profile.by_replica.argmax(axis=1)] == 5).all()
    assert profile.weight.max() > 3 * profile.even.max()
    assert profile.unit.words(profile.peak) == "5 hours"
    assert profile.to_dict()["peak"] == "5 hours"


def test_times_are_told_in_the_users_units(planted: Any) -> None:
    maps = planted.attention()
    assert maps.times.words[0] == "8 hours before the origin"
    assert maps.times.words[-3:] == ("the origin", "1 hour after the origin", "2 hours after the origin")
    assert maps.series[:2] == ("s00", "s01")
    assert len(maps.series) == 24


def test_nothing_looks_at_what_is_missing(seed: int) -> None:
    short = table(seed, 40).with_columns(shop=pl.lit("long"))
    gap = table(seed + 1, 5).with_columns(shop=pl.lit("short"), sold=pl.Series([1.0, 2.0, None, 3.0, 4.0]))
    maps = small(pl.concat([short, gap]), group="shop").attention()
    hidden = [True, True, True, False, False, True, False, False]
    assert (~maps.present[1, 0, :8]).tolist() == hidden
    assert (maps.weights[:, :, 1, 0, :, :, :8][..., hidden] == 0).all()
    assert (maps.weights[:, :, 0] > 0).all()
    profile = maps.lags()
    assert np.isfinite(profile.weight).all()


def test_irregular_times_are_told_as_such(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = table(seed, 80).with_columns(day=pl.Series(np.cumsum(rng.choice([0.7, 1.0, 1.9], 80))))
    maps = small(frame).attention()
    assert maps.times.words[0].startswith("about ")
    assert not np.allclose(maps.times.middle, np.round(maps.times.middle))
    lag = maps.times.lags(maps.rows)
    np.testing.assert_array_equal(lag[0], np.round(maps.times.middle[0, maps.rows][:, None] - maps.times.middle[0, :8]))
    assert np.isfinite(maps.lags().weight).all()


def test_of_many_windows_evenly_spaced_ones_are_taken(planted: Any) -> None:
    tail = planted.result_.tail
    maps = attention_maps(planted, tail, n_windows=7)
    assert (len(maps.windows), maps.n_windows_all) == (7, len(tail))
    assert maps.windows.origin[-1] == tail.origin[-1]
    assert maps.weights.shape[2] == 7


def test_maps_that_would_not_fit_memory_are_of_fewer_windows(planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heldout.sequence.attention_maps._MOST_NUMBERS", 3 * 2 * 2 * 11 * 4)
    assert len(planted.attention().windows) == 4


def test_new_series_and_columns_known_in_advance(seed: int) -> None:
    frame = table(seed).with_columns(promotion=pl.Series(np.arange(60) % 4 == 0).cast(pl.Int8))
    forecaster = small(frame, known=["promotion"])
    ahead = pl.DataFrame({"day": np.arange(60, 63), "promotion": np.array([1, 0, 0], np.int8)})
    with pytest.raises(DataError, match="promotion"):
        forecaster.attention()
    one = forecaster.attention(future=ahead)
    other = forecaster.attention(future=ahead.with_columns(promotion=1 - pl.col("promotion")))
    assert (one.weights != other.weights).any()
    assert one.windows.known_future is not None
    np.testing.assert_array_equal(one.windows.known_future[0], ahead.select("promotion"))
    later = frame.with_columns(pl.col("sold") + 1.0)
    assert forecaster.attention(later, future=ahead).weights.shape == one.weights.shape
    assert len(forecaster.attention(forecaster.result_.tail).windows) == min(100, len(forecaster.result_.tail))


def test_a_stage_0_that_reads_columns_known_in_advance_is_told_them(seed: int) -> None:
    on = np.arange(63) % 4 == 0
    frame = table(seed, 63).with_columns(promotion=pl.Series(on.astype(np.int8)), sold=pl.Series(10.0 * on))
    forecaster = small(frame[:60], known=["promotion"], stage0="boosting")
    windows = last_origins(forecaster.sequences_, 3)
    windows = replace(windows, known_future=with_known_future(forecaster.sequences_, frame[60:], 3))
    network = forecaster.result_.networks[0].network
    shown = examples_of(network, forecaster.fitted_, windows).gather(torch.arange(1))
    wanted = forecaster.fitted_.baseline.predict(windows)
    np.testing.assert_allclose(shown.base.numpy(), scaling_of(windows).down(wanted).transpose(0, 2, 1), rtol=1e-5)
    (centre,), (scale,) = network.design.shape.known_centre, network.design.shape.known_scale
    np.testing.assert_allclose(shown.known[0, -3:].numpy(), (windows.known()[0] - centre) / scale, rtol=1e-5)
    assert np.isfinite(windows.known()).all()


def test_variables_look_at_variables(crossed: Forecaster) -> None:
    found = crossed.attention().variables()
    assert found.names == ("sold", "heat", "rain")
    assert found.layers == (1,)
    assert found.weight is not None
    np.testing.assert_allclose(found.weight.sum(axis=1), 1.0, rtol=0, atol=1e-6)
    assert found.replica_spread is not None
    assert (found.replica_spread > 0).all()
    assert found.reason is None


def test_without_layers_across_variables_the_reason_is_given(seed: int, crossed: Forecaster, planted: Any) -> None:
    assert crossed.attention(layers=[0]).variables().reason == (
        "none of the layers asked for attends across variables: ask for every second one, from 1"
    )
    assert planted.attention().variables().reason == "there is one variable"
    apart = small(table(seed), target=["sold", "heat"]).attention().variables()
    assert apart.weight is None
    assert apart.reason is not None
    assert "cross=True" in apart.reason


def test_replicas_of_one_task_rank_lags_alike(planted: Any) -> None:
    found = planted.attention(planted.result_.tail).stability()
    assert (found.n_replicas, found.n_pairs) == (3, 3)
    assert found.correlation is not None
    assert found.lowest is not None
    assert found.highest is not None
    assert 0 < found.lowest <= found.correlation <= found.highest <= 1


def test_the_section_is_plain_json(crossed: Forecaster, planted: Any) -> None:
    for maps in (crossed.attention(), planted.attention(), crossed.attention(layers=[1])):
        section = json.loads(json.dumps(maps.to_dict(), allow_nan=False))["attention"]
        assert section["n_windows"] == len(maps.windows)
        assert (section["lags"] is None) == (maps.layers == ())
    assert section["variables"]["names"] == ["sold", "heat", "rain"]


def test_torch_is_left_as_it_was_and_the_network_too(crossed: Forecaster) -> None:
    network = attending_network(crossed)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    one, two = crossed.attention(), crossed.attention()
    assert (one.weights == two.weights).all()
    assert all(torch.equal(before[name], weight) for name, weight in network.state_dict().items())


def alone(forecaster: Any) -> Any:
    one = copy.copy(forecaster)
    one.fitted_ = replace(forecaster.fitted_, network=None)
    return one


def test_attention_that_was_not_kept_is_not_shown(planted: Any) -> None:
    one = alone(planted)
    one.stage0_ = "ridge"
    with pytest.raises(InvalidInput, match=r"got stage 0 'ridge' alone \(attention was not kept.*stage0=None"):
        one.attention()
    one.improvement_ = None
    with pytest.raises(InvalidInput, match="no series is long enough to train on"):
        one.attention()


def test_a_recurrent_network_has_no_attention(seed: int) -> None:
    with pytest.raises(InvalidInput, match="got encoder='recurrent'"):
        small(table(seed), encoder="recurrent").attention()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layers": [0, 1]}, r"layers must be whole numbers from 0 to 0, got \[1\]"),
        ({"layers": []}, "layers must be whole numbers from 0 to 0, got none"),
        ({"layers": [0.5]}, r"layers .* got \[0.5\]"),
        ({"heads": [-1]}, r"heads must be whole numbers from 0 to 1, got \[-1\]"),
        ({"heads": [True]}, r"heads .* got \[True\]"),
        ({"steps": [0, 3]}, r"steps must be whole numbers from 1 to 2, got \[0, 3\]"),
        ({"n_windows": 0}, "n_windows must be 1 or more, got 0"),
        ({"chunk": 0}, "chunk must be 1 or more, got 0"),
    ],
)
def test_what_is_not_there_cannot_be_asked_for(planted: Any, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        attention_maps(planted, **asked)


def test_windows_of_another_horizon_are_refused(planted: Any) -> None:
    windows = Windows(planted.sequences_, planted.result_.tail.origin, 4)
    with pytest.raises(InvalidInput, match="the horizon of the forecaster, 2, got 4"):
        planted.attention(windows)


@pytest.mark.parametrize("what", ["lags", "mean", "stability"])
def test_layers_across_variables_have_no_lags(crossed: Forecaster, what: str) -> None:
    maps: AttentionMaps = crossed.attention(layers=[1])
    with pytest.raises(InvalidInput, match=r"got layers \[1\], which attend across"):
        getattr(maps, what)()
