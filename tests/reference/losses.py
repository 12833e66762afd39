"""Derivatives of losses and rounds of boosting, plainly: shares neither code nor constants with `native/`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from reference.growth import Rule, Tree, grow
from reference.quantise import Quantised, quantise

Derivatives = tuple[NDArray[np.floating], NDArray[np.floating]]


def derivatives(loss: str, target: NDArray[np.float64], scores: NDArray[np.float64]) -> Derivatives:
    """Return gradients and hessians in double precision, shape (n_outputs, n_rows)."""
    if loss == "squared":
        return scores - target, np.ones_like(scores)
    if loss == "logistic":
        p, q = expit(scores), expit(-scores)
        return np.where(target == 1, -q, p), p * q
    p = np.exp(scores - logsumexp(scores, axis=0))
    return p - (target == np.arange(len(scores))[:, None]), p * (1 - p)


@dataclass(frozen=True)
class Boosting:
    n_rounds: int
    learning_rate: float
    rule: Rule
    squared: bool
    forced: str | None = None
    max_features: float = 1.0
    seed: int = 0


def mixed(x: int) -> int:
    """Return splitmix64's output for a state."""
    all_ones = 2**64 - 1
    x = (x + 0x9E3779B97F4A7C15) & all_ones
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & all_ones
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & all_ones
    return x ^ (x >> 31)


def choose_features(n_features: int, share: float, seed: int, tree: int) -> NDArray[np.bool_] | None:
    """Return the features of the smallest hashes; None for all."""
    wanted = max(1, round(share * n_features))
    if wanted >= n_features:
        return None
    of_tree = mixed(mixed(seed) ^ tree)
    hashes = [mixed(of_tree ^ (feature + 1)) for feature in range(n_features)]
    return np.array([sorted(hashes).index(own) < wanted for own in hashes])


def leaf_value(
    made: Quantised,
    tree: Tree,
    leaf: int,
    gradient: NDArray[np.float32],
    hessian: NDArray[np.float32] | None,
    plan: Boosting,
) -> float:
    """Return the learning rate times - G / (H + l2), in units of the gradient."""
    rows = tree.rows[leaf]
    if made.format in ("unit", "wide"):
        g = math.ldexp(tree.sums[leaf][0], -made.gradient_exponent)
        h = math.ldexp(tree.sums[leaf][1], -made.hessian_exponent)
    else:

        def finely(values: NDArray[np.float32], exponent: int) -> float:
            whole = np.rint(np.ldexp(values[rows].astype(np.float64), exponent)).astype(np.int64)
            return math.ldexp(int((whole * made.count[rows]).sum()), -exponent)

        g = finely(gradient, made.fine_gradient_exponent)
        h = float(tree.sums[leaf][2]) if hessian is None else finely(hessian, made.fine_hessian_exponent)
    step = -g / (h + plan.rule.l2)
    return plan.learning_rate * (step if plan.squared else min(max(step, -8.0), 8.0))


def boost(
    codes: NDArray[np.uint8],
    n_bins: list[int],
    scores: NDArray[np.float64],
    plan: Boosting,
    differentiate: Callable[[NDArray[np.float64]], tuple[NDArray[np.float32], NDArray[np.float32] | None]],
    count: NDArray[np.uint8] | None = None,
    exponent: int = 0,
) -> list[tuple[Tree, NDArray[np.float64]]]:
    """Return trees with the values of their nodes; `scores` are updated. Derivatives are in units of 2^exponent."""
    grown = []
    for number in range(plan.n_rounds):
        gradients, hessians = differentiate(scores)
        for k in range(len(scores)):
            hessian = None if hessians is None else hessians[k]
            made = quantise(gradients[k], hessian, count, plan.forced)
            allowed = choose_features(len(codes), plan.max_features, plan.seed, number * len(scores) + k)
            tree = grow(made, codes, n_bins, plan.rule, allowed)
            values = np.zeros(len(tree.feature))
            for leaf in tree.leaves if len(tree.feature) > 1 else []:
                values[leaf] = math.ldexp(leaf_value(made, tree, leaf, gradients[k], hessian, plan), exponent)
                scores[k, tree.rows[leaf]] += values[leaf]
            grown.append((tree, values))
    return grown
