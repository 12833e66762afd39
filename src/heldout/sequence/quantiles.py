"""Levels of quantiles, and the quantiles of errors at each step: always a little apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput

__all__ = ["check_levels", "spread_of"]

_LEAST_GAP = 1e-4


def check_levels(quantiles: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the levels in ascending order, with .5 among them.

    Raises
    ------
    InvalidInput
        A level that is not strictly between 0 and 1.
    """
    levels = sorted({0.5, *(float(level) for level in quantiles)})
    for level in levels:
        if not 0 < level < 1:
            raise InvalidInput(f"quantiles must lie between 0 and 1, got {level}: leave out the ends")
    return np.array(levels)


def spread_of(residuals: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of residuals at each step, kept at least a little apart.

    Parameters
    ----------
    residuals : array of float64, shape (n, horizon)
        NaN where unknown; a step without any takes those of all steps.
    levels : array of float64, shape (n_levels,)

    Returns
    -------
    array of float64, shape (horizon, n_levels)
        Strictly ascending along the last axis.
    """
    everywhere = residuals[np.isfinite(residuals)]
    if not len(everywhere):
        everywhere = np.array([-1.0, 0.0, 1.0])
    result = np.empty((residuals.shape[1], len(levels)))
    for step, values in enumerate(residuals.T):
        known = values[np.isfinite(values)]
        result[step] = np.quantile(known if len(known) else everywhere, levels)
    return np.asarray(np.maximum.accumulate(result, axis=1) + _LEAST_GAP * np.arange(len(levels)))
