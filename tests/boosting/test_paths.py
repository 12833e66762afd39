"""The same bits on every path through the engine, and proof that the paths were taken.

Small tables take few paths by themselves, so the thresholds that choose among them are forced. A build that counts
paths (`make paths`) shows that each test went where it says; other builds make the same comparisons without that proof.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heldout import _native
from heldout.boosting import parameters
from heldout.trees import Growth, Replication

from reference.ensembles import assert_same_bits, walk_raw
from reference.replica_cases import LOSSES, assert_same_findings, check_against_twin, draw_bags, make_case

KINDS = ("regression", "two", "five")
NODES = {
    "alone": {},
    "together": {"together_rows": 1, "shared_rows": 1},
    "apart": {"together_rows": 10**9, "shared_rows": 10**9},
    "evicting": {"together_rows": 1, "shared_rows": 1, "pool_bytes": 1},
    "evicting apart": {"together_rows": 10**9, "pool_bytes": 1},
    "no small nodes": {"together_rows": 1, "shared_rows": 1, "few_rows": 0},
    "small nodes only": {"together_rows": 1, "shared_rows": 1, "few_rows": 10**9},
}
FORMATS: dict[str, dict[str, int]] = {
    "chosen": {},
    "narrow": {"forced_format": 1},
    "flushed": {"forced_format": 2},
    "wide": {"forced_format": 3},
}
PATHS = {
    "together": {"parallel_histogram", "parallel_partition", "missing_left", "missing_right"},
    "apart": {"apart", "small_node"},
    "evicting": {"eviction", "recompute", "parallel_histogram"},
    "evicting apart": {"eviction", "recompute", "apart"},
    "no small nodes": {"parallel_histogram", "parallel_partition"},
    "small nodes only": {"small_node", "parallel_partition"},
}


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make every fit of the test use the given thresholds."""

    def force(**tuning: int) -> None:
        monkeypatch.setattr(parameters, "Growth", lambda **plan: replace(Growth(**plan), tuning=tuning))

    return force


def counters() -> Any:
    """Return the module that counts paths, None where this build has none."""
    stages = getattr(_native, "stages", None)
    return stages if hasattr(stages, "path_counts") and stages.path_counts() else None


@contextmanager
def taking(*expected: str) -> Iterator[None]:
    """Fail where a path named was not taken inside, if this build counts paths."""
    counting = counters()
    if counting is not None:
        counting.reset_path_counts()
    yield
    if counting is not None:
        taken = {name for name, times in counting.path_counts().items() if times}
        assert set(expected) <= taken, f"not taken: {sorted(set(expected) - taken)}"


