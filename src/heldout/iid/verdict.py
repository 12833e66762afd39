"""From findings to a split and to plain sentences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput
from heldout.iid.result import Deploy, Finding, Scheme, SplitChoice

__all__ = ["DEPLOYMENTS", "choose_split", "number", "p_text", "share_of_known_groups", "verdict_sentence"]

DEPLOYMENTS = ("auto", "same", "new-groups", "future", "new-groups,future")
KNOWN_SHARE = 0.9  # of the last block's rows in groups seen before: then new groups are not what is predicted
N_BLOCKS = 8  # blocks tested by the default time-ordered splitter, after one that is only learned from
FILE_ORDER = "if future rows continue this file's order"


def share_of_known_groups(time: NDArray[np.float64], groups: NDArray[np.intp]) -> float:
    """Return the share of the last block's rows whose group occurs before that block.

    The last block is the last ninth of the rows in time, never cutting equal times.
    """
    order = np.argsort(time, kind="stable")
    n = order.size
    cut = time[order[min(n - 1, n - n // (N_BLOCKS + 1))]]
    last = time >= cut
    if last.all():
        return 1.0
    return float(np.isin(groups[last], groups[~last]).mean())


def resolve_deploy(
    deploy: str, groups: NDArray[np.intp] | None, time: NDArray[np.float64] | None, by_order: bool
) -> tuple[Deploy, str | None]:
    """Turn "auto" into what future rows are, by the columns named; returns it with a remark."""
    names: dict[str, Deploy] = {
        "same": "same", "new-groups": "new-groups", "future": "future",
        "new-groups,future": "new-groups,future", "future,new-groups": "new-groups,future",
    }  # fmt: skip
    if deploy != "auto":
        if deploy not in names:
            raise InvalidInput(f"deploy must be one of {', '.join(DEPLOYMENTS)}, got {deploy!r}: name one of these")
        if "new-groups" in deploy and groups is None:
            raise InvalidInput(f"deploy={deploy!r} needs groups, got none: name the group column")
        return names[deploy], None
    if groups is not None and time is not None:
        share = share_of_known_groups(time, groups)
        remark = f"{100 * share:.0f} % of the latest rows belong to groups seen before"
        return ("future" if share >= KNOWN_SHARE else "new-groups,future"), remark
    if groups is not None:
        return "new-groups", None
    if time is not None or by_order:
        return "future", None
    return "same", None


def choose_split(
    deploy: str,
    *,
    groups: NDArray[np.intp] | None,
    time: NDArray[np.float64] | None,
    order_rejected: bool,
    order_harmless: bool,
    classification: bool,
    horizon: int,
    copies_held: bool,
    group_name: str,
) -> SplitChoice:
    """Choose how rows are held out.

    Parameters
    ----------
    deploy : str
        What future rows are; given, it wins over every test.
    groups, time : arrays or None
        The columns named. Naming them keeps groups whole and blocks time, whatever the tests say.
    order_rejected, order_harmless : bool
        Without groups and time, order that was rejected and is not harmless blocks by row order.
    classification : bool
    horizon : int
        Rows between training and test rows of time-ordered splits.
    copies_held : bool
    group_name : str

    Returns
    -------
    choice : SplitChoice
    """
    by_order = order_rejected and not order_harmless
    resolved, remark = resolve_deploy(deploy, groups, time, by_order)
    plural = _plural(group_name)
    scheme: Scheme = "stratified" if classification else "random"
    conditional = None
    gap = 0
    if resolved == "new-groups":
        scheme = "group"
        reason = f"Future rows come from new {plural}, so whole {plural} are held out."
    elif resolved == "new-groups,future":
        scheme, gap = "group_time", horizon
        reason = (
            f"Future rows are later and from new {plural}, so later rows of {plural} not learned from are held out."
        )
    elif resolved == "future":
        scheme, gap = "blocked_time", horizon
        reason = "Future rows are later than these, so later rows are predicted from earlier ones."
        conditional = FILE_ORDER if time is None else None
    else:
        shares = ", with the same class shares in every fold" if classification else ""
        reason = f"Future rows are like these in any order, so rows are held out at random{shares}."
        if copies_held:
            reason = reason[:-1] + ", and exact copies are kept in one fold."
    if remark is not None:
        reason = f"{reason[:-1]} ({remark})."
    if deploy != "auto":
        reason = f"{reason[:-1]} (deploy={deploy!r} was asked for)."
    return SplitChoice(scheme, resolved, gap, reason, conditional)


def number(value: float, digits: int = 2) -> str:
    """Write a number short: two decimals near 1, three significant digits elsewhere.

    Examples
    --------
    >>> number(0.4123), number(-0.01), number(1234.5)
    ('0.41', '-0.01', '1,234')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 0.01 and value != 0:
        return f"{value:.{digits}g}"
    return f"{value:.{digits}f}"


