"""How fast a matrix becomes bins: ours against scikit-learn's _BinMapper, one thread each, in turn.

Ours sorts all rows of every feature; scikit-learn finds its thresholds on 200,000 rows at most.

    python benchmarks/bench_bins.py [--repeats 5] [--no-record]

Prints medians and ratios, and appends one dated row a case to benchmarks/results/bins.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import now, processor

from heldout import __version__
from heldout.trees import Binned

CASES = [(2_000, 20), (10_000, 20), (100_000, 28), (1_000_000, 28)]
RESULTS = Path(__file__).parent / "results" / "bins.csv"


def table(n_rows: int, n_features: int) -> np.ndarray:
    """Draw normal, rounded and heavy-tailed features in turn, a tenth of one in five missing; rows in C order."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    X[:, 1::3] = np.round(X[:, 1::3], 1)
    X[:, 2::3] = np.exp(2 * X[:, 2::3])
    for j in range(0, n_features, 5):
        X[rng.random(n_rows) < 0.1, j] = np.nan
    return X


def contenders() -> dict[str, Callable[[np.ndarray], object]]:
    """Return what is timed: cut points found and all rows binned."""
    found: dict[str, Callable[[np.ndarray], object]] = {"heldout": Binned.from_array}
    try:
        from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
    except ImportError:
        print("scikit-learn's _BinMapper cannot be imported: ours alone is timed")
        return found
    found["scikit-learn"] = lambda X: _BinMapper(n_bins=255, random_state=0, n_threads=1).fit_transform(X)
    return found


def seconds_of(work: Callable[[np.ndarray], object], X: np.ndarray) -> float:
    start = time.perf_counter()
    work(X)
    return time.perf_counter() - start


def main() -> None:
    """Time all cases, the contenders in turn within each repeat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    works = contenders()
    versions = f"heldout {__version__}, numpy {np.__version__}"
    if "sklearn" in sys.modules:
        versions += f", scikit-learn {sys.modules['sklearn'].__version__}"
    machine = f"{processor()}, {os.cpu_count()} CPUs"
    print(f"{machine}; Python {platform.python_version()}; {versions}; 1 thread; {options.repeats} repeats in turn")
    rows = []
    for n_rows, n_features in CASES:
        X = table(n_rows, n_features)
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for repeat in range(options.repeats + 1):
            for name, work in works.items():
                taken = seconds_of(work, X)
                if repeat:  # the first round warms caches and is not counted
                    seconds[name].append(taken)
        median = {name: statistics.median(times) for name, times in seconds.items()}
        for name, value in median.items():
            speed, ratio = X.nbytes / value / 1e6, value / median["heldout"]
            print(f"{n_rows:>9,} x {n_features}  {name:<12} {value:8.4f} s {speed:8.0f} MB/s  {ratio:5.2f} x ours")
            rows.append([now(), n_rows, n_features, name, value, speed, ratio, options.repeats, machine, versions])
    if not options.no_record:
        record(rows)


def record(rows: list[list[object]]) -> None:
    """Append rows to the results, with a head if they are the first."""
    head = ["utc", "n_rows", "n_features", "name", "median_seconds", "mb_per_second", "times_ours", "repeats"]
    new = not RESULTS.exists()
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([[*head, "machine", "versions"], *rows] if new else rows)


if __name__ == "__main__":
    main()
