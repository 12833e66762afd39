"""Folds: each repeat deals the rows into k parts, and each part is held out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from heldout._arrays import whole_number
from heldout._random import stream
from heldout.errors import InvalidInput
from heldout.resampling.draw import Draw, checked_counts, empty_weights, refuse_groups

__all__ = ["KFold"]


@dataclass(frozen=True)
class KFold:
    """Deal the rows into `k` folds at random, `repeats` times; replica ``r * k + f`` holds out fold f of repeat r.

    Every row is held out exactly once a repeat, and fold sizes differ by at most one row. ``k * repeats`` is
    the number of replicas, so either follows from the other; with neither, there is one repeat of as many
    folds as replicas. With `k` alone the first repeats stay what they are when more are asked for.

    Parameters
    ----------
    k : int of 2 or more, optional
        Folds of a repeat.
    repeats : int of 1 or more, optional
        How often the rows are dealt.

    Raises
    ------
    InvalidInput
        Counts that are not whole or too small; in `draw`, a number of replicas that is not ``k * repeats``, or
        more folds than rows.

    Examples
    --------
    >>> drawn = KFold(k=3).draw(n_rows=6, n_replicas=6)
    >>> (drawn.weights == 0).sum(axis=1).tolist()
    [2, 2, 2, 2, 2, 2]
    """

    k: int | None = None
    repeats: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("k", 2), ("repeats", 1)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, whole_number(value, name, least))

    def draw(self, n_rows: int, n_replicas: int, *, groups: ArrayLike | None = None, random_state: Any = 0) -> Draw:
        """Draw one training set per replica: see `Resampling.draw`."""
        n_rows, n_replicas = checked_counts(n_rows, n_replicas)
        refuse_groups(groups, self)
        k = self._folds(n_replicas)
        if k > n_rows:
            raise InvalidInput(f"{self} of {n_replicas} replicas has {k} folds for {n_rows} rows: use fewer folds")
        rng = stream(random_state, "resampling", "kfold")
        weights = empty_weights(n_rows, n_replicas)
        weights[:] = 1
        for repeat in range(n_replicas // k):
            for fold, held_out in enumerate(np.array_split(rng.permutation(n_rows), k)):
                weights[held_out, repeat * k + fold] = 0
        return Draw(weights)

    def _folds(self, n_replicas: int) -> int:
        """Return the number of folds of a repeat that the replicas make up."""
        if self.k is not None and self.repeats is not None:
            if n_replicas != self.k * self.repeats:
                raise InvalidInput(
                    f"{self} is {self.k * self.repeats} replicas, got n_replicas={n_replicas}: "
                    "ask for as many, or leave repeats out"
                )
            return self.k
        given = self.k or self.repeats or 1
        if n_replicas % given:
            raise InvalidInput(f"{self} needs a multiple of {given} replicas, got n_replicas={n_replicas}: ask for one")
        k = self.k or n_replicas // given
        if k < 2:
            raise InvalidInput(f"{self} of {n_replicas} replicas has {k} fold, which holds all rows out: ask for more")
        return k
