"""Losses of a whole ensemble, from predictions by the members that left a row out of their bags."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout.errors import InvalidInput

__all__ = ["corrected_losses"]


def corrected_losses(
    of_mean: ArrayLike,
    of_single: ArrayLike,
    n_members: ArrayLike,
    ensemble_size: int,
    *,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Return the loss of each row, carried from the members it has out of bag to the whole ensemble.

    The mean of m members has on average the loss a + b / m: for squared error exactly, with b the variance between
    members (Krogh and Vedelsby 1995), approximately for log loss of averaged scores. A row whose members have the loss
    :math:`\ell_1` one by one and :math:`\ell_m` averaged tells

    .. math:: b = \frac{m}{m - 1} (\ell_1 - \ell_m), \qquad \ell_K = \ell_m + b \left(\frac1K - \frac1m\right).

    For squared error :math:`\ell_K` is the mean, over pairs of two different members, of the product of their errors,
    plus the variance divided by K: unbiased over draws of the bags. Single rows can come out negative; only the mean
    over many has a meaning.

    Parameters
    ----------
    of_mean : array, shape (n_rows,)
        Loss of the mean of the members that have the row out of bag. Ignored where there is none.
    of_single : array, shape (n_rows,)
        Mean loss of these members by themselves.
    n_members : array of int, shape (n_rows,)
        Members m; 0 for a row that is in every bag.
    ensemble_size : int
        Members K to carry to.
    sample_weight : array, shape (n_rows,), optional
        How much each row counts where b is pooled: a weight of 2 equals two rows.

    Returns
    -------
    losses : array of float64, shape (n_rows,)
        NaN for rows in every bag. A row of one member gets b pooled over the others, which count (m - 1) times for a
        row of m members; NaN if there are none, unless K is 1.

    Raises
    ------
    InvalidInput
        Arrays of unequal length, or an ensemble without members.

    References
    ----------
    Krogh and Vedelsby (1995). Neural Network Ensembles, Cross Validation, and Active Learning. NIPS 7. Equation 5.

    Examples
    --------
    Two members that err by 1 and by 3: the squared error of their mean is 4, theirs is 5, the product of errors 3.

    >>> corrected_losses([4.0], [5.0], [2], ensemble_size=2), corrected_losses([4.0], [5.0], [2], ensemble_size=2**62)
    (array([4.]), array([3.]))
    """
    if not ensemble_size >= 1:
        raise InvalidInput(f"ensemble_size must be 1 or more, got {ensemble_size}: say how many members are averaged")
    ones = np.ones(np.shape(of_mean)) if sample_weight is None else sample_weight
    averaged, single, m, weight = _aligned(of_mean, of_single, n_members, ones)
    paired = m > 1
    gain = np.where(paired, single - averaged, 0.0) * m / np.maximum(m - 1.0, 1.0)
    freedom = np.where(paired, m - 1.0, 0.0) * weight
    pooled = gain @ freedom / freedom.sum() if freedom.any() else np.nan
    # A row with as many members as the ensemble needs no correction, whether or not it is known.
    share = 1.0 / ensemble_size - 1.0 / np.maximum(m, 1.0)
    change = np.where(share == 0.0, 0.0, share * np.where(paired, gain, pooled))
    return np.asarray(np.where(m > 0, averaged + change, np.nan))


def _aligned(*arrays: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    given = tuple(np.asarray(array, np.float64) for array in arrays)
    if given[0].ndim != 1 or any(array.shape != given[0].shape for array in given):
        shapes = ", ".join(str(array.shape) for array in given)
        raise InvalidInput(
            f"losses, members and weights must have one shape (n_rows,), got {shapes}: pass one value per row"
        )
    return given
