"""One level of threads at a time.

Folds are fitted in parallel threads. An estimator that starts a thread team of its own (OpenMP, BLAS) inside each of
them has several teams spin for the same cores: histogram boosting was then seen to take 11 times as long on two busy
cores. So inside a fold every library gets one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread_inside"]


@contextmanager
def one_thread_inside(n_jobs: int | None) -> Iterator[None]:
    """Limit OpenMP and BLAS to one thread in the calling thread while several folds are fitted at a time.

    Parameters
    ----------
    n_jobs : int or None
        Folds fitted at a time; with 1 or None the libraries keep their threads.

    Examples
    --------
    >>> with one_thread_inside(2):
    ...     total = sum(range(10))
    """
    if n_jobs is None or n_jobs == 1:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
