"""How long an estimate of a learner's variance takes at equal standard error: disjoint halves against bootstraps.

A table of n rows estimates how much predictions differ between training sets, averaged over test rows that stay the
same. mlxtend's loop fits bootstraps of the table; the spread of their predictions is its estimate of the variance of a
model of n rows, and it is biased. Ours fits pairs of disjoint halves: half the squared difference of a pair estimates
the variance of a model of n / 2 rows, and the mean over pairs is unbiased for it.

Two standard errors, each relative to the mean of the estimates:

- over repetitions, each with a fresh table: how far the estimate of a user, who has one table, lies from its mean. It
  is what the claim is about. The variance between tables stays, whatever the number of fits.
- Monte Carlo: over repetitions on the same table, between draws of bootstraps or halves.

With a table's values v_1, v_2, ... of independent draws, the variance of a mean of m of them over fresh tables is
a + b / m, b the mean variance within a table and a what is left. So the pairs are found that reach the standard error
of mlxtend's 200 rounds, and both are then timed in turn. Standard errors of mlxtend's loop are those of bootstraps
grown by our engine: a hundred tables by mlxtend itself would take most of an hour. The row holds the estimates of both
on the timed table.

The truth is planted: fresh tables of n and of n / 2 rows, drawn from the law, one fit each by the estimator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from boosting_laws import Drawn, draw
from boosting_peers import Contender
from boosting_timing import timing_row
from replicas_ours import regressor, variances_of_bootstraps, variances_of_halves
from replicas_peers import decompose_by_mlxtend
from replicas_timing import agree, best_of_mlxtend, time_works

GROUP = 10


@dataclass(frozen=True)
class Effort:
    """How much is measured: mlxtend's rounds, pairs tried, tables, fits of the truth, turns."""

    rounds: int
    pairs: int
    tables: int
    truths: int
    turns: int


@dataclass(frozen=True)
class Spreads:
    """Relative squared standard error of a mean of m draws: `between` + `within` / m over fresh tables.

    Parameters
    ----------
    mean : float
        Of the estimates.
    between, within : float
        Relative to the squared mean; the second over m is the Monte Carlo part. `between` may come out below 0.
    """

    mean: float
    between: float
    within: float

    def error(self, n_draws: float) -> float:
        """Return the relative standard error over fresh tables."""
        return math.sqrt(max(self.between + self.within / n_draws, 0.0))

    def monte_carlo(self, n_draws: float) -> float:
        """Return the relative standard error on one table."""
        return math.sqrt(self.within / n_draws)

    def draws_for(self, error: float) -> float:
        """Return how many draws reach a relative standard error over fresh tables; infinity if none do."""
        left = error**2 - self.between
        return max(1.0, self.within / left) if left > 0 else math.inf


def spreads(values: Any) -> Spreads:
    """Return the spreads of draws of shape (n_tables, n_draws), the draws of a table independent of each other.

    >>> spreads(np.array([[1.0, 3.0], [3.0, 5.0]]))
    Spreads(mean=3.0, between=0.1111111111111111, within=0.2222222222222222)
    """
    mean = float(np.mean(values))
    within = float(np.mean(np.var(values, axis=1, ddof=1)))
    of_means = float(np.var(np.mean(values, axis=1), ddof=1))
    return Spreads(mean, (of_means - within / values.shape[1]) / mean**2, within / mean**2)


def variance_of_groups(means: Any, variances: Any, size: int) -> float:
    """Return the mean variance (ddof 1) over all replicas of groups of one size, from their moments.

    Parameters
    ----------
    means : array of shape (n_groups, n_rows)
    variances : array of shape (n_groups,)
        Mean over the rows, ddof 1.
    """
    n = len(means) * size
    between = float(np.mean(np.var(means, axis=0))) * n
    return (between + float(np.mean(variances)) * len(means) * (size - 1)) / (n - 1)


def true_variance(n_rows: int, n_fits: int, drawn: Drawn, seed: int) -> float:
    """Return the variance between models of fresh tables of so many rows, averaged over the test rows."""
    predictions = []
    for k in range(n_fits):
        fresh = draw(n_rows, drawn.X.shape[1], drawn.loss, fresh_seed(seed, k, n_rows), 0)
        predictions.append(regressor().fit(fresh.X, fresh.y).predict(drawn.X_test))
    return float(np.mean(np.var(predictions, axis=0, ddof=1)))


def fresh_seed(seed: int, number: int, purpose: int) -> int:
    """Return a seed that no other table of the benchmark has."""
    return int(np.random.SeedSequence([seed, number, purpose]).generate_state(1, np.uint64)[0])


def fresh_tables(drawn: Drawn, n_tables: int, seed: int) -> Sequence[Drawn]:
    """Draw fresh training rows; the test rows stay."""
    n_rows, n_features = drawn.X.shape
    fresh = (draw(n_rows, n_features, drawn.loss, fresh_seed(seed, k, 0), 0) for k in range(n_tables))
    return [replace(drawn, X=table.X, y=table.y) for table in fresh]


