"""How fast, how lean and how good boosting is, against LightGBM, XGBoost, CatBoost and scikit-learn.

    python benchmarks/bench_boosting.py [--quick] [--only PART] [--again] [--no-record] [--rows N]

Through the public estimators, on the same float32 array as the peers, each of them at its best number of threads (1
and 2 are tried) and LightGBM at the better of its row-wise and column-wise histograms; ours at its default threads.
What is equal and what is not: benchmarks/boosting_peers.py. Parts, each a substring for --only:

    fit         fits in turn with a peer's, binning and the peer's data set included
    predict     100,000 rows; row: one row, from the Python call to the result
    missing     30 % missing cells against none, time; memory: the same, and 1M x 28 against LightGBM, in children
    accuracy    test error over open tables (benchmarks/boosting_accuracy.py)

A cell and seed appends a row to benchmarks/results/boosting.jsonl as soon as it is through; which rows are void and
which cells are skipped: benchmarks/cells.py. A fit does not count if our training loss is more than 1 % above the
peer's.

--quick: fewer repeats, seeds and splits, and 1M rows against LightGBM only. --rows N: no table has more rows, to try
the script; nothing is recorded, no load is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
from cells import Cell, Mode, Row, parsed, run

RESULTS = Path(__file__).parent / "results" / "boosting.jsonl"
PACKAGES = ("heldout", "numpy", "scikit-learn", "lightgbm", "xgboost", "catboost")


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


def main() -> None:
    """Measure the cells that have no sound row yet, then judge the claims."""
    print_verdicts(run(all_cells, RESULTS, PACKAGES, parsed(__doc__)))


if __name__ == "__main__":
    main()
