"""The recurrent comparator: torch's gated units, whatever is padded, replicas apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.backbone import Backbone
from heldout.sequence.norm import rms_norm
from heldout.sequence.optimizer import Muon, sort_parameters
from heldout.sequence.recurrent import RecurrentBackbone

R, B, T, D = 2, 6, 8, 16
directions = pytest.mark.parametrize("causal", [True, False], ids=["causal", "both directions"])


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def made(seed: int, **options: Any) -> RecurrentBackbone:
    options = {"replicas": R} | options
    return RecurrentBackbone(D, 3, **options, generator=torch.Generator().manual_seed(seed))


def some_present(seed: int) -> Tensor:
    present = draw(seed + 1, B, T) > -0.5
    present[0] = False
    return present


def by_torch(backbone: RecurrentBackbone, r: int, x: Tensor) -> Tensor:
    """Run one sequence (T, D) through torch's module, layer by layer."""
    for layer in backbone.layers:
        parts = list(layer)
        state = torch.get_rng_state()
        gru = nn.GRU(D, parts[0].size, batch_first=True, bidirectional=len(parts) == 2)
        torch.set_rng_state(state)  # torch's own module draws from the global state
        with torch.no_grad():
            for part, end in zip(parts, ["", "_reverse"], strict=False):
                getattr(gru, f"weight_ih_l0{end}").copy_(part.input_weight[r])
                getattr(gru, f"weight_hh_l0{end}").copy_(part.state_weight[r])
                getattr(gru, f"bias_ih_l0{end}").copy_(part.input_bias[r])
                getattr(gru, f"bias_hh_l0{end}").copy_(part.state_bias[r])
        x = x + gru(rms_norm(x)[None])[0][0]
    return rms_norm(x)


@directions
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_units_are_those_of_torch_on_the_tokens_that_are_present(causal: bool, padded: bool, seed: int) -> None:
    backbone, x = made(seed, causal=causal), draw(seed, R, B, T, D)
    present = some_present(seed) if padded else torch.ones(B, T, dtype=torch.bool)
    out = backbone(x, None, present if padded else None)
    assert torch.isfinite(out).all()
    for r in range(R):
        for b in range(B):
            if present[b].any():
                alone = by_torch(backbone, r, x[r, b, present[b]])
                torch.testing.assert_close(out[r, b, present[b]], alone, rtol=0, atol=1e-5)


@directions
def test_padding_changes_nothing(causal: bool, seed: int) -> None:
    backbone, x, present = made(seed, causal=causal), draw(seed, R, B, T, D), some_present(seed)
    other = torch.where(present[..., None], x, torch.nan)
    assert torch.equal(backbone(x, None, present)[:, present], backbone(other, None, present)[:, present])


def test_the_future_changes_no_bit_of_the_past(seed: int) -> None:
    backbone, x = made(seed, causal=True), draw(seed, R, B, T, D)
    changed = torch.cat([x[:, :, :5], draw(seed + 3, R, B, T - 5, D)], dim=2)
    assert torch.equal(backbone(x)[:, :, :5], backbone(changed)[:, :, :5])
    both = made(seed)
    assert not torch.equal(both(x)[:, :, :5], both(changed)[:, :, :5])


@directions
def test_replicas_never_mix(causal: bool, seed: int) -> None:
    backbone, x = made(seed, causal=causal), draw(seed, R, B, T, D)
    clean = backbone(x)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter[1] = torch.nan
    out = backbone(x)
    assert torch.isnan(out[1]).all()
    assert torch.equal(out[0], clean[0])


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
def test_cached_is_uncached(padded: bool, seed: int) -> None:
    backbone, x = made(seed, causal=True), draw(seed, R, B, T, D)
    present = torch.ones(B, T, dtype=torch.bool)
    present[1, :3] = False
    present[2, 4] = False
    whole = backbone(x, None, present if padded else None)
    cache = backbone.new_cache(B, T)
    parts = [
        backbone(x[:, :, part], None, present[:, part] if padded else None, 1, cache)
        for part in (slice(0, 5), slice(5, 6), slice(6, 8))
    ]
    assert cache.length == T
    torch.testing.assert_close(torch.cat(parts, dim=2)[:, present], whole[:, present], rtol=0, atol=1e-5)


def test_many_samples_continue_one_prompt(seed: int) -> None:
    backbone, x, steps = made(seed, causal=True), draw(seed, R, B, T, D), draw(seed + 1, R, 2 * B, 1, D)
    cache = backbone.new_cache(B)
    backbone(x, cache=cache)
    many = backbone(steps, cache=cache.repeat(2, n_variables=3))
    order = torch.arange(B).view(2, 3).repeat_interleave(2, dim=0).flatten()
    whole = backbone(torch.cat([x[:, order], steps], dim=2))[:, :, -1:]
    torch.testing.assert_close(many, whole, rtol=0, atol=1e-5)
    before = cache.states[0].clone()
    backbone(steps[:, :B], cache=cache.clone())
    assert torch.equal(cache.states[0], before)


@directions
def test_every_parameter_leads_with_replicas_and_learns(causal: bool, seed: int) -> None:
    backbone, x, goal = made(seed, causal=causal), draw(seed, R, B, T, D), draw(seed + 1, R, B, T, D)
    optimizer = Muon(*sort_parameters(backbone, backbone), adam_learning_rate=0.02)
    before, losses = [p.detach().clone() for p in backbone.parameters()], []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (backbone(x, None, some_present(seed)) - goal).square().mean(dim=(1, 2, 3))
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.detach())
    assert (losses[-1] < losses[0]).all()
    for p, start in zip(backbone.parameters(), before, strict=True):
        assert p.shape[0] == R
        assert (p != start).reshape(R, -1).any(1).all()


@directions
def test_it_is_called_as_the_backbone_of_attention(causal: bool, seed: int) -> None:
    x, positions, present = draw(seed, R, B, T, D), draw(seed, B, T).abs().cumsum(1), some_present(seed)
    shapes = [
        backbone(x, positions, present, 3).shape
        for backbone in (
            made(seed, causal=causal),
            Backbone(D, 3, 2, replicas=R, causal=causal),
        )
    ]
    assert shapes[0] == shapes[1] == x.shape


def test_dropout_comes_from_the_seed_and_only_in_training(seed: int) -> None:
    x = draw(seed, R, B, T, D)
    one, two = made(seed, dropout=0.3), made(seed, dropout=0.3)
    first = one(x)
    assert torch.equal(first, two(x))
    assert not torch.equal(first, one(x))
    assert torch.equal(one.eval()(x), made(seed)(x))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "got 0, 2 and 1"),
        ({"depth": 0}, "got 16, 0 and 1"),
        ({"replicas": 0}, "got 16, 2 and 0"),
        ({"width": 7}, "got 7, 2 and 1"),
        ({"dropout": -0.5}, "got -0.5"),
    ],
)
def test_an_impossible_backbone_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        RecurrentBackbone(**({"width": D, "depth": 2} | options))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"x": torch.zeros(B, T, D)}, r"got \(6, 8, 16\)"),
        ({"positions": torch.zeros(B, T + 1)}, r"positions .* shape \(6, 9\)"),
        ({"present": torch.ones(B, T)}, "present .* got torch.float32"),
        ({"n_variables": 4}, "4 variables and 6 sequences"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        RecurrentBackbone(D, 1, replicas=R)(**({"x": torch.zeros(R, B, T, D)} | arguments))


def test_a_cache_for_both_directions_is_refused(seed: int) -> None:
    with pytest.raises(InvalidInput, match="got causal=False"):
        made(seed).new_cache(B)
