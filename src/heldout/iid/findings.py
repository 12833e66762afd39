"""From test results to findings: the largest effect of every column and statistic that was rejected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.iid.columns import ColumnValues, Series
from heldout.iid.families import Family
from heldout.iid.order_statistics import STATISTICS, OrderStatistics
from heldout.iid.result import Family as FamilyName
from heldout.iid.result import Finding

__all__ = ["change_effect", "findings_of"]

NO_INTERVAL = "no interval is known to hold for rows in order"


def _label(series: Series) -> str | None:
    return None if series.part == "values" else series.part


def change_effect(
    column: ColumnValues, series: Series, before: NDArray[np.intp], after: NDArray[np.intp]
) -> tuple[float, str]:
    """Return how much a column's level differs after a place: medians of numbers, shares of levels."""
    first, second = column.values[before], column.values[after]
    if series.part == "missing":
        return float(np.isnan(second).mean() - np.isnan(first).mean()), "share missing after minus before"
    if series.code is not None:
        return float((second == series.code).mean() - (first == series.code).mean()), "share after minus before"
    if series.part != "values" or np.isnan(first).all() or np.isnan(second).all():
        return float("nan"), "level after minus before"
    return float(np.nanmedian(second) - np.nanmedian(first)), "median after minus before"


def _order_effect(
    family: Family,
    statistic: OrderStatistics,
    k: int,
    which: int,
    columns: list[ColumnValues],
    place_of: NDArray[np.intp],
    correlations: NDArray[np.float64],
    trends: NDArray[np.float64],
) -> tuple[float | None, str, str | None]:
    """Return effect, its name and its place of one score (`which` of the four statistics, series `k`)."""
    series, n = family.series[k], place_of.size
    part = _label(series)
    unit = {"order inside groups": "row of its group", "order of groups": "group"}.get(family.name, "row")
    if which == 0:
        return float(correlations[0, k]), f"rank correlation with the {unit} before", part
    if which == 1:
        lag = 1 + int(np.argmax(np.abs(correlations[1:, k]))) + 1
        return float(correlations[lag - 1, k]), "largest rank correlation", f"lag {lag}" + (f", {part}" if part else "")
    if which == 2:
        return float(trends[k]), f"rank correlation with the position of the {unit}", part
    place = statistic.change_place(k)
    row = int(place_of[family.rows[place]]) + 1
    effect, name = change_effect(columns[series.column], series, family.rows[: place + 1], family.rows[place + 1 :])
    return (effect if np.isfinite(effect) else None), name, f"row {row:,} of {n:,}" + (f", {part}" if part else "")


def findings_of(
    family: Family, columns: list[ColumnValues], alpha: float, place_of: NDArray[np.intp], harmless: str | None
) -> list[tuple[float, Finding]]:
    """Return (score, finding) for every column and statistic rejected at `alpha`.

    Parameters
    ----------
    place_of : array of int
        Place of each row in the tested sequence.
    harmless : str or None
        Why order findings do not speak for another split.
    """
    result, n_series = family.result, len(family.series)
    if result is None:
        return []
    adjusted = np.minimum(1.0, result.adjusted * family.multiplier)
    name: FamilyName = "groups" if family.name == "likeness inside groups" else "order"
    ordered = isinstance(family.statistic, OrderStatistics)
    correlations = trends = np.zeros((1, n_series))
    if isinstance(family.statistic, OrderStatistics) and (adjusted <= alpha).any():
        correlations, trends = family.statistic.correlations(), family.statistic.trend_correlations()
    best: dict[tuple[int, int], int] = {}
    for index in np.flatnonzero(adjusted <= alpha).tolist():
        key = (index // n_series, family.series[index % n_series].column)
        if key not in best or result.scores[index] > result.scores[best[key]]:
            best[key] = index
    found = []
    for (which, column), index in best.items():
        k = index % n_series
        if ordered and isinstance(family.statistic, OrderStatistics):
            effect, effect_name, place = _order_effect(
                family, family.statistic, k, which, columns, place_of, correlations, trends
            )
            if family.name == "order inside groups" and which != 3:
                place = ", ".join(filter(None, ["inside groups", place]))
        else:
            effect, effect_name, place = None, "intraclass correlation", _label(family.series[k])
        finding = Finding(
            family=name,
            column=columns[column].name,
            statistic=STATISTICS[which] if ordered else "intraclass correlation",
            effect=effect,
            effect_name=effect_name,
            place=place,
            p_value=float(result.p_values[index]),
            adjusted_p_value=float(adjusted[index]),
            validity=family.validity,
            harmless=harmless is not None and name == "order",
            reason=(harmless if name == "order" and harmless else NO_INTERVAL) if ordered else None,
        )
        found.append((float(result.scores[index]), finding))
    return found
