"""Peak memory of many replicas in one fit, and bytes of the pickled model, from a process of its own.

The child is that of benchmarks/boosting_memory.py: the peak is above what the process held with X and y loaded.
"""

from __future__ import annotations

from typing import Any

from boosting_laws import Drawn
from boosting_memory import answer, peak_of_fit
from replicas_ours import bagged

N_REPLICAS = 50
MEGABYTE = 2**20


def memory_of_replicas(drawn: Drawn) -> dict[str, Any]:
    """Return peak and pickle in megabytes; X itself for comparison."""
    contender = bagged(N_REPLICAS)
    child = peak_of_fit(contender, contender.settings[0], drawn, __file__)
    pickled = child["pickled_bytes"] / MEGABYTE
    per_leaf = child["pickled_bytes"] / child["leaves"]
    note = f"{pickled:.1f} MB pickled, {child['trees']} trees, {per_leaf:.1f} bytes a leaf"
    return {"above": child["megabytes"], "megabytes": [child["megabytes"], drawn.X.nbytes / MEGABYTE],
            "pickled": pickled, "note": note, "children": [child]}  # fmt: skip


if __name__ == "__main__":
    answer([bagged(N_REPLICAS)])
