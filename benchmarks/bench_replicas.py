"""How fast and how lean many resampled boosters in one call are, against loops over LightGBM and of our own.

    python benchmarks/bench_replicas.py [--quick] [--only PART] [--again] [--no-record] [--rows N]

On the same float32 arrays, 100 rounds, 31 leaves, 255 bins, ours at its default threads, the peers at their best
(benchmarks/replicas_peers.py). Parts, each a substring for --only:

    bag         10 bagged boosters with their out-of-bag curve, against scikit-learn's BaggingRegressor with oob_score
    bootstraps  mean, variance and loss over 200 bootstraps for as many test rows as training rows, against mlxtend
    variance    variance from disjoint sets, against mlxtend at equal standard error (benchmarks/replicas_variance.py)
    folds       5 x 10 folds in one call, against 50 LightGBM fits and predictions
    replicas    K bagged boosters in one call, against K fits of ours; beside it both on bins made beforehand
    memory      50 replicas of 100,000 x 28: peak above X in a child; the pickled model

A cell and seed appends a row to benchmarks/results/replicas.jsonl as soon as it is through; which rows are void and
which cells are skipped: benchmarks/cells.py. A row does not count if our error on fresh rows is more than 1 % above
the peer's, or if a number that both sides compute differs by more than a tenth.

--quick: fewer repeats and seeds; 1,000,000 rows once. --rows N: no table has more rows, to try the script; nothing is
recorded, no load is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from boosting_laws import Drawn, draw
from boosting_peers import Contender
from boosting_timing import time_fits
from cells import Cell, Mode, Row, parsed, run
from claims import lines_of, print_claims
from replicas_claims import CLAIMS
from replicas_memory import memory_of_replicas
from replicas_ours import BAGGED_OURS
from replicas_peers import BAGGED_LIGHTGBM, FOLDS_OF_LIGHTGBM, MLXTEND, end_workers
from replicas_timing import time_bootstraps, time_folds, time_replicas
from replicas_variance import Effort, compare_variances

RESULTS = Path(__file__).parent / "results" / "replicas.jsonl"
PACKAGES = ("heldout", "numpy", "scikit-learn", "lightgbm", "mlxtend")
N_BOOTSTRAPS = 200


def squared(mode: Mode, n_rows: int, n_features: int, seed: int, n_test: int | None = None) -> Drawn:
    return draw(mode.rows(n_rows), n_features, "squared", seed, n_test)


def settled(mode: Mode, peer: Contender) -> Contender:
    """Return the peer with one setting where the run is only a try: threads that compete for a processor never end."""
    return peer if mode.most_rows is None else replace(peer, settings=peer.settings[:1])


def ending_workers(measure: Callable[[int], Row]) -> Callable[[int], Row]:
    """Return the measure, after which no process of it is left."""

    def measured(seed: int) -> Row:
        try:
            return measure(seed)
        finally:
            end_workers()

    return measured


def bag_cells(mode: Mode) -> Iterator[Cell]:
    sizes = ((2000, 20, (9, 5), (2000, 2000)), (100_000, 28, (5, 2), (20_000, 8000)))
    for n_rows, n_features, repeats, probe_rows in sizes:

        def measure(seed: int, n=n_rows, p=n_features, repeats=repeats, probe=probe_rows) -> Row:
            drawn = squared(mode, n, p, seed, 10_000)
            # scikit-learn hands a bag over as weights, and to LightGBM's least rows of a leaf a row of weight 0 counts:
            # its leaves hold fewer rows of the bag, its training loss is not that of equal trees.
            peer, quick = settled(mode, BAGGED_LIGHTGBM), mode.quick
            return time_fits(peer, drawn, repeats[quick], probe[quick], BAGGED_OURS, "test_loss")

        yield Cell(f"bag {n_rows:,} x {n_features}", 1 if mode.quick else 3, ending_workers(measure), BAGGED_LIGHTGBM)


def decomposition_cells(mode: Mode) -> Iterator[Cell]:
    n_bootstraps = 20 if mode.most_rows else N_BOOTSTRAPS

    def bootstraps(seed: int) -> Row:
        drawn = squared(mode, 1000, 20, seed, mode.rows(1000))
        return time_bootstraps(settled(mode, MLXTEND), drawn, n_bootstraps, 2 if mode.quick else 5, seed)

    def variance(seed: int) -> Row:
        effort = Effort(n_bootstraps, 20, 20, 100, 1) if mode.quick else Effort(n_bootstraps, 60, 40, 400, 5)
        return compare_variances(settled(mode, MLXTEND), squared(mode, 1000, 20, seed, mode.rows(1000)), effort, seed)

    yield Cell("bootstraps 1,000 x 20", 1 if mode.quick else 3, bootstraps, MLXTEND)
    yield Cell("variance 1,000 x 20", 1 if mode.quick else 3, variance, MLXTEND)


def fold_cells(mode: Mode) -> Iterator[Cell]:
    def measure(seed: int) -> Row:
        return time_folds(
            settled(mode, FOLDS_OF_LIGHTGBM), squared(mode, 10_000, 20, seed, 0), 10, 5, 2 if mode.quick else 5, seed
        )

    yield Cell("folds 10,000 x 20", 1 if mode.quick else 3, ending_workers(measure), FOLDS_OF_LIGHTGBM)


def replica_cells(mode: Mode) -> Iterator[Cell]:
    sizes = ((2000, 20, 10, (15, 5), 3), (100_000, 28, 10, (5, 2), 3), (1_000_000, 28, 4, (3, 1), 2))
    for n_rows, n_features, n_replicas, repeats, n_seeds in sizes:

        def measure(seed: int, n=n_rows, p=n_features, n_replicas=n_replicas, repeats=repeats) -> Row:
            return time_replicas(squared(mode, n, p, seed, 0), n_replicas, repeats[mode.quick], seed)

        yield Cell(f"replicas {n_rows:,} x {n_features}", 1 if mode.quick else n_seeds, measure)


def memory_cells(mode: Mode) -> Iterator[Cell]:
    def measure(seed: int) -> Row:
        return memory_of_replicas(squared(mode, 100_000, 28, seed, 0))

    yield Cell("memory", 1 if mode.quick else 2, measure, timed=False)


def all_cells(mode: Mode) -> Iterator[Cell]:
    """Yield every cell, in the order of the claims."""
    for cells in (bag_cells, decomposition_cells, fold_cells, replica_cells, memory_cells):
        yield from cells(mode)


def main() -> None:
    """Measure the cells that have no sound row yet, then judge the claims."""
    print_claims(lines_of(CLAIMS, run(all_cells, RESULTS, PACKAGES, parsed(__doc__))))


if __name__ == "__main__":
    main()
