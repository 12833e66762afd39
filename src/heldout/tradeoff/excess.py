"""How much of a candidate's error another candidate removes, and what none of them does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.tradeoff.decomposition import Decomposition
from heldout.tradeoff.interval import Source, join, monte_carlo_error, unit_error, unit_sums

__all__ = ["ExcessBias", "excess_bias"]

# Weights held at once: 16 MB, whatever the number of units.
WEIGHTS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class ExcessBias:
    """Bias + noise of one candidate, cut in what the best candidate removes and what none does.

    Parameters
    ----------
    excess_bias : float or None
        Bias + noise minus the lowest bias + noise of all candidates; None for the lowest one itself.
    excess_bias_ci : tuple of float or None
    unresolved : float
        The lowest bias + noise: noise, or bias that all candidates tried share. The same for all candidates.
    unresolved_ci : tuple of float or None
        None, like `excess_bias_ci`, where a single group or block was tested.
    reason : str or None
        Why `excess_bias` is None.
    """

    excess_bias: float | None
    excess_bias_ci: tuple[float, float] | None
    unresolved: float
    unresolved_ci: tuple[float, float] | None
    reason: str | None = None

    @property
    def ci(self) -> tuple[float, float] | None:
        """The interval of `excess_bias`."""
        return self.excess_bias_ci


def excess_bias(
    decompositions: Mapping[str, Decomposition],
    *,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    random_state: object = 0,
) -> dict[str, ExcessBias]:
    r"""Compare the bias + noise of candidates that were decomposed on the same rows.

    The noise is the same for all candidates, so :math:`D_a - \min_b D_b` is free of it: a lower bound, in
    expectation, of the squared bias of candidate a. What is left, :math:`\min_b D_b`, is an upper bound of
    the noise, called unresolved.

    The interval of a difference is a t interval over units (rows, groups or blocks) of the paired row
    differences, joined with the paired Monte-Carlo error over partitions. The interval of the minimum comes
    from resampling units and partitions, *taking the minimum anew each time*, reflected about the estimate
    (the "basic" bootstrap): the minimum of several estimates lies too low, its resampled minimum lower
    still by about as much, and reflection puts that back.

    Parameters
    ----------
    decompositions : mapping of name to Decomposition
        Same loss, rows, units and seed.
    confidence_level : float
    n_resamples : int
    random_state : None, int or generator

    Returns
    -------
    dict of name to ExcessBias

    Raises
    ------
    InvalidInput
        No candidate, or candidates that were not decomposed with the same loss on the same rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import LinearRegression
    >>> from heldout.tradeoff import decompose
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = 2 * X[:, 0] + rng.normal(size=200)
    >>> learners = {"mean": DummyRegressor(), "linear": LinearRegression()}
    >>> parts = excess_bias({name: decompose(learner, X, y) for name, learner in learners.items()})
    >>> parts["linear"].excess_bias is None, parts["mean"].ci[0] > 0
    (True, True)
    """
    names = list(decompositions)
    rows = _common_rows(decompositions)
    means = np.nanmean(rows, axis=1)
    lowest = int(np.argmin(means))
    first = decompositions[names[0]]
    n_partitions = min(part.n_partitions for part in decompositions.values())
    partitions = np.stack([part.per_partition[:n_partitions, 2] for part in decompositions.values()])
    unresolved = float(means[lowest])
    unresolved_ci = _interval_of_minimum(
        rows,
        partitions,
        first.units,
        unresolved,
        confidence_level,
        n_resamples,
        stream(random_state, "unresolved"),
    )
    result = {}
    for j, name in enumerate(names):
        if j == lowest:
            reason = (
                f"{name} has the lowest bias + noise of the candidates; "
                "how much of it is bias cannot be told from noise"
            )
            result[name] = ExcessBias(None, None, unresolved, unresolved_ci, reason)
            continue
        difference = rows[j] - rows[lowest]
        estimate = float(np.nanmean(difference))
        error, n_units = unit_error(difference, first.units)
        carlo = monte_carlo_error(partitions[j] - partitions[lowest])
        sources = (Source(carlo, n_partitions - 1.0), Source(error, n_units - 1.0))
        interval = join(estimate, sources, confidence_level)
        result[name] = ExcessBias(estimate, interval, unresolved, unresolved_ci)
    return result


def _common_rows(decompositions: Mapping[str, Decomposition]) -> NDArray[np.float64]:
    """Return bias + noise of each candidate and row; NaN where any candidate was not tested."""
    if not decompositions:
        raise InvalidInput("at least 1 decomposition is needed, got none: decompose a candidate first")
    kinds = {(part.loss, len(part.bias_plus_noise_per_row)) for part in decompositions.values()}
    if len(kinds) > 1:
        raise InvalidInput(
            f"candidates must be decomposed with one loss on the same rows, got (loss, n_rows) "
            f"{sorted(kinds)}: decompose them alike"
        )
    rows = np.stack([part.bias_plus_noise_per_row for part in decompositions.values()])
    rows[:, ~np.isfinite(rows).all(axis=0)] = np.nan
    if not np.isfinite(rows).any():
        raise InvalidInput("the candidates share no tested row: decompose them with the same splitter")
    return rows


def _interval_of_minimum(
    rows: NDArray[np.float64],
    partitions: NDArray[np.float64],
    units: NDArray[np.intp] | None,
    estimate: float,
    confidence_level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float] | None:
    summed = [unit_sums(row, units) for row in rows]
    sums, counts = np.stack([s for s, _ in summed], axis=1), summed[0][1]
    n_units, n_partitions = len(counts), partitions.shape[1]
    if n_units < 2:
        return None
    # Resampled means of g units or p partitions vary too little by (g - 1) / g; stretched to what they
    # estimate.
    stretch_units = np.sqrt(n_units / (n_units - 1.0))
    stretch_partitions = np.sqrt(n_partitions / (n_partitions - 1.0))
    means = sums.sum(axis=0) / counts.sum()
    deviation = partitions - partitions.mean(axis=1, keepdims=True)
    minima = np.empty(n_resamples)
    portion = max(1, WEIGHTS_AT_ONCE // n_units)
    for start in range(0, n_resamples, portion):
        size = min(portion, n_resamples - start)
        draws = rng.integers(n_units, size=(size, n_units))
        weights = np.stack([np.bincount(draw, minlength=n_units) for draw in draws]).astype(np.float64)
        ratio = (weights @ sums) / (weights @ counts)[:, None]
        drawn = rng.integers(n_partitions, size=(size, n_partitions))
        shift = stretch_partitions * deviation[:, drawn].mean(axis=2).T
        minima[start : start + size] = (means + stretch_units * (ratio - means) + shift).min(axis=1)
    tail = (1.0 - confidence_level) / 2.0
    low, high = np.quantile(minima, [tail, 1.0 - tail])
    return float(2.0 * estimate - high), float(2.0 * estimate - low)
