"""Sequence tests need torch, and leave its global state as they found it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")
# Test workers run side by side: teams of threads would wait for each other at every product.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def global_state_is_left_alone() -> Iterator[None]:
    """Whatever a test does with our modules: torch's generator, default dtype and threads are not touched."""
    state, dtype, threads = torch.get_rng_state().clone(), torch.get_default_dtype(), torch.get_num_threads()
    yield
    assert torch.equal(torch.get_rng_state(), state), "torch's global random state was drawn from"
    assert torch.get_default_dtype() == dtype
    assert torch.get_num_threads() == threads


@functools.cache
def _planted(seed: int) -> Any:
    """Return a forecaster, three replicas, of series whose values repeat those of five steps before, and little noise.

    Attention is alone: stage 0 is the last value, which knows nothing of it, and neither is there a season to be told.
    """
    from heldout.sequence import Forecaster

    rng, n_series, length, lag = np.random.default_rng(seed), 24, 40, 5
    sold = rng.normal(size=(length, n_series))
    for t in range(lag, length):
        sold[t] = sold[t - lag] + 0.05 * sold[t]
    frame = pl.DataFrame(
        {
            "shop": np.repeat([f"s{k:02d}" for k in range(n_series)], length),
            "hour": [datetime(2024, 1, 1) + timedelta(hours=t) for t in range(length)] * n_series,
            "sold": sold.T.ravel(),
        }
    )
    return Forecaster(
        2,
        group="shop",
        time="hour",
        target="sold",
        stage0=None,
        season=1,
        context=9,
        width=32,
        depth=1,
        n_steps=100,
        batch_size=32,
        replicas=3,
        n_jobs=1,
        random_state=seed,
    ).fit(frame)


@pytest.fixture
def planted(seed: int) -> Any:
    return _planted(seed)
