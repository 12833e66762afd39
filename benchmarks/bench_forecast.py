"""How good forecasts are, stage 0 and attention apart and together, and what they cost: beside what was promised.

    python benchmarks/bench_forecast.py [--quick] [--cells PART,PART] [--seeds 5] [--summary] [--again] [--no-record]
                                        [--threads N] [--budget SECONDS --scratch FILE] [--peers]

Needs torch (the extra `sequence`) and the open series (HELDOUT_DATA, as benchmarks/boosting_accuracy.py finds them).
Cells, each a substring for --cells:

    ETTh1-96     MSE of 7 series, standardised on 8640 hours, all 2785 windows within hours 11520 to 14400; learned from
                 8640 hours as is published, and beside it from 11520
    exchange-96  MSE of 8 rates, 70 / 10 / 20 %, and whether the last value suffices
    competition  MASE, WQL of five tasks of M1 and tourism relative to seasonal naive (benchmarks/forecast_scores.py),
                 all in 5 minutes; M4 hourly: OWA
    coverage     90 % intervals at rolling origins of all open series (benchmarks/forecast_coverage.py)
    gate         how often attention that was kept lost later (benchmarks/forecast_gate.py)
    attention    recall and copying, which counting cannot do (benchmarks/sequence_tasks.py)
    data path    the share of a training step that gathering takes
    replicas     32 replicas against one
    audit        `heldout audit` of ETTh1, CSV to report

A seed is that of the forecaster; data and splits are fixed, except in the gate's parts. All windows are tested on, no
last batch is dropped. A cell and seed appends a row to benchmarks/results/forecast.jsonl as soon as it is through;
which rows are void and which cells are skipped: benchmarks/cells.py. A budget of seconds buys fewer steps on a busy
machine: results are those of the machine that the row names.

--quick: one seed, 2 to 5 seconds a fit, one part of each kind; under 10 minutes, judges nothing. --budget: as many
seconds for every fit, to try the script; rows go to the --scratch file, no load is waited for. --summary: measures
nothing, prints the table of the last rows on file. --peers: statistical models too, where statsforecast is installed.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from cells import Cell, run
from forecast_cells import published_cells
from forecast_claims import print_summary
from forecast_coverage import coverage_cells
from forecast_gate import gate_cells
from forecast_peers import peer_cells
from forecast_series import series_there
from forecast_steps import cost_cells
from machine import rows_of

RESULTS = Path(__file__).parent / "results" / "forecast.jsonl"
PACKAGES = ("heldout", "numpy", "polars", "torch")
ALL_CELLS = (published_cells, coverage_cells, gate_cells, cost_cells)


def parsed() -> Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, short fits, fewer parts; under 10 minutes")
    parser.add_argument("--cells", metavar="PARTS", default="", help="cells whose name holds one of these, by commas")
    parser.add_argument("--seeds", type=int, help="seeds of each cell (5; 1 with --quick or --budget)")
    parser.add_argument(
        "--summary", action="store_true", help="print the table of what is on file, and measure nothing"
    )
    parser.add_argument("--again", action="store_true", help="measure cells that have a row already")
    parser.add_argument("--no-record", action="store_true", help="neither read nor write results")
    parser.add_argument("--threads", type=int, help="threads of torch; all if left out")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="of every fit, to try the script")
    parser.add_argument("--scratch", type=Path, metavar="FILE", help="where rows of a try go; not recorded without it")
    parser.add_argument("--peers", action="store_true", help="statistical models too, by statsforecast")
    options = parser.parse_args()
    if options.seeds is None:
        options.seeds = 1 if options.quick or options.budget else 5
    # What `cells.run` asks of every benchmark.
    options.rows, options.only = None, ""
    options.no_record |= options.budget is not None and options.scratch is None
    return options


def cells_of(options: Namespace) -> Iterator[Cell]:
    """Yield the cells asked for, in the order of the promises, and peers after them."""
    common: dict[str, Any] = {"n_seeds": options.seeds, "quick": options.quick}
    chosen = [part for part in options.cells.split(",") if part]
    asked = [cells(options.budget, options.threads, **common) for cells in ALL_CELLS]
    asked += [peer_cells()] if options.peers else []
    for cell in chain.from_iterable(asked):
        if not chosen or any(part in cell.name for part in chosen):
            yield cell


def on_file(results: Path, options: Namespace) -> list[dict[str, Any]]:
    """Return the last row of each cell and seed, a sound one where there is one."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    asked = {"quick": options.quick, "budget": options.budget}
    for row in rows_of(results):
        key = row["cell"], row["seed"]
        if asked.items() <= row.items() and (not row["void"] or found.get(key, row)["void"]):
            found[key] = row
    return list(found.values())


def main() -> None:
    """Measure the cells that have no sound row yet, then judge the claims."""
    options = parsed()
    results = RESULTS if options.budget is None else options.scratch or RESULTS
    if options.summary:
        rows = on_file(options.scratch or results, options)
        print("rows of commits", ", ".join(sorted({row["commit"] for row in rows})) or "none")
    elif not series_there():
        print("no open series: set HELDOUT_DATA to the folder that holds ts/")
        return
    else:
        where = {"budget": options.budget, "threads": options.threads}
        asked = lambda mode: cells_of(options)  # noqa: E731, ARG005 - run() hands over its mode
        rows = run(asked, results, PACKAGES, options, where, 60.0 if options.budget is None else 0.0)
    print_summary(rows)


if __name__ == "__main__":
    main()
