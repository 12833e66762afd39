"""Whole groups: all rows of a patient, shop or site are trained on together or held out together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from heldout._arrays import as_codes
from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.resampling.draw import Draw, checked_counts, checked_share, empty_weights
from heldout.resampling.subsample import held_out_in_turn

__all__ = ["Groups"]


@dataclass(frozen=True)
class Groups:
    """Draw whole groups, which `draw` takes as ``groups=``: a bootstrap of them, or a balanced share.

    Without `share`, as many groups as there are, with replacement: a group is out of the bag with probability
    (1 - 1/g)^g for g groups, and the number of training rows varies where groups differ in size. With `share`,
    ``round(share * g)`` groups without replacement, every group held out equally often (counts differ by at
    most 1; see `Subsample`). What is drawn depends on the labels, not on the order of the rows. The first
    replicas stay what they are when more are asked for.

    Parameters
    ----------
    share : float, optional
        Part of the groups that each replica trains on, strictly between 0 and 1. None: a bootstrap.

    Raises
    ------
    InvalidInput
        `share` outside (0, 1); in `draw`, no groups, another number of labels than rows, or fewer than 2 groups.

    Examples
    --------
    >>> drawn = Groups().draw(n_rows=4, n_replicas=50, groups=["a", "a", "b", "b"])
    >>> bool((drawn.weights[0] == drawn.weights[1]).all()), set(drawn.weights.sum(axis=0).tolist())
    (True, {4})
    """

    share: float | None = None

    needs_groups: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.share is not None:
            object.__setattr__(self, "share", checked_share(self.share, "groups"))

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        if groups is None:
            raise InvalidInput(f"{self} draws whole groups, got groups=None: pass one label per row as groups=")
        codes, levels = as_codes(groups, n_rows, "groups")
        n_groups = len(levels)
        if n_groups < 2:
            raise InvalidInput(f"{self} needs at least 2 groups, got only {levels[0]!s:.60}: one must be held out")
        rng = stream(random_state, "resampling", "groups")
        weights = empty_weights(n_rows, n_replicas)
        if self.share is None:
            for replica in range(n_replicas):
                counts = np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups)
                weights[:, replica] = counts.astype(np.uint8)[codes]
            return Draw(weights)
        for replica, held_out in enumerate(held_out_in_turn(n_groups, self.share, n_replicas, rng)):
            in_bag = np.ones(n_groups, dtype=np.uint8)
            in_bag[held_out] = 0
            weights[:, replica] = in_bag[codes]
        return Draw(weights)
