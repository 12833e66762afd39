"""How many threads a call may use, and one level of them at a time.

Folds are fitted in parallel threads. An estimator that starts a team of its own inside each of them makes several teams
spin for the same cores: histogram boosting of 11 classes was seen to take 11 times as long on two busy cores. So a fold
fitted beside others gets one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from heldout.errors import InvalidInput

__all__ = ["available_threads", "cgroup_quota", "fitted_beside", "n_threads", "one_thread_inside"]

Fit = TypeVar("Fit")

_inside = threading.local()

_MOST_THREADS = 1024  # whatever is asked for: the result is the same, and no machine is better off with more


@contextmanager
def one_thread_inside() -> Iterator[None]:
    """Limit OpenMP and our own engine to one thread, in the calling thread only.

    BLAS is left alone: its limit belongs to the whole process, and threads that set and restore it at different times
    would leave it at the wrong value.

    Examples
    --------
    >>> with one_thread_inside():
    ...     n_threads(None)
    1
    """
    from threadpoolctl import threadpool_limits

    before = getattr(_inside, "single", False)
    _inside.single = True
    try:
        with threadpool_limits(limits=1, user_api="openmp"):
            yield
    finally:
        _inside.single = before


def fitted_beside(fit: Callable[..., Fit], jobs: Sequence[tuple[Any, ...]], n_jobs: int | None) -> list[Fit]:
    """Return ``fit(*job)`` of each job, so many at a time by joblib, each with one thread inside.

    Parameters
    ----------
    fit : callable
    jobs : sequence of tuples
        Arguments of each call.
    n_jobs : int, optional
        None and 1 mean one after the other, in the calling thread and with all threads it has.

    Examples
    --------
    >>> fitted_beside(pow, [(2, 3), (3, 2)], None)
    [8, 9]
    """
    if n_jobs is None or n_jobs == 1:
        return [fit(*job) for job in jobs]
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=n_jobs)(delayed(_with_one_thread)(fit, *job) for job in jobs))


def _with_one_thread(fit: Callable[..., Fit], *job: Any) -> Fit:
    with one_thread_inside():
        return fit(*job)


def cgroup_quota(root: str | Path = "/sys/fs/cgroup") -> int | None:
    """Return how many processors the control group of this process may keep busy, rounded up; None if unlimited.

    Parameters
    ----------
    root : str or Path
        Where control groups are mounted; of version 2 (`cpu.max`) or 1 (`cpu/cpu.cfs_quota_us`).

    Examples
    --------
    >>> cgroup_quota("/no/such/folder") is None
    True
    """
    folder = Path(root)
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()[:2]
        else:
            quota = (folder / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu" / "cpu.cfs_period_us").read_text().strip()
        if quota == "max" or int(quota) <= 0 or int(period) <= 0:
            return None
        return max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1)
def _quota() -> int | None:
    return cgroup_quota()


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def available_threads(quota: int | None = None) -> int:
    """Return how many threads can run at once: the least of the affinity, the quota and what the environment allows.

    Parameters
    ----------
    quota : int, optional
        As `cgroup_quota` returns it; without one, that of this process.

    Notes
    -----
    `OMP_NUM_THREADS` and `LOKY_MAX_CPU_COUNT` are read at each call; what is no positive whole number is ignored.
    """
    limits = [_affinity(), quota or _quota() or os.cpu_count() or 1]
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        text = os.environ.get(name, "").split(",")[0].strip()
        if text.isdigit() and int(text) > 0:
            limits.append(int(text))
    return max(1, min(limits))


def _inside_a_worker() -> bool:
    if getattr(_inside, "single", False):
        return True
    process = multiprocessing.current_process()
    return process.name.startswith("LokyProcess") or bool(getattr(process, "daemon", False))


def n_threads(n_jobs: Any) -> int:
    """Turn scikit-learn's `n_jobs` into a number of threads.

    Parameters
    ----------
    n_jobs : None or int
        None means all that are available, and one inside a joblib worker or beside other folds. A positive number up to
        1024 is taken as it is; -1 means all that are available, -2 all but one, and so on.

    Raises
    ------
    InvalidInput
        0, or no whole number.

    Examples
    --------
    >>> n_threads(3)
    3
    """
    if n_jobs is None:
        return 1 if _inside_a_worker() else available_threads()
    if isinstance(n_jobs, bool) or not hasattr(n_jobs, "__index__") or int(n_jobs) == 0:
        raise InvalidInput(f"n_jobs must be None or a whole number other than 0, got {n_jobs!r}: leave it out for all")
    wanted = int(n_jobs)
    return min(wanted, _MOST_THREADS) if wanted > 0 else max(1, available_threads() + 1 + wanted)
