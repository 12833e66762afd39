"""`check`: which parts of the IID assumption hold for one table."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, n_rows
from heldout._random import seed_of
from heldout.errors import InvalidInput
from heldout.iid.columns import ColumnValues, is_counter, read_columns, read_target
from heldout.iid.duplicates import copies, equal_row_codes
from heldout.iid.families import Family, group_families, order_family, run_families, strata_p_value
from heldout.iid.findings import findings_of
from heldout.iid.groups import IntraclassCorrelation, intraclass_correlation
from heldout.iid.result import Finding, IIDReport
from heldout.iid.sorted_files import SortedBy, explained_by_sorting
from heldout.iid.verdict import choose_split, verdict_sentence

__all__ = ["check"]

HELD_TOGETHER = 0.01  # share of exact copies above which they are held out together
MOST_FAMILIES = 3


@dataclass(frozen=True)
class _Question:
    """The arguments of `check`, checked."""

    columns: list[ColumnValues]
    n: int
    sequence: NDArray[np.intp]
    time: NDArray[np.float64] | None
    groups: NDArray[np.intp] | None
    has_target: bool


def _plain(values: Any) -> NDArray[Any]:
    native = nw.from_native(values, series_only=True, pass_through=True)
    return np.asarray(native.to_numpy() if isinstance(native, nw.Series) else values)


def _read_order(order: Any, n: int, time_named: bool) -> NDArray[np.float64] | None:
    """Return times as numbers, or None when rows stand as they come and no time is named."""
    if isinstance(order, str):
        if order != "rows":
            raise InvalidInput(
                f"order must be 'rows' or an array of times, got {order!r}: pass the time column's values"
            )
        return np.arange(n, dtype=np.float64) if time_named else None
    values = _plain(order)
    if values.shape != (n,):
        raise InvalidInput(f"order must have shape ({n},), got {values.shape}: pass one time per row")
    if values.dtype.kind == "M":
        if np.isnat(values).any():
            raise InvalidInput(
                f"order must have no missing times, got {int(np.isnat(values).sum())}: drop or mend these rows"
            )
        return np.asarray(values.astype("datetime64[us]").astype(np.int64) / 1e6)
    if values.dtype.kind not in "iufb":
        raise InvalidInput(f"order must hold numbers or date-times, got {values.dtype}: parse the times first")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InvalidInput(f"order must be finite, got {int((~np.isfinite(values)).sum())} missing or infinite times")
    return values


def _check_levels(alpha: float, n_permutations: int, horizon: int) -> None:
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha must lie between 0 and 1, got {alpha}: 0.05 is usual")
    if n_permutations + 1 < MOST_FAMILIES / alpha:
        raise InvalidInput(
            f"n_permutations must be at least {int(np.ceil(MOST_FAMILIES / alpha)) - 1} at alpha={alpha}, got "
            f"{n_permutations}: with fewer nothing could ever be rejected"
        )
    if horizon < 0:
        raise InvalidInput(f"horizon must be 0 or more rows, got {horizon}")


def _read(X: Any, y: Any, order: Any, groups: Any, task: str | None, name: str | None, time_named: bool) -> _Question:
    n = n_rows(X)
    columns = read_columns(X)
    if y is not None:
        named = name or getattr(y, "name", None) or "target"
        columns = [read_target(y, n, task, str(named)), *columns]
    time = _read_order(order, n, time_named)
    codes = as_codes(_plain(groups), n)[0] if groups is not None else None
    sequence = np.argsort(time, kind="stable") if time is not None else np.arange(n)
    return _Question(columns, n, sequence.astype(np.intp), time, codes, y is not None)


def _target_matrix(target: ColumnValues) -> NDArray[np.float64]:
    if target.kind == "category":
        return np.array([target.values == code for code in range(len(target.levels))], dtype=np.float64)
    return target.values[None]


def _column_icc(column: ColumnValues, groups: NDArray[np.intp]) -> IntraclassCorrelation:
    seen = ~np.isnan(column.values)
    values = ColumnValues(column.name, column.kind, column.values[seen], column.levels)
    codes = np.unique(groups[seen], return_inverse=True)[1]
    return intraclass_correlation(_target_matrix(values), codes)


def _group_findings(
    found: list[tuple[float, Finding]], question: _Question, group_name: str, family: Family | None
) -> tuple[list[tuple[float, Finding]], IntraclassCorrelation | None]:
    """Give likeness findings their intraclass correlation; the target's is shown whether rejected or not."""
    if question.groups is None:
        return found, None
    by_name = {column.name: column for column in question.columns}
    target = question.columns[0] if question.has_target else None
    target_icc = _column_icc(target, question.groups) if target is not None else None
    result: list[tuple[float, Finding]] = []
    for score, finding in found:
        if finding.family != "groups":
            result.append((score, finding))
            continue
        icc = _column_icc(by_name[finding.column], question.groups)
        reason = "; ".join(filter(None, [icc.reason]))
        result.append(
            (score, replace(finding, effect=icc.value, ci_low=icc.ci_low, ci_high=icc.ci_high, reason=reason or None))
        )
    shown = any(f.family == "groups" and target is not None and f.column == target.name for _, f in result)
    if target_icc is not None and target is not None and not shown and np.isfinite(target_icc.value):
        p, adjusted = None, None
        if family is not None and family.result is not None:
            mine = [k for k, s in enumerate(family.series) if s.column == 0]
            if mine:
                p = float(min(family.result.p_values[k] for k in mine))
                adjusted = min(1.0, float(min(family.result.adjusted[k] for k in mine)) * family.multiplier)
        result.append((0.0, Finding(
            "groups", target.name, "intraclass correlation", target_icc.value, "intraclass correlation", target_icc.ci_low,
            target_icc.ci_high, None, p, adjusted, family.validity if family else "", False,
            f"not rejected, which does not show that {group_name} does not matter",
        )))  # fmt: skip
    return result, target_icc


