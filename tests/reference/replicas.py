"""Replicas, slowly: each fitted alone, held-out rows walked through its trees, means over members by plain sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from heldout import _native
from heldout.trees import Binned, Growth, Objective, TreeEnsemble, best_constants, grow_rounds

from reference.ensembles import walk_leaves
from reference.growth import Rule, Tree
from reference.losses import Boosting, boost, derivatives
from reference.nodes import FORMATS

STOPS, PREDICTED = 1, 2
TWIN_NAMES = {"squared_error": "squared", "logistic": "logistic", "softmax": "softmax"}
CODES = {"squared_error": 0, "logistic": 1, "softmax": 2}
Floats = NDArray[np.float64]
Fit = Callable[[Binned, Objective, Growth, Floats], TreeEnsemble]


@dataclass(frozen=True)
class Plan:
    """What `heldout.trees.Replication` says, with every choice spelled out."""

    weights: NDArray[np.uint8]
    roles: NDArray[np.uint8]
    ensemble_of: Sequence[int]
    seeds: Sequence[int]
    rounds: Sequence[int]
    patience: int = 0
    ensemble_size: int = 0
    refit_counts: NDArray[np.uint8] | None = None
    curve_weight: Floats | None = None

    @property
    def n_ensembles(self) -> int:
        return max(self.ensemble_of) + 1

    def members_of(self, ensemble: int) -> list[int]:
        return [k for k, own in enumerate(self.ensemble_of) if own == ensemble]


@dataclass(frozen=True)
class Alone:
    """One ensemble whose replicas were fitted one after the other, all rounds of them, and what that says of its rows.

    `scores` has shape (n_rounds + 1, n_members, n_outputs, n_rows); `judged` and `wanted` (n_members, n_rows);
    `curve` has the loss after each round, whenever the fit is to end, and is empty where no row is judged.
    """

    members: list[TreeEnsemble]
    scores: Floats
    judged: NDArray[np.bool_]
    wanted: NDArray[np.bool_]
    curve: Floats


@dataclass(frozen=True)
class Kept:
    """What some of the rounds predict; one TreeEnsemble per replica."""

    members: list[TreeEnsemble]
    rows: NDArray[np.int64]
    mean: Floats
    variance: Floats
    n_members: NDArray[np.int64]
    refitted: list[TreeEnsemble] | None = None
    refit_mean: Floats | None = None


def as_ensemble(
    grown: list[tuple[Tree, Floats]], cut_points: Sequence[Floats], base: Floats, n_features: int, unit: int
) -> TreeEnsemble:
    """Return the twin's trees in flat arrays; gains are in units of 2^unit."""

    def threshold(feature: int, split_bin: int) -> float:
        if feature < 0:
            return 0.0
        return float(cut_points[feature][split_bin]) if split_bin < cut_points[feature].size else math.inf

    trees = [tree for tree, _ in grown]
    return TreeEnsemble(
        starts=np.cumsum([0] + [len(tree.feature) for tree in trees], dtype=np.int64),
        feature=np.array([f for tree in trees for f in tree.feature], dtype=np.int32),
        threshold=np.array([threshold(*cut) for tree in trees for cut in zip(tree.feature, tree.bin, strict=True)]),
        left=np.array([left for tree in trees for left in tree.left], dtype=np.int32),
        missing_left=np.array([side for tree in trees for side in tree.missing_left], dtype=np.bool_),
        value=np.concatenate([values for _, values in grown]),
        gain=np.array([math.ldexp(gain, unit) for tree in trees for gain in tree.gain]),
        count=np.array([sums[2] for tree in trees for sums in tree.sums], dtype=np.int64),
        base=base,
        n_features=n_features,
    )


