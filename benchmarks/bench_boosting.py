"""How fast, how lean and how good boosting is, against LightGBM, XGBoost, CatBoost and scikit-learn.

    python benchmarks/bench_boosting.py [--quick] [--only PART] [--again] [--no-record] [--rows N]

Through the public estimators, on the same float32 array as the peers, each of them at its best number of threads (1
and 2 are tried) and LightGBM at the better of its row-wise and column-wise histograms; ours at its default threads.
What is equal and what is not: benchmarks/boosting_peers.py. Parts, each a substring for --only:

    fit         fits in turn with a peer's, binning and the peer's data set included
    predict     100,000 rows; row: one row, from the Python call to the result
    missing     30 % missing cells against none, time; memory: the same, and 1M x 28 against LightGBM, in children
    accuracy    test error over open tables (benchmarks/boosting_accuracy.py)

A cell and seed appends a row to benchmarks/results/boosting.jsonl as soon as it is through; a cell that has a row of
this commit, machine and mode is skipped. A timed row is void, and measured again by the next run, if others kept the
machine busy: a 1-minute load average above 0.5, our own share excluded, that did not fall within a minute. A fit does
not count if our training loss is more than 1 % above the peer's.

--quick: fewer repeats, seeds and splits, and 1M rows against LightGBM only. --rows N: no table has more rows, to try
the script; nothing is recorded, no load is waited for.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boosting_accuracy import TABLES, compare_errors, folder_of_tables
from boosting_claims import print_verdicts
from boosting_laws import draw, with_missing
from boosting_memory import compare_memory
from boosting_peers import CATBOOST, CATBOOST_SYMMETRIC, LIGHTGBM, OURS, PEERS, Contender
from boosting_timing import (
    MISSING_SHARE,
    best_setting,
    time_fits,
    time_missing,
    time_predictions,
    time_single_row,
)
from machine import ForeignLoad, append_row, commit, now, processor, rows_of, usable_processors, versions

RESULTS = Path(__file__).parent / "results" / "boosting.jsonl"
PACKAGES = ("heldout", "numpy", "scikit-learn", "lightgbm", "xgboost", "catboost")
LOAD_LIMIT = 0.5

Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One comparison: its name, the seeds of its table or split, and what returns its row."""

    name: str
    n_seeds: int
    measure: Callable[[int], Row]
    needs: Contender | None = None
    timed: bool = True


@dataclass(frozen=True)
class Size:
    """A table's size, with the repeats and seeds of its fits: as a rule, and in a quick run."""

    n_rows: int
    n_features: int
    repeats: tuple[int, int]
    seeds: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.n_rows:,} x {self.n_features}"


SIZES = (
    Size(2_000, 20, (15, 5), (3, 1)),
    Size(10_000, 20, (9, 5), (3, 1)),
    Size(100_000, 28, (5, 3), (3, 1)),
    Size(1_000_000, 28, (3, 2), (2, 1)),
)
TEN_THOUSAND, HUNDRED_THOUSAND, MILLION = SIZES[1], SIZES[2], SIZES[3]


@dataclass(frozen=True)
class Mode:
    """How a run was asked for."""

    quick: bool
    most_rows: int | None

    def rows(self, n_rows: int) -> int:
        """Return a number of rows, cut where the run is only a try."""
        return n_rows if self.most_rows is None else min(n_rows, self.most_rows)


def fit_cells(mode: Mode) -> Iterator[Cell]:
    for loss in ("squared", "logistic", "softmax"):
        for size in SIZES:
            for peer in PEERS:
                extra = loss != "squared"
                if loss == "softmax" and size is not TEN_THOUSAND:
                    continue
                if extra and size is not TEN_THOUSAND and (peer is not LIGHTGBM or mode.quick):
                    continue
                if mode.quick and peer is not LIGHTGBM and (extra or size is MILLION):
                    continue
                yield fit_cell(mode, loss, size, peer)


def fit_cell(mode: Mode, loss: str, size: Size, peer: Contender) -> Cell:
    probe_rows = 100_000 if mode.quick else size.n_rows

    def measure(seed: int) -> Row:
        drawn = draw(mode.rows(size.n_rows), size.n_features, loss, seed)
        return time_fits(peer, drawn, size.repeats[mode.quick], probe_rows)

    return Cell(f"fit {loss} {size}, {peer.name}", size.seeds[mode.quick], measure, peer)


def prediction_cells(mode: Mode) -> Iterator[Cell]:
    n_test = mode.rows(100_000)
    train = mode.rows(TEN_THOUSAND.n_rows if mode.quick else HUNDRED_THOUSAND.n_rows)

    def many(peer: Contender) -> Callable[[int], Row]:
        return lambda seed: time_predictions(peer, draw(train, 28, "squared", seed, n_test), 5 if mode.quick else 9)

    def one(seed: int) -> Row:
        drawn = draw(mode.rows(10_000), 20, "squared", seed, 10_000)
        return time_single_row(LIGHTGBM, drawn, 2000 if mode.quick else 10_000)

    for peer in (LIGHTGBM, CATBOOST_SYMMETRIC, CATBOOST):
        yield Cell(f"predict 100,000 rows, {peer.name}", 1 if mode.quick else 3, many(peer), peer)
    yield Cell("row LightGBM", 1 if mode.quick else 3, one, LIGHTGBM)


