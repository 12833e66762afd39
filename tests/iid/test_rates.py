"""Level and power, measured: hits / runs.

Power of each level test itself: `test_the_level_test_would_notice_a_level_of_sixteen_percent`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from heldout.iid import check, compare
from heldout.iid.groups import intraclass_correlation

from statistical import assert_rate, power

pytestmark = pytest.mark.slow
ALPHA = 0.05
RUNS = 250
N = 150
Draw = Callable[[np.random.Generator], object]


def with_missing(rng: np.random.Generator) -> np.ndarray:
    X = rng.normal(size=(N, 4))
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


NULLS: dict[str, Draw] = {
    "normal": lambda rng: rng.normal(size=(N, 6)),
    "Cauchy": lambda rng: rng.standard_cauchy(size=(N, 6)),
    "binary": lambda rng: rng.integers(0, 2, size=(N, 6)).astype(float),
    "rare binary": lambda rng: (rng.random((N, 6)) < 0.08).astype(float),
    "constant beside one number": lambda rng: np.column_stack([np.ones(N), rng.normal(size=N)]),
    "three levels": lambda rng: pd.DataFrame({c: np.array(["a", "b", "c"])[rng.integers(0, 3, N)] for c in "uvw"}),
    "missing": with_missing,
    "one column": lambda rng: rng.exponential(size=(N, 1)),
    "a hundred columns": lambda rng: rng.normal(size=(N, 100)),
    "discrete with duplicates": lambda rng: rng.poisson(0.4, size=(N, 3)).astype(float),
    "dependent columns": lambda rng: rng.normal(size=(N, 1)) + 0.1 * rng.normal(size=(N, 8)),
    "mixed": lambda rng: pd.DataFrame(
        {"x": rng.normal(size=N), "k": rng.choice(list("abcdefgh"), N), "b": rng.random(N) < 0.3}
    ),
}


@pytest.mark.parametrize("name", NULLS)
def test_exchangeable_rows_are_rejected_at_most_at_the_level(name: str, seed: int) -> None:
    hits = 0
    for run in range(RUNS):
        rng = np.random.default_rng([seed, run, len(name)])
        hits += check(NULLS[name](rng), n_permutations=99, random_state=run, n_jobs=1).rejected
    assert_rate(f"order, {name}", hits, RUNS, at_most=ALPHA)


@pytest.mark.parametrize(
    "kind",
    [
        "shuffled groups",
        "groups in one piece",
        "binary target and unequal groups",
        "all equal sizes of two",
        "small groups first",
    ],
)
def test_tables_with_meaningless_groups_are_rejected_at_most_at_the_level(kind: str, seed: int) -> None:
    hits = 0
    for run in range(RUNS):
        rng = np.random.default_rng([seed, run, len(kind)])
        X, y = rng.normal(size=(N, 3)), rng.normal(size=N)
        groups = np.repeat(np.arange(15), 10)
        if kind == "shuffled groups":
            groups = rng.permutation(groups)
        elif kind.startswith("binary"):
            y, groups = (y > 0.8).astype(float), np.sort(rng.choice(12, N, p=np.arange(1, 13) / 78))
        elif kind.startswith("all equal"):
            groups = np.arange(N) // 2
        elif kind.startswith("small"):
            groups = np.repeat(np.arange(40), [2] * 20 + [60] * 20)
            X, y = rng.normal(size=(groups.size, 3)), rng.normal(size=groups.size)
        hits += check(X, y, groups=groups, n_permutations=99, random_state=run, n_jobs=1).rejected
    assert_rate(f"groups, {kind}", hits, RUNS, at_most=ALPHA)


def ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    x, noise = np.empty(n), rng.normal(size=n)
    x[0] = noise[0]
    for i in range(1, n):
        x[i] = phi * x[i - 1] + np.sqrt(1 - phi**2) * noise[i]
    return x


VIOLATIONS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], float]] = {
    "AR(1) of 0.3": (lambda rng: ar1(rng, 500, 0.3), 0.95),
    "AR(1) of 0.2": (lambda rng: ar1(rng, 500, 0.2), 0.70),
    "trend of 0.8 sigma": (lambda rng: rng.normal(size=500) + 0.8 * np.arange(500) / 500, 0.90),
    "shift of half a sigma": (lambda rng: rng.normal(size=500) + 0.5 * (np.arange(500) >= 250), 0.90),
    "season of 24 rows, 0.6 sigma": (
        lambda rng: rng.normal(size=500) + 0.6 * np.sin(np.arange(500) * np.pi / 12),
        0.80,
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_one_bad_column_in_ten_is_found_and_named(name: str, seed: int) -> None:
    draw, rate = VIOLATIONS[name]
    hits, runs = 0, 60
    for run in range(runs):
        rng = np.random.default_rng([seed, run, len(name)])
        X = rng.normal(size=(500, 10))
        X[:, 4] = draw(rng)
        report = check(X, n_permutations=199, random_state=run, n_jobs=1)
        hits += any(f.column == "column 4" for f in report.findings)
    assert_rate(f"found: {name} in one of ten columns, n = 500", hits, runs, at_least=rate)


def test_a_planted_change_point_is_located(seed: int) -> None:
    hits, runs = 0, 60
    for run in range(runs):
        rng = np.random.default_rng([seed, run, 5])
        X = rng.normal(size=(500, 5))
        X[200:, 3] += 1.5
        found = [
            f
            for f in check(X, n_permutations=199, random_state=run, n_jobs=1).findings
            if f.statistic == "change point"
        ]
        hits += bool(found) and abs(int(found[0].place.split()[1]) - 200) <= 10  # type: ignore[union-attr]
    assert_rate("change of 1.5 sigma placed within 10 rows", hits, runs, at_least=0.9)


def test_groups_that_matter_are_found_and_their_correlation_is_covered(seed: int) -> None:
    found, covered, runs = 0, 0, 200
    for run in range(runs):
        rng = np.random.default_rng([seed, run, 6])
        codes = np.repeat(np.arange(30), rng.integers(4, 12, 30))
        effect = rng.normal(size=30)[codes] * np.sqrt(0.3)
        y = effect + rng.normal(size=codes.size) * np.sqrt(0.7)
        icc = intraclass_correlation(y[None], codes)
        covered += icc.ci_low <= 0.3 <= icc.ci_high  # type: ignore[operator]
        if run < 40:
            report = check(
                rng.normal(size=(codes.size, 3)), y, groups=codes, n_permutations=199, random_state=run, n_jobs=1
            )
            found += any(
                f.family == "groups" and f.effect_name == "intraclass correlation" and (f.adjusted_p_value or 1) <= 0.05
                for f in report.findings
            )
    assert_rate("ICC of 0.3 over 30 groups found", found, 40, at_least=0.95)
    assert_rate("95 % interval covers an ICC of 0.3", covered, runs, at_least=0.93)


def test_shuffled_class_blocks_are_harmless_nearly_always_and_random_walks_never(seed: int) -> None:
    harmless, wrong, runs = 0, 0, 60
    for run in range(runs):
        rng = np.random.default_rng([seed, run, 7])
        y = np.sort(rng.integers(0, 4, 400))
        X = rng.normal(size=(400, 4)) + y[:, None]
        harmless += check(X, y, task="classification", n_permutations=199, random_state=run, n_jobs=1).order_harmless
        walk = np.column_stack([np.cumsum(rng.normal(size=400)), rng.normal(size=400)])
        wrong += check(walk, (np.arange(400) // 40) % 2, n_permutations=199, random_state=run, n_jobs=1).order_harmless
    assert_rate("class blocks called harmless", harmless, runs, at_least=0.95)
    assert_rate("random walks with a blocked target called harmless", wrong, runs, at_most=0.01)


def test_two_tables_of_one_law_are_told_apart_at_most_at_the_level_and_shifted_ones_nearly_always(seed: int) -> None:
    hits, found = 0, 0
    for run in range(RUNS):
        rng = np.random.default_rng([seed, run, 8])
        frame = pd.DataFrame({"x": rng.normal(size=250), "k": rng.choice(list("abc"), 250), "c": rng.poisson(1.0, 250)})
        frame.loc[rng.random(250) < 0.1, "x"] = np.nan
        hits += compare(frame[:150], frame[150:], n_permutations=99, random_state=run, n_jobs=1).rejected
        if run < 60:
            moved = frame[150:].assign(x=frame["x"] + 0.7)
            found += compare(frame[:150], moved, n_permutations=99, random_state=run, n_jobs=1).rejected
    assert_rate("tables of one law told apart", hits, RUNS, at_most=ALPHA)
    assert_rate("a shift of 0.7 sigma in one of three columns found", found, 60, at_least=0.9)


def test_the_level_test_would_notice_a_level_of_sixteen_percent() -> None:
    caught = power(RUNS, ALPHA, 0.16)
    print(f"\npower of each level test against a true rate of 0.16: {caught:.3f}")
    assert caught > 0.8
