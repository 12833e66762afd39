"""A replicated matrix is as many matrices, none of which knows the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from heldout.errors import InvalidInput
from heldout.sequence.linear import ReplicatedLinear


@pytest.mark.parametrize("replicas", [1, 4])
def test_each_replica_is_a_product_with_its_own_matrix(replicas: int, seed: int) -> None:
    linear = ReplicatedLinear(5, 3, replicas, generator=torch.Generator().manual_seed(seed)).double()
    X = torch.randn(replicas, 2, 7, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    out = linear(X).detach().numpy()
    assert out.shape == (replicas, 2, 7, 3)
    for r in range(replicas):
        np.testing.assert_allclose(out[r], X[r].numpy() @ linear.weight[r].detach().numpy(), rtol=0, atol=1e-12)


def test_weights_are_drawn_independently_with_variance_one_over_inputs() -> None:
    weight = ReplicatedLinear(100, 200, replicas=2).weight.detach().numpy()
    # 40,000 normal draws: the standard error of their variance is sqrt(2 / 40000) = 0.7 %; five of them.
    assert abs(weight.var() * 100 - 1) < 5 * np.sqrt(2 / weight.size)
    correlation = np.corrcoef(weight[0].ravel(), weight[1].ravel())[0, 1]
    assert abs(correlation) < 5 / np.sqrt(20000)


def test_zero_starts_at_zero_and_leaves_the_draws_of_later_modules_alone() -> None:
    after = []
    for zero in (False, True):
        generator = torch.Generator().manual_seed(5)
        first = ReplicatedLinear(3, 3, zero=zero, generator=generator)
        assert (first.weight == 0).all() == zero
        after.append(ReplicatedLinear(3, 3, generator=generator).weight)
    assert torch.equal(*after)


def test_the_module_prints_its_sizes() -> None:
    assert "in_features=2, out_features=3, replicas=4" in repr(ReplicatedLinear(2, 3, 4))


@pytest.mark.parametrize(("sizes", "said"), [((0, 2, 1), "in_features"), ((2, 0, 1), "out_f"), ((2, 2, 0), "replicas")])
def test_sizes_below_one_are_refused(sizes: tuple[int, int, int], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"{said}.* must be 1 or more, got 0"):
        ReplicatedLinear(*sizes)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 4, 6)])
def test_tokens_of_other_replicas_or_widths_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=rf"got shape \({shape[0]}, 4, {shape[2]}\)"):
        ReplicatedLinear(5, 1, replicas=2)(torch.zeros(shape))