def missing_cells(mode: Mode) -> Iterator[Cell]:
    def time(seed: int) -> Row:
        drawn = draw(mode.rows(HUNDRED_THOUSAND.n_rows), 28, "squared", seed)
        return time_missing(drawn, 5 if mode.quick else 9, seed)

    def memory(seed: int) -> Row:
        drawn = draw(mode.rows(MILLION.n_rows), 28, "squared", seed, 0)
        setting = OURS.settings[0]
        return compare_memory((OURS, setting, with_missing(drawn, MISSING_SHARE, seed)), (OURS, setting, drawn))

    def against_lightgbm(seed: int) -> Row:
        drawn = draw(mode.rows(MILLION.n_rows), 28, "squared", seed, 0)
        setting = best_setting(LIGHTGBM, drawn, 100_000)
        return compare_memory((OURS, OURS.settings[0], drawn), (LIGHTGBM, setting, drawn))

    yield Cell("missing time", 1 if mode.quick else 3, time)
    yield Cell("memory missing", 1 if mode.quick else 2, memory, timed=False)
    yield Cell("memory LightGBM", 1 if mode.quick else 2, against_lightgbm, LIGHTGBM, timed=False)


def accuracy_cells(mode: Mode) -> Iterator[Cell]:
    if not folder_of_tables().is_dir():
        print(f"no open tables at {folder_of_tables()}: set HELDOUT_DATA to compare test errors")
        return
    for name in TABLES:
        measure = lambda seed, name=name: compare_errors(name, seed, mode.most_rows)  # noqa: E731
        yield Cell(f"accuracy {name}", 3 if mode.quick else 10, measure, LIGHTGBM, timed=False)


def all_cells(mode: Mode) -> Iterator[Cell]:
    """Yield every cell, the promised sizes first."""
    yield from fit_cells(mode)
    yield from prediction_cells(mode)
    yield from missing_cells(mode)
    yield from accuracy_cells(mode)


def setting_of(mode: Mode) -> Row:
    """Return what identifies a run: rows with the same setting need not be measured again."""
    machine = f"{processor()}, {usable_processors()} CPUs, {platform.system()} {platform.machine()}"
    return {"commit": commit(), "quick": mode.quick, "machine": machine, "versions": versions(PACKAGES)}


def measured(cell: Cell, seed: int, where: Row, load: ForeignLoad, patience: float) -> Row:
    """Measure a cell, when others leave the machine idle or after waiting for it."""
    before = load.wait_until_below(LOAD_LIMIT, patience) if cell.timed else load.now()
    result = cell.measure(seed)
    row = {"cell": cell.name, "seed": seed, "date": now(), **where, "load": before, "load_after": load.now()}
    return {**row, "void": cell.timed and before > LOAD_LIMIT, **result}


def model_shown(model: Row) -> str:
    losses = f"training loss {model['train_loss']:.4f} test {model['test_loss']:.4f}"
    return f"{model['trees']} trees {model['leaves']} leaves {losses}"


def shown(row: Row) -> str:
    """Return a row as one line."""
    parts = [f"{row['cell']:<44} seed {row['seed']}"]
    if "ratio" in row:
        parts.append(f"ours {row['ours_seconds']:.4g} s, theirs {row['theirs_seconds']:.4g} s, {row['ratio']:.2f}x")
    if "ratio_range" in row:
        parts.append("[{:.2f}, {:.2f}]".format(*row["ratio_range"]))
    if "times" in row:
        parts.append(f"{row['times']:.3f} times as much")
    if "megabytes" in row:
        parts.append(" MB against ".join(f"{value:.0f}" for value in row["megabytes"]) + " MB")
    if "setting" in row:
        parts.append(f"({row['setting']})")
    if "ours" in row:
        parts.append(f"ours {model_shown(row['ours'])}; theirs {model_shown(row['theirs'])}")
    if "error_ratio" in row:
        parts.append(f"error {100 * (row['error_ratio'] - 1):+.2f} %")
    parts += ["does not count: our training loss is worse"] * (not row.get("counts", True))
    parts += [f"void: load {row['load']:.1f}"] * row["void"]
    return "  ".join(parts)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, seeds, splits; under 10 minutes")
    parser.add_argument("--only", metavar="PART", default="", help="cells whose name holds PART")
    parser.add_argument("--again", action="store_true", help="measure cells that have a row already")
    parser.add_argument("--no-record", action="store_true", help="neither read nor write results")
    parser.add_argument("--rows", type=int, metavar="N", help="no table has more rows: a try, not recorded")
    return parser.parse_args()


def main() -> None:
    """Measure the cells that have no sound row yet, then judge the claims."""
    options = parsed()
    mode = Mode(options.quick, options.rows)
    recorded = not options.no_record and mode.most_rows is None
    where, load = setting_of(mode), ForeignLoad()
    print("; ".join(f"{name}: {value}" for name, value in where.items()))
    # What changed since a commit is not told apart by it: rows of changed files are always measured again.
    fresh = options.again or where["commit"].endswith("-dirty") or not recorded
    earlier = [] if fresh else [row for row in rows_of(RESULTS) if where.items() <= row.items() and not row["void"]]
    known = {(row["cell"], row["seed"]): row for row in earlier}
    rows = []
    for cell in all_cells(mode):
        if options.only not in cell.name:
            continue
        if cell.needs is not None and not cell.needs.installed:
            print(f"{cell.name}: {cell.needs.package} is not installed, see the extra `bench`")
            continue
        for seed in range(cell.n_seeds):
            row = known.get((cell.name, seed))
            if row is None:
                row = measured(cell, seed, where, load, 0.0 if mode.most_rows else 60.0)
                if recorded:
                    append_row(RESULTS, row)
            rows.append(row)
            print(shown(row), flush=True)
    print_verdicts(rows)


if __name__ == "__main__":
    main()
