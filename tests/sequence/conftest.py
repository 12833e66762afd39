"""Sequence tests need torch, and leave its global state as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def global_state_is_left_alone() -> Iterator[None]:
    """Whatever a test does with our modules: torch's generator, default dtype and threads are not touched."""
    state, dtype, threads = torch.get_rng_state().clone(), torch.get_default_dtype(), torch.get_num_threads()
    yield
    assert torch.equal(torch.get_rng_state(), state), "torch's global random state was drawn from"
    assert torch.get_default_dtype() == dtype
    assert torch.get_num_threads() == threads
