"""From the parts of a check to its report."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heldout.iid.columns import ColumnValues
from heldout.iid.duplicates import copies, joined_copies
from heldout.iid.families import Family, affordable
from heldout.iid.findings import findings_of
from heldout.iid.groups import IntraclassCorrelation, intraclass_correlation
from heldout.iid.result import Finding, IIDReport, SplitChoice
from heldout.iid.sorted_files import SortedBy
from heldout.iid.verdict import verdict_sentence

__all__ = ["Copied", "Question", "assemble"]

HELD_TOGETHER = 0.01  # share of exact copies above which they are held out together


@dataclass(frozen=True)
class Question:
    """The arguments of `check`, checked."""

    columns: list[ColumnValues]
    n: int
    sequence: NDArray[np.intp]
    time: NDArray[np.float64] | None
    groups: NDArray[np.intp] | None
    has_target: bool


@dataclass(frozen=True)
class Copied:
    """Codes that join equal rows, and how many rows are copies of an earlier one."""

    codes: NDArray[np.intp]
    n_copies: int

    @property
    def held(self) -> bool:
        """Whether copies are so many that sets of them are held out together.

        Whether equal rows are copies or discrete data's right cannot be known for small sets, so their share alone
        decides; large sets are mass points (see `joined_copies`).
        """
        return int(copies(self.units).sum()) > HELD_TOGETHER * self.codes.size

    @cached_property
    def units(self) -> NDArray[np.intp]:
        """Codes of what is held out together."""
        return joined_copies(self.codes)


def _target_matrix(target: ColumnValues) -> NDArray[np.float64]:
    if target.kind == "category":
        return np.array([target.values == code for code in range(len(target.levels))], dtype=np.float64)
    return target.values[None]


def _column_icc(column: ColumnValues, groups: NDArray[np.intp]) -> IntraclassCorrelation:
    seen = ~np.isnan(column.values)
    values = ColumnValues(column.name, column.kind, column.values[seen], column.levels)
    codes = np.unique(groups[seen], return_inverse=True)[1]
    return intraclass_correlation(_target_matrix(values), codes)


def _with_correlation(finding: Finding, column: ColumnValues, groups: NDArray[np.intp]) -> Finding:
    """Give a likeness finding its size."""
    icc = _column_icc(column, groups)
    effect = icc.value if np.isfinite(icc.value) else None
    return replace(finding, effect=effect, ci_low=icc.ci_low, ci_high=icc.ci_high, reason=icc.reason)


def _unrejected_target(icc: IntraclassCorrelation, target: ColumnValues, name: str, family: Family | None) -> Finding:
    """Show the target's intraclass correlation though it was not rejected."""
    p = adjusted = None
    if family is not None and family.result is not None:
        mine = [k for k, series in enumerate(family.series) if series.column == 0]
        if mine:
            p = float(min(family.result.p_values[k] for k in mine))
            adjusted = min(1.0, float(min(family.result.adjusted[k] for k in mine)) * family.multiplier)
    return Finding(
        family="groups",
        column=target.name,
        statistic="intraclass correlation",
        effect=icc.value,
        effect_name="intraclass correlation",
        ci_low=icc.ci_low,
        ci_high=icc.ci_high,
        p_value=p,
        adjusted_p_value=adjusted,
        validity=family.validity if family is not None else "",
        reason=f"not rejected, which does not show that {name} does not matter",
    )


def _group_findings(
    found: list[tuple[float, Finding]], question: Question, group_name: str, family: Family | None
) -> tuple[list[tuple[float, Finding]], float | None]:
    """Give likeness findings their sizes; the target's is shown whether rejected or not. Returns it too."""
    if question.groups is None:
        return found, None
    by_name = {column.name: column for column in reversed(question.columns)}
    sized = [
        (score, _with_correlation(f, by_name[f.column], question.groups) if f.family == "groups" else f)
        for score, f in found
    ]
    if not question.has_target:
        return sized, None
    target = question.columns[0]
    icc = _column_icc(target, question.groups)
    if not np.isfinite(icc.value):
        return sized, None
    if not any(f.family == "groups" and f.column == target.name for _, f in sized):
        sized.append((0.0, _unrejected_target(icc, target, group_name, family)))
    return sized, icc.value


