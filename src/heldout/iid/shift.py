"""What `compare` returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

__all__ = ["ShiftFinding", "ShiftReport"]


@dataclass(frozen=True)
class ShiftFinding:
    """One difference between two tables.

    Attributes
    ----------
    column : str
    statistic : str
        "location" (Mann-Whitney), "distribution" (Kolmogorov-Smirnov), "level shares", "missing share", "new levels",
        "outside range", "exact duplicates", "column missing".
    effect : float or None
        In the words of `effect_name`.
    effect_name : str
    n_rows : int or None
        Rows of the current table concerned, for counts.
    place : str or None
        A level or value that shows it.
    p_value, adjusted_p_value : float or None
        None for counts.
    validity : str
    """

    column: str
    statistic: str
    effect: float | None
    effect_name: str
    n_rows: int | None = None
    place: str | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    validity: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


@dataclass(frozen=True)
class ShiftReport:
    """How a current table differs from a reference table.

    Attributes
    ----------
    n_reference, n_current, n_columns : int
    alpha : float
    n_permutations : int
    global_p_value : float or None
    findings : tuple of ShiftFinding
        What was rejected, largest first, then counts.
    n_duplicates : int
        Rows of the current table that equal a row of the reference.
    verdict : str
    """

    n_reference: int
    n_current: int
    n_columns: int
    alpha: float
    n_permutations: int
    global_p_value: float | None
    findings: tuple[ShiftFinding, ...]
    n_duplicates: int
    verdict: str

    @property
    def rejected(self) -> bool:
        """Whether a difference was found at `alpha` (False is not "the same")."""
        return self.global_p_value is not None and self.global_p_value <= self.alpha

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        plain = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "findings"}
        return {**plain, "rejected": self.rejected, "findings": [finding.to_dict() for finding in self.findings]}
