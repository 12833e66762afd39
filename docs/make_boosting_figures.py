"""Writes the figures of docs/boosting.md from benchmarks/results; nothing in them is typed by hand.

python docs/make_boosting_figures.py
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE, RESULTS = ROOT / "docs" / "boosting.md", ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures: made by docs/make_boosting_figures.py -->", "<!-- end of figures -->"

PEERS = ("LightGBM", "XGBoost", "CatBoost", "scikit-learn")
SIZES = ("2,000 x 20", "10,000 x 20", "100,000 x 28", "1,000,000 x 28")
RATIO = ("ratio", "{:.2g} x as fast")
Row = dict[str, Any]


def sound_rows(name: str) -> dict[str, list[Row]]:
    """Return the rows of each cell that count: measured on an idle machine, at the cell's last commit."""
    path = RESULTS / name
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    cells: dict[str, list[Row]] = {}
    for row in rows:
        if not row["void"] and row.get("counts", True):
            same = [earlier for earlier in cells.get(row["cell"], []) if earlier["commit"] == row["commit"]]
            cells[row["cell"]] = [*(earlier for earlier in same if earlier["seed"] != row["seed"]), row]
    return cells


def median(rows: list[Row], key: str) -> float:
    """Return the median of one entry."""
    return statistics.median(row[key] for row in rows)


def ratio(cells: dict[str, list[Row]], cell: str) -> str:
    """Return how many times our time a peer takes."""
    rows = cells.get(cell)
    return f"{median(rows, 'ratio'):.1f} x" if rows else "not measured"


def section() -> str:
    """Return the figures as Markdown."""
    cells = sound_rows("boosting.jsonl")
    any_row = next(iter(cells.values()))[0]
    versions = ", ".join(
        f"{name} {any_row['versions'][name]}" for name in ("lightgbm", "xgboost", "catboost", "scikit-learn")
    )
    lines = [
        f"Fits of 100 rounds, 31 leaves, 255 bins, binning included ({any_row['machine']}; {versions}): how many",
        "times our time the others take, each at its best number of threads, on the same float32 array in turn. A pair",
        "counts only where our training loss is at most 1 % above theirs.",
        "",
        "| squared error | ours | " + " | ".join(PEERS) + " |",
        "|---|---|" + "---|" * len(PEERS),
    ]
    for size in SIZES:
        ours = [row for peer in PEERS for row in cells.get(f"fit squared {size}, {peer}", [])]
        seconds = f"{median(ours, 'ours_seconds'):.3g} s" if ours else "not measured"
        against = [ratio(cells, f"fit squared {size}, {peer}") for peer in PEERS]
        lines.append(f"| {size} | {seconds} | " + " | ".join(against) + " |")
    lines += ["", "| other figures | |", "|---|---|"]
    for text, cell in (
        ("fit 10,000 x 20, two classes, against LightGBM", "fit logistic 10,000 x 20, LightGBM"),
        ("fit 10,000 x 20, five classes, against LightGBM", "fit softmax 10,000 x 20, LightGBM"),
        ("predict 100,000 rows, against LightGBM", "predict 100,000 rows, LightGBM"),
        ("predict 100,000 rows, against CatBoost's symmetric trees", "predict 100,000 rows, CatBoost symmetric"),
    ):
        lines.append(f"| {text} | {ratio(cells, cell)} |")
    for text, cell, key, form in (
        ("predict one row, call to result", "row LightGBM", "microseconds", "{:.1f} microseconds"),
        ("fit with 30 % missing cells, against none", "missing time", "times", "{:.2f} times the time"),
        (
            "peak memory of a fit of 1,000,000 x 28, against LightGBM",
            "memory LightGBM",
            "times",
            "{:.2f} times as much",
        ),
    ):
        rows = cells.get(cell)
        lines.append(f"| {text} | {form.format(median(rows, key)) if rows else 'not measured'} |")
    return "\n".join([*lines, "", *lines_of_replicas()])


def lines_of_replicas() -> list[str]:
    """Return the figures of replicas as lines of Markdown."""
    cells = sound_rows("replicas.jsonl")
    lines = ["| replicas, 100 rounds of 31 leaves | |", "|---|---|"]
    for text, cell, key, form in (
        (
            "10 bagged, 2,000 x 20, with out-of-bag error, against BaggingRegressor of LightGBM",
            "bag 2,000 x 20",
            *RATIO,
        ),
        ("the same, 100,000 x 28", "bag 100,000 x 28", *RATIO),
        (
            "mean and variance over 200 bootstraps, 1,000 x 20, against mlxtend over LightGBM",
            "bootstraps 1,000 x 20",
            *RATIO,
        ),
        ("5 x 10 folds, 10,000 x 20, against 50 fits and predictions of LightGBM", "folds 10,000 x 20", *RATIO),
        ("10 replicas in one call, 2,000 x 20, against 10 fits of heldout", "replicas 2,000 x 20", *RATIO),
        ("the same, 100,000 x 28", "replicas 100,000 x 28", *RATIO),
        ("4 replicas, 1,000,000 x 28, against 4 fits of heldout", "replicas 1,000,000 x 28", *RATIO),
        ("peak memory of 50 replicas, 100,000 x 28, above the table", "memory", "above", "{:.0f} MB"),
        ("their pickled model", "memory", "pickled", "{:.0f} MB"),
    ):
        rows = cells.get(cell)
        lines.append(f"| {text} | {form.format(median(rows, key)) if rows else 'not measured'} |")
    return lines


def page_with(figures: str) -> str:
    """Return the page with these figures between its marks."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n{figures}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with(section()), encoding="utf-8")
