"""What a random split would have promised: the same model, the same training and test sizes, other rows.

The gap between the two errors is the price of the wrong split. Both are measured fold by fold with equal numbers of
training and test rows; otherwise forward chaining, whose early folds train on few rows, would show a gap on
independent rows too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from heldout._random import stream_seed
from heldout.auditing.plan import Clock, PlanKept
from heldout.auditing.scoring import Progress, Scored, Setting, score_once, zero_one_losses
from heldout.generalization.error_estimate import FEWEST_BLOCKS, FEWEST_GROUPS
from heldout.losses import METRICS, Metric
from heldout.splits import matched_random_folds

__all__ = ["Optimism", "PlannedFolds", "chosen_at_random", "fewest_units", "linearised", "measure_optimism"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class PlannedFolds:
    """Folds that were drawn beforehand, as a splitter; they are fitted as those of the scheme named are."""

    folds: Sequence[Fold]
    scheme: str = "random"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002 - scikit-learn's signature
        """Return the number of folds."""
        return len(self.folds)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:  # noqa: ARG002 - scikit-learn's signature
        """Yield (training rows, test rows) per fold."""
        yield from self.folds


@dataclass(frozen=True)
class Gap:
    """Safe error minus random error with its interval."""

    error_random: float
    error_safe: float
    gap: float
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Optimism:
    """The gap in the audit's metric and, for classification, in accuracy."""

    main: Gap
    accuracy: Gap | None


def fewest_units(setting: Setting) -> int:
    """Return how many groups or blocks an interval needs at least."""
    return FEWEST_BLOCKS if setting.is_ordered else FEWEST_GROUPS


