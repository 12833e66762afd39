"""The user's own training sets, as an array of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes
from heldout.errors import InvalidInput
from heldout.learner import MOST_TIMES, PREDICTED, STOPS
from heldout.resampling.draw import Draw, checked_counts

__all__ = ["Given"]


@dataclass(frozen=True, eq=False, repr=False)
class Given:
    """Train replicas on rows of the user's choice: one column of whole-number weights per replica.

    Arrays are copied, so that later changes to the user's do not reach in. Nothing is random.

    Parameters
    ----------
    weights : array of whole numbers from 0 to 255, shape (n_rows, n_replicas)
        How often each replica trains on each row; booleans say whether.
    roles : array of whole numbers from 0 to 3, shape (n_rows, n_replicas), optional
        Bit 1: the row counts in the curve that chooses the number of rounds, only where its weight is 0. Bit
        2: its prediction is wanted. None: both where the weight is 0.

    Raises
    ------
    InvalidInput
        Weights or roles of another shape, not whole or out of range; a replica without rows; a row that would
        stop the replica it trains. In `draw`, other counts than the array's, or, where groups are given,
        weights that are not constant within a group.

    Examples
    --------
    >>> drawn = Given([[2, 0], [0, 1], [1, 1]]).draw(n_rows=3, n_replicas=2)
    >>> drawn.weights.tolist(), str(drawn.weights.dtype)
    ([[2, 0], [0, 1], [1, 1]], 'uint8')
    """

    weights: NDArray[np.uint8]
    roles: NDArray[np.uint8] | None = None

    def __init__(self, weights: ArrayLike, roles: ArrayLike | None = None) -> None:
        checked = _checked(weights, "weights", MOST_TIMES)
        object.__setattr__(self, "weights", checked)
        object.__setattr__(self, "roles", None if roles is None else _checked_roles(roles, checked))
        empty = np.flatnonzero(~checked.any(axis=0))
        if empty.size:
            raise InvalidInput(
                f"weights must give every replica a row, got only 0 in column {empty[0]}: leave that column out"
            )

    def __repr__(self) -> str:
        roles = None if self.roles is None else f"<{_shape(self.roles)}>"
        return f"Given(weights=<{_shape(self.weights)}>, roles={roles})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Given):
            return NotImplemented
        if (self.roles is None) != (other.roles is None) or not np.array_equal(self.weights, other.weights):
            return False
        return self.roles is None or other.roles is None or np.array_equal(self.roles, other.roles)

    def __hash__(self) -> int:
        return hash((self.weights.shape, self.weights.tobytes()))

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:  # noqa: ARG002 - nothing is random here
        """Return the weights and roles given, read-only: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        if self.weights.shape != (n_rows, n_replicas):
            raise InvalidInput(
                f"weights must have shape ({n_rows}, {n_replicas}), got {self.weights.shape}: "
                "pass one row per row of the table and one column per replica"
            )
        if groups is not None:
            _check_groups(self.weights, groups)
        return Draw(_read_only(self.weights), None if self.roles is None else _read_only(self.roles))

    def of_rows(self, rows: NDArray[np.intp]) -> Given:
        """Return the scheme of a table of some of the rows: the same replicas, each without the rows that are gone.

        Parameters
        ----------
        rows : array of int, shape (m,)
            Positions of the rows that are there.

        Raises
        ------
        InvalidInput
            A replica that has none of them.

        Examples
        --------
        >>> Given([[2, 0], [0, 1], [1, 1]]).of_rows(np.array([0, 1])).weights.tolist()
        [[2, 0], [0, 1]]
        """
        empty = np.flatnonzero(~self.weights[rows].any(axis=0))
        if empty.size:
            raise InvalidInput(
                f"weights must give every replica one of the {len(rows)} rows that are trained on, got only others of "
                f"{len(self.weights)} in column {empty[0]}: give it one, or leave that column out"
            )
        return Given(self.weights[rows], None if self.roles is None else self.roles[rows])


def _shape(array: NDArray[np.uint8]) -> str:
    return " x ".join(map(str, array.shape))


def _read_only(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    view = array.view()
    view.flags.writeable = False
    return view


def _checked(given: ArrayLike, name: str, largest: int) -> NDArray[np.uint8]:
    """Return a Fortran-ordered copy as uint8."""
    try:
        array = np.asarray(given)
    except ValueError:  # numpy's for rows of different lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"{name} must be whole numbers from 0 to {largest} in rows of equal length, got {type(given).__name__} "
            f"of dtype {array.dtype}: pass an array of them"
        )
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] == 0:
        raise InvalidInput(
            f"{name} must have two dimensions, rows and replicas, got shape {array.shape}: pass one column per replica"
        )
    if array.dtype.kind != "b":
        fine = (array >= 0) & (array <= largest)
        if array.dtype.kind == "f":
            fine &= array == np.floor(array)
        if not fine.all():
            row, column = np.argwhere(~fine)[0]
            raise InvalidInput(
                f"{name} must be whole numbers from 0 to {largest}, got {array[row, column]} in row {row}, "
                f"column {column}: mend it"
            )
    return np.array(array, dtype=np.uint8, order="F")


def _checked_roles(roles: ArrayLike, weights: NDArray[np.uint8]) -> NDArray[np.uint8]:
    checked = _checked(roles, "roles", STOPS | PREDICTED)
    if checked.shape != weights.shape:
        raise InvalidInput(f"roles must have the shape of weights, {weights.shape}, got {checked.shape}: mend it")
    trained = ((checked & STOPS) > 0) & (weights > 0)
    if trained.any():
        row, column = np.argwhere(trained)[0]
        raise InvalidInput(
            f"roles must not have bit 1 where the weight is above 0, got {checked[row, column]} in row {row}, "
            f"column {column}: a row cannot judge a replica that it trains"
        )
    return checked


def _check_groups(weights: NDArray[np.uint8], groups: ArrayLike) -> None:
    """Refuse weights that differ within a group."""
    codes, levels = as_codes(groups, len(weights), "groups")
    _, first = np.unique(codes, return_index=True)
    for replica, column in enumerate(weights.T):
        differs = np.flatnonzero(column[first][codes] != column)
        if differs.size:
            row = differs[0]
            raise InvalidInput(
                f"weights must be constant within a group, got {column[first[codes[row]]]} and {column[row]} in group "
                f"{levels[codes[row]]!s:.60}, column {replica}: give all its rows one weight, or leave groups out"
            )
