"""Statistics of a sequence of rows, each on one scale: minus the log of its approximate tail probability.

Four statistics per series z (mean 0, variance 1), all on the rows in sequence:

- lag 1: S_1 = sum z_i z_(i+1), standardised by its exact permutation mean and variance (Wald and Wolfowitz 1943);
- lags 2 to 24: sum_L w_L Z_L^2 of the standardised serial products, w_L falling as 1 / sqrt(L);
- trend: sum t_i z_i, t the position of the row;
- change point: max_k |z_1 + ... + z_k| / sqrt(n), which under permutation is close to the supremum of a bridge.

The approximations only put the statistics on one scale, so that the maximum over them is fair to each. They
depend on the values of a series alone, never on their order; the p-value is that of the permutations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["STATISTICS", "Arrangement", "OrderStatistics", "minus_log_kolmogorov", "serial_moments"]

STATISTICS = ("lag 1", "lags 2 to 24", "trend", "change point")
LARGEST_LAG = 24
BLOCK_FLOATS = 1 << 18  # series are handled in blocks of 1 MB, which stay in the cache over all lags
SHORTEST_BRIDGE = 8  # a run shorter than this has no change point worth looking for


@dataclass(frozen=True)
class Arrangement:
    """Rows in the sequence in which they are tested.

    Attributes
    ----------
    rows : array of int, shape (n,)
        Rows of the table.
    run_starts : array of int
        Where runs begin; products of neighbours are taken inside runs only.
    within : bool
        Whether rows are permuted inside their run (groups, strata), or all together.
    validity : str
    """

    rows: NDArray[np.intp]
    run_starts: NDArray[np.intp]
    within: bool
    validity: str

    @property
    def run_lengths(self) -> NDArray[np.intp]:
        """Rows of each run."""
        return np.diff(np.append(self.run_starts, self.rows.size))


def serial_moments(
    powers: tuple[NDArray[np.float64], NDArray[np.float64]],
    n: NDArray[np.float64],
    pairs: NDArray[np.float64],
    chains: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact permutation mean and variance of a sum of products over pairs of places.

    Parameters
    ----------
    powers : tuple of arrays, shape (n_series, n_populations)
        Sums of z^2 and z^4 of each population that is permuted; its sum of z must be 0.
    n : array, shape (n_populations,)
        Rows of each population.
    pairs, chains : array, shape (n_populations,)
        How many pairs of places are multiplied, and how many pairs of pairs share a place.

    Returns
    -------
    mean, variance : arrays, shape (n_series, n_populations)

    Notes
    -----
    With s2, s4 the power sums: E[ab] = -s2 / n^(2), E[a^2 b^2] = (s2^2 - s4) / n^(2), E[a b^2 c] =
    (2 s4 - s2^2) / n^(3), E[abcd] = (3 s2^2 - 6 s4) / n^(4), where n^(k) = n (n-1) ... (n-k+1).

    Examples
    --------
    The values -1, 0, 1 in a row of three places have mean product -2/3 over the 6 orders:

    >>> import numpy as np
    >>> mean, variance = serial_moments(
    ...     (np.array([[2.0]]), np.array([[2.0]])), np.array([3.0]), np.array([2.0]), np.array([1.0]))
    >>> round(float(mean[0, 0]), 4), round(float(variance[0, 0]), 4)
    (-0.6667, 0.2222)
    """
    s2, s4 = powers
    two = np.maximum(n * (n - 1), 1)
    three = np.maximum(two * (n - 2), 1)
    four = np.maximum(three * (n - 3), 1)
    mean = -pairs * s2 / two
    apart = np.maximum(pairs**2 - pairs - 2 * chains, 0)
    second = pairs * (s2**2 - s4) / two + 2 * chains * (2 * s4 - s2**2) / three + apart * (3 * s2**2 - 6 * s4) / four
    return mean, np.maximum(second - mean**2, 0)


