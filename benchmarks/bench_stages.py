"""How long each stage of the tree engine takes, on one thread, beside what its kernel was measured to need.

    python benchmarks/bench_stages.py [--quick] [--repeats 9] [--only TEXT] [--no-record]

A stage is called through the bindings that the tests use. Where a call does more than its stage, a call without the
stage is timed in turn and taken off: a histogram of all rows less one of no rows, a scan by vectors less a scan of two
rows one by one, 20 rounds less 10. What is left in is said in the stage's name. Features come in whole blocks of 8, so
no lane idles.

The floors are of kernels by themselves, measured before the engine was written, on a Zen 3 processor with AVX2 beside
other jobs (give or take 30 %). Bytes are those that must be read and written, a histogram's own cells, which lie in
cache, included.

Appends one row a stage to benchmarks/results/stages.jsonl; void where others keep the machine busy.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from boosting_laws import draw
from machine import ForeignLoad, append_row, commit, now, processor, rows_of, usable_processors, versions

from heldout import BoostingRegressor, _native
from heldout.trees import Binned

RESULTS = Path(__file__).parent / "results" / "stages.jsonl"
LOAD_LIMIT = 0.5
SIZES = ((10_000, 24), (100_000, 32), (1_000_000, 32))
FORMATS = ("unit", "narrow", "flushed", "wide")
MOST_NARROW_ROWS = 131_071  # what the count field of a narrow word holds

Work = Callable[[], Any]
stages: Any = _native.stages


@dataclass(frozen=True)
class Stage:
    """What to time, per what (`units` of them a call), the bytes moved per unit, and the kernel's floor."""

    name: str
    work: Work
    per: str
    units: float
    bytes_per_unit: float | None = None
    floor: str = ""
    without: Work | None = None


@dataclass(frozen=True)
class Rows:
    """A table with its bins and derivatives, for squared loss without weights and with a hessian."""

    X: Any
    codes: Any
    cut_points: Any
    n_bins: list[int]
    gradient: Any
    hessian: Any

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.codes.shape[1])

    @property
    def cells(self) -> int:
        """Rows times features."""
        return int(self.codes.size)

    @property
    def bins(self) -> int:
        """Bins of all features, that of missing cells included."""
        return sum(self.n_bins) + len(self.n_bins)

    def derivatives(self, form: str) -> dict[str, Any]:
        """Return what makes the engine choose a format, or forces it to."""
        hessian = None if form == "unit" else self.hessian
        return {"gradient": self.gradient, "hessian": hessian, "forced": FORMATS.index(form)}

    def table(self, form: str) -> Any:
        """Return the engine's table."""
        return stages.Table(self.codes, self.n_bins, **self.derivatives(form))