def test_this_build_counts_paths() -> None:
    if counters() is None:
        assert "HELDOUT_EXPECT_PATHS" not in os.environ, "make paths made a build that counts no paths"
        pytest.skip("this build counts no paths, so the tests of this file compare without proof: run make paths")
    with taking():
        assert not any(counters().path_counts().values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("nodes", NODES)
def test_no_threshold_changes_a_bit(
    kind: str, form: str, nodes: str, table: Any, make_model: Any, forced: Callable[..., None]
) -> None:
    y = table.target_of(kind)

    def fit(n_jobs: int) -> Any:
        model = make_model(kind, n_jobs=n_jobs, n_trees=4, max_leaves=60, min_leaf_weight=3)
        return model.fit(table.X, y).ensemble_

    forced(**FORMATS[form])
    plain = fit(1)
    forced(**NODES[nodes], **FORMATS[form])
    # Five trees on three threads are grown by single threads but for two; on six threads all by all together.
    flushes = {"flush", "two_words"} if form == "flushed" and "only" not in nodes else set()
    with taking(*PATHS.get(nodes, ()), *flushes):
        for n_jobs in (1, 3, 6):
            assert_same_bits(fit(n_jobs), plain)
    np.testing.assert_array_equal(plain.raw(table.X), walk_raw(plain, table.X))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("nodes", ["together", "evicting", "evicting apart"])
@pytest.mark.parametrize("kind", KINDS)
def test_forced_paths_keep_every_promise(
    kind: str,
    form: str,
    nodes: str,
    table: Any,
    make_model: Any,
    forced: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    forced(**NODES[nodes], **FORMATS[form])
    with taking(*PATHS[nodes]):
        keep_every_promise(kind, table, make_model, monkeypatch, seed, n_trees=3, max_leaves=40, min_leaf_weight=3)


def keep_every_promise(
    kind: str, table: Any, make_model: Any, monkeypatch: pytest.MonkeyPatch, seed: int, **parameters_of_fit: Any
) -> None:
    """Compare threads, instruction sets, orders of rows, and copies with weights."""
    rng = np.random.default_rng(seed)
    X, y = table.X, table.target_of(kind)

    def fit(n_jobs: int, rows: Any = slice(None), weight: Any = None) -> Any:
        model = make_model(kind, n_jobs=n_jobs, **parameters_of_fit)
        return model.fit(X[rows], y[rows], sample_weight=weight).ensemble_

    alone = fit(1)
    for n_jobs in (2, 3, 5):
        assert_same_bits(alone, fit(n_jobs))
    assert_same_bits(alone, fit(3, rng.permutation(len(y))))
    with monkeypatch.context() as plain:
        plain.setenv("HELDOUT_SIMD", "plain")
        assert_same_bits(alone, fit(2))
    weight = rng.integers(0, 4, len(y))
    copies = np.repeat(np.arange(len(y)), weight)
    assert_same_bits(fit(2, weight=weight), fit(3, rng.permutation(copies)))
    fractional = np.where(weight > 0, rng.gamma(2.0, size=len(y)), 0.0)
    there = rng.permutation(np.flatnonzero(weight))
    assert_same_bits(fit(2, weight=fractional), fit(3, there, fractional[there]))


REPLICAS = {  # of three replicas, by threads
    1: {"replicas_apart"},
    2: {"replicas_apart", "replica_together"},  # two by a thread each, the third by both
    5: {"replica_together"},
}


@pytest.mark.parametrize("nodes", NODES)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_threshold_changes_a_bit_of_replicas(loss: str, nodes: str, seed: int) -> None:
    case = make_case(seed, loss, n_rows=1200, n_rounds=2, max_leaves=40)
    rng = np.random.default_rng([seed, 1])
    weights = draw_bags(rng, case.n_rows, ("bootstrap", "tenth", "most"))
    replication = Replication(weights, refit_counts=draw_bags(rng, case.n_rows, ["heavy"]))
    plain = check_against_twin(case, replication)
    forced = replace(case, growth=replace(case.growth, tuning=NODES[nodes]))
    for n_threads, paths in REPLICAS.items():
        shared = {"parallel_histogram"} & PATHS.get(nodes, set()) if n_threads == 5 else set()
        with taking("listed_bag", "refit", *paths, *shared):
            assert_same_findings(forced.replicas(replication, n_threads=n_threads), plain)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_bags_of_most_rows_are_not_listed(n_threads: int, seed: int) -> None:
    case = make_case(seed, "squared_error", n_rows=400)
    weights = draw_bags(np.random.default_rng([seed, 2]), case.n_rows, ("bootstrap", "most", "all"))
    with taking(*REPLICAS[n_threads]):
        case.replicas(Replication(weights), n_threads=n_threads)
        if counters() is not None:
            counts = counters().path_counts()
            assert counts["listed_bag"] == counts["refit"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_300000_rows_keep_every_promise(
    kind: str, make_table: Any, make_model: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """With no threshold forced: so many rows take the paths by themselves."""
    large = make_table(300_000, seed)
    flush = () if kind == "regression" else ("flush",)
    with taking("parallel_histogram", "parallel_partition", "missing_left", "missing_right", *flush):
        keep_every_promise(kind, large, make_model, monkeypatch, seed, n_trees=2, max_leaves=31)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regression", "two"])
def test_300000_rows_keep_every_promise_with_few_histograms(
    kind: str, make_table: Any, make_model: Any, monkeypatch: pytest.MonkeyPatch, seed: int, forced: Callable[..., None]
) -> None:
    forced(pool_bytes=1, together_rows=2000, shared_rows=1000)
    with taking("eviction", "recompute", "small_node", "apart", "parallel_histogram", "parallel_partition"):
        keep_every_promise(
            kind, make_table(300_000, seed), make_model, monkeypatch, seed, n_trees=1, max_leaves=400, min_leaf_weight=5
        )
