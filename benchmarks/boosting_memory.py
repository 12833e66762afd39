"""Peak memory of one fit, in a process of its own.

The child fits a small table, so that all code is loaded, loads the rows, notes what it holds, fits, and prints its peak
less what it held: in a long-lived process the peak would be that of whatever was largest so far.

    python benchmarks/boosting_memory.py FOLDER CONTENDER THREADS ORDER

FOLDER holds X.npy and y.npy; the loss is squared; 0 THREADS are the library's own choice; ORDER is "", "row" or "col".
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from boosting_laws import Drawn, draw
from boosting_peers import LIGHTGBM, OURS, Contender, Setting


def resident(name: str) -> float:
    """Return a line of /proc/self/status in megabytes: VmRSS is what is held now, VmHWM the most so far.

    `getrusage` does not do: its peak goes over from the parent to the program that it starts.
    """
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc/self/status has no {name}: peak memory can be measured on Linux only")
    return int(found.group(1)) / 1024


def fit_and_print(folder: Path, contender: Contender, setting: Setting) -> None:
    """Fit once and print how much memory that took, in megabytes."""
    small = draw(500, 7, "squared", 0, 0)
    contender.fit(small.X, small.y, "squared", setting)
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    before, earlier_peak = resident("VmRSS"), resident("VmHWM")
    model = contender.fit(X, y, "squared", setting)
    peak = resident("VmHWM")
    trees, leaves = model.size()
    print(json.dumps({"before": before, "earlier_peak": earlier_peak, "megabytes": peak - before,
                      "trees": trees, "leaves": leaves, **model.more()}))  # fmt: skip


def peak_of_fit(contender: Contender, setting: Setting, drawn: Drawn, program: str = __file__) -> dict[str, Any]:
    """Return what the child says; the program is one that knows the contender by its name."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", drawn.X)
        np.save(Path(folder) / "y.npy", drawn.y)
        chosen = [contender.name, str(setting.threads or 0), setting.order]
        command = [sys.executable, program, folder, *chosen]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def compare_memory(first: tuple[Contender, Setting, Drawn], second: tuple[Contender, Setting, Drawn]) -> dict[str, Any]:
    """Return both peaks in megabytes and the first over the second."""
    found = [peak_of_fit(*which) for which in (first, second)]
    ratio = found[0]["megabytes"] / max(found[1]["megabytes"], 1e-9)
    return {"times": ratio, "megabytes": [one["megabytes"] for one in found], "children": found,
            "setting": str(second[1])}  # fmt: skip


def answer(contenders: Iterable[Contender]) -> None:
    """Be the child."""
    named = {contender.name: contender for contender in contenders}
    folder, name, threads, order = sys.argv[1:]
    fit_and_print(Path(folder), named[name], Setting(int(threads) or None, order))


if __name__ == "__main__":
    answer((OURS, LIGHTGBM))
