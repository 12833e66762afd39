"""The whole document of an audit, put together from the results of its stages."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heldout.auditing import document as sections
from heldout.auditing.advice import advise
from heldout.auditing.optimism import Optimism
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.scoring import Scored, Setting
from heldout.auditing.selection import Selection
from heldout.auditing.shortfall import Shortfall
from heldout.auditing.verdict import write_verdict
from heldout.table import Dataset

__all__ = ["Findings", "Label", "assemble"]


@dataclass(frozen=True)
class Label:
    """What the report says about itself: the table's name, the command that repeats it, the seed."""

    name: str | None
    command: str | None
    seed: int


@dataclass(frozen=True)
class Findings:
    """What the stages found, in their order; `n_columns` are those of the table as read."""

    dataset: Dataset
    n_columns: int
    setting: Setting
    scored: Mapping[str, Scored]
    selection: Selection
    shortfall: Shortfall
    optimism: Mapping[str, Optimism]
    tested: dict[str, Any] | None


def assemble(found: Findings, plan: PlanKept, clock: Clock, label: Label) -> dict[str, Any]:
    """Return the content of `report.json`: numbers first, then the sentences that are written from them."""
    plan.rows = found.setting.n_rows
    document: dict[str, Any] = {
        **_sections(found, plan, label.name or Path(found.dataset.source).name),
        "plan": plan.to_dict(),
        "seed": label.seed,
        "versions": sections.versions_section(),
        "command": label.command,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "interrupted": plan.interrupted,
    }
    document = sections.plain(document)
    document["advice"] = advise(document)
    verdict, parts = write_verdict(document)
    document["seconds"] = {**clock.seconds, "total": clock.used()}
    return {"schema": 1, "verdict": verdict, "verdict_parts": parts, **document}


def _sections(found: Findings, plan: PlanKept, name: str) -> dict[str, Any]:
    scored, selection, setting = found.scored, found.selection, found.setting
    return {
        "data": sections.data_section(found.dataset, name, found.n_columns),
        "iid": setting.report.to_dict(),
        "split": sections.split_section(setting, plan.n_repeats),
        "candidates": sections.candidates_section(scored, selection, found.shortfall, setting),
        "winner": sections.winner_section(scored, selection, setting),
        "differences": sections.differences_section(scored, selection, setting),
        "optimism": sections.optimism_section(found.optimism, scored, selection.winner, setting),
        "test": found.tested,
        "predictions": sections.predictions_section(scored[selection.winner], setting),
    }
