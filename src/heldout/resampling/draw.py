"""What a scheme returns, what it must be able to do, and the checks that all schemes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import whole_number
from heldout.errors import InvalidInput

__all__ = ["Draw", "Resampling", "checked_counts", "checked_share", "empty_weights", "refuse_groups"]


@dataclass(frozen=True, eq=False)
class Draw:
    """The training rows of every replica, and what the other rows are for.

    Attributes
    ----------
    weights : array of uint8, shape (n_rows, n_replicas), Fortran order
        How often replica k trains on each row; 0 means that it does not know the row. Every column has a
        row above 0, and lies in one piece of memory.
    roles : array of uint8, shape (n_rows, n_replicas), Fortran order, or None
        Bits: 1, the row counts in the curve that chooses the number of rounds (only where `weights` is 0);
        2, the replica's prediction for the row is wanted. None: both where `weights` is 0, neither elsewhere.
    """

    weights: NDArray[np.uint8]
    roles: NDArray[np.uint8] | None = None


@runtime_checkable
class Resampling(Protocol):
    """A scheme that draws training sets: any object with this `draw` may stand in for one of ours.

    `checked_draw` holds what such an object returns against what `Draw` promises. One that cannot draw without groups
    says so by an attribute `needs_groups` that is true; measures then hand them on.
    """

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica.

        Parameters
        ----------
        n_rows, n_replicas : int, at least 1
        groups : array of shape (n_rows,), optional
            Label of the group of each row, for schemes that draw whole groups.
        random_state : None, int or numpy generator, default 0
            Equal integers give equal draws; None another draw each time.

        Returns
        -------
        Draw

        Raises
        ------
        InvalidInput
            Counts below 1, groups that the scheme cannot use or that it needs, or a table that is too small.
        """
        ...


def checked_share(share: Any, of: str) -> float:
    """Return the part that each replica trains on, strictly between 0 and 1.

    Raises
    ------
    InvalidInput
        No number, or one that leaves nothing to train on or nothing held out.

    Examples
    --------
    >>> checked_share(0.8, "rows")
    0.8
    """
    number = isinstance(share, float | int | np.floating | np.integer) and not isinstance(share, bool)
    if not number or not 0 < share < 1:
        raise InvalidInput(
            f"share must lie between 0 and 1, got {share!r:.60}: give the part of the {of} that each replica trains on"
        )
    return float(share)


def checked_counts(n_rows: Any, n_replicas: Any) -> tuple[int, int]:
    """Return both counts as ints of at least 1.

    Raises
    ------
    InvalidInput
        No whole numbers, or below 1.
    """
    return whole_number(n_rows, "n_rows", 1), whole_number(n_replicas, "n_replicas", 1)


def refuse_groups(groups: ArrayLike | None, scheme: Any) -> None:
    """Refuse groups given to a scheme of single rows, which would spread them over both sides.

    Raises
    ------
    InvalidInput
        `groups` is anything but None.
    """
    if groups is not None:
        raise InvalidInput(
            f"{scheme!r:.60} draws single rows and would tear groups apart, got groups: "
            "use heldout.resampling.Groups() or leave groups out"
        )


def empty_weights(n_rows: int, n_replicas: int) -> NDArray[np.uint8]:
    """Return zeros of one column per replica, each column in one piece of memory."""
    return np.zeros((n_rows, n_replicas), dtype=np.uint8, order="F")