def p_text(p: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_text(0.312), p_text(0.001)
    ('p = 0.31', 'p = 0.001')
    """
    return f"p = {p:.2f}" if p >= 0.095 else f"p = {p:.1g}"


def _dependence(finding: Finding) -> str:
    """Say one order finding in the user's terms."""
    effect = number(finding.effect) if finding.effect is not None else "?"
    where = f" {finding.place}" if finding.place and finding.place.startswith("level") else ""
    name = f"{finding.column}{where}"
    if finding.statistic == "lag 1":
        return f"{name}: each row correlates {effect} with the one before"
    if finding.statistic.startswith("lags"):
        return f"{name}: rows correlate {effect} at {finding.place}"
    if finding.statistic == "trend":
        return f"{name}: correlates {effect} with the row's position"
    return f"{name}: {finding.effect_name} {effect}, {finding.place}"


def _plural(group_name: str) -> str:
    """Say "subjects" for a plain word, "groups" for a name that does not read as one."""
    plain = group_name.isalpha() and group_name.islower() and len(group_name) > 2
    return f"{group_name}s" if plain and not group_name.endswith("s") else "groups"


def _plainest(order: list[Finding], target_name: str) -> Finding:
    """Choose what to say first: the target's likeness to the row before, else that of the strongest column."""
    of_target = [f for f in order if f.column == target_name and f.statistic == "lag 1"]
    named = of_target or [f for f in order if f.column == order[0].column]
    return next((f for f in named if f.statistic == "lag 1"), named[0])


def _held_out(choice: SplitChoice, group_name: str, copies_held: bool) -> str:
    plural = _plural(group_name)
    if choice.scheme == "group":
        return f"new {plural} are predicted by holding whole {plural} out"
    if choice.scheme == "group_time":
        return f"later rows of new {plural} are predicted from earlier rows of other {plural}"
    if choice.scheme == "blocked_time":
        condition = f", {choice.conditional}" if choice.conditional else ""
        return f"later rows are predicted from earlier ones{condition}"
    return "rows are held out at random" + (", and exact copies are kept in one fold" if copies_held else "")


def verdict_sentence(
    findings: tuple[Finding, ...],
    choice: SplitChoice,
    *,
    global_p_value: float | None,
    alpha: float,
    n_columns: int,
    sorted_by: str | None,
    harmless: bool,
    sorted_by_target: bool,
    within_p: float | None,
    icc: float | None,
    group_name: str,
    target_name: str,
    copies: tuple[int, int],
    copies_held: bool,
) -> str:
    """Say in one or two sentences what was found, how large it is, and which rows are held out."""
    held = _held_out(choice, group_name, copies_held)
    rejected = [f for f in findings if f.adjusted_p_value is not None and f.adjusted_p_value <= alpha]
    order = [f for f in rejected if f.family == "order"]
    grouped = [f for f in rejected if f.family == "groups"]
    remark = f" {copies[0]:,} of {copies[1]:,} rows are exact copies of earlier ones." if copies_held else ""
    if icc is not None and np.isfinite(icc):
        if grouped:
            of_target = any(f.column == target_name for f in grouped)
            other = f"ICC of {grouped[0].column} {number(grouped[0].effect or 0.0)}, of {target_name} {number(icc)}"
            size = f"ICC {number(icc)}" if of_target else other
            return f"Rows are not independent ({group_name}: {size}); {held}.{remark}"
        if order:
            size = f"{_dependence(_plainest(order, target_name))}; {group_name}: ICC {number(icc)}"
            return f"Rows are not independent ({size}); {held}.{remark}"
        size = f"{group_name}: ICC {number(icc)}, which does not show that groups do not matter"
        return f"Rows come in groups ({size}); {held}.{remark}"
    if harmless:
        left = (
            f"within equal values no order was found ({p_text(within_p)})"
            if within_p is not None
            else "it lists every combination of them once"
        )
        return f"The file is sorted by {sorted_by}, which does not tell of time; {left}, so {held}.{remark}"
    if sorted_by_target and choice.deploy == "same":
        return (
            f"The file is sorted by {target_name}, the target itself, so its order does not tell of time and {held}; "
            f"yet rows of equal {target_name} resemble their neighbours: name a group or time column if they belong "
            f"together.{remark}"
        )
    if order:
        left = f"; the file is sorted by {sorted_by}, but order is left within its equal values" if sorted_by else ""
        return f"Rows are not independent ({_dependence(_plainest(order, target_name))}{left}); {held}.{remark}"
    if grouped:
        size = f"{group_name}: ICC of {grouped[0].column} {number(grouped[0].effect or 0.0)}"
        return f"Rows are not independent ({size}); {held}.{remark}"
    if global_p_value is None:
        return f"Nothing could be tested in this table; {held}.{remark}"
    size = f"{p_text(global_p_value)}, {n_columns} columns"
    return f"No evidence against exchangeable rows was found ({size}); {held}.{remark}"