def _minus_log_tail(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the log of the upper normal tail."""
    return np.asarray(-special.log_ndtr(-z), dtype=np.float64)


def _gamma_to_normal(z: NDArray[np.float64], skewness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a standardised variable of gamma shape into a normal one (Wilson and Hilferty 1931).

    The serial product of a rare level counts few coincidences and is as skewed as a Poisson count; without
    this its jumps would set the maximum over all columns.
    """
    skew = np.maximum(skewness, 1e-6)
    root = np.cbrt(np.maximum(skew * z / 2 + 1, 0))
    shaped = 6 / skew * (root - 1) + skew / 6
    return np.where(skewness < 1e-3, z, shaped)


def _chi_square_to_normal(q: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a weighted sum of squared normals into a normal variable (Satterthwaite; Wilson and Hilferty)."""
    scale = np.sum(weights**2) / np.sum(weights)
    freedom = np.sum(weights) ** 2 / np.sum(weights**2)
    spread = 2 / (9 * freedom)
    return np.asarray((np.cbrt(q / (scale * freedom)) - (1 - spread)) / np.sqrt(spread), dtype=np.float64)


def minus_log_kolmogorov(c: NDArray[np.float64], n_bridges: int) -> NDArray[np.float64]:
    """Minus the log of P(the largest of `n_bridges` suprema of Brownian bridges >= c)."""
    small = special.kolmogorov(np.minimum(c, 2.0))
    log_one = np.where(c > 2.0, np.log(2) - 2 * c**2, np.log(np.maximum(small, 1e-300)))
    many = np.log(-np.expm1(n_bridges * np.log1p(-np.minimum(np.exp(log_one), 1 - 1e-15))) + 1e-300)
    return np.asarray(-np.where(log_one < -25, np.minimum(log_one + np.log(n_bridges), 0), many), dtype=np.float64)


class OrderStatistics:
    """The four statistics of every series, for the rows in sequence or permuted.

    Parameters
    ----------
    matrix : array of float32, shape (n_series, n)
        Series in the sequence of `arrangement`, each of mean 0 and variance 1.
    arrangement : Arrangement

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.arange(100)
    >>> wave = np.float32(np.sin(rows / 5)[None] * np.sqrt(2))
    >>> statistics = OrderStatistics(wave, Arrangement(rows, np.array([0]), False, "exact"))
    >>> bool(statistics.scores(None)[0] > 20)  # lag 1: far in the tail
    True
    """

    def __init__(self, matrix: NDArray[np.float32], arrangement: Arrangement) -> None:
        lengths = arrangement.run_lengths
        n = arrangement.rows.size
        self.n_series, self.n = matrix.shape[0], n
        self.within = arrangement.within
        self.run_of = np.repeat(np.arange(lengths.size), lengths)
        values = matrix.astype(np.float64)
        if self.within and n:
            sums = np.add.reduceat(values, arrangement.run_starts, axis=1)
            values = values - (sums / lengths)[:, self.run_of]
        self.n_lags = self._reach(lengths, n)
        self.weights = 1 / np.sqrt(np.arange(2, self.n_lags + 1))
        self._lay_out(values, arrangement.run_starts, lengths)
        self._moments(values, arrangement.run_starts, lengths)

    @staticmethod
    def _reach(lengths: NDArray[np.intp], n: int) -> int:
        """Largest lag: what nine in ten rows' runs are long enough for, and a quarter of the rows."""
        if n == 0:
            return 1
        ordered = np.sort(lengths)
        typical = int(ordered[np.searchsorted(np.cumsum(ordered), 0.9 * n)])
        return int(max(1, min(LARGEST_LAG, typical - 1, n // 4)))

    def _lay_out(self, values: NDArray[np.float64], starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> None:
        """Put `n_lags` places of value 0 between runs, so that no product crosses from one run to the next."""
        n, n_runs = self.n, lengths.size
        place = np.arange(n) + self.n_lags * self.run_of
        self.template = np.full(n + self.n_lags * max(n_runs - 1, 0), n, dtype=np.intp)
        self.template[place] = np.arange(n)
        self.extended = np.zeros((self.n_series, n + 1), dtype=np.float32)
        self.extended[:, :n] = values
        position = np.arange(n, dtype=np.float64)
        bridged = np.sqrt(np.maximum(lengths, 1)) if self.within else np.full(n_runs, np.sqrt(max(n, 1)))
        usable = lengths >= SHORTEST_BRIDGE if self.within else np.full(n_runs, n >= SHORTEST_BRIDGE)
        self.n_bridges = int(np.sum(usable)) if self.within else int(n >= SHORTEST_BRIDGE)
        if self.within and n:
            position -= (np.add.reduceat(position, starts) / lengths)[self.run_of]
        else:
            position -= position.mean() if n else 0.0
        self.position = position
        self.padded_position = np.zeros(self.template.size, dtype=np.float32)
        self.padded_position[place] = position / max(np.sqrt(np.mean(position**2)) if n else 1.0, 1e-12)
        self.bridge = np.zeros(self.template.size, dtype=np.float32)
        self.bridge[place] = np.where(usable, 1 / bridged, 0)[self.run_of]

    def _moments(self, values: NDArray[np.float64], starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> None:
        n = self.n
        if self.within:
            sums = [np.add.reduceat(values**k, starts, axis=1) for k in (2, 3, 4)]
            population = lengths.astype(np.float64)
        else:
            sums = [np.sum(values**k, axis=1, keepdims=True) for k in (2, 3, 4)]
            population = np.array([float(n)])
        s2, s3, s4 = sums
        means, variances, skews, self.pairs = [], [], [], np.zeros(self.n_lags)
        for lag in range(1, self.n_lags + 1):
            pairs = np.maximum(lengths - lag, 0).astype(np.float64)
            chains = np.maximum(lengths - 2 * lag, 0).astype(np.float64)
            if not self.within:
                pairs, chains = pairs.sum(keepdims=True), chains.sum(keepdims=True)
            mean, variance = serial_moments((s2, s4), population, pairs, chains)
            third = np.sum(pairs * (s3 / population) ** 2, axis=1)
            means.append(mean.sum(axis=1))
            variances.append(variance.sum(axis=1))
            skews.append(third / np.maximum(variances[-1], 1e-12) ** 1.5)
            self.pairs[lag - 1] = pairs.sum()
        self.mean, self.spread = np.array(means), np.sqrt(np.array(variances))
        self.skewness = np.array(skews)
        self.variance = s2.sum(axis=1) / max(n, 1)
        per_run = s2 / np.maximum(population - 1, 1)
        squares = self.position**2
        weight = np.add.reduceat(squares, starts) if self.within else squares.sum(keepdims=True)
        scale = max(np.mean(squares) if n else 1.0, 1e-24)
        self.trend_spread = np.sqrt((per_run * weight).sum(axis=1) / scale)

    def raw(
        self, order: NDArray[np.intp] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return serial products (n_lags, n_series), trend sums and largest bridge values (n_series,)."""
        index = self.template if order is None else np.append(order, self.n)[self.template]
        products = np.empty((self.n_lags, self.n_series))
        trend, bridge = np.empty(self.n_series), np.empty(self.n_series)
        step = max(1, BLOCK_FLOATS // max(index.size, 1))
        for first in range(0, self.n_series, step):
            block = slice(first, first + step)
            z = np.take(self.extended[block], index, axis=1, mode="clip")
            for lag in range(1, self.n_lags + 1):
                products[lag - 1, block] = np.einsum("ij,ij->i", z[:, :-lag], z[:, lag:])
            trend[block] = np.einsum("ij,j->i", z, self.padded_position)
            path = np.cumsum(z, axis=1, out=z)
            path *= self.bridge
            bridge[block] = np.maximum(path.max(axis=1), -path.min(axis=1))
        return products, trend, bridge

    def scores(self, order: NDArray[np.intp] | None) -> NDArray[np.float64]:
        """Return the scores, statistic by statistic: shape (4 * n_series,); 0 where a statistic cannot be taken."""
        products, trend, bridge = self.raw(order)
        with np.errstate(divide="ignore", invalid="ignore"):
            standard = np.where(self.spread > 1e-9, (products - self.mean) / self.spread, 0.0)
            slope = np.where(self.trend_spread > 1e-9, trend / self.trend_spread, 0.0)
        standard = _gamma_to_normal(standard, self.skewness)
        first = np.maximum(_minus_log_tail(np.abs(standard[0])) - np.log(2), 0)
        if self.n_lags > 1:
            later = _minus_log_tail(_chi_square_to_normal(self.weights @ standard[1:] ** 2, self.weights))
        else:
            later = np.zeros(self.n_series)
        drift = np.maximum(_minus_log_tail(np.abs(slope)) - np.log(2), 0)
        change = minus_log_kolmogorov(bridge, self.n_bridges) if self.n_bridges else np.zeros(self.n_series)
        return np.concatenate([first, later, drift, change])

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw a permutation of the rows: of all, or inside each run."""
        if not self.within:
            return rng.permutation(self.n)
        return np.argsort(self.run_of + rng.random(self.n), kind="stable")

    def correlations(self) -> NDArray[np.float64]:
        """Rank correlations at every lag in the observed sequence: shape (n_lags, n_series), within -1 .. 1.

        Ranks are taken around their mean (inside each run its own), and a product is divided by the root of the two
        sums of squares of the very rows that were paired.
        """
        present = np.zeros(self.template.size)
        present[self.template < self.n] = 1.0
        found = np.zeros((self.n_lags, self.n_series))
        for series in range(self.n_series):
            z = self.extended[series].astype(np.float64)[self.template]
            for lag in range(1, self.n_lags + 1):
                squares = (z[:-lag] ** 2 @ present[lag:]) * (z[lag:] ** 2 @ present[:-lag])
                found[lag - 1, series] = z[:-lag] @ z[lag:] / max(np.sqrt(squares), 1e-12)
        return found

    def trend_correlations(self) -> NDArray[np.float64]:
        """Correlation of each series with the position of its rows."""
        _, trend, _ = self.raw(None)
        return np.asarray(trend / (max(self.n, 1) * np.sqrt(np.maximum(self.variance, 1e-12))))

    def change_place(self, series: int) -> int:
        """Place in the sequence after which the level of a series changed most."""
        path = np.abs(np.cumsum(self.extended[series][self.template], dtype=np.float64) * self.bridge)
        return int(self.template[int(np.argmax(path))])
