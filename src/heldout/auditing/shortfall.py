"""Why each candidate falls short: variance, bias that another candidate does not have, and what none removes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from heldout._random import stream_seed
from heldout.auditing.candidates import Candidate, blamed_on
from heldout.auditing.optimism import fewest_units
from heldout.auditing.plan import DECOMPOSITION_FOLDS, MAX_PARTITIONS, MIN_PARTITIONS, Clock, PlanKept
from heldout.auditing.scoring import Progress, Scored, Setting
from heldout.auditing.selection import Selection
from heldout.errors import InvalidInput
from heldout.losses import METRICS
from heldout.tradeoff import Decomposition, decompose, excess_bias

__all__ = ["Shortfall", "decompose_candidate", "measure_shortfall"]

FEWEST_ROWS_PER_FIT = 20
FEWEST_ROWS_WHEN_CAPPED = 200  # fewer would describe another model than the one that is fitted
LABELS = {"squared_error": "RMSE", "zero_one": "error rate"}
EMPTY: dict[str, Any] = {
    "decomposition": None,
    "expected_loss": None,
    "expected_loss_ci": None,
    "variance": None,
    "variance_ci": None,
    "variance_share_ci": None,
    "bias_plus_noise": None,
    "bias_plus_noise_ci": None,
    "excess_bias": None,
    "excess_bias_ci": None,
    "unresolved": None,
    "unresolved_ci": None,
    "error_at_half": None,
    "error_same_loss": None,
    "reason": None,
}


@dataclass(frozen=True)
class Shortfall:
    """The decompositions, and their fields per candidate as `report.json` holds them."""

    decompositions: Mapping[str, Decomposition]
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reason: str = "there was no time left to decompose this candidate"

    def of(self, name: str) -> dict[str, Any]:
        """Return the fields of a candidate; nulls with the reason where it was not decomposed."""
        return {**EMPTY, **self.fields.get(name, {"reason": self.reason})}


def measure_shortfall(
    scored: Mapping[str, Scored],
    selection: Selection,
    setting: Setting,
    plan: PlanKept,
    clock: Clock,
    progress: Progress,
) -> Shortfall:
    """Decompose the winner, the baseline and the runner-up, and the others, extras last, while the budget has room."""
    if setting.n_rows < 4 * FEWEST_ROWS_PER_FIT:
        return Shortfall({}, reason=f"{setting.n_rows} rows are too few to train on disjoint halves")
    wanted = plan.decomposed if plan.given else _in_order_of_interest(scored, selection)
    wanted = tuple(name for name in wanted if name in scored)
    plan.n_partitions = plan.n_partitions if plan.given else _partitions(scored, wanted, clock)
    plan.decomposition_rows = plan.decomposition_rows if plan.given else _rows_per_half(scored, wanted, setting, clock)
    done: dict[str, Decomposition] = {}
    reason = Shortfall.reason
    try:
        for position, name in enumerate(wanted):
            progress("decomposition", position, len(wanted))
            if not plan.given and position >= 3 and not clock.room_for(_cost(scored[name], plan.n_partitions)):
                plan.leave_out(f"the decomposition of {', '.join(wanted[position:])}")
                break
            done[name] = _decomposed(scored[name], setting, plan)
    except KeyboardInterrupt:
        plan.interrupt("interrupted while candidates were decomposed")
    except InvalidInput as error:  # two groups, say: no training part has two halves
        reason = str(error)
    plan.decomposed = tuple(name for name in scored if name in done)
    plan.fits += sum(parts.n_fits for parts in done.values())
    return Shortfall(done, _fields(done, scored, setting), reason)


def _in_order_of_interest(scored: Mapping[str, Scored], selection: Selection) -> tuple[str, ...]:
    by_error = sorted(scored, key=lambda name: (scored[name].candidate.is_extra, scored[name].mean_loss.error))
    first = [selection.winner, selection.baseline, *by_error]
    return tuple(dict.fromkeys(first))


def _cost(scored: Scored, n_partitions: int) -> float:
    # A partition is two fits on half the rows per fold, so about one fit on all rows per fold.
    per_fit = scored.seconds / max(scored.folds.n_fits, 1)
    return per_fit * DECOMPOSITION_FOLDS * n_partitions


def _partitions(scored: Mapping[str, Scored], wanted: Sequence[str], clock: Clock) -> int:
    # An extra that has not won is left out before it costs the others a partition.
    wanted = [name for position, name in enumerate(wanted) if position == 0 or not scored[name].candidate.is_extra]
    for n_partitions in range(MAX_PARTITIONS, MIN_PARTITIONS, -1):
        if clock.room_for(sum(_cost(scored[name], n_partitions) for name in wanted)):
            return n_partitions
    return MIN_PARTITIONS


def _rows_per_half(scored: Mapping[str, Scored], wanted: Sequence[str], setting: Setting, clock: Clock) -> int | None:
    """Return a cap on the rows per half, when even the least plan would break the budget."""
    left = max(clock.budget - clock.used(), clock.budget / 10)
    least = sum(_cost(scored[name], MIN_PARTITIONS) for name in wanted[:3])
    if least <= left:
        return None
    half = setting.n_rows * (1 - 1 / DECOMPOSITION_FOLDS) / 2
    cap = max(int(half * left / least), FEWEST_ROWS_WHEN_CAPPED)
    return cap if cap < half else None


def _decomposed(scored: Scored, setting: Setting, plan: PlanKept) -> Decomposition:
    if plan.decomposition_rows is not None:
        plan.leave_out(f"rows beyond {plan.decomposition_rows:,} per fit in the decomposition")
    return decompose_candidate(
        scored.candidate, setting, n_partitions=plan.n_partitions, max_rows=plan.decomposition_rows
    )


def decompose_candidate(
    candidate: Candidate, setting: Setting, *, n_partitions: int, max_rows: int | None = None
) -> Decomposition:
    """Split one candidate's error into its parts, on the folds of the table's own split.

    The halves and the seed are the same for every candidate, so their parts are paired.
    """
    classification = setting.classes is not None
    with blamed_on(candidate):
        return decompose(
            candidate.estimator,
            setting.rows_for(candidate),
            setting.y,
            loss="zero_one" if classification else "squared_error",
            splitter=setting.splitter(n_folds=_fold_count(setting)),
            groups=setting.halves_by,
            n_partitions=n_partitions,
            random_state=stream_seed(setting.seed, "decomposition"),
            n_jobs=setting.n_jobs,
            sample_weight=setting.dataset.weight,
            classes=list(setting.classes) if setting.classes is not None else None,
            confidence_level=setting.confidence_level,
            max_rows=max_rows,
        )


def _fold_count(setting: Setting) -> int:
    return min(setting.n_folds, DECOMPOSITION_FOLDS)


def _fields(
    done: Mapping[str, Decomposition], scored: Mapping[str, Scored], setting: Setting
) -> dict[str, dict[str, Any]]:
    if not done:
        return {}
    excess = excess_bias(
        done, confidence_level=setting.confidence_level, random_state=stream_seed(setting.seed, "excess bias")
    )
    fields = {}
    known = _has_intervals(setting)
    for name, parts in done.items():
        full = _error_on_all_rows(scored[name], setting)
        fields[name] = {
            "decomposition": {
                "loss": parts.loss,
                "metric_label": LABELS[parts.loss],
                "label": parts.label,
                "method": parts.method,
                "n_train": parts.n_train,
                "n_train_full": int(np.median([train for train, _ in scored[name].folds.fold_sizes])),
                "n_fits": parts.n_fits,
                "n_partitions": parts.n_partitions,
                "how_fitted": parts.how_fitted,
            },
            "expected_loss": parts.expected_loss,
            "expected_loss_ci": _ends(parts.expected_loss_ci) if known else None,
            "variance": parts.variance,
            "variance_ci": _ends(parts.variance_ci) if known else None,
            "variance_share_ci": _share_interval(parts) if known else None,
            "bias_plus_noise": parts.bias_plus_noise,
            "bias_plus_noise_ci": _ends(parts.bias_plus_noise_ci) if known else None,
            "excess_bias": excess[name].excess_bias,
            "excess_bias_ci": _ends(excess[name].ci) if known else None,
            "unresolved": excess[name].unresolved,
            "unresolved_ci": _ends(excess[name].unresolved_ci) if known else None,
            "error_at_half": None if full is None else _in_metric(parts.loss, parts.expected_loss),
            "error_same_loss": full,
            "reason": excess[name].reason,
        }
    return fields


def _has_intervals(setting: Setting) -> bool:
    """Say whether there are groups or blocks enough for any interval, as for the error itself."""
    units = setting.units
    return units is None or len(np.unique(units)) >= fewest_units(setting)


def _ends(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _in_metric(loss: str, mean_loss: float) -> float:
    return METRICS["rmse"].from_mean_loss(mean_loss) if loss == "squared_error" else mean_loss


def _error_on_all_rows(scored: Scored, setting: Setting) -> float | None:
    """Return the held-out error of the full-size fits in the decomposition's loss, where it is comparable."""
    if setting.is_ordered:
        return None  # folds of time differ in size and in period: two sizes cannot be compared across them
    if scored.zero_one is not None:
        return float(np.nanmean(scored.zero_one))
    if setting.metric.loss.name == "squared_error":
        return METRICS["rmse"].from_mean_loss(float(np.nanmean(scored.folds.losses)))
    return None


def _share_interval(parts: Decomposition) -> list[float] | None:
    """Return the interval of variance / expected loss: that of the variance, over the loss, within 0 .. 1.

    The variance's own interval holds the Monte-Carlo error and the draw of the training rows; the loss moves with the
    variance, so dividing by its estimate alone is, if anything, too wide.
    """
    if parts.expected_loss <= 0 or parts.variance_ci is None:
        return None
    return [min(max(end / parts.expected_loss, 0.0), 1.0) for end in parts.variance_ci]
