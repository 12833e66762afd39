"""Losses of several candidates summed over units, and their moments under weights.

Weights of one describe the table as it is; the counts of a bootstrap draw describe a resample. A rule that
looks at nothing else can be replayed on a thousand resamples by matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout.errors import InvalidInput

__all__ = ["UnitLosses", "WeightedLosses", "unit_losses"]


@dataclass(frozen=True)
class UnitLosses:
    """Losses of m candidates summed over exchangeable units.

    Parameters
    ----------
    sums : array, shape (n_units, m)
        Of the losses less `centre`, so that variances of differences lose no digits.
    counts : array, shape (n_units,)
        Rows of each unit.
    centre : array, shape (m,)
        Mean loss of each candidate over all rows.
    scale : float
        Largest root mean square of a candidate's losses: what rounding is measured by.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: float

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.counts)

    @property
    def n_candidates(self) -> int:
        """Number of candidates."""
        return len(self.centre)

    def weighted(self, weights: ArrayLike | None = None) -> WeightedLosses:
        """Return what a rule may look at when unit u counts `weights[r, u]` times; None counts each once."""
        w = np.ones((1, self.n_units)) if weights is None else np.atleast_2d(np.asarray(weights, np.float64))
        return WeightedLosses(self, w.sum(axis=1), w @ self._columns, w @ self._products)

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        return np.column_stack([self.sums, self.counts])

    @cached_property
    def _products(self) -> NDArray[np.float64]:
        first, second = np.triu_indices(self.n_candidates + 1)
        return self._columns[:, first] * self._columns[:, second]


@dataclass(frozen=True)
class WeightedLosses:
    """First and second moments of the units under R sets of weights; made by `UnitLosses.weighted`.

    Parameters
    ----------
    units : UnitLosses
    n_units : array, shape (R,)
        Units drawn, counted as often as drawn.
    totals : array, shape (R, m + 1)
        Weighted sums of centred losses, and of rows.
    products : array, shape (R, (m + 1)(m + 2) / 2)
        Weighted sums of products of two columns, upper triangle by rows.
    """

    units: UnitLosses
    n_units: NDArray[np.float64]
    totals: NDArray[np.float64]
    products: NDArray[np.float64]
    _centred_means: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_centred_means", self.totals[:, :-1] / self.totals[:, -1:])

    @property
    def mean_losses(self) -> NDArray[np.float64]:
        """Mean loss of each candidate under each set of weights, shape (R, m)."""
        return self._centred_means + self.units.centre

    def differences(self, reference: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return mean loss of each candidate minus that of `reference[r]`, shape (R, m)."""
        means = self.mean_losses
        return np.asarray(means - np.take_along_axis(means, reference[:, None], axis=1))

    def standard_errors(self, reference: NDArray[np.intp]) -> NDArray[np.float64]:
        r"""Return the standard errors of `differences`, before inflation, shape (R, m).

        With :math:`z_u = s_{ua} - s_{ub}` the summed difference of unit u, of :math:`n_u` rows, and the mean
        difference :math:`\delta = \sum w_u z_u / \sum w_u n_u`,
        :math:`\mathrm{se}^2 = \frac{G}{G-1} \sum_u w_u (z_u - n_u \delta)^2 / (\sum_u w_u n_u)^2`, where
        :math:`G = \sum_u w_u`; the square is multiplied out, so only the weighted products are needed.
        """
        m = self.units.n_candidates
        place = np.zeros((m + 1, m + 1), np.intp)
        first, second = np.triu_indices(m + 1)
        place[first, second] = place[second, first] = np.arange(len(first))
        every, chosen = np.arange(m)[None, :], reference[:, None]

        def product(a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.float64]:
            columns = np.broadcast_to(place[a, b], (len(reference), m))
            return np.take_along_axis(self.products, columns, axis=1)

        rows = np.full((1, 1), m)
        squares = product(every, every) + product(chosen, chosen) - 2.0 * product(every, chosen)
        crossed = product(every, rows) - product(chosen, rows)
        means = self._centred_means
        delta = means - np.take_along_axis(means, chosen, axis=1)
        residual = squares - 2.0 * delta * crossed + np.square(delta) * product(rows, rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            correction = self.n_units / (self.n_units - 1.0)
            variance = correction[:, None] * np.maximum(residual, 0.0) / np.square(self.totals[:, -1:])
        return np.asarray(np.sqrt(variance))


def unit_losses(loss_matrix: ArrayLike, units: ArrayLike | None = None) -> UnitLosses:
    """Sum a matrix of per-row losses over units.

    Parameters
    ----------
    loss_matrix : array, shape (n_rows, m)
        One column per candidate; a row that any candidate lacks (NaN: never held out) is skipped.
    units : array, shape (n_rows,), optional
        Codes of what is exchangeable; by default every row is.

    Raises
    ------
    InvalidInput
        Not a matrix, no row tested for all candidates, infinite losses, or another number of units than rows.
    """
    losses = np.asarray(loss_matrix, np.float64)
    if losses.ndim != 2 or losses.shape[1] == 0:
        raise InvalidInput(f"losses must have shape (n_rows, n_candidates), got {losses.shape}: one column each")
    tested = np.asarray(~np.isnan(losses).any(axis=1))
    if not tested.any():
        raise InvalidInput("no row was held out for every candidate, got only NaN: judge them on common folds")
    kept = losses[tested]
    if not np.isfinite(kept).all():
        row, column = np.argwhere(np.isinf(losses) & tested[:, None])[0]
        raise InvalidInput(f"losses must be finite, got {losses[row, column]} in row {row} of candidate {column}")
    centre = kept.mean(axis=0)
    centred = kept - centre
    scale = float(np.sqrt(np.square(kept).mean(axis=0).max()))
    if units is None:
        return UnitLosses(centred, np.ones(len(kept)), centre, scale)
    labels = np.asarray(units)
    if labels.shape != (len(losses),):
        raise InvalidInput(f"units must have shape ({len(losses)},), got {labels.shape}: one code per row")
    _, codes = np.unique(labels[tested], return_inverse=True)
    counts = np.asarray(np.bincount(codes), np.float64)
    sums = np.stack([np.bincount(codes, weights=column) for column in centred.T], axis=1)
    return UnitLosses(np.asarray(sums, np.float64), counts, centre, scale)