def linearised(losses: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Scale losses so that their mean moves as the metric does (first order, at the mean loss).

    For RMSE the scale is 1 / (2 RMSE): a difference of means of the scaled losses is then, to first order, the
    difference of two RMSE, and its interval carries over.
    """
    mean = float(np.nanmean(losses))
    step = 1e-6 * max(abs(mean), 1e-12)
    slope = (metric.from_mean_loss(mean + step) - metric.from_mean_loss(mean - step)) / (2 * step)
    return np.asarray(slope * losses)


def measure_optimism(
    scored: Mapping[str, Scored], winner: str, setting: Setting, plan: PlanKept, clock: Clock, progress: Progress
) -> dict[str, Optimism]:
    """Fit candidates on random folds of the same sizes and compare.

    The winner always (and a model, where the winner is a baseline); then, while there is room, the others, the most
    flexible first, extras last: they gain most from rows that they recognise, so a random split would have chosen one
    of them. The safe errors are those of the first repeat of the folds, fitted already.
    """
    safe = PlannedFolds(list(_folds(setting.splitter(), setting)))
    random = PlannedFolds(
        matched_random_folds(
            setting.splitter(),
            np.empty((setting.n_rows, 1)),
            setting.y,
            setting.dataset.groups,
            random_state=stream_seed(setting.seed, "optimism"),
        ),
        setting.scheme,
    )
    flexible_first = list(scored)[::-1]
    flexible_first.sort(key=lambda name: scored[name].candidate.is_extra)
    models = [name for name in flexible_first if not scored[name].candidate.is_baseline]
    wanted = plan.split_at_random if plan.given else tuple(dict.fromkeys([winner, *models]))
    wanted = tuple(name for name in wanted if name in scored)
    measured: dict[str, Optimism] = {}
    try:
        for position, name in enumerate(wanted):
            progress("random split", position, len(wanted))
            seconds = scored[name].seconds / scored[name].folds.n_repeats
            optional = any(not scored[done].candidate.is_baseline for done in measured)
            if optional and not plan.given and not clock.room_for(seconds):
                plan.leave_out(f"the random split of {', '.join(wanted[position:])}")
                break
            measured[name] = _measured(scored[name], safe, random, setting)
    except KeyboardInterrupt:
        plan.interrupt("interrupted while the random split was measured")
    plan.split_at_random = tuple(measured)
    plan.fits += len(random.folds) * len(measured)
    return measured


def chosen_at_random(measured: Mapping[str, Optimism], metric: Metric) -> str | None:
    """Return the candidate that a random split would have chosen, of those measured; None where none was."""
    if not measured:
        return None
    sign = -1.0 if metric.higher_is_better else 1.0
    return min(measured, key=lambda name: sign * measured[name].main.error_random)


def _measured(scored: Scored, safe: PlannedFolds, random: PlannedFolds, setting: Setting) -> Optimism:
    held_safe = scored.first
    held_random = score_once(scored.candidate, setting, random)
    main = _gap(held_safe.losses, held_random.losses, safe, random, setting, setting.metric)
    if setting.classes is None or setting.metric.name == "accuracy":
        return Optimism(main, None)
    wrong_safe, wrong_random = zero_one_losses(held_safe), zero_one_losses(held_random)
    return Optimism(main, _gap(wrong_safe, wrong_random, safe, random, setting, METRICS["accuracy"]))


def _folds(splitter: Any, setting: Setting) -> Iterator[Fold]:
    rows = np.empty((setting.n_rows, 1))
    yield from splitter.split(rows, setting.y, setting.dataset.groups)


def _gap(
    safe: NDArray[np.float64],
    random: NDArray[np.float64],
    safe_folds: PlannedFolds,
    random_folds: PlannedFolds,
    setting: Setting,
    metric: Metric,
) -> Gap:
    error_safe = metric.from_mean_loss(float(np.nanmean(safe)))
    error_random = metric.from_mean_loss(float(np.nanmean(random)))
    gap = error_safe - error_random
    ends = _around_zero(linearised(safe, metric), linearised(random, metric), safe_folds, random_folds, setting)
    if ends is None:
        return Gap(error_random, error_safe, gap, None, None)
    return Gap(error_random, error_safe, gap, gap + ends[0], gap + ends[1])


def _around_zero(
    safe: NDArray[np.float64],
    random: NDArray[np.float64],
    safe_folds: PlannedFolds,
    random_folds: PlannedFolds,
    setting: Setting,
) -> tuple[float, float] | None:
    """Return how far the interval reaches below and above the gap; None where there are too few units."""
    units = setting.units
    if setting.is_ordered:
        return _over_blocks(safe, random, safe_folds, random_folds, np.asarray(units), setting.confidence_level)
    if units is not None and len(np.unique(units)) < fewest_units(setting):
        return None
    difference = setting.paired(safe, random)
    if difference.ci_low is None or difference.ci_high is None:
        return None
    return difference.ci_low - difference.difference, difference.ci_high - difference.difference


def _over_blocks(
    safe: NDArray[np.float64],
    random: NDArray[np.float64],
    safe_folds: PlannedFolds,
    random_folds: PlannedFolds,
    units: NDArray[np.intp],
    confidence_level: float,
) -> tuple[float, float] | None:
    # Random folds of forward chaining test other rows than the safe ones, fold by fold: the pair is the fold.
    # By group and time several folds test one block: they share its luck and are joined to one pair.
    sums: dict[int, list[float]] = {}
    for (_, safe_test), (_, random_test) in zip(safe_folds.folds, random_folds.folds, strict=True):
        pair = float(np.nanmean(safe[safe_test]) - np.nanmean(random[random_test]))
        block = sums.setdefault(int(units[safe_test[0]]), [0.0, 0.0])
        block[0] += pair * len(safe_test)
        block[1] += len(safe_test)
    pairs = [total / rows for total, rows in sums.values()]
    if len(pairs) < FEWEST_BLOCKS:
        return None
    half = float(stats.t.ppf(0.5 + confidence_level / 2, len(pairs) - 1) * stats.sem(pairs))
    return -half, half
