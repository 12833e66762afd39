"""The plan of an audit: what is done at least, what is added while time is left, and what was left out.

The time budget is a cap on extras, not on the minimum: every candidate but the costly ones is scored on every fold
whatever it costs. Extras (costly candidates, repeats of the folds, more candidates decomposed, more partitions) are
added only while less than half of the budget is used; when time is short, costly candidates are the first to go. A plan
read back from `report.json` is carried out as written, with no look at the clock, so that the same numbers come out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heldout.errors import DataError, InvalidInput

__all__ = ["Clock", "PlanKept", "fold_count"]

MAX_REPEATS = 3
MIN_PARTITIONS = 2  # the spread between partitions is the Monte-Carlo error
MAX_PARTITIONS = 5
N_PERMUTATIONS = 999
N_RESAMPLES = 1000
N_TEST_BLOCKS = 8
DECOMPOSITION_FOLDS = 5


@dataclass
class Clock:
    """Seconds by stage, and how much of the budget is used."""

    budget: float
    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    _stage_started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if not 0 < self.budget < math.inf:
            raise InvalidInput(f"time_budget must be above 0 seconds and finite, got {self.budget}: try 120")

    def used(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def room_for(self, seconds: float) -> bool:
        """Say whether an extra of that length still ends within the first half of the budget."""
        return self.used() + seconds <= self.budget / 2

    def finish_stage(self, name: str) -> None:
        """Book the seconds since the last stage ended."""
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._stage_started
        self._stage_started = now


@dataclass
class PlanKept:
    """What is carried out, filled in as the audit goes along.

    A plan read from an earlier report (`from_document`) has `given` set: its counts are followed to the letter.
    """

    time_budget: float
    n_folds: int = 0
    n_repeats: int = 0
    n_permutations: int = N_PERMUTATIONS
    decomposed: tuple[str, ...] = ()
    n_partitions: int = 0
    decomposition_rows: int | None = None
    n_resamples: int = N_RESAMPLES
    split_at_random: tuple[str, ...] = ()
    extra_candidates: tuple[str, ...] = ()
    fits: int = 0
    rows: int = 0
    left_out: list[str] = field(default_factory=list)
    given: bool = False
    interrupted: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PlanKept:
        """Read the plan out of a report.

        Raises
        ------
        DataError
            The document is not a report of heldout.
        """
        plan = document.get("plan")
        if not isinstance(plan, Mapping):
            raise DataError("the file given as plan has no plan in it: pass a report.json written by heldout audit")
        try:
            return cls._from_fields(plan)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the plan in that report is damaged ({type(error).__name__}: {error}): "
                "pass a report.json as heldout audit wrote it"
            ) from error

    @classmethod
    def _from_fields(cls, plan: Mapping[str, Any]) -> PlanKept:
        rows = plan["decomposition_rows"]
        return cls(
            time_budget=float(plan["time_budget"]),
            n_folds=int(plan["n_folds"]),
            n_repeats=int(plan["n_repeats"]),
            n_permutations=int(plan["n_permutations"]),
            decomposed=tuple(plan["decomposed"]),
            n_partitions=int(plan["n_partitions"]),
            decomposition_rows=None if rows is None else int(rows),
            n_resamples=int(plan["n_resamples"]),
            split_at_random=tuple(plan["split_at_random"]),
            # A plan of before there were such candidates was carried out without them.
            extra_candidates=tuple(plan.get("extra_candidates", ())),
            left_out=list(plan["left_out"]),
            given=True,
        )

    def note_other_seed(self, document: Mapping[str, Any] | None, seed: int) -> None:
        """Note that a given plan was carried out with another seed: the numbers will differ."""
        if document is not None and document.get("seed") not in (None, seed):
            self._note(f"the plan given was carried out with seed {document['seed']}, this audit has seed {seed}")

    def note_other_table(self, document: Mapping[str, Any] | None, sha256: str | None) -> None:
        """Note that a given plan was made for another file."""
        made_for = None if document is None else (document.get("data") or {}).get("sha256")
        if made_for is not None and sha256 is not None and made_for != sha256:
            self._note("the plan given was made for another table")

    def _note(self, sentence: str) -> None:
        if sentence not in self.left_out:
            self.left_out.append(sentence)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as it stands in `report.json`."""
        return {
            "time_budget": self.time_budget,
            "n_folds": self.n_folds,
            "n_repeats": self.n_repeats,
            "n_permutations": self.n_permutations,
            "decomposed": list(self.decomposed),
            "n_partitions": self.n_partitions,
            "decomposition_rows": self.decomposition_rows,
            "n_resamples": self.n_resamples,
            "split_at_random": list(self.split_at_random),
            "extra_candidates": list(self.extra_candidates),
            "fits": self.fits,
            "rows": self.rows,
            "left_out": list(self.left_out),
        }

    def interrupt(self, sentence: str) -> None:
        """Note that the user stopped the audit: what is finished is kept, and no further stage begins."""
        self.interrupted = True
        if sentence not in self.left_out:
            self.left_out.append(sentence)

    def leave_out(self, sentence: str) -> None:
        """Note something that the budget did not allow (a given plan has its notes already)."""
        if not self.given and sentence not in self.left_out:
            self.left_out.append(sentence)


def fold_count(n_rows: int, scheme: str) -> int:
    """Return the number of folds for a table of that size.

    Ten folds where fits are cheap, since models then train on nine tenths of the rows; five from 5,000 rows on, where
    the missing tenth changes little and the time doubles.
    """
    if scheme in {"blocked_time", "group_time"}:
        return N_TEST_BLOCKS
    return 10 if n_rows < 5_000 else 5
