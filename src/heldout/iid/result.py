"""What `check` returns: numbers, places and sentences, no rendering."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Deploy", "Family", "Finding", "IIDReport", "Scheme", "SplitChoice"]

Family = Literal["order", "groups", "duplicates", "sorted"]
Scheme = Literal["random", "stratified", "group", "blocked_time", "group_time"]
Deploy = Literal["same", "new-groups", "future", "new-groups,future"]


@dataclass(frozen=True)
class Finding:
    """One departure from exchangeable rows: which column, how large, where, and how sure.

    Attributes
    ----------
    family : {"order", "groups", "duplicates", "sorted"}
    column : str
        Name of the column; "target" when the target has no name.
    statistic : str
        "lag 1", "lags 2 to 24", "trend", "change point", "intraclass correlation", "exact duplicates", "sorted".
    effect : float or None
        Size, in the words of `effect_name`.
    effect_name : str
    ci_low, ci_high : float or None
        95 % interval of the effect where one is known to hold; `reason` says why there is none.
    place : str or None
        "row 1,204 of 3,000", "lag 24", "level 'a'".
    p_value, adjusted_p_value : float or None
        Permutation p-value of this statistic alone, and corrected for all columns, statistics and families.
        None for counts.
    validity : str
        On what the p-value rests.
    harmless : bool
        True when the finding does not speak for another split (order that only comes from sorting).
    reason : str or None
        Why a number is missing, or why the finding is harmless.
    """

    family: Family
    column: str
    statistic: str
    effect: float | None
    effect_name: str
    ci_low: float | None = None
    ci_high: float | None = None
    place: str | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    validity: str = ""
    harmless: bool = False
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


@dataclass(frozen=True)
class SplitChoice:
    """How rows are held out, and the sentence that says which future rows this stands for.

    Attributes
    ----------
    scheme : {"random", "stratified", "group", "blocked_time", "group_time"}
    deploy : {"same", "new-groups", "future", "new-groups,future"}
    gap : int
        Rows left out between training and test rows of time-ordered splits.
    reason : str
    conditional : str or None
        A condition the choice rests on, as "if future rows continue this file's order".
    """

    scheme: Scheme
    deploy: Deploy
    gap: int
    reason: str
    conditional: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain JSON values."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


@dataclass(frozen=True)
class IIDReport:
    """What `heldout.iid.check` found in one table.

    Attributes
    ----------
    n_rows, n_columns : int
        Rows, and columns tested (the target among them).
    order : str
        "rows" (as they come in the file) or "time".
    alpha : float
        P(any false flag) <= alpha when the rows are exchangeable.
    n_permutations : int
        Permutations asked for; a family that is clearly not rejected stops earlier.
    global_p_value : float or None
        Smallest corrected p-value over everything tested; None when nothing could be tested.
    findings : tuple of Finding
        Largest first: what was rejected, then counts and estimates without a rejection.
    order_harmless : bool
        True when order was rejected, the file is sorted, and nothing is left within equal values.
    sorted_by : str or None
        Column (or columns) the file is sorted by, looked for only when order was rejected.
    n_duplicates : int
        Rows that are exact copies (features and target) of an earlier row.
    intraclass_correlation : float or None
        Of the target over the groups; negative estimates are kept.
    n_groups : int or None
    verdict : str
        One or two sentences.
    choice : SplitChoice
    seconds : float
    duplicate_units : array of int or None
        Codes that join equal rows, when copies are so many that they must be held out together.
    validity : str
        On what the p-values rest.
    """

    n_rows: int
    n_columns: int
    order: str
    alpha: float
    n_permutations: int
    global_p_value: float | None
    findings: tuple[Finding, ...]
    order_harmless: bool
    sorted_by: str | None
    n_duplicates: int
    intraclass_correlation: float | None
    n_groups: int | None
    verdict: str
    choice: SplitChoice
    seconds: float
    duplicate_units: NDArray[np.intp] | None = field(default=None, repr=False, compare=False)
    validity: str = ""
    groups: NDArray[np.intp] | None = field(default=None, repr=False, compare=False)
    time: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    @property
    def rejected(self) -> bool:
        """Whether anything tested was rejected at `alpha` (False is not "IID")."""
        return self.global_p_value is not None and self.global_p_value <= self.alpha

    def splitter(self, n_folds: int | None = None, n_repeats: int = 1, random_state: Any = 0) -> Any:
        """Build the scikit-learn compatible splitter of the choice.

        Parameters
        ----------
        n_folds : int, optional
            Folds, or blocks of time; the splitter's own default when None.
        n_repeats : int, default=1
            Repeats of shuffled folds; time-ordered splits have one.
        random_state : int, default=0

        Returns
        -------
        splitter : one of `heldout.splits`
            With many exact copies and a random or stratified choice, whole sets of copies are held out.
        """
        from heldout import splits

        shuffled: dict[str, Any] = {"n_repeats": n_repeats, "random_state": random_state}
        blocked: dict[str, Any] = {"gap": self.choice.gap, "time": self.time}
        if n_folds is not None:
            shuffled["n_folds"] = n_folds
            blocked["n_blocks"] = n_folds
        scheme = self.choice.scheme
        if scheme == "group":
            return splits.GroupFolds(groups=self.groups, **shuffled)
        if scheme == "blocked_time":
            return splits.BlockedTime(**blocked)
        if scheme == "group_time":
            return splits.GroupTime(groups=self.groups, random_state=random_state, **blocked)
        if self.duplicate_units is not None:
            shuffled["units"] = self.duplicate_units
            # Fewer different rows than folds: a fold for each.
            shuffled["n_folds"] = max(2, min(n_folds or 10, int(self.duplicate_units.max()) + 1))
        kind = splits.StratifiedFolds if scheme == "stratified" else splits.RandomFolds
        return kind(**shuffled)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values (arrays left out)."""
        left_out = {"findings", "choice", "duplicate_units", "groups", "time"}
        plain = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in left_out}
        return {
            **plain,
            "rejected": self.rejected,
            "copies_held_together": self.duplicate_units is not None,
            "reason": self.choice.reason,
            "choice": self.choice.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
        }
