"""The candidates on common folds: per-row held-out losses, the error on training rows, intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream_seed
from heldout.auditing.candidates import Candidate, blamed_on
from heldout.auditing.plan import MAX_REPEATS, Clock, PlanKept
from heldout.generalization import (
    ErrorEstimate,
    OutOfFold,
    PairedDifference,
    error_from,
    out_of_fold,
    paired_difference,
)
from heldout.generalization.error_estimate import ROWS_FOR_WALD
from heldout.iid import IIDReport
from heldout.losses import Metric
from heldout.table import Dataset

__all__ = [
    "Progress",
    "Scored",
    "Setting",
    "mean_loss_metric",
    "score_candidates",
    "score_once",
    "zero_one_losses",
]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Setting:
    """Everything that all candidates share: rows, folds, loss, seed."""

    dataset: Dataset
    metric: Metric
    report: IIDReport
    n_folds: int
    seed: int
    n_jobs: int | None
    confidence_level: float

    @property
    def n_rows(self) -> int:
        """Return the number of rows."""
        return len(self.dataset.target.values)

    @property
    def y(self) -> NDArray[Any]:
        """Return the target: float64 values, or class codes."""
        return self.dataset.target.values

    @property
    def classes(self) -> NDArray[np.intp] | None:
        """Return all class codes, or None for regression."""
        n_classes = len(self.dataset.target.classes)
        return np.arange(n_classes) if n_classes else None

    def splitter(self, repeat: int = 0, n_folds: int | None = None) -> Any:
        """Return the splitter of one repeat of the folds."""
        return self.report.splitter(n_folds=n_folds or self.n_folds, random_state=self.seed + repeat)

    def count_folds(self) -> int:
        """Return the number of folds of one repeat, or of test blocks when ordered, that this table allows.

        Blocks are counted, not folds: by group and time a block has several folds, and the gap may leave none.
        """
        if self.is_ordered:
            return int(self.units.max()) if self.units is not None else self.n_folds
        return int(self.splitter().get_n_splits(np.empty((self.n_rows, 1)), self.y, self.dataset.groups))

    @property
    def units(self) -> NDArray[np.intp] | None:
        """Return what is exchangeable: group or block of each row, None where rows are."""
        units = self.splitter().units(self.n_rows, self.dataset.groups)
        return None if units is None else np.asarray(units)

    @property
    def scheme(self) -> str:
        """Return the name of the split."""
        return self.report.choice.scheme

    @property
    def is_ordered(self) -> bool:
        """Return whether rows are predicted forward in time."""
        return self.scheme in {"blocked_time", "group_time"}

    def paired(self, losses_a: NDArray[np.float64], losses_b: NDArray[np.float64]) -> PairedDifference:
        """Compare two columns of held-out losses row by row, over this table's units."""
        return paired_difference(
            losses_a,
            losses_b,
            units=self.units,
            n_folds=self.n_folds,
            scheme=self.scheme,
            confidence_level=self.confidence_level,
        )

    @property
    def halves_by(self) -> NDArray[np.intp] | None:
        """Return what must not be cut apart between two disjoint training sets.

        Whole groups where groups are held out, exact copies where those are kept together; None cuts between rows.
        With time and known groups, future rows come from the same groups: their rows may go to both sides.
        """
        if self.scheme == "group_time":
            return self.dataset.groups
        return None if self.is_ordered else self.units

    def rows_for(self, candidate: Candidate) -> Any:
        """Return the features as that candidate takes them: typed for ours, the user's own frame for the user's."""
        return self.dataset.original if candidate.is_foreign else self.dataset.features


@dataclass(frozen=True)
class Scored:
    """One candidate on all folds and repeats; `first` is the first repeat alone."""

    candidate: Candidate
    folds: OutOfFold
    first: OutOfFold
    estimate: ErrorEstimate
    mean_loss: ErrorEstimate
    zero_one: NDArray[np.float64] | None
    accuracy_training: float | None
    area_under_curve: float | None
    seconds: float


def mean_loss_metric(metric: Metric) -> Metric:
    """Return the metric that is the mean loss itself."""
    return replace(metric, name=metric.loss.name, from_mean_loss=float, higher_is_better=False)


def score_once(candidate: Candidate, setting: Setting, splitter: Any, repeat: int = 0) -> OutOfFold:
    """Fit and predict one candidate on the folds of one splitter; each repeat draws seeds of its own."""
    with blamed_on(candidate):
        return out_of_fold(
            candidate.estimator,
            setting.rows_for(candidate),
            setting.y,
            splitter=splitter,
            loss=setting.metric.loss,
            groups=setting.dataset.groups,
            classes=None if setting.classes is None else list(setting.classes),
            other_losses=() if setting.classes is None or setting.metric.loss.name == "zero_one" else ("zero_one",),
            sample_weight=setting.dataset.weight,
            n_jobs=setting.n_jobs,
            random_state=stream_seed(setting.seed, "repeat", repeat),
        )


