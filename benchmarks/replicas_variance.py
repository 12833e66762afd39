"""How long an estimate of a learner's variance takes at equal standard error: disjoint training sets, or bootstraps.

Wanted is how much the predictions of a model of n rows differ between training sets, averaged over test rows that stay
the same. mlxtend's loop fits bootstraps of one table of n rows and takes the spread of their predictions. Ours fits K
training sets of n rows that share no row, in one call on a table of K n rows; their spread (ddof 1) is unbiased.

The standard error is that over independent repetitions, each with fresh rows for either, relative to the mean of the
estimates. mlxtend's has a part that no number of rounds lowers: it has seen one table. The number of sets K is the
least that reaches the standard error of mlxtend's 200 rounds (the variance of the estimate falls as 1 / (K - 1)), and
both are then timed in turn. Two things to know of this ratio: ours needs K n rows where mlxtend's sees n, though more
rows would not help it, since it would then answer for a model of more rows; and mlxtend's last rounds gain little, so
that the row holds the rounds that come within 5 % of its standard error (`fewer_rounds`).

Where there are n rows only, ours fits pairs of disjoint halves: half the squared difference of a pair estimates the
variance of a model of n / 2 rows, without bias. Beside the ratio there is `one_table`: time at equal Monte Carlo
standard error, over repetitions on the same table, between draws of bootstraps or halves.

Standard errors of mlxtend's loop are those of bootstraps grown by our engine: sixty tables by mlxtend itself would
take half an hour. The row holds the estimates of both on the timed table. The truth is planted: fresh tables of n
and of n / 2 rows, drawn from the law, one fit each by the estimator.
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
from replicas_ours import regressor, variance_of_sets, variances_of_bootstraps, variances_of_halves
from replicas_peers import decompose_by_mlxtend
from replicas_timing import agree, best_of_mlxtend, time_works

GROUP = 10


@dataclass(frozen=True)
class Effort:
    """How much is measured: mlxtend's rounds, tables, pairs of halves on each, fits of the truth, turns."""

    rounds: int
    tables: int
    pairs: int
    truths: int
    turns: int


@dataclass(frozen=True)
class Spreads:
    """Relative variance of the mean of m draws: `between` + `within` / m over fresh tables.

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


def relative_error(values: Any) -> float:
    """Return the standard deviation over the mean."""
    return float(np.std(values, ddof=1) / np.mean(values))


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


def pool_of(drawn: Drawn, n_sets: int, seed: int, number: int) -> Drawn:
    """Draw fresh training rows for so many disjoint sets, each as large as the table; the test rows stay."""
    n_rows, n_features = drawn.X.shape
    fresh = draw(n_sets * n_rows, n_features, drawn.loss, fresh_seed(seed, number + 1, 1), 0)
    return replace(drawn, X=fresh.X, y=fresh.y)


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
    """Standard errors of mlxtend's rounds, and what of ours equals them.

    Parameters
    ----------
    standard_error, monte_carlo : float
        Of mlxtend's estimate: over fresh tables, and on one table; relative.
    fewer_rounds : float
        Rounds that would give mlxtend a standard error over tables that is 5 % larger.
    sets : float
        Disjoint training sets that reach `standard_error`.
    pairs : float
        Pairs of disjoint halves of one table that reach `monte_carlo`.
    mean_of_bootstraps, mean_of_sets, mean_of_halves : float
        Mean estimates.
    """

    standard_error: float
    monte_carlo: float
    fewer_rounds: float
    sets: float
    pairs: float
    mean_of_bootstraps: float
    mean_of_sets: float
    mean_of_halves: float


def compare_spreads(drawn: Drawn, effort: Effort, seed: int) -> Comparison:
    """Estimate the variance on fresh tables in all ways, and compare the spreads of the estimates."""
    tables = fresh_tables(drawn, effort.tables, seed)
    whole, parts = bootstrap_estimates(tables, effort.rounds)
    groups = spreads(parts)
    halves = spreads(np.array([variances_of_halves(table, effort.pairs, k) for k, table in enumerate(tables)]))
    sets = np.array([variance_of_sets(pool_of(drawn, GROUP, seed, k), GROUP, k) for k in range(2 * effort.tables)])
    target = relative_error(whole)
    # All rounds together have somewhat more degrees of freedom than the groups one by one.
    monte_carlo = math.sqrt(groups.within * GROUP / effort.rounds * (1 - 1 / GROUP) / (1 - 1 / effort.rounds))
    return Comparison(
        standard_error=target,
        monte_carlo=monte_carlo,
        fewer_rounds=min(GROUP * groups.draws_for(1.05 * target), float(effort.rounds)),
        sets=1 + (GROUP - 1) * (relative_error(sets) / target) ** 2,
        pairs=max(1.0, halves.within / monte_carlo**2),
        mean_of_bootstraps=float(np.mean(whole)),
        mean_of_sets=float(np.mean(sets)),
        mean_of_halves=halves.mean,
    )


def compare_variances(peer: Contender, drawn: Drawn, effort: Effort, seed: int) -> dict[str, Any]:
    """Find what of ours equals mlxtend's rounds in standard error, and time them; see above.

    It counts if the bootstraps of both engines agree within a tenth on the timed table.
    """
    found = compare_spreads(drawn, effort, seed)
    n_sets, n_pairs = max(2, math.ceil(found.sets)), math.ceil(found.pairs)
    pool = pool_of(drawn, n_sets, seed, -1)
    setting = best_of_mlxtend(drawn, peer)
    works = {
        "ours": lambda: variance_of_sets(pool, n_sets, seed),
        "halves": lambda: float(np.mean(variances_of_halves(drawn, n_pairs, seed))),
        "theirs": lambda: decompose_by_mlxtend(drawn, effort.rounds, seed, setting).variance,
    }
    times, values = time_works(works, effort.turns)
    by_ours = variance_of_groups(*variances_of_bootstraps(drawn, effort.rounds // GROUP, GROUP, seed), GROUP)
    one_table = timing_row(times["halves"], times["theirs"])
    return {
        **timing_row(times["ours"], times["theirs"]),
        **vars(found),
        **over_truth(found, drawn, effort, seed),
        "setting": str(setting),
        "counts": agree((by_ours, values["theirs"])),
        "effort": vars(effort),
        "one_table": one_table["ratio"],
        "one_table_timing": one_table,
        "on_timed_table": {"bootstraps by our engine": by_ours, **values},
    }


def over_truth(found: Comparison, drawn: Drawn, effort: Effort, seed: int) -> dict[str, Any]:
    """Return the mean estimates over the planted variances of n and n / 2 rows, with a line that tells all."""
    n_rows = len(drawn.y)
    truth, truth_of_half = (true_variance(n, effort.truths, drawn, seed) for n in (n_rows, n_rows // 2))
    ratios = {
        "sets": found.mean_of_sets / truth,
        "halves": found.mean_of_halves / truth_of_half,
        "bootstraps": found.mean_of_bootstraps / truth,
    }
    note = (
        f"standard error {100 * found.standard_error:.1f} % by {found.sets:.1f} sets or {effort.rounds} rounds "
        f"({found.fewer_rounds:.0f} for 5 % more), on one table {100 * found.monte_carlo:.1f} % by {found.pairs:.0f} "
        "pairs; over truth: " + ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())
    )
    return {"truth": truth, "truth_of_half": truth_of_half, "over_truth": ratios, "note": note}
