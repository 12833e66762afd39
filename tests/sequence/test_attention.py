"""Self-attention is its formula, whichever options are asked for and whichever kernel computes it."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from heldout.errors import InvalidInput
from heldout.sequence.attention import SelfAttention

from reference.attention import Formula, naive_attention

B, T, D = 3, 9, 16

FORMULAS = {
    "plain": Formula(),
    "heads": Formula(n_heads=4, n_key_heads=4),
    "grouped keys": Formula(n_heads=4, n_key_heads=2),
    "one key head": Formula(n_heads=4, n_key_heads=1),
    "causal": Formula(n_heads=2, n_key_heads=2, causal=True),
    "window": Formula(n_heads=2, n_key_heads=2, window=3),
    "causal window": Formula(n_heads=2, n_key_heads=1, causal=True, window=2),
    "rotary": Formula(n_heads=2, n_key_heads=2, rotary=True, rotary_base=100.0),
    "normalise": Formula(n_heads=2, n_key_heads=1, normalise=True),
    "registers": Formula(n_heads=2, n_key_heads=2, window=2, n_registers=2),
    "all": Formula(
        n_heads=4, n_key_heads=2, causal=True, window=4, rotary=True, rotary_base=50.0, normalise=True, n_registers=2
    ),
}
formulas = pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())


def attention_of(formula: Formula, seed: int = 0, **options: Any) -> SelfAttention:
    attention = SelfAttention(D, **asdict(formula), random_state=seed, **options)
    if attention.score_scale is not None:
        with torch.no_grad():
            attention.score_scale.uniform_(0.5, 2.0, generator=torch.Generator().manual_seed(seed))
    return attention


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def times(seed: int, batch: int = B, length: int = T) -> Tensor:
    return draw(seed, batch, length).abs().cumsum(1)


def some_present(seed: int) -> Tensor:
    present = draw(seed + 1, B, T) > -0.3
    present[0] = False  # a sequence without any token
    return present


def weights_of(attention: SelfAttention, replica: int = 0) -> dict[str, Any]:
    return {name: parameter[replica].detach().numpy() for name, parameter in numbered(attention)}


def numbered(attention: SelfAttention) -> list[tuple[str, Tensor]]:
    return [(name.removesuffix(".weight"), parameter) for name, parameter in attention.named_parameters()]


@formulas
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("exact", [False, True], ids=["fused", "exact"])
def test_attention_is_the_loop_in_float64(formula: Formula, padded: bool, exact: bool, seed: int) -> None:
    attention = attention_of(formula, seed, exact=exact).double()
    X, positions = draw(seed, B, T, D, dtype=torch.float64), times(seed).double()
    present = some_present(seed) if padded else None
    with torch.no_grad():
        out = attention(X, positions, present).numpy()
    maps = attention.weights(X, range(T), positions=positions, present=present)
    assert maps.dtype == torch.float32
    for b in range(B):
        shown = None if present is None else present[b].numpy()
        naive, weights = naive_attention(X[b].numpy(), weights_of(attention), formula, positions[b].numpy(), shown)
        np.testing.assert_allclose(out[b], naive, rtol=0, atol=1e-10)
        # Weights are computed in float32: 24 bits, of numbers up to 1, after scores of a few units.
        np.testing.assert_allclose(maps[b], weights, rtol=0, atol=1e-5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_fused_is_exact_for_any_options(data: st.DataObject) -> None:
    n_heads = data.draw(st.sampled_from([1, 2, 4]))
    formula = Formula(
        n_heads=n_heads,
        n_key_heads=data.draw(st.sampled_from([k for k in (1, 2, 4) if n_heads % k == 0])),
        causal=data.draw(st.booleans()),
        window=data.draw(st.sampled_from([None, 1, 2, 5, 99])),
        rotary=data.draw(st.booleans()),
        normalise=data.draw(st.booleans()),
        n_registers=data.draw(st.sampled_from([0, 1, 3])),
    )
    replicas = data.draw(st.sampled_from([None, 1, 3]))
    length, seed = data.draw(st.integers(1, 12)), data.draw(st.integers(0, 99))
    fused = attention_of(formula, seed, replicas=replicas)
    exact = attention_of(formula, seed, replicas=replicas, exact=True)
    X = draw(seed, *([] if replicas is None else [replicas]), B, length, D)
    present = draw(seed + 1, B, length) > 0 if data.draw(st.booleans()) else None
    positions = times(seed, B, length)
    assert fused.backend(X, positions, present) == "flash_attention"
    assert exact.backend(X) == "exact"
    one, other = fused(X, positions, present), exact(X, positions, present)
    assert torch.isfinite(one).all()
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    gradients = [
        torch.autograd.grad(out.square().sum(), module.query.weight)[0]
        for out, module in ((one, fused), (other, exact))
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@formulas
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_the_fused_kernel_is_what_runs_in_training(formula: Formula, padded: bool, seed: int) -> None:
    attention = attention_of(formula, seed)
    X, present = draw(seed, B, T, D), some_present(seed) if padded else None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        attention(X, None, present).sum().backward()
    ran = {event.key for event in profile.key_averages()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in ran
    assert "aten::_scaled_dot_product_flash_attention_for_cpu_backward" in ran
    assert "aten::_scaled_dot_product_attention_math" not in ran
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        attention(X, None, present)  # raises where torch could not use it


def test_the_backend_told_is_the_backend_forced(seed: int) -> None:
    attention, X = attention_of(FORMULAS["heads"], seed), draw(seed, B, T, D)
    with sdpa_kernel([SDPBackend.MATH]):
        assert attention.backend(X) == "math"


@formulas
def test_each_weight_gets_a_gradient_and_moves(formula: Formula, seed: int) -> None:
    attention = attention_of(formula, seed)
    before = {name: parameter.detach().clone() for name, parameter in numbered(attention)}
    optimizer = torch.optim.SGD(attention.parameters(), lr=0.1)
    X, goal = draw(seed, B, T, D), draw(seed + 1, B, T, D)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (attention(X) - goal).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for name, parameter in numbered(attention):
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name
        assert not torch.equal(parameter, before[name]), name


@formulas
def test_changing_a_masked_key_changes_nothing(formula: Formula, seed: int) -> None:
    attention = attention_of(formula, seed)
    X, present = draw(seed, B, T, D), some_present(seed)
    other = torch.where(present[..., None], X, 1e3 * draw(seed + 2, B, T, D))
    one, two = attention(X, None, present), attention(other, None, present)
    assert torch.equal(one[present], two[present])
    assert torch.isfinite(two).all()


@pytest.mark.parametrize("name", ["causal", "causal window", "all"])
@pytest.mark.parametrize("exact", [False, True], ids=["fused", "exact"])
def test_the_future_changes_no_bit_of_the_past(name: str, exact: bool, seed: int) -> None:
    attention = attention_of(FORMULAS[name], seed, exact=exact)
    X = draw(seed, B, T, D)
    changed = torch.cat([X[:, :6], 100.0 * draw(seed + 1, B, T - 6, D)], dim=1)
    assert torch.equal(attention(X)[:, :6], attention(changed)[:, :6])


def test_a_window_hides_what_is_far(seed: int) -> None:
    attention = attention_of(replace(FORMULAS["window"], window=3), seed)
    X = draw(seed, B, T, D)
    changed = X.clone()
    changed[:, 5] += 1.0
    moved = (attention(X) != attention(changed)).any(-1).any(0)
    assert moved.tolist() == [abs(i - 5) < 3 for i in range(T)]


@pytest.mark.parametrize("shift", [0.5, 1000.0, -7.25])
def test_rotary_scores_see_time_differences_only(shift: float, seed: int) -> None:
    attention = attention_of(FORMULAS["rotary"], seed)
    X, positions = draw(seed, B, T, D), times(seed).double()
    shifted = attention(X, positions + shift)
    torch.testing.assert_close(shifted, attention(X, positions), rtol=0, atol=1e-5)
    assert not torch.allclose(shifted, attention(X, positions * 2), atol=1e-3)


def test_positions_left_out_are_indices(seed: int) -> None:
    attention, X = attention_of(FORMULAS["rotary"], seed), draw(seed, B, T, D)
    assert torch.equal(attention(X), attention(X, torch.arange(T, dtype=torch.float32).expand(B, T)))


def test_plain_attention_is_equivariant_to_the_order_of_tokens(seed: int) -> None:
    attention, X = attention_of(FORMULAS["heads"], seed), draw(seed, B, T, D)
    order = torch.randperm(T, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(attention(X)[:, order], attention(X[:, order]), rtol=0, atol=1e-6)


def test_equal_keys_give_the_mean_of_the_values(seed: int) -> None:
    attention, X = attention_of(FORMULAS["heads"], seed), draw(seed, B, T, D)
    with torch.no_grad():
        attention.key.weight.zero_()
    mean = attention.value(X[None])[0].mean(1, keepdim=True)
    torch.testing.assert_close(attention(X), attention.output(mean[None])[0].expand(B, T, D), rtol=0, atol=1e-6)


def test_a_sequence_with_nothing_to_see_gets_zeros_and_no_nan(seed: int) -> None:
    for name, formula in FORMULAS.items():
        attention = attention_of(formula, seed)
        X = draw(seed, B, T, D).requires_grad_()
        out = attention(X, None, some_present(seed))
        assert (out[0] == 0).all(), name
        out.sum().backward()
        assert X.grad is not None
        assert torch.isfinite(X.grad).all(), name
        assert all(torch.isfinite(p.grad).all() for p in attention.parameters() if p.grad is not None), name


@formulas
def test_a_replica_is_the_single_module_with_its_weights(formula: Formula, seed: int) -> None:
    many = attention_of(formula, seed, replicas=3)
    X, positions, present = draw(seed, 3, B, T, D), times(seed), some_present(seed)
    out = many(X, positions, present)
    maps = many.weights(X, [1, 4], positions=positions, present=present)
    for r in range(3):
        one = attention_of(formula, seed)
        with torch.no_grad():
            for (_, single), (_, several) in zip(numbered(one), numbered(many), strict=True):
                single.copy_(several[r : r + 1])
        torch.testing.assert_close(out[r], one(X[r], positions, present), rtol=0, atol=1e-6)
        torch.testing.assert_close(maps[r], one.weights(X[r], [1, 4], positions=positions, present=present))


@formulas
@pytest.mark.parametrize("poisoned", ["weights", "tokens"])
def test_replicas_never_mix(formula: Formula, poisoned: str, seed: int) -> None:
    many = attention_of(formula, seed, replicas=3)
    X = draw(seed, 3, B, T, D)
    clean = many(X)
    with torch.no_grad():
        if poisoned == "tokens":
            X[1] = torch.nan
        for parameter in many.parameters() if poisoned == "weights" else []:
            parameter[1] = torch.nan
    out = many(X)
    assert torch.isnan(out[1]).any()
    assert torch.equal(out[[0, 2]], clean[[0, 2]])
    out.sum().backward()
    for _, parameter in numbered(many):
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad[[0, 2]]).all()


def test_projections_are_scored_as_they_are_returned(seed: int) -> None:
    attention = attention_of(FORMULAS["all"], seed, replicas=2)
    X, positions = draw(seed, 2, B, T, D), times(seed)
    query, key, value = attention.project(X, positions)
    assert query.shape == (2, B, 4, T, 4)
    assert key.shape == value.shape == (2, B, 2, T, 4)
    scores = query @ key.repeat_interleave(2, dim=2).transpose(-1, -2) / 2.0
    last = torch.softmax(scores[..., -1, [0, 1, *range(T - 4, T)]], -1)  # two registers and a window of 4
    torch.testing.assert_close(attention.weights(X, [T - 1], positions=positions)[..., 0, [0, 1, 5, 6, 7, 8]], last)
    assert [part.ndim for part in attention_of(FORMULAS["all"]).project(X[0])] == [4, 4, 4]


def test_maps_hold_only_what_is_asked_and_do_not_hang_on_the_chunk(seed: int) -> None:
    attention, X = attention_of(FORMULAS["all"], seed), draw(seed, B, T, D)
    whole = attention.weights(X, range(T))
    some = attention.weights(X, [8, 2, 5], heads=[3, 0], chunk=2)
    assert some.shape == (B, 2, 3, T)
    assert not some.requires_grad
    torch.testing.assert_close(some, whole[:, [3, 0]][:, :, [8, 2, 5]])
    torch.testing.assert_close(whole.sum(-1), torch.ones(B, 4, T))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    one, same, other = (SelfAttention(8, random_state=s) for s in (1, torch.Generator().manual_seed(1), 2))
    assert torch.equal(one.query.weight, same.query.weight)
    assert not torch.equal(one.query.weight, other.query.weight)
    assert not torch.equal(one.query.weight, one.key.weight)


def test_a_module_can_be_copied_and_stored(seed: int) -> None:
    attention, X = attention_of(FORMULAS["all"], seed), draw(seed, B, T, D)
    twin = copy.deepcopy(attention)
    fresh = attention_of(FORMULAS["all"], seed + 1)
    fresh.load_state_dict(attention.state_dict())
    assert torch.equal(twin(X), attention(X))
    assert torch.equal(fresh(X), attention(X))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 10, "n_heads": 4}, "width 10 and n_heads 4"),
        ({"width": 8, "n_heads": 0}, "n_heads 0"),
        ({"width": 8, "n_heads": 4, "n_key_heads": 3}, "got 3 and 4"),
        ({"width": 8, "window": 0}, "window must be 1 or more, got 0"),
        ({"width": 8, "n_registers": -1}, "n_registers must be 0 or more, got -1"),
        ({"width": 6, "n_heads": 2, "rotary": True}, "even head width, got 3"),
        ({"width": 8, "rotary": True, "rotary_base": -2.0}, "above 0, got -2.0"),
        ({"width": 8, "replicas": 0}, "replicas must be 1 or more, got 0"),
        ({"width": 8, "random_state": "dice"}, "got 'dice'"),
    ],
)
def test_an_impossible_module_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        SelfAttention(**options)


@pytest.mark.parametrize(
    ("replicas", "arguments", "said"),
    [
        (None, {"X": torch.zeros(2, 8)}, r"\(B, T, 8\), got \(2, 8\)"),
        (None, {"X": torch.zeros(2, 3, 7)}, r"got \(2, 3, 7\)"),
        (2, {"X": torch.zeros(3, 2, 5, 8)}, r"\(2, B, T, 8\), got \(3, 2, 5, 8\)"),
        (None, {"X": torch.zeros(2, 3, 8, dtype=torch.float64)}, "tokens are torch.float64 and the weights"),
        (None, {"X": torch.zeros(2, 3, 8), "positions": torch.zeros(2, 4)}, r"positions .* shape \(2, 4\)"),
        (None, {"X": torch.zeros(2, 3, 8), "positions": torch.zeros(2, 3).long()}, "positions .* got torch.int64"),
        (None, {"X": torch.zeros(2, 3, 8), "present": torch.ones(3, 2).bool()}, r"present .* shape \(3, 2\)"),
        (None, {"X": torch.zeros(2, 3, 8), "present": torch.ones(2, 3)}, "present .* got torch.float32"),
    ],
)
def test_tokens_of_another_shape_are_refused(replicas: int | None, arguments: dict[str, Tensor], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        SelfAttention(8, replicas=replicas)(**arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rows": [3]}, r"rows must be indices from 0 to 2, got \[3\]"),
        ({"rows": []}, "rows must be .* got none"),
        ({"rows": [0], "heads": [-1]}, r"heads must be .* got \[-1\]"),
        ({"rows": [0], "chunk": 0}, "chunk must be 1 or more, got 0"),
    ],
)
def test_maps_of_what_is_not_there_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        SelfAttention(8).weights(torch.zeros(1, 3, 8), **arguments)
