"""How many threads a call gets: affinity, quota, environment, workers, and what is asked for."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import pytest

from heldout import _threads
from heldout._threads import available_threads, cgroup_quota, n_threads, one_thread_inside
from heldout.errors import InvalidInput


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 8 processors without any quota."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(_threads, "_quota", lambda: None)
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("quota", "processors"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", None), ("0 100000", None)],
)
def test_a_quota_of_version_2_is_rounded_up(quota: str, processors: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cgroup_quota(tmp_path) == processors


@pytest.mark.parametrize(
    ("quota", "processors"), [("300000", 3), ("250000", 3), ("-1", None), ("many", None), ("", None)]
)
def test_a_quota_of_version_1_is_rounded_up(quota: str, processors: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cgroup_quota(str(tmp_path)) == processors


@pytest.mark.parametrize("content", ["", "max", "two 100000", "100000 0"])
def test_a_quota_that_cannot_be_read_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert cgroup_quota(tmp_path) is None


def test_no_control_group_is_no_quota(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path) is None
    assert cgroup_quota(tmp_path / "nowhere") is None


def test_the_least_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_threads() == 8
    assert available_threads(3) == 3
    monkeypatch.setattr(_threads, "_quota", lambda: 5)
    assert available_threads() == 5
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 3}, raising=False)
    assert available_threads() == 2


def test_without_affinity_processors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_threads() == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_threads() == 1


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"])
@pytest.mark.parametrize(
    ("text", "threads"), [("3", 3), ("2,4", 2), (" 1 ", 1), ("0", 8), ("-2", 8), ("all", 8), ("", 8), ("99", 8)]
)
def test_the_environment_is_read_at_each_call(
    name: str, text: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert available_threads() == 8
    monkeypatch.setenv(name, text)
    assert available_threads() == threads
    assert n_threads(None) == threads
    assert n_threads(-1) == threads


@pytest.mark.parametrize(("n_jobs", "threads"), [(1, 1), (5, 5), (20, 20), (10**9, 1024), (-1, 8), (-2, 7), (-100, 1)])
def test_n_jobs_counts_as_in_scikit_learn(n_jobs: int, threads: int) -> None:
    assert n_threads(n_jobs) == threads


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True, [1]])
def test_n_jobs_of_another_kind_is_refused(n_jobs: Any) -> None:
    with pytest.raises(InvalidInput, match="n_jobs must be None or a whole number other than 0, got"):
        n_threads(n_jobs)


def test_beside_other_folds_there_is_one_thread_in_that_thread_only() -> None:
    seen: list[int] = []
    with one_thread_inside():
        assert n_threads(None) == 1
        assert n_threads(4) == 4
        other = threading.Thread(target=lambda: seen.append(n_threads(None)))
        other.start()
        other.join()
        with one_thread_inside():
            pass
        assert n_threads(None) == 1
    assert seen == [8]
    assert n_threads(None) == 8


def test_a_joblib_worker_gets_one_thread() -> None:
    with joblib.Parallel(n_jobs=2) as workers:
        assert workers(joblib.delayed(n_threads)(None) for _ in range(2)) == [1, 1]
        assert workers(joblib.delayed(n_threads)(3) for _ in range(2)) == [3, 3]


def test_a_worker_of_a_process_pool_gets_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SimpleNamespace(name="ForkPoolWorker-1", daemon=True)
    monkeypatch.setattr(multiprocessing, "current_process", lambda: worker)
    assert n_threads(None) == 1
