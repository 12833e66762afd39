"""What replicas say of windows whose futures they never counted: error without a hold-out, and variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.fitted import FittedForecast
from heldout.sequence.judging import quantile_losses
from heldout.sequence.replication import ReplicaWeights
from heldout.sequence.windows import Windows

__all__ = ["OutOfBag", "judge_out_of_bag"]

_MOST_WINDOWS = 1000


@dataclass(frozen=True)
class OutOfBag:
    """Out-of-bag error of replicas, in units of the scale of the series.

    Parameters
    ----------
    loss : float
        Twice the pinball loss of the mean of the replicas that are out of bag, averaged over levels, values, windows.
    single_loss : float
        The same of one replica alone, averaged over them.
    variance : float
        Mean over values of the variance between replicas of the point forecast (n - 1 in the denominator).
    n_windows : int
        Windows with at least two replicas out of bag, of at most 1,000 looked at.
    n_members : float
        Mean number of replicas that are out of bag.
    """

    loss: float
    single_loss: float
    variance: float
    n_windows: int
    n_members: float


def judge_out_of_bag(
    fitted: FittedForecast,
    windows: Windows,
    base: NDArray[np.float64],
    weights: ReplicaWeights | None,
) -> OutOfBag | None:
    """Judge the replicas of a network on what each of them has not counted.

    Parameters
    ----------
    fitted : FittedForecast
        With a network of several replicas.
    windows : Windows
        Those it was trained on.
    base : array of float64, shape (n_windows, horizon, n_variables)
        Stage 0's forecasts of them, out of fold.
    weights : ReplicaWeights or None

    Returns
    -------
    OutOfBag or None
        None for a single network, or where no window is out of two bags.
    """
    if weights is None:
        return None
    usable = np.flatnonzero(weights.out_of_bag.sum(axis=1) >= 2)
    if not len(usable):
        return None
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, min(len(usable), _MOST_WINDOWS)).astype(np.intp))]
    asked = windows.take(chosen)
    point, quantiles = fitted.scaled(asked, base=base[chosen])
    if fitted.loss != "squared_error":
        point = quantiles[..., fitted.middle]
    out = weights.out_of_bag[chosen].T.astype(np.float64)
    share = out / out.sum(axis=0)
    mean = np.einsum("rn,rnhvq->nhvq", share, quantiles)
    alone = np.stack([quantile_losses(asked, one, fitted.levels) for one in quantiles])
    centre = np.einsum("rn,rnhv->nhv", share, point)
    spread = np.einsum("rn,rnhv->nhv", out, (point - centre) ** 2) / (out.sum(axis=0) - 1)[:, None, None]
    return OutOfBag(
        float(np.nanmean(quantile_losses(asked, mean, fitted.levels))),
        float(np.nanmean((alone * share).sum(axis=0))),
        float(spread.mean()),
        len(chosen),
        float(out.sum(axis=0).mean()),
    )
