"""The two ways to write the formula, on queries, keys and values of one's own."""

from __future__ import annotations

import math

import pytest
import torch

from heldout.errors import InvalidInput
from heldout.sequence.attend import attend_exact, attend_fused, fused_backend
from heldout.sequence.mask import AttentionMask, allowed_keys, attention_mask, mask_of


def test_a_score_of_log_three_takes_three_quarters() -> None:
    query = torch.tensor([[[[1.0]]]])
    key = torch.tensor([[[[math.log(3.0)], [0.0]]]])
    value = torch.tensor([[[[1.0], [5.0]]]])
    mixed, weights = attend_exact(query, key, value)
    torch.testing.assert_close(weights.flatten(), torch.tensor([0.75, 0.25]))
    torch.testing.assert_close(mixed.flatten(), torch.tensor([2.0]))
    torch.testing.assert_close(attend_fused(query, key, value), mixed)


def test_the_scale_is_one_over_the_root_of_the_width_or_what_is_given(seed: int) -> None:
    draws = torch.randn(3, 2, 2, 5, 16, generator=torch.Generator().manual_seed(seed))
    for attend in (lambda *a: attend_exact(*a)[0], attend_fused):
        torch.testing.assert_close(attend(*draws, None, None), attend(*draws, None, 0.25))
        assert not torch.allclose(attend(*draws, None, None), attend(*draws, None, 1.0))


def test_a_mask_that_needs_a_gradient_leaves_the_fused_kernel(seed: int) -> None:
    x = torch.randn(1, 1, 4, 8, generator=torch.Generator().manual_seed(seed))
    mask = AttentionMask(torch.zeros(1, 1, 4, 4, requires_grad=True))
    assert fused_backend(x, x, x, mask) == "math"
    assert fused_backend(x, x, x, AttentionMask(torch.zeros(1, 1, 4, 4))) == "flash_attention"


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (3, 1, 4, 4), (3, 1, 1, 4), (1, 1, 1, 4)])
def test_every_form_of_mask_keeps_the_fused_kernel(shape: tuple[int, ...], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, 3, 2, 4, 8, generator=generator).requires_grad_()
    mask = mask_of(torch.rand(shape, generator=generator) > 0.5)
    assert fused_backend(query, key, value, mask) == "flash_attention"
    torch.testing.assert_close(
        attend_fused(query, key, value, mask), attend_exact(query, key, value, mask)[0], rtol=0, atol=1e-6
    )


def test_rows_without_a_key_are_open_in_the_mask_and_reach_nothing() -> None:
    mask = mask_of(torch.tensor([[[[True, False], [False, False]]]]))
    assert mask.additive is not None
    assert mask.additive.tolist() == [[[[0.0, -math.inf], [0.0, 0.0]]]]
    assert mask.reaches is not None
    assert mask.reaches.flatten().tolist() == [1.0, 0.0]


def test_registers_are_seen_by_all_but_do_not_carry_what_lies_outside_of_a_window() -> None:
    index = torch.arange(5)
    full = allowed_keys(index, index, window=1, n_registers=2).int().tolist()
    assert full == [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 1, 0, 0, 1]]
    causal = allowed_keys(index, index, causal=True, n_registers=2).int().tolist()
    assert causal == torch.ones(5, 5, dtype=torch.int32).tril().tolist()


def test_no_table_is_written_where_none_is_needed() -> None:
    present = torch.ones(2, 6, dtype=torch.bool)
    assert attention_mask(6, 6).additive is None
    assert attention_mask(6, 6, causal=True).additive is None
    assert attention_mask(1, 6, causal=True).additive is None
    assert attention_mask(6, 6, present=present).additive.shape == (2, 1, 1, 6)  # type: ignore[union-attr]
    assert attention_mask(2, 6, causal=True).additive.shape == (1, 1, 2, 6)  # type: ignore[union-attr]


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(InvalidInput, match="3 query heads cannot share 2 key heads"):
        attend_exact(torch.zeros(1, 3, 1, 4), torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))
