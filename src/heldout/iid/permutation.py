"""One permutation engine for everything `check` and `compare` test.

One permutation is shared by all series, so that their dependence enters the null law of the maximum
(Westfall and Young 1993, single step). Permutation b has a random stream of its own, hence the result has the
same bits for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream

__all__ = ["MaximumTest", "PermutableStatistic", "holm_multipliers", "maximum_test", "threads"]

STOP_AFTER = 20  # exceedances of the family maximum after which its p-value is known well enough
BATCH = 32  # permutations drawn between two looks at the stopping rule


class PermutableStatistic(Protocol):
    """A vector of scores (larger is further from the null) of the rows as observed or permuted."""

    def scores(self, order: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return the scores for one order of the rows, None being the observed one."""

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw an order that is as likely as the observed one when the null holds."""


@dataclass(frozen=True)
class MaximumTest:
    """Result of the permutations of one family of tests.

    Attributes
    ----------
    scores, p_values, adjusted : arrays, shape (n_scores,)
        Observed scores, the p-value of each alone, and corrected by the family maximum.
    p_value : float
        Of the maximum.
    n_drawn : int
    stopped : bool
        Whether sampling stopped early (Besag and Clifford 1991): then p = exceedances / n_drawn.
    """

    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    p_value: float
    n_drawn: int
    stopped: bool


def threads(n_jobs: int | None) -> int:
    """Return the number of threads: None or -1 means the processors this process may use."""
    if n_jobs is None or n_jobs < 0:
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
        limits = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")]
        return max(1, min([allowed, *(int(limit) for limit in limits if limit.isdigit() and int(limit) > 0)]))
    return max(1, n_jobs)


def _tolerance(observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Room for rounding: a permuted score that equals the observed one up to rounding counts as an exceedance."""
    return 1e-4 + 1e-5 * np.abs(observed)


def maximum_test(
    statistic: PermutableStatistic,
    n_permutations: int,
    random_state: int,
    name: str,
    n_jobs: int | None = None,
    stop_after: int = STOP_AFTER,
) -> MaximumTest:
    """Test all scores of a statistic together by permutations.

    Parameters
    ----------
    statistic : PermutableStatistic
    n_permutations : int
        Largest number of permutations.
    random_state : int
    name : str
        Name of the random streams.
    n_jobs : int, optional
        Threads; the result does not depend on it.
    stop_after : int
        Stop when so many permuted maxima reached the observed one; then p = stop_after / drawn.

    Returns
    -------
    result : MaximumTest
        p = (1 + exceedances) / (1 + permutations), or as above when stopped; never 0.
    """
    observed = statistic.scores(None)
    bar = observed - _tolerance(observed)
    top = float(np.max(bar)) if observed.size else 0.0

    def one(b: int) -> NDArray[np.float64]:
        return statistic.scores(statistic.draw(stream(random_state, name, "permutation", b)))

    alone, above = np.zeros(observed.size), np.zeros(observed.size)
    reached, drawn = 0, 0
    workers = min(threads(n_jobs), BATCH)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        while drawn < n_permutations and reached < stop_after and observed.size:
            batch: Sequence[int] = range(drawn, min(drawn + BATCH, n_permutations))
            results = [one(b) for b in batch] if workers == 1 else list(pool.map(one, batch))
            for scores in results:
                drawn += 1
                largest = float(scores.max())
                alone += scores >= bar
                above += largest >= bar
                reached += largest >= top
                if reached >= stop_after:
                    break
    if not observed.size:
        return MaximumTest(observed, observed, observed, 1.0, 0, False)
    stopped = reached >= stop_after and drawn < n_permutations
    corrected = above / drawn if stopped else (1 + above) / (1 + drawn)
    return MaximumTest(observed, (1 + alone) / (1 + drawn), corrected, float(corrected.min()), drawn, stopped)


def holm_multipliers(p_values: Sequence[float]) -> list[float]:
    """Return by what each family's p-values are multiplied (Holm 1979).

    Holm steps down from the smallest p-value and stops at the first that is not rejected: no corrected p-value is
    below that of a family with a smaller one.

    Examples
    --------
    >>> holm_multipliers([0.2, 0.01, 0.04])
    [1.0, 3.0, 2.0]
    >>> holm_multipliers([0.25, 0.5, 0.375])  # 0.75 for all three: 2 x 0.375 and 1 x 0.5 are no larger
    [3.0, 1.5, 2.0]
    """
    ranked = sorted(range(len(p_values)), key=lambda k: p_values[k])
    multipliers = [1.0] * len(p_values)
    least = 0.0
    for rank, k in enumerate(ranked):
        least = max(least, (len(p_values) - rank) * p_values[k])
        multipliers[k] = least / p_values[k]
    return multipliers
