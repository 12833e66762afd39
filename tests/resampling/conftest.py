"""How a draw is held against its law: counts of whole outcomes, then a chi-square test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

import numpy as np
import pytest
from scipy import stats

FALSE_ALARM = 1e-5  # per claim, as in tests/statistical.py

Law = Callable[[Iterable[Hashable], dict[Hashable, float]], None]


def assert_law(outcomes: Iterable[Hashable], probabilities: dict[Hashable, float]) -> None:
    """Fail when independent outcomes contradict their probabilities, or one comes that has none."""
    counts = Counter(outcomes)
    assert set(counts) <= set(probabilities), set(counts) - set(probabilities)
    share = np.array(list(probabilities.values()))
    assert share.sum() == pytest.approx(1, abs=1e-12)
    expected = share * counts.total()
    assert expected.min() > 5, f"too few outcomes for chi-square: {expected.min():.1f} expected"
    p = stats.chisquare([counts[outcome] for outcome in probabilities], expected).pvalue
    assert p > FALSE_ALARM, f"{counts.total()} outcomes contradict the law: p = {p:.1e}"


@pytest.fixture
def law() -> Law:
    """`law(outcomes, probabilities)` asserts that independent outcomes follow their probabilities."""
    return assert_law
