"""What kind of evidence the folds are: of independent rows, of whole groups, or of periods of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes
from heldout.generalization.out_of_fold import OutOfFold

__all__ = ["Evidence", "evidence_of"]

SETTLED_GROUPS = 12  # with fewer the interval is indicative
SETTLED_BLOCKS = 6


@dataclass(frozen=True)
class Evidence:
    """Held-out losses and what is independent among them.

    Parameters
    ----------
    folds : OutOfFold
    kind : "rows", "groups" or "blocks"
    units : array of int, shape (n_tested,), or None
        Code of the unit of each tested row; None when every row is its own.
    new_groups : bool
        Whether the groups of test rows were never learned from.
    """

    folds: OutOfFold
    kind: Literal["rows", "groups", "blocks"]
    units: NDArray[np.intp] | None
    new_groups: bool

    @property
    def losses(self) -> NDArray[np.float64]:
        """Losses of the tested rows."""
        return self.folds.losses[self.folds.tested]

    @property
    def n_units(self) -> int:
        """Number of independent units tested."""
        return len(self.losses) if self.units is None else len(np.unique(self.units))

    @property
    def indicative(self) -> bool:
        """Whether there are too few groups or blocks for the level to be trusted."""
        return self.n_units < {"rows": 2, "groups": SETTLED_GROUPS, "blocks": SETTLED_BLOCKS}[self.kind]

    @property
    def n_counted_folds(self) -> int:
        """Number of folds that count as new evidence for the corrected t.

        Repeats deal the same groups anew. Measured on trees with 30 groups, counting all folds of 2 repeats covered
        351 / 400 where counting those of one repeat covered 374 / 400, at 95 %.
        """
        n_folds = len(self.folds.fold_losses)
        if self.kind == "groups":
            n_repeats = sum(n_test for _, n_test in self.folds.fold_sizes) / len(self.losses)
            n_folds = max(round(n_folds / n_repeats), 1)
        return min(n_folds, self.n_units)

    def unit_means(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return the mean loss of each unit and its number of rows."""
        if self.units is None:
            return self.losses, np.ones(len(self.losses), dtype=np.intp)
        _, codes = np.unique(self.units, return_inverse=True)
        sizes = np.bincount(codes)
        return np.bincount(codes, weights=self.losses) / sizes, sizes

    def estimand(self) -> str:
        """Say what the mean of the losses estimates."""
        n_train = round(float(np.mean([train for train, _ in self.folds.fold_sizes])))
        if self.kind == "blocks":
            whose = " of new groups" if self.new_groups else ""
            return f"error on later rows{whose} than those learned from, conditional on the periods seen"
        whose = "rows of new groups" if self.kind == "groups" else "new rows"
        return f"expected error on {whose} from the same source, of models fitted on about {n_train:,} rows"


def evidence_of(folds: OutOfFold, splitter: Any, units: ArrayLike | None, groups: ArrayLike | None) -> Evidence:
    """Read off a splitter, ours or scikit-learn's, what its held-out losses say something about."""
    n = len(folds.losses)
    scheme = getattr(splitter, "scheme", None)
    if units is None and callable(getattr(splitter, "units", None)):
        units = splitter.units(n, groups)
    kind: Literal["rows", "groups", "blocks"] = "rows"
    if scheme in {"blocked_time", "group_time"} or type(splitter).__name__ == "TimeSeriesSplit":
        kind = "blocks"
        units = _fold_of(folds, n) if units is None else units
    elif scheme == "group":
        kind = "groups"
    elif scheme is None and groups is not None and _are_whole(folds, as_codes(groups, n)[0]):
        kind, units = "groups", groups
    codes = None if units is None else as_codes(units, n, "units")[0][folds.tested]
    return Evidence(folds, kind, codes, scheme in {"group", "group_time"} or kind == "groups")


def _fold_of(folds: OutOfFold, n: int) -> NDArray[np.intp]:
    fold = np.full(n, -1, dtype=np.intp)
    for k, rows in enumerate(folds.test_rows):
        fold[rows] = k
    return fold


def _are_whole(folds: OutOfFold, groups: NDArray[np.intp]) -> bool:
    """Say whether every test part holds all rows of its groups, so that none was learned from."""
    size = np.bincount(groups)
    for rows in folds.test_rows:
        present, counts = np.unique(groups[rows], return_counts=True)
        if (counts < size[present]).any():
            return False
    return True
