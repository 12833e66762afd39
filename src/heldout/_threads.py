"""One level of threads at a time.

Folds are fitted in parallel threads. An estimator that starts an OpenMP team of its own inside each of them makes
several teams spin for the same cores: histogram boosting of 11 classes was seen to take 11 times as long on two busy
cores. So a fold fitted beside others gets one OpenMP thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread_inside"]


@contextmanager
def one_thread_inside() -> Iterator[None]:
    """Limit OpenMP to one thread, in the calling thread only.

    BLAS is left alone: its limit belongs to the whole process, and threads that set and restore it at different times
    would leave it at the wrong value.

    Examples
    --------
    >>> with one_thread_inside():
    ...     total = sum(range(10))
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="openmp"):
        yield
