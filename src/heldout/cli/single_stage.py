"""What the single-stage commands share: the way from a file to rows, folds and one candidate.

It is the audit's own way, with the audit's seeds, so a single stage prints the number that the audit would.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heldout.cli import options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from heldout.auditing.candidates import Candidate
    from heldout.auditing.request import Request as AuditRequest
    from heldout.auditing.scoring import Setting
    from heldout.iid import IIDReport
    from heldout.table import Dataset, Table

__all__ = ["Request", "Stage", "check_dependence", "fits_in_threads", "open_stage", "with_stand_in", "wrapped"]


@dataclass(frozen=True)
class Request:
    """The options that every single stage takes."""

    data: Path
    target: str
    group: Sequence[str] | None
    time: Sequence[str] | None
    drop: Sequence[str] | None
    types: Sequence[str] | None
    deploy: str
    horizon: int
    task: str | None
    seed: int
    threads: int | None
    positive: str | None = None
    metric: str | None = None
    confidence_level: float = 0.95

    def dataset(self) -> Dataset:
        """Read the table and make it ready for the target."""
        from heldout.table import read_table

        return self.prepared(read_table(self.data, types=options.column_types(self.types)), self.target)

    def prepared(self, table: Table, target: str) -> Dataset:
        """Make a table ready for a target, rows in time order where there is time."""
        from heldout.auditing.opening import open_table

        return open_table(table, replace(self, target=target).of_an_audit())

    def of_an_audit(self) -> AuditRequest:
        """Return the same request as an audit would work with it."""
        from heldout.auditing.request import Request as AuditRequest

        return AuditRequest(
            target=self.target,
            group=list(self.group or ()),
            time=list(self.time or ()),
            drop=options.split_names(self.drop),
            types=None,
            weight=None,
            positive=self.positive,
            deploy=self.deploy,
            horizon=self.horizon,
            task=self.task,
            metric=self.metric,
            confidence_level=self.confidence_level,
            seed=self.audit_seed,
            n_jobs=self.n_jobs,
        )

    @property
    def n_jobs(self) -> int:
        """Return how many fits run at a time, as the audit has it."""
        import joblib

        return self.threads or min(joblib.cpu_count(), 4)

    @property
    def audit_seed(self) -> int:
        """Return the seed that an audit with this --seed works with."""
        from heldout._random import stream_seed

        return stream_seed(self.seed, "audit")


@dataclass(frozen=True)
class Stage:
    """Rows, folds and the candidate of a single stage."""

    setting: Setting
    candidate: Candidate

    @property
    def heading(self) -> str:
        """Say what is measured and how rows are held out."""
        dataset, choice = self.setting.dataset, self.setting.report.choice
        reason = choice.reason.rstrip(".") + (f", {choice.conditional}." if choice.conditional else ".")
        return f"{dataset.source}: {len(dataset.target.values):,} rows. {reason}"


def with_stand_in(table: Table, values: NDArray[np.float64]) -> tuple[Table, str]:
    """Add a column where `prepare` needs one that the user's table need not have, and return its name."""
    import polars as pl

    from heldout.table import Column, Schema

    name = "(none)"
    while name in table.schema.names:
        name = f"({name})"
    column = Column(name, "number", 0, minimum=float(values.min()), maximum=float(values.max()))
    frame = table.frame.with_columns(pl.Series(name, values))
    return replace(table, frame=frame, schema=Schema((*table.schema.columns, column))), name


def check_dependence(dataset: Dataset, request: Request, *, with_target: bool = True) -> IIDReport:
    """Test which parts of the IID assumption hold, as the audit does."""
    from heldout.auditing.opening import check_rows

    return check_rows(dataset, request.of_an_audit(), with_target=with_target)


def open_stage(request: Request, candidate: str) -> Stage:
    """Read the table, choose how rows are held out, and find the candidate."""
    from heldout.auditing.opening import candidates_for, check_rows, settle
    from heldout.losses import find_metric

    names = options.candidate_names([candidate])
    dataset, asked = request.dataset(), request.of_an_audit()
    find_metric(request.metric, dataset.target.task)  # an unknown metric is told before any work is done
    setting = settle(dataset, check_rows(dataset, asked), asked)
    # The baselines are always among the candidates; the one that was named comes last of those that fit its name.
    wanted = (names or [candidate])[0].rpartition(":")[2]
    return Stage(setting, next(one for one in candidates_for(names, setting) if one.name == wanted))


def fits_in_threads() -> AbstractContextManager[Any]:
    """Let fits share the table, as the audit does; processes would copy it."""
    import joblib

    context: AbstractContextManager[Any] = joblib.parallel_config(backend="threading")
    return context


def wrapped(*paragraphs: str | None) -> str:
    """Fill paragraphs to 80 columns; None is left out."""
    return "\n".join(textwrap.fill(paragraph, 80, subsequent_indent="  ") for paragraph in paragraphs if paragraph)
