"""An audit of forecasts: series -> IID -> the last part held out -> candidates -> attention -> choice -> report.

One way through: a later stage never reaches back into an earlier one.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from heldout._random import stream_seed
from heldout.auditing import forecast_document as sections
from heldout.auditing.assembly import Label
from heldout.auditing.document import plain, versions_section
from heldout.auditing.forecast_advice import advise_forecast
from heldout.auditing.forecast_attention import Attending, best_baseline, fit_again, fit_attention, why_not
from heldout.auditing.forecast_candidates import (
    LEVELS,
    FittedAlone,
    ForecastScored,
    LearningPart,
    choose_forecasters,
    fit_alone,
    learning_part,
    one_product_thread,
    score_alone,
)
from heldout.auditing.forecast_looks import attention_section
from heldout.auditing.forecast_metrics import find_forecast_metric, losses_by_window, scales_before
from heldout.auditing.forecast_model import ForecastModel, model_of
from heldout.auditing.forecast_origins import HeldOutEnd, hold_out_end
from heldout.auditing.forecast_plan import ForecastPlan
from heldout.auditing.forecast_reading import SeriesTable, read_series
from heldout.auditing.forecast_route import ATTENTION
from heldout.auditing.forecast_section import Shown, forecast_section
from heldout.auditing.forecast_selection import ForecastSelection, choose_forecaster
from heldout.auditing.forecast_verdict import write_forecast_verdict
from heldout.auditing.plan import N_PERMUTATIONS, Clock
from heldout.auditing.request import Request
from heldout.auditing.result import Audit
from heldout.auditing.scoring import Progress
from heldout.iid import IIDReport, check
from heldout.sequence.sequences import Sequences
from heldout.table import Table

__all__ = ["ForecastRun"]

# Attention trains before the tail, again on all that is learned from, and once more if it is chosen.
_RUNS = 3
_MOST_OF_BUDGET = 0.5
_KEPT_BACK = 0.15


class ForecastRun:
    """The stages in order; each method is one stage.

    Parameters
    ----------
    request : Request
    plan : ForecastPlan
    clock : Clock
    progress : callable (stage, done, total)
    """

    def __init__(self, request: Request, plan: ForecastPlan, clock: Clock, progress: Progress) -> None:
        self.request, self.plan, self.clock, self.progress = request, plan, clock, progress
        self.metric = find_forecast_metric(request.metric)
        self.why_no_attention: str | None = None

    def carry_out(
        self, table: Table, entries: Sequence[Any] | None, label: Label, given: Mapping[str, Any] | None
    ) -> Audit:
        """Run all stages; once the user has stopped the audit, only those without which there is no result."""
        self.progress("reading", 0, 1)
        series = read_series(table, self.request)
        self.clock.finish_stage("reading")
        self.plan.note_other(given, label.seed, series.sha256)
        report = self.check_iid(series.sequences)
        held = hold_out_end(series.sequences, self.request.horizon)
        part = learning_part(held.learned, self.request.horizon)
        names = self.names(entries, series.sequences.season)
        alone, scored = self.score(names, part, held)
        self.attend(names, part, alone, scored, held)
        shown = self.choose(scored, held)
        looks = self.looks(scored, held)
        best = self.fit(shown, series, held)
        document = self.assemble(series, report, shown, looks, label)
        return Audit(
            document=document,
            iid=report,
            splitter=None,
            candidates=(),
            decompositions={},
            best=None if best is None else best.with_manifest(document),
            interrupted=self.plan.interrupted,
        )

    def check_iid(self, sequences: Sequences) -> IIDReport:
        """Say how strongly the values of the series hang together in time."""
        self.progress("iid", 0, 1)
        known = np.isfinite(sequences.target[:, 0])
        count, values = sequences.count[known], sequences.target[known, 0]
        # A column that numbers the rows in order of time: two rows of one value are then no copies of each other.
        number = np.empty(len(count))
        number[np.argsort(count, kind="stable")] = np.arange(len(count))
        report = check(
            pl.DataFrame({"row": number}),
            values,
            order=count,
            groups=sequences.series_of_row[known] if sequences.n_series > 1 else None,
            deploy="future" if sequences.n_series > 1 else self.request.deploy,
            task="regression",
            n_permutations=N_PERMUTATIONS,
            random_state=stream_seed(self.request.seed, "iid"),
            n_jobs=self.request.n_jobs,
            target_name=self.request.target,
            group_name=" + ".join(self.request.group) or "group",
        )
        self.clock.finish_stage("iid")
        return report

    def names(self, entries: Sequence[Any] | None, season: int) -> list[str]:
        """Return the candidates to be tried: those of a given plan, or those asked for."""
        names, remarks = choose_forecasters(entries, season)
        for remark in remarks:
            self.plan.note(remark)
        return [name for name in names if name in self.plan.candidates] if self.plan.given else names

    def score(
        self, names: Sequence[str], part: LearningPart, held: HeldOutEnd
    ) -> tuple[dict[str, FittedAlone], dict[str, ForecastScored]]:
        """Fit the baselines and forecast the part held out; an interrupt keeps those that are finished."""
        point_loss = "squared_error" if self.metric.loss == "squared_error" else "absolute_error"
        alone: dict[str, FittedAlone] = {}
        scored: dict[str, ForecastScored] = {}
        wanted = [name for name in names if name != ATTENTION]
        try:
            for position, name in enumerate(wanted):
                self.progress("candidates", position, len(wanted))
                began = time.perf_counter()
                with one_product_thread():
                    fitted = fit_alone(name, part, point_loss, alone)
                if fitted is None:
                    self.plan.note(f"{name}: no series is long enough to learn from")
                    continue
                scored[name] = score_alone(name, fitted, held.tested, began)
                alone[name] = fitted
        except KeyboardInterrupt:
            if not scored:
                raise
            self.plan.interrupt(f"interrupted before {', '.join(n for n in wanted if n not in scored)} was finished")
        self.clock.finish_stage("candidates")
        return alone, scored

    def attend(
        self,
        names: Sequence[str],
        part: LearningPart,
        alone: Mapping[str, FittedAlone],
        scored: dict[str, ForecastScored],
        held: HeldOutEnd,
    ) -> None:
        """Train attention on what the best baseline gets wrong, in what is left of the budget."""
        if ATTENTION not in names:
            self.why_no_attention = "attention was not asked for"
            return
        self.why_no_attention = "interrupted before attention" if self.plan.interrupted else why_not(part)
        if self.why_no_attention is not None:
            self.plan.note(self.why_no_attention)
            return
        sizes = self.plan.network if self.plan.given else None
        stage0 = best_baseline(alone) if sizes is None or sizes.stands_on not in alone else sizes.stands_on
        try:
            scored[ATTENTION], self.plan.network = fit_attention(
                part, stage0, alone[stage0], held.tested, self.attending()
            )
        except KeyboardInterrupt:
            self.why_no_attention = "interrupted while attention was trained"
            self.plan.interrupt(self.why_no_attention)
        self.clock.finish_stage("attention")

    def attending(self) -> Attending:
        """Return what training needs to know."""
        left = self.clock.budget * (1 - _KEPT_BACK) - self.clock.used()
        budget = max(1.0, min(_MOST_OF_BUDGET * self.clock.budget, left) / _RUNS)

        def steps(done: int, total: int | None) -> None:
            # How many there will be is not known at first: then the stage is named without counting.
            self.progress("attention", done if total else 0, total or 1)

        return Attending(
            self.request.horizon,
            self.metric.of_point,
            stream_seed(self.request.seed, "attention"),
            self.request.n_jobs,
            budget,
            self.plan.network,
            steps,
        )

    def choose(self, scored: Mapping[str, ForecastScored], held: HeldOutEnd) -> Shown:
        """Choose the winner; nothing can be said without it, so an interrupt only ends what would come after."""
        scale = scales_before(held.learned, held.scale_of)
        losses = {
            name: losses_by_window(held.tested, one.found, LEVELS, scale, self.metric.loss)
            for name, one in scored.items()
        }
        try:
            selection = self._selection(scored, losses, held)
        except KeyboardInterrupt:
            self.plan.interrupt("interrupted while the winner was chosen")
            selection = self._selection(scored, losses, held)
        self.plan.candidates = list(scored)
        self.plan.fits += sum(one.n_fits for one in scored.values())
        self.clock.finish_stage("choice")
        tried = self.plan.network if ATTENTION in scored else None
        return Shown(scored, selection, held, self.metric, scale, tried, self.why_no_attention)

    def _selection(
        self, scored: Mapping[str, ForecastScored], losses: Mapping[str, Any], held: HeldOutEnd
    ) -> ForecastSelection:
        return choose_forecaster(
            scored,
            losses,
            held,
            self.metric,
            horizon=self.request.horizon,
            confidence_level=self.request.confidence_level,
            seed=self.request.seed,
            n_resamples=self.plan.n_resamples,
        )

    def looks(self, scored: Mapping[str, ForecastScored], held: HeldOutEnd) -> dict[str, Any] | None:
        """Find out where attention looks and whether that matters; nothing where it was hardly trained."""
        sizes = self.plan.network
        if ATTENTION not in scored or sizes is None or not sizes.enough or self.plan.interrupted:
            return None
        self.progress("attention figures", 0, 1)
        try:
            section = attention_section(
                scored[ATTENTION], held.tested, sizes.n_threads, stream_seed(self.request.seed, "looks")
            )
        except KeyboardInterrupt:
            self.plan.interrupt("interrupted while figures of attention were made")
            return None
        self.clock.finish_stage("attention figures")
        return section

    def fit(self, shown: Shown, series: SeriesTable, held: HeldOutEnd) -> ForecastModel | None:
        """Fit the chosen candidate on all rows, after an earlier interrupt too: one fit, and the model is kept."""
        self.progress("fitting", 0, 1)
        try:
            fitted = fit_again(shown.winner, series.sequences, held.tested, self.attending())
        except KeyboardInterrupt:
            self.plan.interrupt("interrupted while the chosen model was fitted: there is no model file")
            return None
        self.plan.fits += 1
        self.clock.finish_stage("fitting")
        return model_of(fitted, series.sequences, self.request.horizon, series.schema, self.request.n_jobs)

    def assemble(
        self,
        series: SeriesTable,
        report: IIDReport,
        shown: Shown,
        looks: Mapping[str, Any] | None,
        label: Label,
    ) -> dict[str, Any]:
        """Return the content of `report.json`: numbers first, then the sentences that are written from them."""
        scored, selection, metric = shown.scored, shown.selection, shown.metric
        self.plan.rows = series.n_rows
        level = self.request.confidence_level
        document: dict[str, Any] = plain(
            {
                "data": sections.data_section(series, label.name or Path(series.source).name),
                "iid": report.to_dict(),
                "split": sections.split_section(series.sequences, shown.held, level),
                "candidates": sections.candidates_section(scored, selection, metric, level),
                "winner": sections.winner_section(scored, selection, metric),
                "differences": sections.differences_section(scored, selection, metric),
                "optimism": sections.optimism_section(shown.winner, metric),
                "test": None,
                "predictions": sections.predictions_section(shown.winner, shown.held),
                "forecast": forecast_section(shown),
                "attention": looks,
                "plan": self.plan.to_dict(),
                "seed": label.seed,
                "versions": versions_section(),
                "command": label.command,
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "interrupted": self.plan.interrupted,
            }
        )
        document["advice"] = advise_forecast(document, series.unused)
        verdict, parts = write_forecast_verdict(document)
        document["seconds"] = {**self.clock.seconds, "total": self.clock.used()}
        return {"schema": 1, "verdict": verdict, "verdict_parts": parts, **document}