def _times_copied(codes: NDArray[np.intp]) -> int:
    """Return c when every row stands in the table exactly c times, else 1.

    Then the first copies are exchangeable whenever the rows are. With unequal numbers of copies they are not:
    values that are frequent come first.
    """
    counts = np.bincount(codes)
    return int(counts[0]) if counts.size > 1 and counts.min() == counts.max() else 1


def _first_copies(sequence: NDArray[np.intp], codes: NDArray[np.intp], times_copied: int) -> NDArray[np.intp]:
    return sequence if times_copied == 1 else sequence[~copies(codes[sequence])]


def _sorting(question: _Question, alpha: float, seed: int, n_jobs: int | None) -> SortedBy | None:
    """Look for a sort that explains the order; only where rows stand as they come, without groups."""
    ordered = [
        replace(column, values=column.values[question.sequence])
        for column in question.columns
        if column.kind != "datetime" and not is_counter(column.values[question.sequence])
    ]
    tested = [c for c in question.columns if not is_counter(c.values[question.sequence])]

    def within(strata: NDArray[np.intp]) -> float | None:
        return strata_p_value(tested, question.sequence, strata, alpha, seed, n_jobs)

    return explained_by_sorting(ordered, within, alpha) if ordered else None


def check(
    X: Any,
    y: ArrayLike | None = None,
    *,
    order: Any = "rows",
    groups: ArrayLike | None = None,
    deploy: str = "auto",
    alpha: float = 0.05,
    task: str | None = None,
    n_permutations: int = 999,
    random_state: Any = 0,
    n_jobs: int | None = None,
    horizon: int = 0,
    time_named: bool = False,
    target_name: str | None = None,
    group_name: str = "group",
) -> IIDReport:
    """Test which parts of the IID assumption hold for a table, and choose how rows are held out.

    Every column, its missing values and the target are tested for serial correlation (lag 1; lags 2 to 24),
    trend and a change of level, with one set of permutations and the correction of the maximum.

    Parameters
    ----------
    X : array or frame, shape (n_rows, n_columns)
    y : array, optional
        The target.
    order : "rows" or array of times
        Rows as they come, or sorted by the given times (which also says that future rows are later).
    groups : array, optional
        Unit each row belongs to.
    deploy : {"auto", "same", "new-groups", "future", "new-groups,future"}
        What future rows are; given, it wins over every test.
    alpha : float, default=0.05
        P(any false flag) <= alpha when rows are exchangeable.
    task : {"regression", "classification"}, optional
        Inferred from y when None.
    n_permutations : int, default=999
    random_state : int, default=0
    n_jobs : int, optional
        Threads; the result does not depend on it.
    horizon : int, default=0
        Rows between training and test rows of time-ordered splits.
    time_named : bool, default=False
        Say that rows as they come are in order of time.
    target_name, group_name : str, optional
        Names for the sentences.

    Returns
    -------
    report : IIDReport

    Raises
    ------
    InvalidInput
        Arguments of another length than X, unknown options, times that are missing.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> X[:, 1] = np.cumsum(X[:, 1])
    >>> report = check(X)
    >>> report.rejected, report.choice.scheme, report.findings[0].column
    (True, 'blocked_time', 'column 1')
    """
    started = clock.perf_counter()
    _check_levels(alpha, n_permutations, horizon)
    question = _read(X, y, order, groups, task, target_name, time_named)
    seed, n = seed_of(random_state), question.n
    tested = [c for c in question.columns if not is_counter(c.values[question.sequence])]
    codes = equal_row_codes(question.columns, n)
    times = _times_copied(codes)
    if question.groups is not None:
        families = group_families(tested, question.sequence, question.groups)
    else:
        single = order_family(tested, _first_copies(question.sequence, codes, times), question.time is not None, times)
        families = [single] if single is not None else []
    global_p = run_families(families, n_permutations, seed, n_jobs)
    order_rejected = any(
        f.result is not None and f.result.p_value * f.multiplier <= alpha and f.name != "likeness inside groups"
        for f in families
    )
    n_copies = int(copies(codes).sum())
    held = n_copies > HELD_TOGETHER * n
    sorting = None
    if order_rejected and question.time is None and question.groups is None:
        sorting = _sorting(question, alpha, seed, n_jobs)
    harmless = sorting is not None and sorting.harmless
    choice = choose_split(
        deploy, groups=question.groups, time=question.time, order_rejected=order_rejected, order_harmless=harmless,
        classification=bool(question.has_target and question.columns[0].kind == "category"), horizon=horizon,
        copies_held=held, group_name=group_name,
    )  # fmt: skip
    return _report(
        question, families, tested, global_p, sorting, choice, alpha=alpha, n_permutations=n_permutations,
        codes=codes, n_copies=n_copies, held=held, group_name=group_name, started=started,
    )  # fmt: skip


