"""Row weights of resampled tables: how often each row is drawn.

A replica is never a copy of rows but one column of weights: a thousand of them cost a thousand columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes
from heldout._random import stream
from heldout.errors import InvalidInput

__all__ = ["bootstrap_weights"]


def bootstrap_weights(
    n_rows: int, n_resamples: int, *, units: ArrayLike | None = None, random_state: Any = 0
) -> NDArray[np.intp]:
    """Return how often each row is drawn in each bootstrap resample (Efron 1979).

    Each resample draws as many units as there are, with replacement; all rows of a unit come together. A row
    of weight 0 is out of the bag, which happens with probability (1 - 1/n_units)^n_units, about 0.37.

    Parameters
    ----------
    n_rows, n_resamples : int
    units : array of shape (n_rows,), optional
        Label of what is exchangeable (group, block of time); else every row.
    random_state : None, int or numpy generator, default 0

    Returns
    -------
    array of int, shape (n_rows, n_resamples)

    Raises
    ------
    InvalidInput
        Counts below 1, or `units` of another length than `n_rows`.

    Examples
    --------
    >>> weights = bootstrap_weights(6, 100, units=["a", "a", "b", "b", "c", "c"])
    >>> weights.shape, set(weights.sum(axis=0).tolist())
    ((6, 100), {6})
    """
    for name, count in (("n_rows", n_rows), ("n_resamples", n_resamples)):
        if count < 1:
            raise InvalidInput(f"{name} must be 1 or more, got {count}")
    codes = np.arange(n_rows) if units is None else as_codes(units, n_rows, "units")[0]
    n_units = int(codes.max()) + 1
    drawn = stream(random_state, "bootstrap").integers(n_units, size=(n_resamples, n_units))
    weights = np.zeros((n_units, n_resamples), dtype=np.intp)
    np.add.at(weights, (drawn, np.arange(n_resamples)[:, None]), 1)
    return weights[codes]
