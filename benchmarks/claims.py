"""A promised value, what it must reach to be shipped, and the goal; and how it is judged by the rows measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Rows = Sequence[dict[str, Any]]
Line = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Claim:
    """A value of a cell's rows, the floor, the goal; None where nothing is promised."""

    text: str
    cell: str
    key: str
    floor: float | None
    goal: float | None
    unit: str = "x"
    more_is_better: bool = True
    digits: int = 2
    of: Callable[[Sequence[float]], float] = statistics.median

    def reaches(self, value: float, limit: float) -> bool:
        """Say whether a value, to so many decimals, is at least as good as a limit."""
        value = round(value, self.digits)
        return value >= limit if self.more_is_better else value <= limit


def judged(claim: Claim, rows: Rows) -> tuple[str, str]:
    """Return what was measured, the median over the rows or what the claim takes of them, and the verdict."""
    rows = [row for row in rows if row["cell"] == claim.cell]
    sound = [row for row in rows if not row["void"]]
    used = sound or rows
    if not used:
        return "", "not measured"
    value = claim.of([row[claim.key] for row in used])
    shown = f"{value:.3g}{claim.unit}" if claim.digits == 2 else f"{value:.{claim.digits}f}{claim.unit}"
    if not sound:
        return shown, "void: machine busy"
    if not all(row.get("counts", True) for row in used):
        return shown, "does not count"
    if claim.floor is None or claim.goal is None:
        return shown, "extra row"
    if claim.reaches(value, claim.goal):
        return shown, "goal"
    return shown, "floor" if claim.reaches(value, claim.floor) else "BELOW FLOOR"


def limit_shown(claim: Claim, limit: float | None) -> str:
    return "" if limit is None else f"{limit:g}{claim.unit}"


def lines_of(claims: Iterable[Claim], rows: Rows) -> list[Line]:
    """Return text, floor, goal, measured value and verdict of each claim."""
    return [(c.text, limit_shown(c, c.floor), limit_shown(c, c.goal), *judged(c, rows)) for c in claims]


def print_claims(lines: Iterable[Line], print_line: Callable[[str], None] = print) -> None:
    """Print claims with their verdicts as a table."""
    head = "{:<48} {:>22} {:>8} {:>18}  {}".format("claim", "ship no lower than", "goal", "measured", "verdict")
    print_line("\n" + head)
    for text, floor, goal, value, verdict in lines:
        print_line(f"{text:<48} {floor:>22} {goal:>8} {value:>18}  {verdict}")
