"""`check`: which parts of the IID assumption hold for one table."""

from __future__ import annotations

import time as clock
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes, n_rows
from heldout._random import seed_of
from heldout.errors import InvalidInput
from heldout.iid.assembly import Copied, Question, assemble
from heldout.iid.columns import ColumnValues, is_counter, read_columns, read_target
from heldout.iid.duplicates import copies, equal_row_codes
from heldout.iid.families import group_families, order_family, run_families, strata_p_value
from heldout.iid.result import IIDReport
from heldout.iid.sorted_files import SortedBy, explained_by_sorting
from heldout.iid.verdict import choose_split

__all__ = ["check"]

MOST_FAMILIES = 3


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


def _read(X: Any, y: Any, order: Any, groups: Any, task: str | None, name: str | None, time_named: bool) -> Question:
    n = n_rows(X)
    columns = read_columns(X)
    if y is not None:
        named = name or getattr(y, "name", None) or "target"
        columns = [read_target(y, n, task, str(named)), *columns]
    time = _read_order(order, n, time_named)
    codes = as_codes(_plain(groups), n)[0] if groups is not None else None
    sequence = np.argsort(time, kind="stable") if time is not None else np.arange(n)
    return Question(columns, n, sequence.astype(np.intp), time, codes, y is not None)


def _times_copied(codes: NDArray[np.intp]) -> int:
    """Return c when every row stands in the table exactly c times, else 1.

    Then the first copies are exchangeable whenever the rows are. With unequal numbers of copies they are not:
    values that are frequent come first.
    """
    counts = np.bincount(codes)
    return int(counts[0]) if counts.size > 1 and counts.min() == counts.max() else 1


def _first_copies(sequence: NDArray[np.intp], codes: NDArray[np.intp], times_copied: int) -> NDArray[np.intp]:
    return sequence if times_copied == 1 else sequence[~copies(codes[sequence])]


def _tested(question: Question) -> list[ColumnValues]:
    """Leave out features that merely number the rows: their order carries nothing."""
    return [c for c in question.columns if c.is_target or not is_counter(c.values[question.sequence])]


def _sorting(question: Question, alpha: float, seed: int, n_jobs: int | None) -> SortedBy | None:
    """Look for a sort that explains the order; only where rows stand as they come, without groups."""
    tested = _tested(question)
    ordered = [replace(c, values=c.values[question.sequence]) for c in tested if c.kind != "datetime"]

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
    tested = _tested(question)
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
    copied = Copied(codes, int(copies(codes).sum()))
    sorting = None
    if order_rejected and question.time is None and question.groups is None:
        sorting = _sorting(question, alpha, seed, n_jobs)
    if sorting is not None and question.has_target and question.columns[0].kind == "number":
        sorting = replace(sorting, by_target=sorting.columns[0] == question.columns[0].name)
    harmless = sorting is not None and (sorting.harmless or sorting.by_target)
    choice = choose_split(
        deploy, groups=question.groups, time=question.time, order_rejected=order_rejected, order_harmless=harmless,
        classification=bool(question.has_target and question.columns[0].kind == "category"), horizon=horizon,
        copies_held=copied.held, group_name=group_name,
    )  # fmt: skip
    return assemble(
        question, families, tested, global_p, sorting, choice, copied, alpha, n_permutations, group_name, started
    )