def rows_drawn(n_rows: int, n_features: int) -> Rows:
    """Draw normal features without ties, so that each has all its bins, and derivatives like those of a loss."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    binned = Binned.from_array(X)
    gradient = rng.standard_normal(n_rows).astype(np.float32)
    hessian = rng.uniform(0.05, 0.25, n_rows).astype(np.float32)
    return Rows(X, binned.codes, binned.cut_points, list(binned.n_bins), gradient, hessian)


def numbers(rows: Any) -> Any:
    return np.ascontiguousarray(rows, dtype=np.uint32)


NO_ROWS = numbers([])
TWO_ROWS = numbers([0, 1])


def stages_of_binning(rows: Rows) -> Iterator[Stage]:
    cell = "row and feature"
    yield Stage("cut points", lambda: _native.find_all_cut_points(rows.X), cell, rows.cells, 4)
    yield Stage("bin codes", lambda: _native.bin_codes(rows.X, rows.cut_points), cell, rows.cells, 5, "10, in predict")
    yield Stage(
        "blocks (and a check of the codes)",
        lambda: rows.table("unit"),
        cell,
        rows.cells,
        2,
        without=lambda: stages.quantise(rows.gradient),
    )


def forms(rows: Rows) -> list[str]:
    return [form for form in FORMATS if form != "narrow" or rows.n <= MOST_NARROW_ROWS]


def stages_of_rounds(rows: Rows) -> Iterator[Stage]:
    """Yield what is done once per row and round."""
    target, scores = rows.gradient.astype(np.float64), np.zeros((1, rows.n))
    classes = (target > 0).astype(np.float64)
    for loss, (name, truth) in enumerate((("squared", target), ("logistic", classes))):
        work = lambda loss=loss, truth=truth: stages.differentiate(loss, truth, None, scores)  # noqa: E731
        yield Stage(f"gradients, {name} (and copies)", work, "row", rows.n, 24)
    for form in forms(rows):
        work = lambda form=form: stages.quantise(**rows.derivatives(form))  # noqa: E731
        moved = (4 if form == "unit" else 8) + (16 if form == "wide" else 8)
        yield Stage(f"quantise, {form} (and a copy)", work, "row", rows.n, moved)

    def boosted(n_rounds: int) -> Work:
        settings = {"n_rounds": n_rounds, "first_round": 0, "learning_rate": 0.1, "max_features": 1.0, "seed": 0,
                    "max_leaves": 1, "least_count": 20, "l2": 0.0, "least_hessian": 0.0}  # fmt: skip
        return lambda: _native.boost(rows.codes, rows.n_bins, target, None, None, np.zeros((1, rows.n)), 0, settings)

    name = "round without a split: gradients, quantise, leaf sums, scores"
    yield Stage(name, boosted(20), "row", 10 * rows.n, 44, without=boosted(10))


def stages_of_histograms(rows: Rows) -> Iterator[Stage]:
    every = numbers(np.arange(rows.n))
    some = numbers(np.sort(np.random.default_rng(1).choice(rows.n, rows.n // 16, replace=False)))
    for form in forms(rows):
        table = rows.table(form)
        # A word of codes and one of derivatives serve 8 features; the cell is read and written.
        words = 2 if form == "wide" else 1
        moved = (8 + 8 * words + 4) / 8 + 16 * words
        for which, listed, floor in (("all rows", every, "0.52"), ("1 in 16", some, "0.63-0.67; 1M 0.85")):
            yield Stage(
                f"histogram, {form}, {which}",
                lambda table=table, listed=listed: table.histogram(listed),
                "row and feature",
                len(listed) * len(rows.n_bins),
                moved,
                floor if form in ("unit", "narrow") else "",
                without=lambda table=table: table.histogram(NO_ROWS),
            )


def scan_paths(table: Any) -> list[tuple[str, str]]:
    """Return the paths that this processor has, with their floors."""
    paths = [("avx2", "0.53"), ("plain", "3.95")]
    try:
        table.scan(TWO_ROWS, "avx2")
    except ValueError:
        return paths[1:]
    return paths


def stages_of_scans(rows: Rows) -> Iterator[Stage]:
    n_features, per = len(rows.n_bins), "bin and feature"
    for form in ("unit", "narrow", "wide") if rows.n <= MOST_NARROW_ROWS else ("unit", "wide"):
        table, moved = rows.table(form), 16 if form == "wide" else 8
        few = lambda table=table: table.scan(TWO_ROWS, "few")  # noqa: E731
        for path, floor in scan_paths(table):
            work = lambda table=table, path=path: table.scan(TWO_ROWS, path)  # noqa: E731
            yield Stage(f"scan, {form}, {path}", work, per, rows.bins, moved, floor, without=few)
            yield Stage(
                f"subtract in the scan, {form}, {path} (and clear a table)",
                lambda table=table, path=path: table.scan(TWO_ROWS, path, taken=NO_ROWS),
                per,
                rows.bins,
                3 * moved,
                without=work,
            )
        yield Stage(
            f"subtract, {form} (and clear a table)",
            lambda table=table: table.combined(TWO_ROWS, NO_ROWS, -1),
            per,
            rows.bins,
            4 * moved,
            without=lambda table=table: table.less_rows(TWO_ROWS, NO_ROWS),
        )
    table = rows.table("unit")
    for n, floor in ((8, "62"), (32, "183"), (128, "832")):
        listed = numbers(np.random.default_rng(2).choice(rows.n, n, replace=False))
        yield Stage(
            f"scan of {n} rows one by one (and their histogram)",
            lambda listed=listed: table.scan(listed, "few"),
            "node and feature",
            n_features,
            None,
            floor,
            without=lambda: table.scan(TWO_ROWS, "few"),
        )


def stages_of_growth(rows: Rows) -> Iterator[Stage]:
    every, codes = numbers(np.arange(rows.n)), np.ascontiguousarray(rows.codes[0])
    middle = rows.n_bins[0] // 2
    some = numbers(np.sort(np.random.default_rng(1).choice(rows.n, rows.n // 16, replace=False)))
    for which, listed in (("all rows", every), ("1 in 16", some)):
        work = lambda listed=listed: stages.partition(codes, middle, False, listed)  # noqa: E731
        none = lambda: stages.partition(codes, middle, False, NO_ROWS)  # noqa: E731
        yield Stage(f"partition, {which} (and a copy)", work, "row", len(listed), 17, "0.73-0.87", without=none)
    table = rows.table("unit")
    growth = {"max_leaves": 31, "least": 20}
    yield Stage("a tree of 31 leaves (and copies)", lambda: table.grow(growth), "row and feature", rows.cells)


def stages_of_predictions(rows: Rows) -> Iterator[Stage]:
    drawn = draw(min(rows.n, 100_000), rows.X.shape[1], "squared", 0, 0)
    trees = BoostingRegressor(n_trees=100).fit(drawn.X, drawn.y).ensemble_
    half = trees.head(50)
    yield Stage(
        "predict, less its binning",
        lambda: trees.raw(rows.X),
        "row and tree",
        50 * rows.n,
        None,
        "5.6-6.3",
        without=lambda: half.raw(rows.X),
    )
    yield Stage("predict, 100 trees, all", lambda: trees.raw(rows.X), "row and tree", 100 * rows.n)
    row = rows.X[:1]
    yield Stage("predict one row, 100 trees", lambda: trees.raw(row), "row and tree", 100)


def all_stages(rows: Rows) -> Iterator[Stage]:
    """Yield every stage in the order of a fit."""
    for room in (stages_of_binning, stages_of_rounds, stages_of_histograms, stages_of_scans, stages_of_growth,
                 stages_of_predictions):  # fmt: skip
        yield from room(rows)


def calls_for(work: Work, seconds: float = 0.002) -> int:
    """Return how many calls take long enough for the clock."""
    start = time.perf_counter()
    work()
    return max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))


def nanoseconds(stage: Stage, repeats: int) -> tuple[float, float]:
    """Return the median over turns of the time per unit, and the half width of its middle half."""
    works = [stage.work] if stage.without is None else [stage.work, stage.without]
    calls = [calls_for(work) for work in works]
    found = []
    for _ in range(repeats):
        times = []
        for work, n in zip(works, calls, strict=True):
            start = time.perf_counter()
            for _ in range(n):
                work()
            times.append((time.perf_counter() - start) / n)
        found.append(1e9 * (times[0] - sum(times[1:])) / stage.units)
    low, _, high = statistics.quantiles(found, n=4) if len(found) > 1 else (0.0, 0.0, 0.0)
    return statistics.median(found), (high - low) / 2


def measured(stage: Stage, repeats: int, load: float) -> dict[str, Any]:
    """Return the numbers of a stage."""
    value, spread = nanoseconds(stage, repeats)
    about = {key: value for key, value in asdict(stage).items() if key not in ("work", "without")}
    return {**about, "nanoseconds": value, "spread": spread, "load": load, "void": load > LOAD_LIMIT}


def shown(row: dict[str, Any]) -> str:
    """Return a row as one line."""
    moved = row["bytes_per_unit"]
    traffic = f"{moved:6.1f} B" if moved else " " * 8
    time_shown = f"{row['nanoseconds']:9.3f} +- {row['spread']:<7.3f} ns per {row['per']:<16}"
    floor = f"floor {row['floor']}" if row["floor"] else ""
    return f"{row['stage']:<62} {time_shown} {traffic}  {floor:<26} {'void' * row['void']}".rstrip()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 rows only, 3 repeats")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", metavar="TEXT", default="", help="stages whose name holds TEXT")
    parser.add_argument("--no-record", action="store_true", help="neither read nor write results, wait for no load")
    return parser.parse_args()


def main() -> None:
    """Time all stages that have no sound row yet."""
    options = parsed()
    machine = f"{processor()}, {usable_processors()} CPUs, {platform.system()} {platform.machine()}"
    where = {"commit": commit(), "quick": options.quick, "machine": machine, "versions": versions(("heldout", "numpy"))}
    print("; ".join(f"{name}: {value}" for name, value in where.items()))
    fresh = options.no_record or where["commit"].endswith("-dirty")
    earlier = [] if fresh else [row for row in rows_of(RESULTS) if where.items() <= row.items() and not row["void"]]
    known = {(row["size"], row["stage"]): row for row in earlier}
    load = ForeignLoad()
    for n_rows, n_features in SIZES[:1] if options.quick else SIZES:
        size, rows = f"{n_rows:,} x {n_features}", rows_drawn(n_rows, n_features)
        print(f"\n{size}")
        load.wait_until_below(LOAD_LIMIT, 0.0 if options.no_record else 60.0)
        for stage in all_stages(rows):
            if options.only not in stage.name:
                continue
            row = known.get((size, stage.name))
            if row is None:
                result = measured(stage, 3 if options.quick else options.repeats, load.now())
                row = {"size": size, "stage": result.pop("name"), "date": now(), **where, **result}
                if not options.no_record:
                    append_row(RESULTS, row)
            print(shown(row), flush=True)


if __name__ == "__main__":
    main()