def fit_by_numpy(binned: Binned, objective: Objective, growth: Growth, base: Floats) -> TreeEnsemble:
    """Fit one replica by the twin of the whole fit; only exponentials are the engine's."""
    squared = objective.loss == "squared_error"
    in_bag = np.ones(binned.n_rows, dtype=bool) if objective.count is None else objective.count > 0
    heaviest = 1.0 if objective.weight is None else float(np.max(objective.weight[in_bag]))
    rule = Rule(growth.max_leaves, growth.least_count, growth.l2, 0.0 if squared else 1e-3 * heaviest)
    forced = growth.tuning.get("forced_format", -1)
    plan = Boosting(
        growth.n_rounds,
        growth.learning_rate,
        rule,
        squared,
        None if forced < 0 else FORMATS[forced],
        growth.max_features,
        growth.seed,
    )
    # Rows that are left out hold whatever they hold: nothing of theirs may be read.
    target = np.where(in_bag, objective.target, objective.target[in_bag][0])
    exponent = math.frexp(np.abs(base[0] - target).max())[1] if squared else 0

    def differentiate(scores: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        if not squared:
            return _native.stages.differentiate(CODES[objective.loss], target, objective.weight, scores)
        gradient = np.ldexp(scores - target, -exponent)
        if objective.weight is None:
            return gradient.astype(np.float32), None
        return (gradient * objective.weight).astype(np.float32), objective.weight.astype(np.float32)[None]

    scores = np.repeat(base[:, None], binned.n_rows, axis=1)
    grown = boost(binned.codes, list(binned.n_bins), scores, plan, differentiate, objective.count, exponent)
    return as_ensemble(grown, binned.cut_points, base, binned.n_features, 2 * exponent)


def fit_by_engine(binned: Binned, objective: Objective, growth: Growth, base: Floats) -> TreeEnsemble:
    """Fit one replica by the engine's fit of one model."""
    scores = np.repeat(base[:, None], binned.n_rows, axis=1)
    return grow_rounds(binned, objective, growth, scores, base)[0]


def score_history(trees: TreeEnsemble, X: Floats, n_outputs: int) -> Floats:
    """Return the scores after 0, 1, 2, ... rounds, added up tree by tree, shape (n_rounds + 1, n_outputs, n_rows)."""
    leaves = walk_leaves(trees, X)
    values = trees.value[trees.starts[:-1] + leaves].T.reshape(-1, n_outputs, len(X))
    base = np.broadcast_to(trees.base[:, None], (1, n_outputs, len(X)))
    return np.add.accumulate(np.concatenate([base, values]), axis=0)


def losses_of(loss: str, target: Floats, scores: Floats) -> Floats:
    """Return the loss of each row at scores of shape (..., n_outputs, n_rows); of squared error half of it."""
    if loss == "squared_error":
        return (scores[..., 0, :] - target) ** 2 / 2
    if loss == "logistic":
        return np.logaddexp(0, np.where(target == 1, -scores[..., 0, :], scores[..., 0, :]))
    own = np.take_along_axis(scores, np.broadcast_to(target.astype(int), (*scores.shape[:-2], 1, len(target))), -2)
    return logsumexp(scores, axis=-2) - own[..., 0, :]


def loss_of_round(
    objective: Objective, scores: Floats, judged: NDArray[np.bool_], size: int, weight: Floats | None
) -> float:
    """Return the mean loss of the rows that any member judges.

    `scores` has shape (n_members, n_outputs, n_rows), `judged` (n_members, n_rows), `weight` (n_rows,).
    """
    rows = np.flatnonzero(judged.any(axis=0))
    squared = objective.loss == "squared_error"
    found, variances = np.empty(len(rows)), np.full(len(rows), np.nan)
    for at, row in enumerate(rows):
        own, target = scores[judged[:, row]][:, :, [row]], objective.target[[row]]
        if size == 1 and not squared:
            found[at] = losses_of(objective.loss, target, own).mean()
        else:
            found[at] = losses_of(objective.loss, target, own.mean(axis=0))[0]
        if len(own) > 1:
            variances[at] = own[:, 0, 0].var(ddof=1)
    if squared:
        m = judged[:, rows].sum(axis=0)
        freedom = (m - 1.0) * (1.0 if weight is None else weight[rows])
        several = m > 1
        known = freedom[several].sum() > 0
        variances[~several] = np.average(variances[several], weights=freedom[several]) if known else 0.0
        found += variances * (1 / size - 1 / m) / 2
    return float(np.average(found, weights=None if weight is None else weight[rows]))


def stopping(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """Return how many rounds are grown, and the first of the lowest losses among them."""
    best = 0
    for number, loss in enumerate(losses):
        if loss < losses[best]:
            best = number
        if patience > 0 and number - best >= patience:
            return number + 1, best
    return len(losses), best


def refit(trees: TreeEnsemble, X: Floats, objective: Objective, growth: Growth, base: Floats) -> TreeEnsemble:
    """Keep the structures and find the leaf values anew, round by round, at the scores that these lead to."""
    n_outputs, leaves = base.size, walk_leaves(trees, X)
    times = np.asarray(objective.count, dtype=np.float64)
    if objective.weight is not None:
        times = times * objective.weight
    scores, value = np.repeat(base[:, None], len(X), axis=1), np.zeros_like(trees.value)
    for tree in range(trees.n_trees):
        output, start, end = tree % n_outputs, trees.starts[tree], trees.starts[tree + 1]
        if output == 0:
            gradient, hessian = derivatives(TWIN_NAMES[objective.loss], objective.target, scores)
        if end - start == 1:
            continue  # a single leaf: the constant is there already
        for leaf in np.flatnonzero(trees.feature[start:end] < 0):
            own = leaves[:, tree] == leaf
            weight = (times[own] * hessian[output, own]).sum() + growth.l2
            step = -(times[own] * gradient[output, own]).sum() / weight if weight > 0 else 0.0
            if objective.loss != "squared_error":
                step = min(max(step, -8.0), 8.0)
            value[start + leaf] = growth.learning_rate * step
        scores[output] += value[start + leaves[:, tree]]
    return replace(trees, value=value, base=base, count=count_rows(trees, leaves, objective.count))


def count_rows(trees: TreeEnsemble, leaves: NDArray[np.int64], times: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the count of each node: in a leaf of the rows that reach it, elsewhere of its two children."""
    count = np.zeros(trees.count.size, dtype=np.int64)
    for tree, start in enumerate(trees.starts[:-1]):
        np.add.at(count, start + leaves[:, tree], times.astype(np.int64))
        for node in range(trees.starts[tree + 1] - 1, start - 1, -1):
            if trees.feature[node] >= 0:
                count[node] = count[start + trees.left[node]] + count[start + trees.left[node] + 1]
    return count


def fit_alone(
    binned: Binned, X: Floats, objective: Objective, growth: Growth, plan: Plan, ensemble: int, fit: Fit = fit_by_engine
) -> Alone:
    """Fit the replicas of an ensemble, each by itself."""
    own = plan.members_of(ensemble)
    members, histories = [], []
    for k in own:
        in_bag = replace(objective, count=np.ascontiguousarray(plan.weights[:, k]))
        ways = replace(growth, n_rounds=plan.rounds[ensemble], seed=plan.seeds[k])
        members.append(fit(binned, in_bag, ways, best_constants(in_bag)))
        histories.append(score_history(members[-1], X, objective.n_outputs))
    scores = np.stack(histories, axis=1)
    judged, wanted = (plan.roles[:, own].T & STOPS) > 0, (plan.roles[:, own].T & PREDICTED) > 0
    size = plan.ensemble_size or len(own)
    rounds = scores[1:] if judged.any() else scores[:0]
    losses = [loss_of_round(objective, after, judged, size, plan.curve_weight) for after in rounds]
    return Alone(members, scores, judged, wanted, np.array(losses, dtype=np.float64))


def keep(alone: Alone, n_rounds: int) -> Kept:
    """Return rows wanted of any member, and the mean, variance and number of the members that they are wanted of."""
    rows, mean, variance = over_members(alone.scores[n_rounds], alone.wanted)
    members = [member.head(n_rounds * alone.scores.shape[2]) for member in alone.members]
    return Kept(members, rows, mean, variance, alone.wanted[:, rows].sum(axis=0))


def over_members(scores: Floats, wanted: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return rows, mean and variance; scores have shape (n_members, n_outputs, n_rows)."""
    rows, n_outputs = np.flatnonzero(wanted.any(axis=0)), scores.shape[1]
    mean, variance = np.empty((n_outputs, len(rows))), np.full((n_outputs, len(rows)), np.nan)
    for at, row in enumerate(rows):
        own = scores[wanted[:, row]][:, :, row]
        mean[:, at] = own.mean(axis=0)
        if len(own) > 1:
            variance[:, at] = own.var(axis=0, ddof=1)
    return rows, mean, variance


def keep_refitted(
    alone: Alone, n_rounds: int, X: Floats, objective: Objective, growth: Growth, counts: NDArray[np.uint8]
) -> Kept:
    """Return the same, and the refit on rows that are there `counts` times."""
    kept, everyone = keep(alone, n_rounds), replace(objective, count=np.ascontiguousarray(counts))
    refitted = [refit(member, X, everyone, growth, best_constants(everyone)) for member in kept.members]
    last = np.stack([score_history(member, X, objective.n_outputs)[-1] for member in refitted])
    return replace(kept, refitted=refitted, refit_mean=over_members(last, alone.wanted)[1])


def interleaved(members: Sequence[TreeEnsemble], n_outputs: int) -> TreeEnsemble:
    """Return the members' trees in the order (round, member, output)."""
    n_rounds = members[0].n_trees // n_outputs
    places = [
        (member, slice(member.starts[tree], member.starts[tree + 1]))
        for number in range(n_rounds)
        for member in members
        for tree in range(number * n_outputs, (number + 1) * n_outputs)
    ]
    names = ("feature", "threshold", "left", "missing_left", "value", "gain", "count")
    arrays = {
        name: np.concatenate([getattr(members[0], name)[:0], *(getattr(member, name)[at] for member, at in places)])
        for name in names
    }
    starts = np.cumsum([0] + [at.stop - at.start for _, at in places], dtype=np.int64)
    base = np.concatenate([member.base for member in members])
    return TreeEnsemble(starts=starts, **arrays, base=base, n_features=members[0].n_features)
