"""What the user asked for, checked before any work begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._arrays import take_rows
from heldout.errors import InvalidInput
from heldout.table import Dataset, Table, read_table, table_from_frame

__all__ = ["DEPLOYMENTS", "Request", "in_time_order", "load_table"]

DEPLOYMENTS = ("auto", "same", "new-groups", "future", "new-groups,future")


@dataclass(frozen=True)
class Request:
    """The arguments of an audit, as given."""

    target: str
    group: Sequence[str]
    time: Sequence[str]
    drop: Sequence[str]
    types: dict[str, Any] | None
    weight: str | None
    positive: str | None
    deploy: str
    horizon: int
    task: str | None
    metric: str | None
    confidence_level: float
    seed: int
    n_jobs: int | None
    known: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.deploy not in DEPLOYMENTS:
            raise InvalidInput(f"deploy must be one of {', '.join(DEPLOYMENTS)}, got {self.deploy!r}")
        if not 0 < self.confidence_level < 1:
            raise InvalidInput(f"confidence_level must lie between 0 and 1, got {self.confidence_level}: try 0.95")
        if self.horizon < 0:
            raise InvalidInput(f"horizon must be 0 rows or more, got {self.horizon}")
        if "new-groups" in self.deploy and not self.group:
            raise InvalidInput(f"deploy={self.deploy!r} needs to know the groups: name a group column")


def load_table(data: Any, types: dict[str, Any] | None) -> Table:
    """Read a path, or take a frame as it is."""
    if isinstance(data, Table):
        return data
    if isinstance(data, str | Path):
        return read_table(data, types=types)
    return table_from_frame(data, types=types)


def rows_of(dataset: Dataset, rows: NDArray[np.intp]) -> Dataset:
    """Return the dataset with the given rows, in that order."""

    def taken(values: Any) -> Any:
        return None if values is None else values[rows]

    return replace(
        dataset,
        features=dataset.features[rows],
        original=take_rows(dataset.original, rows),
        target=replace(dataset.target, values=dataset.target.values[rows]),
        groups=taken(dataset.groups),
        time=taken(dataset.time),
        weight=taken(dataset.weight),
        row_of=dataset.row_of[rows],
    )


def in_time_order(dataset: Dataset) -> Dataset:
    """Sort the rows by time, equal times in file order; without times the file's order stands."""
    if dataset.time is None:
        return dataset
    return rows_of(dataset, np.argsort(dataset.time, kind="stable").astype(np.intp))