def bootstrap_estimates(tables: Sequence[Drawn], rounds: int) -> tuple[Any, Any]:
    """Return the estimates by all rounds, shape (n_tables,), and by groups of ten, (n_tables, n_groups)."""
    whole, parts = [], []
    for k, table in enumerate(tables):
        means, variances = variances_of_bootstraps(table, rounds // GROUP, GROUP, k)
        whole.append(variance_of_groups(means, variances, GROUP))
        parts.append(variances)
    return np.array(whole), np.array(parts)


@dataclass(frozen=True)
class Comparison:
    """Standard errors over fresh tables of both estimates, and the pairs of halves that equal mlxtend's rounds.

    Parameters
    ----------
    standard_error, monte_carlo : float
        Of mlxtend's estimate: over fresh tables, and on one table; relative.
    pairs, monte_carlo_pairs : float
        Draws of two disjoint halves that reach them; infinity where none do.
    fewer_rounds : float
        Rounds that would give mlxtend a standard error over tables that is 5 % larger.
    halves, bootstraps : float
        Mean estimates.
    """

    standard_error: float
    monte_carlo: float
    pairs: float
    monte_carlo_pairs: float
    fewer_rounds: float
    halves: float
    bootstraps: float


def compare_spreads(tables: Sequence[Drawn], effort: Effort) -> Comparison:
    """Estimate the variance on each table both ways, and compare the spreads of the estimates."""
    whole, parts = bootstrap_estimates(tables, effort.rounds)
    groups = spreads(parts)
    halves = spreads(np.array([variances_of_halves(table, effort.pairs, k) for k, table in enumerate(tables)]))
    target = float(np.std(whole, ddof=1) / np.mean(whole))
    # All rounds together have somewhat more degrees of freedom than the groups one by one.
    of_groups = groups.monte_carlo(effort.rounds / GROUP)
    monte_carlo = of_groups * math.sqrt((1 - 1 / GROUP) / (1 - 1 / effort.rounds))
    fewer = min(GROUP * groups.draws_for(1.05 * target), float(effort.rounds))
    pairs, monte_carlo_pairs = halves.draws_for(target), max(1.0, halves.within / monte_carlo**2)
    return Comparison(target, monte_carlo, pairs, monte_carlo_pairs, fewer, halves.mean, float(np.mean(whole)))


def compare_variances(peer: Contender, drawn: Drawn, effort: Effort, seed: int) -> dict[str, Any]:
    """Find the pairs that equal mlxtend's rounds in standard error, and time both; see above.

    It counts if some number of pairs does, and if bootstraps of both engines agree within a tenth on the timed table.
    """
    found = compare_spreads(fresh_tables(drawn, effort.tables, seed), effort)
    reached = math.isfinite(found.pairs)
    pairs = math.ceil(found.pairs) if reached else effort.pairs
    setting = best_of_mlxtend(drawn, peer)
    works = {
        "ours": lambda: float(np.mean(variances_of_halves(drawn, pairs, seed))),
        "monte carlo": lambda: float(np.mean(variances_of_halves(drawn, math.ceil(found.monte_carlo_pairs), seed))),
        "theirs": lambda: decompose_by_mlxtend(drawn, effort.rounds, seed, setting).variance,
    }
    times, values = time_works(works, effort.turns)
    by_ours = variance_of_groups(*variances_of_bootstraps(drawn, effort.rounds // GROUP, GROUP, seed), GROUP)
    return {
        **timing_row(times["ours"], times["theirs"]),
        **vars(found),
        **over_truth(found, drawn, effort, seed),
        "setting": str(setting),
        "counts": reached and agree((by_ours, values["theirs"])),
        "effort": vars(effort),
        "pairs": found.pairs if reached else None,
        "equal_monte_carlo": timing_row(times["monte carlo"], times["theirs"]),
        "on_timed_table": {"bootstraps by our engine": by_ours, **values},
    }


def over_truth(found: Comparison, drawn: Drawn, effort: Effort, seed: int) -> dict[str, Any]:
    """Return the mean estimates over the planted variances of n and n / 2 rows, with a line that tells all."""
    n_rows = len(drawn.y)
    whole, half = (true_variance(n, effort.truths, drawn, seed) for n in (n_rows, n_rows // 2))
    ratios = {
        "halves_over_truth_of_half": found.halves / half,
        "halves_over_truth": found.halves / whole,
        "bootstraps_over_truth": found.bootstraps / whole,
    }
    note = (
        f"standard error {100 * found.standard_error:.1f} % by {found.pairs:.1f} pairs or {effort.rounds} rounds "
        f"({found.fewer_rounds:.0f} for 5 % more), Monte Carlo {100 * found.monte_carlo:.1f} % by "
        f"{found.monte_carlo_pairs:.0f} pairs; over truth: halves {found.halves / half:.2f}, "
        f"bootstraps {found.bootstraps / whole:.2f}"
    )
    return {"truth": whole, "truth_of_half": half, **ratios, "note": note}
