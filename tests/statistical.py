"""The one way a random claim is tested: hits / runs, then an exact binomial test."""

from __future__ import annotations

from scipy import stats

FALSE_ALARM = 1e-5  # per assertion: a suite of a hundred such claims errs once in a thousand full runs


def assert_rate(what: str, hits: int, runs: int, at_least: float | None = None, at_most: float | None = None) -> None:
    """Print hits / runs and fail when the binomial test contradicts the claimed bound on the rate.

    The power of each use is stated beside it by `power`.
    """
    claim = f"at least {at_least}" if at_least is not None else f"at most {at_most}"
    print(f"\n{what}: {hits} / {runs} = {hits / runs:.4f} (claimed: {claim})")
    if at_least is not None:
        p = stats.binomtest(hits, runs, at_least, alternative="less").pvalue
        assert p > FALSE_ALARM, f"{what}: {hits}/{runs} is below {at_least}: p = {p:.1e}"
    if at_most is not None:
        p = stats.binomtest(hits, runs, at_most, alternative="greater").pvalue
        assert p > FALSE_ALARM, f"{what}: {hits}/{runs} is above {at_most}: p = {p:.1e}"


def power(runs: int, claimed: float, true: float) -> float:
    """Return the chance that `assert_rate` fails when the true rate is `true` instead of `claimed`."""
    law, truth = stats.binom(runs, claimed), stats.binom(runs, true)
    counts = range(runs + 1)
    if true > claimed:
        return float(sum(truth.pmf(k) for k in counts if law.sf(k - 1) <= FALSE_ALARM))
    return float(sum(truth.pmf(k) for k in counts if law.cdf(k) <= FALSE_ALARM))
