"""Which candidate is chosen, by how much it beats the baseline, and what having won did to its score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream_seed
from heldout.auditing.optimism import fewest_units, linearised
from heldout.auditing.scoring import Scored, Setting
from heldout.generalization import PairedDifference, SelectedError, selected_error
from heldout.generalization.paired import SimplestTied
from heldout.generalization.unit_losses import unit_losses
from heldout.losses import Metric

__all__ = ["Improvement", "Selection", "choose", "improvement_over"]


@dataclass(frozen=True)
class Improvement:
    """By which share the winner's error lies below the baseline's."""

    share: float | None
    ci: tuple[float, float] | None


@dataclass(frozen=True)
class Selection:
    """The choice and its evidence.

    Parameters
    ----------
    winner : str
    tied : tuple of str
        Candidates that cannot be told from the lowest error; the simplest of them is the winner.
    baseline : str
        The better of the baselines.
    differences : dict of str to PairedDifference
        Mean loss, candidate minus winner.
    corrected : SelectedError
        The winner's mean loss corrected for having won; `shift` moves its interval too.
    improvement : Improvement
    n_units, fewest : int
        Rows, groups or blocks that were tested, and how many an interval needs.
    """

    winner: str
    tied: tuple[str, ...]
    baseline: str
    differences: Mapping[str, PairedDifference]
    corrected: SelectedError
    improvement: Improvement
    n_units: int
    fewest: int

    @property
    def shift(self) -> float:
        """Return what having won adds to the winner's mean loss.

        None (0) where groups or blocks are too few for an interval: resamples of two blocks replay no choice. Never
        below 0: where the rule took a simpler candidate than the lowest, replays often take a better one, and
        their lower loss is not the error of the one that was taken.
        """
        return _shift(self.corrected, self.n_units, self.fewest)


def choose(scored: Mapping[str, Scored], setting: Setting, n_resamples: int) -> Selection:
    """Choose the simplest candidate that ties with the lowest error, and correct its score.

    The order of `scored` is the order of simplicity. The correction replays this whole rule on resampled rows, groups
    or blocks.
    """
    names = list(scored)
    losses = np.column_stack([scored[name].folds.losses for name in names])
    baselines = [name for name in names if scored[name].candidate.is_baseline]
    rule = SimplestTied(
        range(len(names)),
        setting.n_folds,
        setting.scheme,
        setting.confidence_level,
        baselines=[names.index(name) for name in baselines],
    )
    choice = rule.choice(unit_losses(losses, setting.units))
    corrected = selected_error(
        losses,
        units=setting.units,
        choose=rule,
        n_resamples=n_resamples,
        random_state=stream_seed(setting.seed, "winner correction"),
    )
    winner = names[choice.index]
    n_units, fewest = unit_losses(losses, setting.units).n_units, fewest_units(setting)
    baseline = min(baselines, key=lambda name: scored[name].mean_loss.error)
    return Selection(
        winner=winner,
        tied=tuple(names[index] for index in choice.tied),
        baseline=baseline,
        differences={
            name: setting.paired(scored[name].folds.losses, scored[winner].folds.losses)
            for name in names
            if name != winner
        },
        corrected=corrected,
        improvement=improvement_over(
            scored[baseline], scored[winner], _shift(corrected, n_units, fewest_units(setting)), setting
        ),
        n_units=n_units,
        fewest=fewest,
    )


def _as_error(metric: Metric) -> Metric:
    # A share "below the baseline" needs something that falls when a model improves: for accuracy the error rate.
    from heldout.losses import METRICS

    return METRICS["error_rate"] if metric.name == "accuracy" else metric


def _shift(corrected: SelectedError, n_units: int, fewest: int) -> float:
    return max(corrected.shift, 0.0) if n_units >= fewest else 0.0


def improvement_over(baseline: Scored, winner: Scored, shift: float, setting: Setting) -> Improvement:
    r"""Return 1 - error(winner) / error(baseline) with its interval, the winner's error corrected by `shift`.

    The interval is that of the paired difference of the logarithms (first order): both errors rise and fall with
    the same hard rows, so the pairing must not be thrown away.
    """
    if baseline.candidate.name == winner.candidate.name:
        return Improvement(0.0, None)
    metric = _as_error(setting.metric)
    mean_winner = float(np.nanmean(winner.folds.losses))
    error_winner = metric.from_mean_loss(mean_winner + shift)
    error_baseline = metric.from_mean_loss(float(np.nanmean(baseline.folds.losses)))
    if error_baseline <= 0:
        return Improvement(None, None)
    if metric.from_mean_loss(mean_winner) <= 0:
        return _over_a_faultless_winner(baseline, winner, error_winner / error_baseline, setting)
    difference = setting.paired(_log_losses(winner.folds.losses, metric), _log_losses(baseline.folds.losses, metric))
    ratio = math.log(error_winner / error_baseline)
    if difference.standard_error is None or difference.n_units < fewest_units(setting):
        return Improvement(1 - math.exp(ratio), None)
    assert difference.ci_low is not None  # noqa: S101 - both ends stand or fall with the standard error
    assert difference.ci_high is not None  # noqa: S101 - as above
    low = ratio + difference.ci_low - difference.difference
    high = ratio + difference.ci_high - difference.difference
    return Improvement(1 - math.exp(ratio), (1 - math.exp(high), 1 - math.exp(low)))


def _over_a_faultless_winner(baseline: Scored, winner: Scored, ratio: float, setting: Setting) -> Improvement:
    """Return the improvement of a winner without any error, which has no logarithm.

    The interval is that of the difference of the mean losses, as a share of the baseline's, and ends at 1.
    """
    difference = setting.paired(winner.folds.losses, baseline.folds.losses)
    if difference.ci_high is None or difference.n_units < fewest_units(setting):
        return Improvement(1 - ratio, None)
    reach = (difference.ci_high - difference.difference) / abs(difference.difference)
    return Improvement(1 - ratio, (1 - ratio - reach, 1.0))


def _log_losses(losses: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    error = metric.from_mean_loss(float(np.nanmean(losses)))
    return linearised(losses, metric) / error
