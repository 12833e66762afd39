"""What is promised of forecasts: floor, goal, what was measured; and what others published for the same tasks."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from claims import Claim, Line, Rows, lines_of, print_claims
from forecast_published import PUBLISHED, relative_to_naive
from forecast_series import COMPETITIONS
from scipy.stats import binomtest

LEAST_FITS = 60
WAYS = ("stage0", "alone", "shipped")

mean = statistics.fmean


def less(
    text: str, cell: str, key: str, floor: float | None, goal: float | None, unit: str = "", digits: int = 3
) -> Claim:
    """Return a claim on the mean over seeds of a value that is to be small."""
    return Claim(text, cell, key, floor, goal, unit, more_is_better=False, digits=digits, of=mean)


CLAIMS = (
    less("ETTh1-96 MSE, learned from 8640 hours", "ETTh1-96, 8640 hours", "mse", 0.3696, 0.362, digits=4),
    less("ETTh1-96 MSE, learned from 11520 hours", "ETTh1-96, 11520 hours", "mse", None, None, digits=4),
    less("exchange-96 MSE", "exchange-96", "mse", 0.082, 0.082),
    Claim("exchange-96: last value suffices, share", "exchange-96", "suffices", 1, 1, "", of=mean),
    Claim("  of these, last value taken by the forecaster", "exchange-96", "taken", None, None, "", of=mean),
    less("five competition tasks, MASE to seasonal naive", "competitions", "mase", 0.843, 0.815),
    less("five competition tasks, WQL to seasonal naive", "competitions", "wql", 0.72, 0.65),
    less("  the same, to its normal quantiles", "competitions", "wql_spread", None, None),
    less("five competition tasks, fits and forecasts", "competitions", "seconds", 300, 300, " s", digits=0),
    less("M4 hourly OWA", "competition M4 hourly", "owa", 0.571, 0.44),
    less("90 % intervals, all values: points off 90", "coverage", "off", 4, 1, digits=1),
    less("  the same, sets of series weighed equally", "coverage", "off_by_set", None, None, digits=1),
    Claim("recall of pairs, % right, worst seed", "attention alone, associative recall", "right", 99, 100, " %",
          digits=1, of=min),
    less("  uniform weights, points above chance", "attention alone, associative recall", "above_chance", 2, 1, "", 1),
    Claim("copy at a lag, % right, worst seed", "attention alone, copy at a lag", "right", 99, 100, " %", digits=1,
          of=min),
    less("  uniform weights, points above chance", "attention alone, copy at a lag", "above_chance", 2, 1, digits=1),
    *(less(f"data path's share of a step, {name}", f"data path {name}", "data_percent", 10, 5, " %", digits=1)
      for name in ("ETTh1-96", "M1 monthly", "M4 hourly")),
    less("32 replicas to one, width 16, training", "replicas width 16", "times_one", 12, 8, "x", digits=1),
    less("  the same, whole fits", "replicas width 16", "fit_ratio", None, None, "x", digits=1),
    less("  width 64, training", "replicas width 64", "times_one", None, None, "x", digits=1),
    less("heldout audit ETTh1, horizon 24", "audit ETTh1", "seconds", 180, 90, " s", digits=0),
)  # fmt: skip


def by_seed(rows: Rows, chosen: Callable[[str], bool]) -> dict[int, dict[str, dict]]:
    """Return rows by seed and cell."""
    found: dict[int, dict[str, dict]] = defaultdict(dict)
    for row in rows:
        if chosen(row["cell"]):
            found[row["seed"]][row["cell"]] = row
    return found


def geometric(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def competition_rows(rows: Rows) -> list[dict]:
    """Return a row for each seed with all five tasks: geometric means relative to seasonal naive."""
    titles = [f"competition {competition.title}" for competition in COMPETITIONS]
    found = []
    for seed, cells in by_seed(rows, titles.__contains__).items():
        if len(cells) < len(titles):
            continue
        parts = [cells[title] for title in titles]
        ways = {
            way: {name: geometric([p[way][name] / p["naive"][name] for p in parts]) for name in ("mase", "wql")}
            for way in WAYS
        }
        spread = geometric([p["shipped"]["wql"] / p["naive"]["wql_spread"] for p in parts])
        found.append({"cell": "competitions", "seed": seed, "void": any(p["void"] for p in parts), **ways,
                      **ways["shipped"], "wql_spread": spread,
                      "seconds": sum(p["seconds"] for p in parts)})  # fmt: skip
    return found


def coverage_rows(rows: Rows) -> list[dict]:
    """Return one row for each seed: coverage over all values, and the mean over sets of series."""
    found = []
    for seed, cells in by_seed(rows, lambda name: name.startswith("coverage ")).items():
        pooled = sum(c["covered"] for c in cells.values()) / sum(c["values"] for c in cells.values())
        by_set = mean(c["coverage"] for c in cells.values())
        found.append({"cell": "coverage", "seed": seed, "void": any(c["void"] for c in cells.values()),
                      "coverage": 100 * pooled, "off": abs(100 * pooled - 90), "off_by_set": abs(100 * by_set - 90),
                      "by_set": 100 * by_set, "sets": len(cells)})  # fmt: skip
    return found


def fits_of(rows: Rows) -> list[dict]:
    """Return every fit whose decision can be looked at, from sound rows where there are any."""
    sound = [row for row in rows if not row["void"]] or list(rows)
    return [fit for row in sound for fit in row.get("fits_judged", [row] if "lost" in row else [])]


def gate_line(rows: Rows) -> Line:
    """Judge how often attention that was kept lost on the test windows; the interval takes fits as independent."""
    fits = fits_of(rows)
    kept = sum(fit["kept"] for fit in fits)
    lost = sum(fit["lost"] for fit in fits)
    text, limits = f"kept networks that lost on the test, {len(fits)} fits", ("10 %", "5 %")
    if len(fits) < LEAST_FITS:
        return (text, *limits, f"{lost} of {kept}", f"not measured: fewer than {LEAST_FITS} fits")
    if not kept:
        return (text, *limits, "none kept", "nothing to judge")
    interval = binomtest(lost, kept).proportion_ci(method="wilson")
    share = 100 * lost / kept
    verdict = "goal" if share <= 5 else "floor" if share <= 10 else "BELOW FLOOR"
    void = "" if any(not row["void"] for row in rows) else "void: machine busy, "
    return (
        text,
        *limits,
        f"{lost} of {kept}, {share:.1f} %",
        f"{void}{verdict} (95 % CI {100 * interval.low:.1f} to {100 * interval.high:.1f})",
    )


def way_table(rows: Rows, print_line: Callable[[str], None]) -> None:
    """Print stage 0, attention alone and both, over seeds, and how often attention was kept."""
    names = {"ETTh1": ("mse",), "exchange": ("mse",), "competition M4": ("owa",)}
    head = ("task", "score", "seeds", "stage 0", "attention alone", "shipped (min to max)", "kept", "lost")
    print_line("\n{:<30} {:<6} {:>5} {:>9} {:>16} {:>26} {:>8} {:>5}".format(*head))
    cells: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        if "shipped" in row:
            cells[row["cell"]].append(row)
    for cell, found in cells.items():
        scores = next((names[start] for start in names if cell.startswith(start)), ("mase", "wql"))
        for score in scores:
            values = {way: [row[way][score] for row in found] for way in WAYS}
            shipped = values["shipped"]
            both = f"{mean(shipped):.4f} ({min(shipped):.4f} to {max(shipped):.4f})"
            decided = [row for row in found if "kept" in row]
            kept = f"{sum(row['kept'] for row in decided)}/{len(decided)}" if decided else ""
            lost = str(sum(row["lost"] for row in decided)) if decided else ""
            print_line(f"{cell:<30} {score:<6} {len(found):>5} {mean(values['stage0']):>9.4f} "
                       f"{mean(values['alone']):>16.4f} {both:>26} {kept:>8} {lost:>5}")  # fmt: skip


def coverage_table(rows: Rows, print_line: Callable[[str], None]) -> None:
    """Print the share of values within 90 % intervals of each set of series."""
    cells: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        if row["cell"].startswith("coverage "):
            cells[row["cell"].removeprefix("coverage ")].append(row)
    if cells:
        print_line("\n90 % intervals, rolling origins: share of values within, over seeds")
    for name, found in cells.items():
        values = [100 * row["coverage"] for row in found]
        size = f"{found[0]['values']} values, horizon {found[0]['horizon']}"
        print_line(f"{name:<24} {mean(values):>6.1f} % ({min(values):.1f} to {max(values):.1f}), {size}")


def print_summary(rows: Rows, print_line: Callable[[str], None] = print) -> None:
    """Print what each way scored, coverage, the claims with their verdicts, and the published figures."""
    rows = [row for row in rows if "skipped" not in row]
    whole = [*rows, *competition_rows(rows), *coverage_rows(rows)]
    way_table(whole, print_line)
    coverage_table(rows, print_line)
    for row in coverage_rows(rows):
        both = f"{row['coverage']:.2f} % of all values, {row['by_set']:.2f} % as a mean of {row['sets']} sets"
        print_line(f"seed {row['seed']}: {both}")
    print_claims([*lines_of(CLAIMS, whole), gate_line(rows)], print_line)
    print_published(whole, print_line)


def print_published(rows: Rows, print_line: Callable[[str], None]) -> None:
    """Print our figures beside those of others."""
    print_line("\nBeside what others published (their figures were not measured here)")
    for (cell, score), (source, others) in {**PUBLISHED, **relative_to_naive()}.items():
        ours = [row["shipped"][score] for row in rows if row["cell"] == cell and "shipped" in row]
        stated = f"{mean(ours):.4f}" if ours else "not measured"
        listed = ", ".join(f"{name} {value:.3f}" for name, value in sorted(others.items(), key=lambda one: one[1]))
        print_line(f"{cell} {score}: ours {stated}; {listed} ({source})")
