"""Which training sets one call of the engine can take: it knows one weight per row, for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heldout.boosting.bags import Bags
from heldout.trees import Objective

__all__ = ["Call", "calls_of"]


@dataclass(frozen=True)
class Call:
    """Training sets that weigh the rows they share alike.

    Parameters
    ----------
    sets : tuple of int
        Their positions.
    objective : Objective
        Rows that are in none of the sets weigh 0: however much they would weigh, they must not set the scale.
    curve_weight : array of float64, shape (n_rows,), optional
        How much each row counts in the curves.
    """

    sets: tuple[int, ...]
    objective: Objective
    curve_weight: NDArray[np.float64] | None


def calls_of(objectives: Sequence[Objective], bags: Sequence[Bags], judged: bool) -> list[Call]:
    """Deal training sets into as few calls as the order in which they come allows.

    Parameters
    ----------
    objectives : sequence of Objective
        One per set.
    bags : sequence of Bags
    judged : bool
        Whether rows of the sets count in curves, there as often as they are in their set.
    """
    open_calls: list[_OpenCall] = []
    for position, (objective, each) in enumerate(zip(objectives, bags, strict=True)):
        in_set = each.count > 0
        weight = None if objective.weight is None else np.where(in_set, objective.weight, 0.0)
        curve_weight = _curve_weight(each) if judged else None
        own = _OpenCall([position], objective, in_set, weight, curve_weight)
        for call in open_calls:
            if call.agrees_with(own):
                call.take_in(own)
                break
        else:
            open_calls.append(own)
    return [call.closed() for call in open_calls]


def _curve_weight(bags: Bags) -> NDArray[np.float64] | None:
    """Return what rows count in a curve: their copies times their weight, or None where all count once."""
    if bags.factor is None and bags.count.max() <= 1:
        return None
    return bags.copies_times_weight


@dataclass
class _OpenCall:
    sets: list[int]
    objective: Objective
    in_some: NDArray[np.bool_]
    weight: NDArray[np.float64] | None
    curve_weight: NDArray[np.float64] | None

    def agrees_with(self, other: _OpenCall) -> bool:
        shared = self.in_some & other.in_some
        return _equal(self.weight, other.weight, shared) and _equal(self.curve_weight, other.curve_weight, shared)

    def take_in(self, other: _OpenCall) -> None:
        self.sets += other.sets
        self.in_some = self.in_some | other.in_some
        if self.weight is not None and other.weight is not None:
            self.weight = np.maximum(self.weight, other.weight)
        if self.curve_weight is not None and other.curve_weight is not None:
            self.curve_weight = np.maximum(self.curve_weight, other.curve_weight)

    def closed(self) -> Call:
        return Call(tuple(self.sets), replace(self.objective, weight=self.weight, count=None), self.curve_weight)


def _equal(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None, where: NDArray[np.bool_]) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one[where], other[where]))
