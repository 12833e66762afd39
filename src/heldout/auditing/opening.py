"""From what the user asked to rows, folds and candidates: the opening that an audit and single stages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream_seed
from heldout.auditing.candidates import Candidate, resolve_candidates
from heldout.auditing.plan import N_PERMUTATIONS, fold_count
from heldout.auditing.request import Request, in_time_order
from heldout.auditing.scoring import Setting
from heldout.iid import IIDReport, check
from heldout.losses import find_metric
from heldout.table import Dataset, Table, prepare

__all__ = ["candidates_for", "check_rows", "open_table", "settle"]


def open_table(table: Table, request: Request) -> Dataset:
    """Make a table ready for its task, rows in time order where times are named."""
    return in_time_order(
        prepare(
            table,
            request.target,
            group=list(request.group) or None,
            time=list(request.time) or None,
            drop=list(request.drop),
            weight=request.weight,
            positive=request.positive,
            task=request.task,
        )
    )


def check_rows(
    dataset: Dataset, request: Request, *, n_permutations: int = N_PERMUTATIONS, with_target: bool = True
) -> IIDReport:
    """Test which parts of the IID assumption hold, and let that choose the split."""
    return check(
        dataset.features,
        _labels(dataset) if with_target else None,
        order="rows" if dataset.time is None else dataset.time,
        groups=dataset.groups,
        deploy=request.deploy,
        task=dataset.target.task if with_target else None,
        n_permutations=n_permutations,
        random_state=stream_seed(request.seed, "iid"),
        n_jobs=request.n_jobs,
        horizon=request.horizon,
        target_name=dataset.target.name,
        group_name=" + ".join(dataset.group_columns) or "group",
    )


def _labels(dataset: Dataset) -> NDArray[Any]:
    # Findings name classes as the user does.
    values = dataset.target.values
    return np.asarray(dataset.target.classes)[values] if dataset.target.classes else values


def settle(dataset: Dataset, report: IIDReport, request: Request, *, n_folds: int = 0) -> Setting:
    """Fix what all candidates share.

    Parameters
    ----------
    dataset : Dataset
    report : IIDReport
    request : Request
    n_folds : int, default 0
        0 chooses by the number of rows. Few groups or few distinct times allow fewer.
    """
    setting = Setting(
        dataset=dataset,
        metric=find_metric(request.metric, dataset.target.task),
        report=report,
        n_folds=n_folds or fold_count(len(dataset.target.values), report.choice.scheme),
        seed=request.seed,
        n_jobs=request.n_jobs,
        confidence_level=request.confidence_level,
    )
    # A count that a plan gives was settled already.
    return setting if n_folds else replace(setting, n_folds=setting.count_folds())


def candidates_for(entries: Sequence[Any] | None, setting: Setting) -> list[Candidate]:
    """Return the candidates for a table: built-in ones know its columns, and ordered rows add the last value."""
    dataset = setting.dataset
    return resolve_candidates(
        entries,
        dataset.target.task,
        ordered=setting.is_ordered,
        independent=setting.scheme in {"random", "stratified"} and setting.units is None,
        n_classes=len(dataset.target.classes),
        kinds={column.name: column.kind for column in dataset.schema.columns},
    )
