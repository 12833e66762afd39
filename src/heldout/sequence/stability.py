"""Whether replicas look at the same things: rank correlation of their maps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["Stability", "rank_stability"]


@dataclass(frozen=True)
class Stability:
    """How alike the maps of replicas are.

    Parameters
    ----------
    correlation : float or None
        Mean of Spearman's rank correlation over all pairs of replicas: 1 where all rank the lags alike, about 0 where
        they have nothing in common. None with a reason.
    lowest, highest : float or None
        Of all pairs.
    n_replicas, n_pairs : int
    reason : str or None
        Why there is no correlation.
    """

    correlation: float | None
    lowest: float | None
    highest: float | None
    n_replicas: int
    n_pairs: int
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts."""
        return asdict(self)


def rank_stability(by_replica: NDArray[np.float64]) -> Stability:
    """Correlate the profiles of replicas in pairs.

    Parameters
    ----------
    by_replica : array of float64, shape (replicas, n)
        Mean weight by lag, or any other profile.

    Returns
    -------
    Stability

    Notes
    -----
    Pairs share replicas, so they are not independent, and no interval is given; `lowest` and `highest` say how far
    pairs are apart. Replicas trained on weights of one table see much the same rows: they are more alike than
    networks trained on other data would be.

    References
    ----------
    Spearman (1904), The proof and measurement of association between two things.

    Examples
    --------
    >>> rank_stability(np.array([[0.1, 0.2, 0.7], [0.2, 0.3, 0.5]])).correlation
    1.0
    >>> rank_stability(np.array([[0.1, 0.2, 0.7]])).reason
    'one replica has nothing to be compared with: fit with replicas=3 or more'
    """
    n = len(by_replica)
    pairs = list(combinations(range(n), 2))

    def none(reason: str) -> Stability:
        return Stability(None, None, None, n, len(pairs), reason)

    if n < 2:
        return none("one replica has nothing to be compared with: fit with replicas=3 or more")
    if by_replica.shape[1] < 3:
        return none(f"{by_replica.shape[1]} lags are too few to rank: fit with a longer context")
    ranks = rankdata(by_replica, axis=1)
    if (np.ptp(ranks, axis=1) == 0).any():
        return none("a replica gives every lag the same weight: there is nothing to rank")
    found = np.atleast_2d(np.corrcoef(ranks))
    each = np.array([found[a, b] for a, b in pairs]).clip(-1.0, 1.0)
    return Stability(float(each.mean()), float(each.min()), float(each.max()), n, len(pairs))
