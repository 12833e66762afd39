"""The backbone: replicas apart, time and variables as they should be seen, and nothing hidden that is shown."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from heldout.errors import InvalidInput
from heldout.sequence.backbone import Backbone
from heldout.sequence.norm import rms_norm

from reference.attention import Formula
from reference.backbone import naive_backbone

R, B, T, D = 2, 6, 8, 16

KINDS: dict[str, dict[str, Any]] = {
    "full": {},
    "causal": {"causal": True},
    "window": {"window": 3},
    "causal window": {"causal": True, "window": 3, "n_key_heads": 1},
    "across": {"cross_every": 2},
    "causal across": {"causal": True, "cross_every": 2},
    "no registers": {"n_registers": 0},
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def awake(seed: int, **options: Any) -> Backbone:
    """Return a backbone whose branches are open: at first they end in zeros, and would hide any fault."""
    generator = torch.Generator().manual_seed(seed)
    backbone = Backbone(D, 3, 2, **({"replicas": R} | options), generator=generator)
    with torch.no_grad():
        for parameter in backbone.parameters():
            if (parameter == 0).all():
                parameter.normal_(0, 0.2, generator=generator)
            elif (parameter == 1).all():
                parameter.uniform_(0.5, 2.0, generator=generator)
    return backbone


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(seed: int, replicas: int = R) -> tuple[Tensor, Tensor, Tensor]:
    present = draw(seed + 1, B, T) > -0.8
    present[2] = False
    return draw(seed, replicas, B, T, D), draw(seed + 2, B, T).abs().cumsum(1), present


def single(many: Backbone, r: int, seed: int, kind: dict[str, Any]) -> Backbone:
    one = awake(seed, **kind, replicas=1)
    with torch.no_grad():
        for alone, together in zip(one.parameters(), many.parameters(), strict=True):
            alone.copy_(together[r : r + 1])
    return one


def test_at_first_the_backbone_is_the_normalised_input(seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone = Backbone(D, 3, 2, replicas=R, cross_every=2)
    torch.testing.assert_close(backbone(x, positions, present, 3), rms_norm(x))
    torch.testing.assert_close(backbone(x).square().mean(-1), torch.ones(R, B, T), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["full", "causal", "window", "causal window", "no registers"])
def test_the_backbone_is_the_loop_in_float64(name: str, seed: int) -> None:
    kind = KINDS[name]
    backbone = awake(seed, **kind).double()
    x, positions, present = tokens(seed)
    out = backbone(x.double(), positions.double(), present).detach().numpy()
    formula = Formula(
        n_heads=2,
        n_key_heads=kind.get("n_key_heads", 2),
        causal=kind.get("causal", False),
        window=kind.get("window"),
        rotary=True,
        normalise=True,
        n_registers=backbone.n_registers,
    )
    for r in range(R):
        layers = [
            {
                name.removeprefix("attention.").removesuffix(".weight"): p[r].detach().numpy()
                for name, p in block.named_parameters()
            }
            for block in backbone.blocks
        ]
        for b in range(B):
            naive = naive_backbone(
                x[r, b].double().numpy(),
                backbone.registers[r].detach().numpy(),
                layers,
                formula,
                positions[b].double().numpy(),
                present[b].numpy(),
            )
            np.testing.assert_allclose(out[r, b], naive, rtol=0, atol=1e-10)


@kinds
def test_fused_is_exact(kind: dict[str, Any], seed: int) -> None:
    x, positions, present = tokens(seed)
    fused, exact = awake(seed, **kind), awake(seed, **kind, exact=True)
    out = fused(x, positions, present, 3)
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out, exact(x, positions, present, 3), rtol=0, atol=2e-5)


@kinds
def test_a_replica_is_the_single_backbone_with_its_weights(kind: dict[str, Any], seed: int) -> None:
    x, positions, present = tokens(seed)
    many = awake(seed, **kind)
    out = many(x, positions, present, 3)
    for r in range(R):
        alone = single(many, r, seed, kind)(x[r : r + 1], positions, present, 3)
        torch.testing.assert_close(out[r : r + 1], alone, rtol=0, atol=1e-5)


@kinds
def test_replicas_never_mix(kind: dict[str, Any], seed: int) -> None:
    x, positions, present = tokens(seed)
    many = awake(seed, **kind)
    clean = many(x, positions, present, 3)
    with torch.no_grad():
        for parameter in many.parameters():
            parameter[1] = torch.nan
    out = many(x, positions, present, 3)
    assert torch.isnan(out[1]).all()
    assert torch.equal(out[0], clean[0])
    out.sum().backward()
    assert all(torch.isfinite(p.grad[0]).all() for p in many.parameters() if p.grad is not None)


@kinds
def test_every_parameter_learns(kind: dict[str, Any], seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone = awake(seed, **kind)
    (backbone(x, positions, present, 3) * draw(seed + 3, R, B, T, D)).sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.shape[0] == R, name
        if parameter.numel():
            assert parameter.grad is not None, name
            assert (parameter.grad != 0).reshape(R, -1).any(1).all(), name


@kinds
def test_padding_changes_nothing(kind: dict[str, Any], seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone = awake(seed, **kind)
    other = torch.where(present[..., None], x, 50.0 * draw(seed + 3, R, B, T, D))
    one, two = backbone(x, positions, present, 3), backbone(other, positions, present, 3)
    assert torch.equal(one[:, present], two[:, present])
    assert torch.isfinite(two).all()


@pytest.mark.parametrize("name", ["causal", "causal window", "causal across"])
def test_the_future_changes_no_bit_of_the_past(name: str, seed: int) -> None:
    x, positions, _ = tokens(seed)
    backbone = awake(seed, **KINDS[name])
    changed = torch.cat([x[:, :, :5], 100.0 * draw(seed + 3, R, B, T - 5, D)], dim=2)
    assert torch.equal(backbone(x, positions, None, 3)[:, :, :5], backbone(changed, positions, None, 3)[:, :, :5])


def test_a_window_reaches_no_farther_than_all_layers_together(seed: int) -> None:
    backbone = awake(seed, window=2, n_registers=4)
    x, _, _ = tokens(seed)
    changed = x.clone()
    changed[:, :, 0] += 1.0
    moved = (backbone(x) != backbone(changed)).any(-1).any(0).any(0)
    assert moved.tolist() == [True] * 4 + [False] * (T - 4)  # three layers, a step of one each


def test_without_registers_only_time_differences_count(seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone = awake(seed, n_registers=0)
    shifted = backbone(x, positions.double() + 300.0, present)
    torch.testing.assert_close(shifted, backbone(x, positions.double(), present), rtol=0, atol=1e-5)


def test_variables_of_one_example_are_seen_and_those_of_another_not(seed: int) -> None:
    x, positions, _ = tokens(seed)
    backbone = awake(seed, cross_every=2, n_registers=0)
    changed = x.clone()
    changed[:, 1] += 1.0  # the second of three variables of the first example
    moved = (backbone(x, positions, None, 3) != backbone(changed, positions, None, 3)).any(-1).any(-1).any(0)
    assert moved.tolist() == [True, True, True, False, False, False]
    alone = (backbone(x, positions) != backbone(changed, positions)).any(-1).any(-1).any(0)
    assert alone.tolist() == [False, True, False, False, False, False]


def test_layers_across_variables_are_equivariant_to_their_order(seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone, order = awake(seed, cross_every=1), torch.tensor([2, 0, 1, 5, 3, 4])
    out = backbone(x, positions, present, 3)[:, order]
    again = backbone(x[:, order], positions[order], present[order], 3)
    torch.testing.assert_close(again[:, present[order]], out[:, present[order]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["causal", "causal window", "causal across", "no registers"])
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
@pytest.mark.parametrize("timed", [False, True], ids=["index", "times"])
def test_cached_is_uncached(name: str, padded: bool, timed: bool, seed: int) -> None:
    x, positions, _ = tokens(seed)
    backbone = awake(seed, **(KINDS[name] | {"causal": True}))
    present = torch.ones(B, T, dtype=torch.bool)
    present[1, :3] = False
    at = positions if timed else None
    whole = backbone(x, at, present if padded else None, 3)
    cache, parts = backbone.new_cache(B, T), []
    for part in (slice(0, 5), slice(5, 6), slice(6, 8)):
        times = None if at is None else at[:, part]
        parts.append(backbone(x[:, :, part], times, present[:, part] if padded else None, 3, cache))
    assert cache.length == T
    out = torch.cat(parts, dim=2)
    torch.testing.assert_close(out[:, present], whole[:, present], rtol=0, atol=1e-5)


def test_many_samples_continue_one_prompt_variables_together(seed: int) -> None:
    x, _, _ = tokens(seed)
    backbone, steps = awake(seed, causal=True, cross_every=2), draw(seed + 3, R, 4 * B, 1, D)
    cache = backbone.new_cache(B, T + 1)
    backbone(x, None, None, 3, cache)
    many = backbone(steps, None, None, 3, cache.repeat(4, n_variables=3))
    order = torch.arange(B).view(2, 3).repeat_interleave(4, dim=0).flatten()
    whole = backbone(torch.cat([x[:, order], steps], dim=2), None, None, 3)[:, :, -1:]
    torch.testing.assert_close(many, whole, rtol=0, atol=1e-5)
    again = backbone(steps[:, :B], None, None, 3, cache.clone())
    assert cache.length == T
    assert torch.equal(again, backbone(steps[:, :B], None, None, 3, cache))


def test_a_full_cache_says_so(seed: int) -> None:
    backbone = awake(seed, causal=True)
    cache = backbone.new_cache(B, T - 1)
    with pytest.raises(InvalidInput, match="holds 11 tokens, has 0 and got 12 more"):
        backbone(tokens(seed)[0], cache=cache)


@kinds
def test_maps_recomputed_from_the_inputs_give_what_was_gathered(kind: dict[str, Any], seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone = awake(seed, **kind)
    for given in backbone.attention_inputs(x, positions, present, 3):
        n_rows = given.X.shape[2]
        maps = given.weights(range(n_rows))
        assert maps.shape == (R, given.X.shape[1], 2, n_rows, n_rows)
        value = given.attention.value(given.X).view(R, -1, n_rows, given.attention.n_key_heads, D // 2).transpose(2, 3)
        mixed = maps @ value.repeat_interleave(2 // given.attention.n_key_heads, dim=2)
        gathered = given.attention.output(mixed.transpose(2, 3).reshape(given.X.shape))
        out = given.attention(given.X, given.positions, given.present)
        torch.testing.assert_close(gathered, out, rtol=0, atol=1e-5)


def test_inputs_of_attention_are_those_that_the_forward_pass_uses(seed: int) -> None:
    x, positions, present = tokens(seed)
    backbone = awake(seed, cross_every=2)
    seen: dict[int, Tensor] = {}
    for layer, block in enumerate(backbone.blocks):
        gather = block.attention.gather

        def spy(X: Tensor, *rest: Any, layer: int = layer, gather: Any = gather) -> Tensor:
            seen[layer] = X.detach()
            return gather(X, *rest)

        block.attention.gather = spy
    backbone(x, positions, present, 3)
    used = dict(seen)  # asking for the inputs runs the layers once more, under the same spy
    given = backbone.attention_inputs(x, positions, present, 3, layers=[0, 1, 2])
    assert [part.layer for part in given] == [0, 1, 2]
    assert all(torch.equal(part.X, used[part.layer]) for part in given)
    assert given[0].X.shape == (R, B, 4 + T, D)
    assert given[1].X.shape == (R, 2 * (4 + T), 3, D)


def test_the_share_of_registers_is_the_first_weights(seed: int) -> None:
    x, _, present = tokens(seed)
    (given,) = awake(seed).attention_inputs(x, None, present, layers=[2])
    maps = given.weights([4 + T - 1])
    assert (maps[:, 2, :, :, :4].sum(-1) > 0.999).all()  # a sequence of padding sees registers only
    assert (maps[:, 2, :, :, 4:] == 0).all()
    assert (maps[:, 0, :, :, :4] > 0).all()


def test_registers_are_at_time_zero_and_so_are_not_rotated(seed: int) -> None:
    x, positions, _ = tokens(seed)
    given = awake(seed, window=3).attention_inputs(x, positions + 5.0)[0]
    assert given.positions is not None
    assert torch.equal(given.positions[:, 4:], positions + 5.0)
    keys = given.attention.project(given.X, given.positions)[1][..., :4, :]
    plain = given.attention.key(given.X).view(R, B, 4 + T, 2, D // 2).transpose(2, 3)[..., :4, :]
    torch.testing.assert_close(keys, rms_norm(plain), rtol=0, atol=1e-6)


def test_dropout_comes_from_the_seed_and_only_in_training(seed: int) -> None:
    x, positions, present = tokens(seed)
    one, two = awake(seed, dropout=0.3), awake(seed, dropout=0.3)
    first, second = one(x, positions, present), one(x, positions, present)
    assert not torch.equal(first, second)
    assert torch.equal(first, two(x, positions, present))
    assert torch.equal(copy.deepcopy(two)(x, positions, present), second)
    plain = awake(seed)
    assert torch.equal(one.eval()(x, positions, present), plain.eval()(x, positions, present))


def test_dropout_keeps_the_mean(seed: int) -> None:
    backbone = Backbone(D, 1, 2, dropout=0.25, generator=torch.Generator().manual_seed(seed))
    out = backbone.dropout(torch.ones(100_000))
    # Kept with chance 3/4 and scaled by 4/3: the standard error of the mean is sqrt(1/3 / 100000); five of them.
    assert abs(out.mean().item() - 1) < 5 * (1 / 3 / 100_000) ** 0.5
    assert sorted(set(out.tolist())) == [0.0, pytest.approx(4 / 3)]


def test_two_backbones_of_one_seed_are_equal_and_of_another_not(seed: int) -> None:
    one, same, other = (Backbone(D, 2, 2, generator=torch.Generator().manual_seed(s)) for s in (seed, seed, seed + 1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.registers, other.registers)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"depth": 0}, "got 0 and 0"),
        ({"cross_every": -1}, "got 2 and -1"),
        ({"n_registers": -2}, "n_registers must be 0 or more, got -2"),
        ({"dropout": 1.0}, "below 1, got 1.0"),
        ({"n_heads": 3}, "width 16 and n_heads 3"),
    ],
)
def test_an_impossible_backbone_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Backbone(**({"width": D, "depth": 2, "n_heads": 2} | options))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"x": torch.zeros(B, T, D)}, r"\(2, B, T, 16\), got \(6, 8, 16\)"),
        ({"positions": torch.zeros(B, T + 1)}, r"positions .* shape \(6, 9\)"),
        ({"present": torch.ones(B, T)}, "present .* got torch.float32"),
        ({"n_variables": 4}, "4 variables and 6 sequences"),
        ({"n_variables": 0}, "0 variables"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Backbone(D, 1, 2, replicas=R)(**({"x": torch.zeros(R, B, T, D)} | arguments))


def test_layers_that_are_not_there_are_refused(seed: int) -> None:
    with pytest.raises(InvalidInput, match=r"layers must be from 0 to 2, got \[3\]"):
        awake(seed).attention_inputs(tokens(seed)[0], layers=[1, 3])


def test_a_cache_for_attention_in_both_directions_is_refused(seed: int) -> None:
    with pytest.raises(InvalidInput, match="got causal=False"):
        awake(seed).new_cache(B, T)
