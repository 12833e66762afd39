"""Which forecaster is chosen, with intervals over blocks of time: errors, paired differences, skill, and attention.

All intervals of one audit come from the same resamples, so what is paired stays paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heldout._random import stream, stream_seed
from heldout.auditing.forecast_candidates import ForecastScored
from heldout.auditing.forecast_metrics import ForecastMetric
from heldout.auditing.forecast_origins import HeldOutEnd
from heldout.auditing.forecast_route import ATTENTION
from heldout.generalization import selected_error
from heldout.generalization.unit_losses import WeightedLosses
from heldout.sequence.block_resampling import LEAST_UNITS, ResampledSums, resampled_sums

__all__ = ["Estimate", "ForecastSelection", "choose_forecaster"]

# Fewer blocks than this give an interval that is indicative only.
_FEW_UNITS = 10


@dataclass(frozen=True)
class Estimate:
    """A number with a percentile interval, None where blocks are too few for one."""

    value: float
    ci_low: float | None
    ci_high: float | None
    standard_error: float | None = None


@dataclass(frozen=True, eq=False)
class ForecastSelection:
    """The choice and its evidence.

    Parameters
    ----------
    winner : str
    tied : tuple of str
        Candidates that cannot be told from the lowest error, the winner among them.
    baseline : str
        The better of the naive ones.
    losses : mapping of str to array of float64, shape (n_windows,)
    errors : mapping of str to Estimate
        In the metric.
    differences : mapping of str to Estimate
        Mean loss, candidate minus winner.
    skill : mapping of str to Estimate
        By which share the winner's error lies below that of each naive one.
    attention : Estimate or None
        By which share the error of attention lies below that of `attention_against`.
    attention_against : str or None
        The best of the others.
    shift : float
        What having won adds to the winner's mean loss; 0 where there are fewer than 10 blocks, from which it would be
        mostly noise.
    share_won : mapping of str to float
    n_units : int
    unit : {"block of time", "series"}
    """

    winner: str
    tied: tuple[str, ...]
    baseline: str
    losses: Mapping[str, NDArray[np.float64]]
    errors: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]
    skill: Mapping[str, Estimate]
    attention: Estimate | None
    attention_against: str | None
    shift: float
    share_won: Mapping[str, float]
    n_units: int
    unit: str

    @property
    def has_intervals(self) -> bool:
        """Whether there are blocks enough for any interval."""
        return self.n_units >= LEAST_UNITS

    @property
    def indicative(self) -> bool:
        """Whether there are so few blocks that intervals are indicative only."""
        return self.n_units < _FEW_UNITS


def choose_forecaster(
    scored: Mapping[str, ForecastScored],
    losses: Mapping[str, NDArray[np.float64]],
    held: HeldOutEnd,
    metric: ForecastMetric,
    *,
    horizon: int,
    confidence_level: float,
    seed: int,
    n_resamples: int,
) -> ForecastSelection:
    """Choose the simplest candidate that ties with the lowest error.

    Parameters
    ----------
    scored : mapping of str to ForecastScored
        In order of simplicity.
    losses : mapping of str to array of float64, shape (n_windows,)
    held : HeldOutEnd
    metric : ForecastMetric
    horizon : int
        Steps of a block of time.
    confidence_level : float
    seed, n_resamples : int
        Of the correction for having won.

    Notes
    -----
    A candidate ties where the interval of its paired difference to the lowest error holds 0. With fewer than 5 blocks
    there is no interval, and the lowest error is taken.
    """
    names = list(scored)
    known = np.isfinite(np.stack([losses[name] for name in names])).all(axis=0)
    matrix = np.stack([losses[name][known] for name in names])
    time, series = held.time[known], held.tested.series[known]
    drawn = _Drawn(names, matrix, time, series, float(horizon), confidence_level, metric, seed)
    best = names[int(np.argmin(matrix.mean(axis=1)))]
    gaps = {name: drawn.difference(name, best) for name in names}
    tied = tuple(n for n in names if n == best or (gaps[n].ci_low is not None and (gaps[n].ci_low or 0.0) <= 0))
    winner = tied[0] if drawn.has_intervals else best
    naive = [name for name in names if scored[name].is_baseline]
    others = [name for name in names if name != ATTENTION]
    against = min(others, key=lambda n: float(matrix[names.index(n)].mean())) if ATTENTION in names else None
    shift, won = _correction(matrix, drawn.units(), gaps, names, winner, seed, n_resamples)
    return ForecastSelection(
        winner=winner,
        tied=tied,
        baseline=min(naive, key=lambda n: float(matrix[names.index(n)].mean())),
        losses=losses,
        errors={name: drawn.error(name) for name in names},
        differences={name: drawn.difference(name, winner) for name in names if name != winner},
        skill={name: drawn.improvement(winner, name) for name in naive if name != winner},
        attention=None if against is None else drawn.improvement(ATTENTION, against),
        attention_against=against,
        shift=shift if drawn.sums.n_units >= _FEW_UNITS else 0.0,
        share_won=won,
        n_units=drawn.sums.n_units,
        unit=drawn.sums.unit,
    )


class _Drawn:
    """Mean losses of all candidates in common resamples, and the intervals read from them."""

    def __init__(
        self,
        names: list[str],
        matrix: NDArray[np.float64],
        time: NDArray[np.float64],
        series: NDArray[np.int64],
        block: float,
        confidence_level: float,
        metric: ForecastMetric,
        seed: int,
    ) -> None:
        self.names, self.metric, self.level = names, metric, confidence_level
        self.matrix, self.time, self.series, self.block = matrix, time, series, block
        rows = np.vstack([matrix, np.ones(matrix.shape[1])])
        self.sums: ResampledSums = resampled_sums(rows, time, series, block=block, rng=stream(seed, "blocks"))
        self.means = self.sums.sums[:-1] / np.maximum(self.sums.sums[-1], 1e-300)

    @property
    def has_intervals(self) -> bool:
        return self.sums.n_units >= LEAST_UNITS

    def units(self) -> NDArray[np.int64]:
        """Return the block or series of each window."""
        if self.sums.unit == "series":
            return np.unique(self.series, return_inverse=True)[1].astype(np.int64)
        return np.asarray((self.time - self.time.min()) // self.block, dtype=np.int64)

    def error(self, name: str) -> Estimate:
        k = self.names.index(name)
        ends = np.array([self.metric.from_mean_loss(float(mean)) for mean in self.means[k]])
        return self._estimate(self.metric.from_mean_loss(float(self.matrix[k].mean())), ends)

    def difference(self, name: str, other: str) -> Estimate:
        k, j = self.names.index(name), self.names.index(other)
        return self._estimate(float(self.matrix[k].mean() - self.matrix[j].mean()), self.means[k] - self.means[j])

    def improvement(self, name: str, over: str) -> Estimate:
        """Return by which share the error of one lies below that of another; a faultless other cannot be beaten."""
        k, j = self.names.index(name), self.names.index(over)

        def share(mean: float, other: float) -> float:
            error, of_other = self.metric.from_mean_loss(mean), self.metric.from_mean_loss(other)
            return 1 - error / of_other if of_other > 0 else 0.0

        drawn = np.array([share(float(a), float(b)) for a, b in zip(self.means[k], self.means[j], strict=True)])
        return self._estimate(share(float(self.matrix[k].mean()), float(self.matrix[j].mean())), drawn)

    def _estimate(self, value: float, drawn: NDArray[np.float64]) -> Estimate:
        if not self.has_intervals:
            return Estimate(value, None, None)
        tail = (1 - self.level) / 2
        low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail]))
        return Estimate(value, low, high, float(drawn.std(ddof=1)))


def _correction(
    matrix: NDArray[np.float64],
    units: NDArray[np.int64],
    gaps: Mapping[str, Estimate],
    names: list[str],
    winner: str,
    seed: int,
    n_resamples: int,
) -> tuple[float, dict[str, float]]:
    """Return what having won flatters, in mean loss, and how often each candidate is chosen again."""
    reach = np.array([0.0 if gap.ci_low is None else gap.value - gap.ci_low for gap in (gaps[name] for name in names)])

    def choose(losses: WeightedLosses) -> NDArray[np.intp]:
        means = losses.mean_losses
        ties = means - means.min(axis=1, keepdims=True) <= reach
        return np.asarray(np.argmax(ties, axis=1))

    if len(np.unique(units)) < 2:
        return 0.0, {name: float(name == winner) for name in names}
    corrected = selected_error(
        matrix.T,
        units=units,
        choose=choose,
        n_resamples=n_resamples,
        random_state=stream_seed(seed, "winner correction"),
    )
    return max(corrected.shift, 0.0), dict(zip(names, corrected.share_of_resamples_won, strict=True))