def _sort_finding(sorting: SortedBy) -> Finding:
    left = "nothing is left of order within equal values" if sorting.harmless else "order is left within equal values"
    if sorting.by_target and not sorting.harmless:
        left += "; blocks of a file sorted by its target are ranges of the target, not times"
    return Finding(
        family="sorted",
        column=", ".join(sorting.columns),
        statistic="sorted",
        effect=float(sorting.n_runs),
        effect_name="runs",
        adjusted_p_value=sorting.p_value,
        validity="permutations among rows of equal value",
        harmless=sorting.harmless,
        reason=left,
    )


def _copies_finding(copied: Copied) -> Finding:
    return Finding(
        family="duplicates",
        column="all columns",
        statistic="exact duplicates",
        effect=float(copied.n_copies),
        effect_name="rows equal to an earlier row",
        place=f"{copied.n_copies:,} of {copied.codes.size:,} rows",
        validity="a count: discrete data has equal rows by right",
        harmless=not copied.held,
        reason="copies are kept in one fold" if copied.held else None,
    )


def _all_findings(
    question: Question,
    families: list[Family],
    tested: list[ColumnValues],
    sorting: SortedBy | None,
    copied: Copied,
    alpha: float,
    group_name: str,
) -> tuple[tuple[Finding, ...], float | None]:
    place_of = np.empty(question.n, dtype=np.intp)
    place_of[question.sequence] = np.arange(question.n)
    why = None
    if sorting is not None and sorting.harmless:
        why = f"the file is sorted by {', '.join(sorting.columns)}, and nothing is left within equal values"
    found: list[tuple[float, Finding]] = []
    for family in families:
        found += findings_of(family, tested, alpha, place_of, why)
    alike = next((family for family in families if family.name == "likeness inside groups"), None)
    found, icc = _group_findings(found, question, group_name, alike)
    findings = [finding for _, finding in sorted(found, key=lambda pair: -pair[0])]
    if sorting is not None:
        findings.append(_sort_finding(sorting))
    if copied.n_copies:
        findings.append(_copies_finding(copied))
    return tuple(findings), icc


def assemble(
    question: Question,
    families: list[Family],
    tested: list[ColumnValues],
    global_p_value: float | None,
    sorting: SortedBy | None,
    choice: SplitChoice,
    copied: Copied,
    alpha: float,
    n_permutations: int,
    group_name: str,
    started: float,
) -> IIDReport:
    """Put the parts together and say what they mean."""
    findings, icc = _all_findings(question, families, tested, sorting, copied, alpha, group_name)
    sorted_by = ", ".join(sorting.columns) if sorting is not None else None
    harmless = sorting is not None and sorting.harmless
    verdict = verdict_sentence(
        findings,
        choice,
        global_p_value=global_p_value,
        alpha=alpha,
        n_columns=len(tested),
        sorted_by=sorted_by,
        harmless=harmless,
        within_p=sorting.p_value if sorting is not None else None,
        sorted_by_target=sorting is not None and sorting.by_target,
        icc=icc,
        group_name=group_name,
        target_name=question.columns[0].name,
        copies=(copied.n_copies, question.n),
        copies_held=copied.held,
    )
    return IIDReport(
        n_rows=question.n,
        n_columns=len(question.columns),
        order="rows" if question.time is None else "time",
        alpha=alpha,
        n_permutations=min(
            (affordable(n_permutations, len(f.series) * f.rows.size) for f in families), default=n_permutations
        ),
        global_p_value=global_p_value,
        findings=findings,
        order_harmless=harmless,
        sorted_by=sorted_by,
        n_duplicates=copied.n_copies,
        intraclass_correlation=icc,
        n_groups=int(question.groups.max()) + 1 if question.groups is not None else None,
        verdict=verdict,
        choice=choice,
        seconds=clock.perf_counter() - started,
        duplicate_units=copied.units if copied.held else None,
        validity="; ".join(dict.fromkeys(family.validity for family in families)),
        groups=question.groups,
        time=question.time,
    )
