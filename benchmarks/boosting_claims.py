"""What is promised of boosting: the value to measure, what it must reach to be shipped, and the goal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from boosting_accuracy import TABLES, PairedRatio, paired_ratio
from claims import Claim, Line, Rows, lines_of, print_claims


def claims_of_fits() -> list[Claim]:
    found = []
    against_lightgbm = {
        "2,000 x 20": (4, 8),
        "10,000 x 20": (3, 5),
        "100,000 x 28": (2.5, 4),
        "1,000,000 x 28": (1.8, 3),
    }
    for size, (floor, goal) in against_lightgbm.items():
        found.append(Claim(f"fit {size}, LightGBM", f"fit squared {size}, LightGBM", "ratio", floor, goal))
    for peer in ("XGBoost", "CatBoost", "CatBoost symmetric", "scikit-learn"):
        found += [Claim(f"fit {n}, {peer}", f"fit squared {n}, {peer}", "ratio", 1, 2) for n in against_lightgbm]
    for loss in ("logistic", "softmax"):
        for size in against_lightgbm if loss == "logistic" else ("10,000 x 20",):
            found.append(Claim(f"fit {size}, {loss}, LightGBM", f"fit {loss} {size}, LightGBM", "ratio", None, None))
        for peer in ("XGBoost", "CatBoost", "CatBoost symmetric", "scikit-learn"):
            cell = f"fit {loss} 10,000 x 20, {peer}"
            found.append(Claim(f"fit 10,000 x 20, {loss}, {peer}", cell, "ratio", None, None))
    return found


CLAIMS = (
    *claims_of_fits(),
    Claim("predict 100,000 rows, LightGBM", "predict 100,000 rows, LightGBM", "ratio", 5, 15),
    Claim("predict 100,000 rows, CatBoost symmetric", "predict 100,000 rows, CatBoost symmetric", "ratio", 0.5, 1.2),
    Claim("predict 100,000 rows, CatBoost leaf-wise", "predict 100,000 rows, CatBoost", "ratio", None, None),
    Claim("predict one row", "row LightGBM", "microseconds", 20, 10, " us", more_is_better=False),
    Claim("30 % missing, time", "missing time", "times", 1.2, 1.05, more_is_better=False),
    Claim("30 % missing, peak memory", "memory missing", "times", 1.0, 1.0, more_is_better=False),
    Claim("peak memory 1M x 28, LightGBM", "memory LightGBM", "times", 1.0, 0.7, more_is_better=False),
)


def ratios_by_table(rows: Rows) -> list[PairedRatio]:
    """Return the paired ratio of each table that was measured, in the order of the list."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["cell"].startswith("accuracy "):
            found[row["cell"].removeprefix("accuracy ")].append(row["error_ratio"])
    return [paired_ratio(name, found[name]) for name in TABLES if name in found]


def accuracy_lines(rows: Rows) -> list[Line]:
    """Judge the errors over all tables: their geometric mean, and the tables that are surely worse."""
    tables = ratios_by_table(rows)
    texts = ("test error, geometric mean, LightGBM", "tables surely above +3 %")
    if len(tables) < 10:
        return [(text, "", "", f"{len(tables)} tables", "not measured") for text in texts]
    percent = 100 * (float(np.exp(np.mean([np.log(table.ratio) for table in tables]))) - 1)
    verdict = "goal" if percent <= 0.1 else "floor" if percent <= 0.5 else "BELOW FLOOR"
    worse = [table.name for table in tables if table.interval[0] > 1.03]
    few = any(table.n_splits < 3 for table in tables)
    second = "no interval: few splits" if few else "goal" if not worse else "BELOW FLOOR"
    return [
        (texts[0], "+0.5 %", "+0.1 %", f"{percent:+.2f} % of {len(tables)}", verdict),
        (texts[1], "none", "none", ", ".join(worse) or "none", second),
    ]


def percents(interval: tuple[float, float]) -> str:
    return "[{:+.2f}, {:+.2f}] %".format(*(100 * (ratio - 1) for ratio in interval))


def print_verdicts(rows: Rows, print_line: Callable[[str], None] = print) -> None:
    """Print the ratio of each table, then the claims with their verdicts."""
    for table in ratios_by_table(rows):
        intervals = f"{percents(table.interval)}, allowing for shared rows {percents(table.corrected)}"
        shown = f"{100 * (table.ratio - 1):+.2f} % {intervals if table.n_splits > 2 else ''}"
        print_line(f"{table.name:<32} {table.n_splits:>3} splits  error {shown}")
    print_claims([*lines_of(CLAIMS, rows), *accuracy_lines(rows)], print_line)