def _sort_finding(sorting: SortedBy) -> Finding:
    name = ", ".join(sorting.columns)
    left = "nothing is left of order within equal values" if sorting.harmless else "order is left within equal values"
    return Finding(
        "sorted", name, "sorted", float(sorting.n_runs), "runs", None, None, None, None, sorting.p_value,
        "permutations among rows of equal value", sorting.harmless, left,
    )  # fmt: skip


def _report(
    question: _Question, families: list[Family], tested: list[ColumnValues], global_p: float | None, sorting: SortedBy | None, choice: Any,
    *, alpha: float, n_permutations: int, codes: NDArray[np.intp], n_copies: int, held: bool, group_name: str, started: float,
) -> IIDReport:  # fmt: skip
    place_of = np.empty(question.n, dtype=np.intp)
    place_of[question.sequence] = np.arange(question.n)
    harmless = sorting is not None and sorting.harmless
    name = ", ".join(sorting.columns) if sorting is not None else None
    why = f"the file is sorted by {name}, and nothing is left within equal values" if harmless else None
    found: list[tuple[float, Finding]] = []
    for family in families:
        found += findings_of(family, tested, alpha, place_of, why)
    alike = next((f for f in families if f.name == "likeness inside groups"), None)
    found, icc = _group_findings(found, question, group_name, alike)
    findings = [finding for _, finding in sorted(found, key=lambda pair: -pair[0])]
    if sorting is not None:
        findings.append(_sort_finding(sorting))
    if n_copies:
        words = "copies are kept in one fold" if held else None
        findings.append(Finding(
            "duplicates", "all columns", "exact duplicates", float(n_copies), "rows equal to an earlier row", place=f"{n_copies:,} of {question.n:,} rows",
            validity="a count: discrete data has equal rows by right", reason=words, harmless=not held,
        ))  # fmt: skip
    icc_value = icc.value if icc is not None and np.isfinite(icc.value) else None
    validity = "; ".join(dict.fromkeys(family.validity for family in families))
    return IIDReport(
        n_rows=question.n, n_columns=len(question.columns), order="rows" if question.time is None else "time", alpha=alpha,
        n_permutations=n_permutations, global_p_value=global_p, findings=tuple(findings), order_harmless=harmless, sorted_by=name,
        n_duplicates=n_copies, intraclass_correlation=icc_value,
        n_groups=int(question.groups.max()) + 1 if question.groups is not None else None,
        verdict=verdict_sentence(
            tuple(findings), choice, global_p_value=global_p, alpha=alpha, n_columns=len(tested), sorted_by=name, harmless=harmless,
            within_p=sorting.p_value if sorting else None, icc=icc_value, group_name=group_name, target_name=question.columns[0].name, copies=(n_copies, question.n), copies_held=held,
        ),
        choice=choice, seconds=clock.perf_counter() - started, duplicate_units=codes if held else None, validity=validity,
        groups=question.groups, time=question.time,
    )  # fmt: skip
