"""With a cache, token by token gives what the whole sequence gives at once."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from heldout.errors import InvalidInput
from heldout.sequence.attention import SelfAttention
from heldout.sequence.cache import KeyValueCache

from reference.attention import Formula

B, T, D = 2, 10, 16

CAUSAL = {
    "plain": Formula(causal=True),
    "rotary": Formula(n_heads=2, n_key_heads=2, causal=True, rotary=True),
    "window": Formula(n_heads=2, n_key_heads=2, causal=True, window=3),
    "grouped keys": Formula(n_heads=4, n_key_heads=1, causal=True, normalise=True),
    "all": Formula(n_heads=4, n_key_heads=2, causal=True, window=4, rotary=True, normalise=True, n_registers=2),
}


def tokens(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("formula", CAUSAL.values(), ids=CAUSAL.keys())
@pytest.mark.parametrize("replicas", [None, 3])
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
@pytest.mark.parametrize("timed", [False, True], ids=["index", "times"])
@pytest.mark.parametrize("pieces", [(6, 1, 1, 1, 1), (3, 4, 3), (10,)])
def test_cached_is_uncached(
    formula: Formula, replicas: int | None, padded: bool, timed: bool, pieces: tuple[int, ...], seed: int
) -> None:
    attention = SelfAttention(D, **asdict(formula), replicas=replicas, random_state=seed)
    X = tokens(seed, *([] if replicas is None else [replicas]), B, T, D)
    positions = tokens(seed + 1, B, T).abs().cumsum(1) if timed else None
    present = torch.ones(B, T, dtype=torch.bool)
    present[1, :4] = False
    whole = attention(X, positions, present if padded else None)
    cache, out, start = attention.new_cache(B, T), [], 0
    for n in pieces:
        part = slice(start, start + n)
        at = None if positions is None else positions[:, part]
        # Steps after a padded prompt are all present, and need not say so.
        shown = present[:, part] if padded and start < 6 else None
        out.append(attention(X[..., part, :], at, shown, cache))
        start += n
    assert cache.length == T
    torch.testing.assert_close(torch.cat(out, dim=-2), whole, rtol=0, atol=1e-5)


def test_a_prompt_can_be_continued_in_many_ways(seed: int) -> None:
    attention = SelfAttention(D, 2, causal=True, rotary=True, replicas=2, random_state=seed)
    prompt, steps = tokens(seed, 2, B, 5, D), tokens(seed + 1, 2, B * 3, 1, D)
    cache = attention.new_cache(B, 6)
    attention(prompt, cache=cache)
    before = cache.keys.clone()
    many = attention(steps, cache=cache.repeat(3))
    alone = attention(steps[:, 1::3], cache=cache.clone())
    whole = attention(torch.cat([prompt.repeat_interleave(3, dim=1), steps], dim=2))[:, :, -1:]
    torch.testing.assert_close(many, whole, rtol=0, atol=1e-5)
    torch.testing.assert_close(alone, many[:, 1::3], rtol=0, atol=1e-6)
    assert cache.length == 5
    assert torch.equal(cache.keys, before)


def test_padding_of_the_prompt_stays_hidden_in_copies(seed: int) -> None:
    attention = SelfAttention(D, causal=True, random_state=seed)
    X, present = tokens(seed, B, 4, D), torch.tensor([[True] * 4, [False, False, True, True]])
    out = []
    for prompt in (X, torch.where(present[..., None], X, 50.0)):
        cache = attention.new_cache(B, 5)
        attention(prompt, present=present, cache=cache)
        out.append(attention(tokens(seed + 1, 2 * B, 1, D), cache=cache.repeat(2)))
    assert torch.equal(*out)


def test_the_cache_cuts_the_gradient(seed: int) -> None:
    attention = SelfAttention(D, causal=True, random_state=seed)
    cache = attention.new_cache(B, 4)
    attention(tokens(seed, B, 4, D), cache=cache)
    assert not cache.keys.requires_grad


def test_a_full_cache_says_so(seed: int) -> None:
    attention = SelfAttention(D, causal=True)
    cache = attention.new_cache(B, 4)
    attention(tokens(seed, B, 3, D), cache=cache)
    with pytest.raises(InvalidInput, match="holds 4 tokens, has 3 and got 2 more"):
        attention(tokens(seed, B, 2, D), cache=cache)
    assert cache.length == 3


def test_keys_of_another_shape_are_refused() -> None:
    cache = KeyValueCache(2, 1, 4, 8)
    with pytest.raises(
        InvalidInput, match=r"2 sequences with 1 key heads of width 8, got keys of shape \(3, 1, 1, 8\)"
    ):
        cache.append(torch.zeros(3, 1, 1, 8), torch.zeros(3, 1, 1, 8))
