"""How far the loss would move with other training rows, read off the two halves of each cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.losses import LOSSES
from heldout.tradeoff.fitting import Pair, Rows
from heldout.tradeoff.interval import unit_error

__all__ = ["training_draw_variances"]


def training_draw_variances(
    pairs: Sequence[Pair],
    predictions: Sequence[NDArray[Any]],
    table: Rows,
    loss: str,
    units: NDArray[np.intp] | None,
) -> list[float]:
    r"""Estimate, from each cut, the variance of the mean loss over draws of the training rows.

    To first order a fit's mean loss is a mean of influences of its training rows, so the mean over both halves is
    one over all N rows of the training part, with variance :math:`\sigma_h^2 / N`; and half the difference
    between the halves has that same variance (half-sampling). Squaring it needs no further fit. What the held-out
    rows add to the difference, as they are few, is taken off. Where `max_rows` leaves rows unused, partitions use
    others, and the table as a whole supports the mean: the variance shrinks by the share of rows used.
    """
    per_row = LOSSES[loss].per_row
    variances = []
    for pair, (first, second) in zip(pairs, predictions, strict=True):
        target = table.y[pair.test]
        half_difference = (per_row(target, first) - per_row(target, second)) / 2.0
        if table.weight is not None:
            weight = table.weight[pair.test]
            half_difference = half_difference * weight / max(weight.mean(), np.finfo(float).tiny)
        noise, _ = unit_error(half_difference, None if units is None else units[pair.test])
        used = sum(len(half) for half in pair.halves) / pair.n_training
        variances.append((half_difference.mean() ** 2 - np.nan_to_num(noise) ** 2) * used)
    return variances
