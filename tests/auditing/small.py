"""Small tables, and the stages of an audit on them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from heldout.auditing.candidates import Candidate
from heldout.auditing.opening import candidates_for, check_rows, open_table, settle
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.request import Request, load_table
from heldout.auditing.scoring import Scored, Setting, score_candidates, summarise

__all__ = [
    "candidates_in",
    "given_plan",
    "judged",
    "line_table",
    "request",
    "scored_in",
    "setting_of",
    "silent",
    "subjects_table",
]


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def line_table(seed: int = 0, n: int = 90, *, classes: int = 0, noise: float = 1.0) -> pl.DataFrame:
    """Independent rows whose target is a line in one of two features, cut in equal classes on demand."""
    rng = np.random.default_rng([seed, 77])
    x = rng.normal(size=(n, 2))
    y = 2 * x[:, 0] + noise * rng.normal(size=n)
    frame = pl.DataFrame({"x0": x[:, 0], "x1": x[:, 1]})
    if not classes:
        return frame.with_columns(y=pl.Series(y))
    rank = np.argsort(np.argsort(y)) * classes // n
    return frame.with_columns(y=pl.Series(np.array(["low", "middle", "top"])[rank]))


def subjects_table(seed: int = 0, n_subjects: int = 14, rows_each: int = 6) -> pl.DataFrame:
    """Subjects with a level and a mark of their own: a random split recognises them."""
    rng = np.random.default_rng([seed, 78])
    subject = np.repeat(np.arange(n_subjects), rows_each)
    level, mark = rng.normal(size=n_subjects), rng.normal(size=n_subjects)
    x = rng.normal(size=len(subject))
    return pl.DataFrame(
        {
            "mark": mark[subject] + 0.01 * rng.normal(size=len(subject)),
            "x": x,
            "subject": [f"s{code:02d}" for code in subject],
            "y": 3 * level[subject] + x + 0.1 * rng.normal(size=len(subject)),
        }
    )


def request(**changes: Any) -> Request:
    """What a user asks for when he names no more than the target."""
    fields: dict[str, Any] = {
        "target": "y",
        "group": (),
        "time": (),
        "drop": (),
        "types": None,
        "weight": None,
        "positive": None,
        "deploy": "auto",
        "horizon": 0,
        "task": None,
        "metric": None,
        "confidence_level": 0.95,
        "seed": 1,
        "n_jobs": 1,
    }
    return Request(**(fields | changes))


def setting_of(frame: Any, *, n_folds: int = 5, **asked: Any) -> Setting:
    """Open a table as an audit does and fix the folds; rows without group and time are dealt at random."""
    if not {"group", "time", "deploy"} & set(asked):
        asked["deploy"] = "same"  # one plain table in twenty looks ordered by chance
    wanted = request(**asked)
    dataset = open_table(load_table(frame, wanted.types), wanted)
    return settle(dataset, check_rows(dataset, wanted, n_permutations=99), wanted, n_folds=n_folds)


def given_plan(**changes: Any) -> PlanKept:
    """A plan that is followed to the letter, so that no clock decides."""
    plan = PlanKept(1.0, n_repeats=1, n_partitions=2, given=True)
    for name, value in changes.items():
        setattr(plan, name, value)
    return plan


def candidates_in(setting: Setting, entries: Sequence[Any]) -> list[Candidate]:
    """Resolve candidates for a table."""
    return candidates_for(list(entries), setting)


def scored_in(setting: Setting, entries: Sequence[Any] = ("ridge",), *, n_repeats: int = 1) -> dict[str, Scored]:
    """Score candidates on common folds."""
    plan = given_plan(n_repeats=n_repeats)
    return score_candidates(candidates_in(setting, entries), setting, plan, Clock(1.0), silent)


def judged(setting: Setting, losses: dict[str, Any], *, baselines: Sequence[str] = ("baseline",)) -> dict[str, Scored]:
    """Candidates whose held-out losses are given, as if they had been scored."""
    (real,) = scored_in(setting, ["baseline"]).values()
    scored = {}
    for name, column in losses.items():
        column = np.asarray(column, float)
        means = tuple(float(column[rows].mean()) for rows in real.folds.test_rows)
        folds = replace(real.folds, losses=column, fold_losses=means)
        if setting.metric.loss.name != "zero_one" and setting.classes is not None:
            folds = replace(folds, by_loss={"zero_one": real.folds.by_loss["zero_one"]})
        candidate = Candidate(name, f"the {name}", real.candidate.estimator, is_baseline=name in baselines)
        scored[name] = summarise(candidate, [folds], 1.0, setting)
    return scored
