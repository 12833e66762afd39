"""Trees of histograms, slowly and plainly: shares neither code nor constants with `native/`."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reference.quantise import Quantised

MISSING = 255


@dataclass(frozen=True)
class Rule:
    max_leaves: int = 31
    least: int = 20
    l2: float = 0.0
    least_hessian: float = 0.0


@dataclass
class Split:
    feature: int = -1
    bin: int = 0
    missing_left: bool = True
    score: np.float32 = field(default_factory=lambda: np.float32(0))
    gain: float = 0.0
    left: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Tree:
    """Node 0 is the root; children come side by side, in the order of the splits."""

    feature: list[int] = field(default_factory=lambda: [-1])
    bin: list[int] = field(default_factory=lambda: [0])
    left: list[int] = field(default_factory=lambda: [0])
    missing_left: list[bool] = field(default_factory=lambda: [False])
    gain: list[float] = field(default_factory=lambda: [0.0])
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    sums: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def leaves(self) -> list[int]:
        return [node for node, feature in enumerate(self.feature) if feature < 0]


def histogram(codes: NDArray[np.uint8], n_bins: int, made: Quantised, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums of each bin of a feature, shape (n_bins + 1, 3), missing cells last."""
    out = np.zeros((n_bins + 1, 3), dtype=np.int64)
    own = codes[rows]
    np.add.at(out, np.where(own == MISSING, n_bins, own), made.sums[rows])
    return out


def scores(made: Quantised, left: NDArray[np.int64], total: tuple[int, int, int], rule: Rule) -> NDArray[np.float32]:
    """Return D^2 / (a b) of candidates by the sums of their left sides, 0 where a side is too light."""
    g_all, h_all, count_all = total
    l2 = math.ldexp(rule.l2, made.hessian_exponent)
    mean = g_all / (h_all + 2 * l2)
    g, h, count = left.T
    if made.format in ("flushed", "wide"):
        a_double = h.astype(np.float64) + l2
        a, b = a_double.astype(np.float32), ((float(h_all) - h) + l2).astype(np.float32)
        difference = (g - mean * a_double).astype(np.float32)
    else:
        if made.format == "unit" and made.all_bits:
            size = (g // 256).astype(np.float32) * np.float32(256) + (g % 256).astype(np.float32)
        elif made.format == "unit":
            size, mean = (g // 256).astype(np.float32), mean / 256
        else:
            size = g.astype(np.float32)
        a = h.astype(np.float32) + np.float32(l2)
        b = (np.float32(h_all) - h.astype(np.float32)) + np.float32(l2)
        difference = size - np.float32(mean) * a
    least = max(1, rule.least)
    fits = (count >= least) & (count_all - count >= least)
    if made.format != "unit":
        lightest = np.float32(max(1.0, math.ldexp(rule.least_hessian, made.hessian_exponent)) + l2)
        fits &= (a >= lightest) & (b >= lightest)
    out = np.zeros(len(left), dtype=np.float32)
    out[fits] = (difference[fits] * difference[fits]) / (a[fits] * b[fits])
    return out


def best_of_feature(made: Quantised, bins: NDArray[np.int64], total: tuple[int, int, int], rule: Rule) -> Split:
    """Try every bin, missing cells left before right; the first of the best stays."""
    below, missing = np.cumsum(bins[:-1], axis=0), bins[-1]
    found = scores(made, below + missing, total, rule)[:, None]
    if missing.any():
        found = np.concatenate([found, scores(made, below, total, rule)[:, None]], axis=1)
    at = int(np.argmax(found))
    if not found.ravel()[at] > 0:
        return Split()
    b, right = divmod(at, found.shape[1])
    return Split(0, b, right == 0, found[b, right])


def finish(split: Split, made: Quantised, left: NDArray[np.int64], total: tuple[int, int, int], rule: Rule) -> Split:
    """Fill in the gain in double precision, in units of the integers; no split where only rounding is left of it."""
    g, h, l2 = float(total[0]), float(total[1]), math.ldexp(rule.l2, made.hessian_exponent)
    split.left = (int(left[0]), int(left[1]), int(left[2]))
    a, b, both = float(left[1]) + l2, float(total[1] - int(left[1])) + l2, h + 2 * l2
    difference = float(left[0]) - g / both * a
    split.gain = difference * difference / a / b * both + (g * g / both - g * g / (h + l2))
    if not split.gain > 1e-20 * (g * g / both):
        split.feature = -1
    return split


def best_split(
    made: Quantised,
    codes: NDArray[np.uint8],
    n_bins: list[int],
    rows: NDArray[np.int64],
    rule: Rule,
    allowed: NDArray[np.bool_] | None = None,
) -> Split:
    """Return the best cut of some rows; of equal ones that of the lowest feature."""
    total = tuple(int(x) for x in made.sums[rows].sum(axis=0))
    best, bins_of_best = Split(), np.empty(0)
    for feature, n in enumerate(n_bins):
        if allowed is not None and not allowed[feature]:
            continue
        bins = histogram(codes[feature], n, made, rows)
        found = best_of_feature(made, bins, total, rule)
        if found.score > best.score:
            best, bins_of_best = found, bins
            best.feature = feature
    if best.feature < 0:
        return best
    left = bins_of_best[: best.bin + 1].sum(axis=0) + (bins_of_best[-1] if best.missing_left else 0)
    return finish(best, made, left, total, rule)


def goes_left(codes: NDArray[np.uint8], split_bin: int, missing_left: bool) -> NDArray[np.bool_]:
    return np.where(codes == MISSING, missing_left, codes <= split_bin)


def grow(
    made: Quantised, codes: NDArray[np.uint8], n_bins: list[int], rule: Rule, allowed: NDArray[np.bool_] | None = None
) -> Tree:
    """Split the leaf of the greatest gain, of equal gains the one whose rows come first, again and again."""
    rows = np.flatnonzero(made.count)
    tree = Tree(rows=[rows], sums=[made.total])
    queue: list[tuple[float, int, int, Split]] = []

    def offer(node: int, first: int) -> None:
        own = tree.rows[node]
        if len(own) >= 2 and tree.sums[node][2] >= 2 * max(1, rule.least):
            split = best_split(made, codes, n_bins, own, rule, allowed)
            if split.feature >= 0:
                heapq.heappush(queue, (-split.gain, first, node, split))

    if rule.max_leaves > 1:
        offer(0, 0)
    unit = math.ldexp(1.0, made.hessian_exponent - 2 * made.gradient_exponent)
    while queue and len(tree.leaves) < rule.max_leaves:
        _, first, node, split = heapq.heappop(queue)
        own = tree.rows[node]
        left = goes_left(codes[split.feature][own], split.bin, split.missing_left)
        tree.feature[node], tree.bin[node], tree.missing_left[node] = split.feature, split.bin, split.missing_left
        tree.gain[node], tree.left[node] = split.gain * unit / 2, len(tree.feature)
        for side in (own[left], own[~left]):
            tree.feature.append(-1)
            tree.bin.append(0)
            tree.left.append(0)
            tree.missing_left.append(False)
            tree.gain.append(0.0)
            tree.rows.append(side)
            g, h, count = made.sums[side].sum(axis=0)
            tree.sums.append((int(g), int(h), int(count)))
        child = tree.left[node]
        offer(child, first)
        offer(child + 1, first + int(left.sum()))
    return tree
