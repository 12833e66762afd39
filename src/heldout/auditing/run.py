"""The main job: table -> IID -> folds -> candidates -> choice -> parts of the error -> advice -> report.

One way through: a later stage never reaches back into an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import joblib
import narwhals as nw

from heldout._arrays import mean_one
from heldout._random import seed_of, stream_seed
from heldout._threads import one_thread_inside
from heldout.auditing.assembly import Findings, Label, assemble
from heldout.auditing.candidates import Candidate, blamed_on
from heldout.auditing.forecast_route import asks_for_forecast, holds_numbers
from heldout.auditing.model_file import FittedModel
from heldout.auditing.opening import candidates_for, check_rows, open_table, settle
from heldout.auditing.optimism import Optimism, measure_optimism
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.request import Request, load_table
from heldout.auditing.result import Audit
from heldout.auditing.scoring import Progress, Scored, Setting, score_candidates
from heldout.auditing.second_table import SecondTable, judge_on_second_table, open_second_table
from heldout.auditing.selection import Selection, choose
from heldout.auditing.shortfall import Shortfall, measure_shortfall
from heldout.errors import InvalidInput
from heldout.iid import IIDReport
from heldout.learner import fit_with_weight, groups_for, seeded_clone
from heldout.table import Dataset, Table

__all__ = ["audit"]


def audit(
    data: Any,
    target: str,
    *,
    test: Any = None,
    group: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    drop: str | Sequence[str] = (),
    types: Mapping[str, Any] | None = None,
    weight: str | None = None,
    positive: str | None = None,
    deploy: str = "auto",
    horizon: int = 0,
    known: str | Sequence[str] = (),
    task: str | None = None,
    metric: str | None = None,
    candidates: Sequence[Any] | None = None,
    time_budget: float = 120.0,
    confidence_level: float = 0.95,
    random_state: Any = 0,
    n_jobs: int | None = None,
    plan: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    name: str | None = None,
    command: str | None = None,
) -> Audit:
    """Find out how well a model will do on rows it has not seen, why it falls short, and fit one.

    Parameters
    ----------
    data : path or frame
        CSV, TSV, Parquet, Arrow or JSON lines (also .gz), or a frame of pandas, polars or Arrow.
    target : str
        The column to predict.
    test : path or frame, optional
        A second table with the target. It is compared with the first, and the chosen model is scored on it; it never
        takes part in a choice.
    group : str or sequence of str, optional
        Columns whose values, joined, name the unit that is held out whole.
    time : str or sequence of str, optional
        Columns that say when a row came; years before months before days.
    drop : sequence of str
        Columns left out of the features.
    types : mapping of str to str, optional
        Column types that override what was read: number, category, boolean, datetime, text.
    weight : str, optional
        Column of row weights, 0 or more: how much a row counts in the error and in every fit that takes weights.
    positive : str, optional
        The class of interest of a two-class target.
    deploy : {"auto", "same", "new-groups", "future", "new-groups,future"}
        What the rows to be predicted are like; "auto" follows the group and time columns named.
    horizon : int, default 0
        With a time column and a target that is a number: how many steps ahead to forecast the series; the audit is then
        one of forecasts, unless all `candidates` named are those of tables. Otherwise rows between the last row known
        and the first one predicted, when ordered.
    known : str or sequence of str
        Columns whose future is known in advance; for forecasts.
    task : {"regression", "classification"}, optional
    metric : str, optional
        RMSE or log loss by default; see `heldout.losses.METRICS`.
    candidates : sequence, optional
        Names of built-in candidates, ``package.module:estimator`` strings, or (name, estimator) pairs.
    time_budget : float, default 120
        Seconds; a cap on everything beyond the fixed minimum of each stage.
    confidence_level : float, default 0.95
    random_state : None, int or numpy generator, default 0
    n_jobs : int, optional
        Fits at a time.
    plan : mapping, optional
        An earlier `report.json` whose plan is carried out again, to the same numbers.
    progress : callable (stage, done, total), optional
    name : str, optional
        What the table is called in the report.
    command : str, optional
        The command that repeats the audit, for the report.

    Returns
    -------
    Audit

    Raises
    ------
    DataError
        The table cannot be used; the message says what, where and how to mend it.
    InvalidInput
        An argument is not what it should be.

    Examples
    --------
    >>> import numpy as np, polars
    >>> rng = np.random.default_rng(0)
    >>> frame = polars.DataFrame({"x": rng.normal(size=60), "z": rng.normal(size=60)})
    >>> frame = frame.with_columns(y=2 * frame["x"] + 0.1 * rng.normal(size=60))
    >>> result = audit(frame, "y", candidates=["ridge"], time_budget=5)
    >>> result.document["winner"]["name"]
    'ridge'
    """
    clock = Clock(time_budget)
    base = seed_of(random_state)
    request = Request(
        target=target,
        group=_names(group),
        time=_names(time),
        drop=_names(drop),
        types=dict(types) if types else None,
        weight=weight,
        positive=positive,
        deploy=deploy,
        horizon=horizon,
        task=task,
        metric=metric,
        confidence_level=confidence_level,
        seed=stream_seed(base, "audit"),
        n_jobs=n_jobs or min(joblib.cpu_count(), 4),
        known=_names(known),
    )
    if asks_for_forecast(request, candidates):
        data = load_table(data, request.types)
        if holds_numbers(data, request):
            return _forecast(
                data, test, candidates, request, clock, progress or _silent, Label(name, command, base), plan
            )
    if request.known:
        raise InvalidInput(
            f"known column {request.known[0]!r}: only forecasts use what is known in advance; name a time column and a "
            "horizon of 1 or more, or leave it out"
        )
    kept = PlanKept(time_budget) if plan is None else PlanKept.from_document(plan)
    kept.note_other_seed(plan, base)
    run = _Run(request, kept, clock, progress or _silent)
    with joblib.parallel_config(backend="threading"):
        # Fits release the GIL for most of their time, and threads share the table; processes would copy it.
        return run.carry_out(data, test, candidates, Label(name, command, base), plan)


def _forecast(
    table: Table,
    test: Any,
    candidates: Sequence[Any] | None,
    request: Request,
    clock: Clock,
    progress: Progress,
    label: Label,
    plan: Mapping[str, Any] | None,
) -> Audit:
    """Run an audit of forecasts; what it needs is imported here, so that an audit of a table need not load it."""
    from heldout.auditing.forecast_plan import ForecastPlan
    from heldout.auditing.forecast_run import ForecastRun

    if test is not None:
        raise InvalidInput(
            f"test {str(test)!r:.80}: forecasts take no test table; append it to the table, whose last part is held out"
        )
    if plan is None:
        kept = ForecastPlan(clock.budget, request.horizon)
    else:
        kept = ForecastPlan.from_document(plan, request.horizon)
    return ForecastRun(request, kept, clock, progress).carry_out(table, candidates, label, plan)


def _names(columns: str | Sequence[str] | None) -> list[str]:
    if columns is None:
        return []
    # What is no name is refused with the names of the columns, later.
    return [columns] if isinstance(columns, str) or not isinstance(columns, Iterable) else list(columns)


def _silent(stage: str, done: int, total: int) -> None:
    """Report to nobody."""


class _Run:
    """The stages in order; each method is one stage."""

    def __init__(self, request: Request, plan: PlanKept, clock: Clock, progress: Progress) -> None:
        self.request, self.plan, self.clock, self.progress = request, plan, clock, progress

    def carry_out(
        self, data: Any, test: Any, entries: Sequence[Any] | None, label: Label, plan: Mapping[str, Any] | None = None
    ) -> Audit:
        """Run all stages; once the user has stopped the audit, only those without which there is no result."""
        table, dataset = self.read(data)
        self.plan.note_other_table(plan, dataset.sha256)
        second = None if test is None else open_second_table(test, dataset, self.request)
        setting = settle(dataset, self.check_iid(dataset), self.request, n_folds=self.plan.n_folds)
        self.plan.n_folds = setting.n_folds
        candidates = candidates_for(entries, setting)
        self.plan.fits = 0  # counted as they are made, as far as they are kept
        scored = score_candidates(candidates, setting, self.plan, self.clock, self.progress)
        self.clock.finish_stage("candidates")
        selection = self.choose(scored, setting)
        shortfall = self.shortfall(scored, selection, setting)
        optimism = self.optimism(scored, selection, setting)
        best = self.fit(scored[selection.winner].candidate, setting)
        tested = None if second is None or best is None else self.test(second, best, setting)
        findings = Findings(dataset, table.frame.width, setting, scored, selection, shortfall, optimism, tested)
        document = assemble(findings, self.plan, self.clock, label)
        return Audit(
            document=document,
            iid=setting.report,
            splitter=setting.splitter(),
            candidates=tuple(one.candidate for one in scored.values()),
            decompositions=dict(shortfall.decompositions),
            best=None if best is None else _with_manifest(best, document),
            interrupted=self.plan.interrupted,
        )

    def read(self, data: Any) -> tuple[Table, Dataset]:
        """Read the table and make it ready."""
        self.progress("reading", 0, 1)
        table = load_table(data, self.request.types)
        dataset = open_table(table, self.request)
        self.clock.finish_stage("reading")
        return table, dataset

    def check_iid(self, dataset: Dataset) -> IIDReport:
        """Test which parts of the IID assumption hold, and let that choose the split."""
        self.progress("iid", 0, 1)
        report = check_rows(dataset, self.request, n_permutations=self.plan.n_permutations)
        self.clock.finish_stage("iid")
        return report

    def choose(self, scored: Mapping[str, Scored], setting: Setting) -> Selection:
        """Choose the winner; nothing can be said without it, so an interrupt only ends what would come after."""
        try:
            selection = choose(scored, setting, self.plan.n_resamples)
        except KeyboardInterrupt:
            self.plan.interrupt("interrupted while the winner was chosen")
            selection = choose(scored, setting, self.plan.n_resamples)
        self.clock.finish_stage("choice")
        return selection

    def shortfall(self, scored: Mapping[str, Scored], selection: Selection, setting: Setting) -> Shortfall:
        """Split the error into its parts."""
        if self.plan.interrupted:
            return Shortfall({}, reason="interrupted before the decomposition")
        shortfall = measure_shortfall(scored, selection, setting, self.plan, self.clock, self.progress)
        self.clock.finish_stage("decomposition")
        return shortfall

    def optimism(self, scored: Mapping[str, Scored], selection: Selection, setting: Setting) -> dict[str, Optimism]:
        """Measure what a random split would have promised."""
        if self.plan.interrupted or setting.scheme in {"random", "stratified"}:
            return {}
        optimism = measure_optimism(scored, selection.winner, setting, self.plan, self.clock, self.progress)
        self.clock.finish_stage("random split")
        return optimism

    def fit(self, candidate: Candidate, setting: Setting) -> FittedModel | None:
        """Fit the chosen candidate on all rows, after an earlier interrupt too: one fit, and the model is kept."""
        self.progress("fitting", 0, 1)
        try:
            fitted = fit_on_all_rows(candidate, setting)
        except KeyboardInterrupt:
            self.plan.interrupt("interrupted while the chosen model was fitted: there is no model file")
            return None
        self.plan.fits += 1
        self.clock.finish_stage("fitting")
        return fitted

    def test(self, second: SecondTable, best: FittedModel, setting: Setting) -> dict[str, Any] | None:
        """Compare the test table and score the chosen model on it."""
        if self.plan.interrupted:
            self.plan.interrupt("interrupted before the test table was looked at")
            return None
        self.progress("test", 0, 1)
        try:
            section = judge_on_second_table(second, setting.dataset, best, setting)
        except KeyboardInterrupt:
            self.plan.interrupt("interrupted while the test table was looked at")
            return None
        self.clock.finish_stage("test")
        return section


def fit_on_all_rows(candidate: Candidate, setting: Setting) -> FittedModel:
    """Fit a candidate on every row, with a seed of its own."""
    dataset = setting.dataset
    estimator = seeded_clone(candidate.estimator, setting.seed, "final fit")
    with one_thread_inside(), blamed_on(candidate):
        # One OpenMP thread here too: on a busy machine the team of two was seen to take 30 s for a fit of one.
        weight = mean_one(dataset.weight, setting.n_rows)
        groups = groups_for(estimator, dataset.groups, setting.n_rows)
        fit_with_weight(estimator, setting.rows_for(candidate), setting.y, weight, groups)
    return FittedModel(
        estimator=estimator,
        schema=dataset.schema,
        task=dataset.target.task,
        classes=dataset.target.classes,
        metric=setting.metric.name,
        positive=dataset.target.positive,
        manifest={},
        frame_kind=_frame_kind(dataset.original) if candidate.is_foreign else "polars",
    )


def _frame_kind(frame: Any) -> Any:
    implementation = nw.from_native(frame, eager_only=True).implementation
    return "arrow" if implementation.is_pyarrow() else implementation.name.lower()


def _with_manifest(model: FittedModel, document: Mapping[str, Any]) -> FittedModel:
    winner = document["winner"]
    return replace(
        model,
        manifest={
            "verdict": document["verdict"],
            "target": document["data"]["target"],
            "candidate": winner["name"],
            "metric": winner["metric"],
            "error": winner["error"],
            "ci_low": winner["ci_low"],
            "ci_high": winner["ci_high"],
            "split": document["split"]["scheme"],
            "trained_on": {"n_rows": document["data"]["n_rows"], "sha256": document["data"]["sha256"]},
        },
    )
