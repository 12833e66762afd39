"""`compare`: how a current table differs from the reference table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from heldout._arrays import n_rows
from heldout._random import seed_of
from heldout.errors import InvalidInput
from heldout.iid.columns import ColumnValues, Series, ranked_series, read_columns
from heldout.iid.duplicates import row_hashes
from heldout.iid.families import affordable
from heldout.iid.order_statistics import minus_log_kolmogorov
from heldout.iid.permutation import maximum_test
from heldout.iid.shift import ShiftFinding, ShiftReport
from heldout.iid.verdict import number, p_text

__all__ = ["LabelStatistics", "compare"]

MOST_ROWS = 10_000  # of each table, evenly spaced
EXACT = "exact: permutations of the table labels"


class LabelStatistics:
    """Two-sample scores of pooled series: location of every series, and largest difference of distribution of numbers.

    Parameters
    ----------
    matrix : array of float32, shape (n_series, n)
        Pooled series of mean 0 and variance 1.
    current : array of bool, shape (n,)
        Which rows are of the current table.
    numbers : array of int
        Series for which the Kolmogorov-Smirnov statistic is taken.
    """

    def __init__(self, matrix: NDArray[np.float32], current: NDArray[np.bool_], numbers: NDArray[np.intp]) -> None:
        self.matrix, self.n, self.numbers = matrix, matrix.shape[1], numbers
        m = float(current.sum())
        self.label = current.astype(np.float32)
        self.centred = (current - m / self.n).astype(np.float64)
        self.location_spread = np.sqrt(m * (self.n - m) / (self.n - 1))
        self.bridge_spread = np.sqrt(m * (self.n - m) / self.n)
        self.sorted = [np.argsort(matrix[k], kind="stable") for k in numbers]
        self.tie_ends = [
            np.append(np.diff(matrix[k][order]) != 0, True) for k, order in zip(numbers, self.sorted, strict=True)
        ]

    def locations(self, order: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return the standardised sum of each series over the current rows."""
        label = self.label if order is None else self.label[order]
        return np.asarray(np.einsum("ij,j->i", self.matrix, label) / self.location_spread, dtype=np.float64)

    def distances(self, order: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return sqrt(m n / (m + n)) times the Kolmogorov-Smirnov distance of each number."""
        centred = self.centred if order is None else self.centred[order]
        return np.array([
            np.abs(np.cumsum(centred[rank])[ends]).max() / self.bridge_spread
            for rank, ends in zip(self.sorted, self.tie_ends, strict=True)
        ])  # fmt: skip

    def scores(self, order: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return minus log tail probabilities: locations of all series, then distances of numbers."""
        located = np.maximum(-special.log_ndtr(-np.abs(self.locations(order))) - np.log(2), 0)
        return np.concatenate([located, minus_log_kolmogorov(self.distances(order), 1)])

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Permute the table labels."""
        return rng.permutation(self.n)


def _texts(column: ColumnValues) -> NDArray[Any]:
    """Return a column as texts, None where missing."""
    names: list[str | None] = [
        None if value != value else column.levels[int(value)] if column.levels else str(value)
        for value in column.values.tolist()
    ]
    texts = np.empty(len(names), dtype=object)
    texts[:] = names
    return texts


def _joined(reference: ColumnValues, current: ColumnValues) -> ColumnValues:
    """Pool one column of both tables; numbers on one side and texts on the other are compared as texts."""
    values = [reference.values, current.values]
    if not reference.levels and not current.levels:
        return ColumnValues(reference.name, reference.kind, np.concatenate(values))
    pooled = np.concatenate([_texts(reference), _texts(current)])
    missing = np.array([t is None for t in pooled])
    levels, inverse = np.unique(pooled[~missing].astype(str), return_inverse=True)
    codes_all = np.full(pooled.size, np.nan)
    codes_all[~missing] = inverse
    return ColumnValues(reference.name, "category", codes_all, tuple(str(level) for level in levels))


def _counted(column: ColumnValues, n: int) -> list[ShiftFinding]:
    """Count new levels and values outside the reference's range: no p-value."""
    reference, current = column.values[:n], column.values[n:]
    seen = reference[~np.isnan(reference)]
    there = ~np.isnan(current)
    if not seen.size:
        return []
    if column.kind == "category":
        new = there & ~np.isin(current, seen)
        if not new.any():
            return []
        level = column.levels[int(current[new].min())]
        return [ShiftFinding(column.name, "new levels", float(new.mean()), "share of rows with a level not seen before",
                             int(new.sum()), f"level '{level}'", validity="a count")]  # fmt: skip
    outside = there & ((current < seen.min()) | (current > seen.max()))
    if not outside.any():
        return []
    example = number(float(current[outside][0]))
    words = "share of rows outside the range seen before"
    share, rows = float(outside.mean()), int(outside.sum())
    return [ShiftFinding(column.name, "outside range", share, words, rows, f"value {example}", validity="a count")]


def _effect(
    column: ColumnValues, series: Series, n: int, location: float, statistics: LabelStatistics
) -> tuple[str, float, str, str | None]:
    """Return statistic, effect, its name and place of one location score."""
    reference, current = column.values[:n], column.values[n:]
    if series.part == "missing":
        return (
            "missing share",
            float(np.isnan(current).mean() - np.isnan(reference).mean()),
            "share missing, current minus reference",
            None,
        )
    if series.code is not None:
        difference = float((current == series.code).mean() - (reference == series.code).mean())
        return "level shares", difference, "share, current minus reference", series.part
    m = float(statistics.label.sum())
    rest = statistics.n - m
    spread = np.sqrt((statistics.n**2 - 1) / 12)  # of ranks without ties; ties make it an upper bound
    auc = 0.5 + location * statistics.location_spread * spread / (m * rest)
    place = None if series.part == "values" else series.part
    return "location", float(auc), "chance that a current value exceeds a reference one", place


def _verdict(report: ShiftReport) -> str:
    rows = (
        f"{report.n_duplicates:,} of {report.n_current:,} rows stand in the reference table too"
        if report.n_duplicates
        else ""
    )
    counts = [f for f in report.findings if f.p_value is None and f.statistic in ("new levels", "column missing")]
    extra = ". ".join(filter(None, [
        f"{counts[0].column} has {counts[0].statistic}" if counts and counts[0].statistic == "new levels" else "", rows,
    ]))  # fmt: skip
    tail = f" {extra[0].upper()}{extra[1:]}." if extra else ""
    if report.global_p_value is None:
        return f"No column could be compared.{tail}"
    rejected = [f for f in report.findings if f.adjusted_p_value is not None and f.adjusted_p_value <= report.alpha]
    if not rejected:
        size = f"{p_text(report.global_p_value)}, {report.n_columns} columns"
        return f"No evidence of a difference between the tables was found ({size}).{tail}"
    top = rejected[0]
    n_columns = len({f.column for f in rejected})
    where = f", {top.place}" if top.place else ""
    others = f" and {n_columns - 1} more columns" if n_columns > 1 else ""
    return f"The tables differ ({top.column}{where}: {top.effect_name} {number(top.effect or 0.0)}{others}).{tail}"


def _pooled(reference: Any, current: Any) -> tuple[list[ColumnValues], list[str]]:
    first, second = read_columns(reference), {column.name: column for column in read_columns(current)}
    shared = [column for column in first if column.name in second]
    if not shared:
        names = ", ".join(column.name for column in first[:5])
        raise InvalidInput(f"current must share columns with reference ({names}), got {', '.join(list(second)[:5])}")
    pooled = [_joined(column, second[column.name]) for column in shared]
    return pooled, [column.name for column in first if column.name not in second]


def _rejected(
    columns: list[ColumnValues],
    n: int,
    total: int,
    alpha: float,
    n_permutations: int,
    random_state: Any,
    n_jobs: int | None,
) -> tuple[float | None, list[ShiftFinding]]:
    """Test all columns together; return the global p-value and the findings, largest first."""
    rows = np.concatenate([
        np.unique(np.linspace(a, b - 1, min(MOST_ROWS, b - a)).astype(np.intp)) for a, b in ((0, n), (n, total))
    ])  # fmt: skip
    matrix, series = ranked_series(columns, rows)
    if not series:
        return None, []
    numbers = np.array([k for k, s in enumerate(series) if s.part == "values"], dtype=np.intp)
    statistics = LabelStatistics(matrix, rows >= n, numbers)
    result = maximum_test(statistics, affordable(n_permutations, matrix.size), seed_of(random_state), "compare", n_jobs)
    best: dict[tuple[int, str], tuple[float, ShiftFinding]] = {}
    locations, distances = statistics.locations(None), statistics.distances(None)
    validity = EXACT + ("" if rows.size == total else f"; on {rows.size:,} of {total:,} rows, evenly spaced")
    for index in np.flatnonzero(result.adjusted <= alpha).tolist():
        if index < len(series):
            one = series[index]
            name, effect, effect_name, place = _effect(columns[one.column], one, n, float(locations[index]), statistics)
        else:
            k = index - len(series)
            one = series[numbers[k]]
            m = float(statistics.label.sum())
            scale = np.sqrt(statistics.n / (m * (statistics.n - m)))
            name, effect, effect_name, place = (
                "distribution",
                float(distances[k] * scale),
                "largest difference of distribution functions",
                None,
            )
        finding = ShiftFinding(
            columns[one.column].name, name, effect, effect_name, None, place,
            float(result.p_values[index]), float(result.adjusted[index]), validity,
        )  # fmt: skip
        key, score = (one.column, name), float(result.scores[index])
        if key not in best or score > best[key][0]:
            best[key] = (score, finding)
    return result.p_value, [finding for _, finding in sorted(best.values(), key=lambda pair: -pair[0])]


def compare(
    reference: Any,
    current: Any,
    *,
    alpha: float = 0.05,
    n_permutations: int = 999,
    random_state: Any = 0,
    n_jobs: int | None = None,
) -> ShiftReport:
    """Compare two tables column by column.

    Numbers: Mann and Whitney's probability that a current value exceeds a reference one, and the distance of
    Kolmogorov and Smirnov. Categories: shares of their five most frequent levels, and order of levels. All columns:
    missing share. The labels of the tables are permuted, and p-values are corrected by the maximum over columns
    and statistics.

    Parameters
    ----------
    reference, current : array or frame
        Columns are matched by name.
    alpha : float, default=0.05
    n_permutations : int, default=999
    random_state : int, default=0
    n_jobs : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    report : ShiftReport

    Raises
    ------
    InvalidInput
        No shared column, or too few permutations for `alpha`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> report = compare(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + [0, 1])
    >>> report.rejected, report.findings[0].column
    (True, 'column 1')
    """
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha must lie between 0 and 1, got {alpha}: 0.05 is usual")
    if n_permutations + 1 < 1 / alpha:
        raise InvalidInput(
            f"n_permutations must be at least {int(np.ceil(1 / alpha)) - 1} at alpha={alpha}, got {n_permutations}: "
            "with fewer nothing could ever be rejected"
        )
    columns, absent = _pooled(reference, current)
    n, total = n_rows(reference), n_rows(reference) + n_rows(current)
    p_value, findings = _rejected(columns, n, total, alpha, n_permutations, random_state, n_jobs)
    for column in columns:
        findings += _counted(column, n)
    findings += [ShiftFinding(name, "column missing", None, "in the reference table only") for name in absent]
    hashes = row_hashes(columns, total)
    n_duplicates = int(np.isin(hashes[n:], hashes[:n]).sum()) if not absent else 0
    if n_duplicates:
        share = n_duplicates / (total - n)
        words = "share of current rows that stand in the reference"
        by_right = "a count: discrete data has equal rows by right"
        findings.append(ShiftFinding("all columns", "exact duplicates", share, words, n_duplicates, validity=by_right))
    report = ShiftReport(n, total - n, len(columns), alpha, n_permutations, p_value, tuple(findings), n_duplicates, "")
    return replace(report, verdict=_verdict(report))