def score_candidates(
    candidates: Sequence[Candidate], setting: Setting, plan: PlanKept, clock: Clock, progress: Progress
) -> dict[str, Scored]:
    """Score all candidates on common folds; extras and further repeats of the folds only while the budget has room.

    Every repeat is run for all candidates or for none, so that all are judged on the same rows as often. An extra is
    left out unless all repeats fit with it: it never costs the others a repeat. On an interrupt the candidates that are
    through the first repeat are kept.
    """
    extras_last = sorted(candidates, key=lambda candidate: candidate.is_extra)
    repeats: dict[str, list[OutOfFold]] = {candidate.name: [] for candidate in candidates}
    seconds = dict.fromkeys(repeats, 0.0)
    n_wanted = plan.n_repeats if plan.given else _repeats_worth_having(setting)
    done = 0
    try:
        for repeat in range(n_wanted):
            if repeat and not plan.given and not clock.room_for(sum(seconds.values()) / repeat):
                plan.leave_out(f"{n_wanted - repeat} of {n_wanted} repeats of the folds")
                break
            this_repeat = {}
            for position, candidate in enumerate(list(extras_last)):
                if repeat == 0 and candidate.is_extra and not _has_room(candidate, seconds, n_wanted, plan, clock):
                    extras_last.remove(candidate)
                    continue
                progress("candidates", repeat * len(extras_last) + position, n_wanted * len(extras_last))
                started = time.monotonic()
                this_repeat[candidate.name] = score_once(candidate, setting, setting.splitter(repeat), repeat)
                seconds[candidate.name] += time.monotonic() - started
                if repeat == 0:
                    repeats[candidate.name].append(this_repeat[candidate.name])
            if repeat:
                for name, folds in this_repeat.items():
                    repeats[name].append(folds)
            done = repeat + 1
    except KeyboardInterrupt:
        if not any(repeats.values()):
            raise
        plan.interrupt("interrupted while candidates were scored")
        plan.n_repeats = max(done, 1)
    else:
        plan.n_repeats = done
    candidates = [candidate for candidate in candidates if repeats[candidate.name]]
    plan.extra_candidates = tuple(candidate.name for candidate in candidates if candidate.is_extra)
    scored = {
        candidate.name: summarise(candidate, repeats[candidate.name], seconds[candidate.name], setting)
        for candidate in candidates
    }
    plan.fits += sum(one.folds.n_fits for one in scored.values())
    return scored


def _has_room(extra: Candidate, seconds: Mapping[str, float], n_repeats: int, plan: PlanKept, clock: Clock) -> bool:
    """Say whether an extra is scored, by the plan given or by what the others have taken in the first repeat."""
    if plan.given:
        return extra.name in plan.extra_candidates
    itself = extra.times * seconds.get(extra.made_of, 0.0)
    if clock.room_for(n_repeats * itself + (n_repeats - 1) * sum(seconds.values())):
        return True
    plan.leave_out(f"the candidate {extra.label}")
    return False


def _repeats_worth_having(setting: Setting) -> int:
    if setting.is_ordered:
        return 1  # forward chaining has one order only
    return 1 if setting.n_rows >= ROWS_FOR_WALD else MAX_REPEATS


def summarise(candidate: Candidate, repeats: Sequence[OutOfFold], seconds: float, setting: Setting) -> Scored:
    """Join the repeats of one candidate: losses are averaged per row, predictions are those of the first repeat.

    Accuracy is averaged over repeats, not taken from averaged predictions: those would be an ensemble's.
    """
    folds = _joined(repeats)
    estimate, mean_loss = (
        error_from(
            folds,
            metric=metric,
            splitter=setting.splitter(),
            units=setting.units,
            confidence_level=setting.confidence_level,
        )
        for metric in (setting.metric, mean_loss_metric(setting.metric))
    )
    return Scored(
        candidate=candidate,
        folds=folds,
        first=repeats[0],
        estimate=estimate,
        mean_loss=mean_loss,
        zero_one=_mean_of([zero_one_losses(part) for part in repeats]) if setting.classes is not None else None,
        accuracy_training=_accuracy_training(repeats) if setting.classes is not None else None,
        area_under_curve=_area_under_curve(repeats, setting),
        seconds=seconds,
    )


def _joined(repeats: Sequence[OutOfFold]) -> OutOfFold:
    first = repeats[0]
    return replace(
        first,
        losses=_mean_of([part.losses for part in repeats]),
        fold_losses=tuple(loss for part in repeats for loss in part.fold_losses),
        fold_sizes=tuple(sizes for part in repeats for sizes in part.fold_sizes),
        training_losses=tuple(loss for part in repeats for loss in part.training_losses),
        test_rows=tuple(rows for part in repeats for rows in part.test_rows),
        repeat_of=tuple(repeat for repeat, part in enumerate(repeats) for _ in part.repeat_of),
        n_fits=sum(part.n_fits for part in repeats),
        n_calls=sum(part.n_calls for part in repeats),
    )


def _mean_of(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.mean(np.stack(arrays), axis=0))


def zero_one_losses(folds: OutOfFold) -> NDArray[np.float64]:
    """Return 1 per row that is predicted wrong, 0 per right one, NaN where no fold tested the row."""
    return folds.losses if folds.loss.name == "zero_one" else folds.by_loss["zero_one"].losses


def _accuracy_training(repeats: Sequence[OutOfFold]) -> float:
    judged = [part if part.loss.name == "zero_one" else part.by_loss["zero_one"] for part in repeats]
    return 1.0 - float(np.mean([part.mean_training_loss for part in judged]))


def _area_under_curve(repeats: Sequence[OutOfFold], setting: Setting) -> float | None:
    if setting.classes is None or repeats[0].predictions.ndim != 2:
        return None
    values = [_one_area(part, setting) for part in repeats]
    return None if any(value is None for value in values) else float(np.mean([v for v in values if v is not None]))


def _one_area(folds: OutOfFold, setting: Setting) -> float | None:
    from sklearn.metrics import roc_auc_score

    tested = np.isfinite(folds.losses)
    y, probability = setting.y[tested], folds.predictions[tested]
    weight = None if setting.dataset.weight is None else setting.dataset.weight[tested]
    if len(np.unique(y)) < len(setting.dataset.target.classes):
        return None  # a class that was never tested has no curve
    if probability.shape[1] == 2:
        return float(roc_auc_score(y, probability[:, 1], sample_weight=weight))
    shares = probability / probability.sum(axis=1, keepdims=True)
    return float(roc_auc_score(y, shares, multi_class="ovr", sample_weight=weight))
