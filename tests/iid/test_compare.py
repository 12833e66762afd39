"""Two tables compared: effects against scipy, counts against sets, words."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from heldout.errors import InvalidInput
from heldout.iid import compare
from heldout.iid.compare import LabelStatistics


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_location_and_distance_equal_those_of_scipy(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=80), rng.normal(0.7, 1, size=60)
    ranks = stats.rankdata(np.append(a, b))
    z = ((ranks - ranks.mean()) / ranks.std()).astype(np.float32)[None]
    statistics = LabelStatistics(z, np.arange(140) >= 80, np.array([0]))
    ks = stats.ks_2samp(a, b).statistic
    assert statistics.distances(None)[0] / np.sqrt(80 * 60 / 140) == pytest.approx(ks, abs=1e-6)
    auc = stats.mannwhitneyu(b, a).statistic / (80 * 60)
    found = {f.statistic: f.effect for f in compare(a[:, None], b[:, None]).findings}
    assert found["location"] == pytest.approx(auc, abs=1e-4)
    assert found["distribution"] == pytest.approx(ks, abs=1e-4)


def test_new_levels_ranges_missing_columns_and_copies_are_counted(rng: np.random.Generator) -> None:
    first = pd.DataFrame({"x": rng.normal(size=100), "k": np.tile(["a", "b"], 50), "gone": 1.0})
    second = pd.DataFrame({"x": np.append(rng.normal(size=38), [99.0, 98.0]), "k": ["a", "c"] * 20})
    report = compare(first, second)
    by = {(f.column, f.statistic): f for f in report.findings}
    assert by["k", "new levels"].n_rows == 20
    assert by["k", "new levels"].place == "level 'c'"
    assert by["x", "outside range"].n_rows is not None
    assert by["x", "outside range"].n_rows >= 2
    assert ("gone", "column missing") in by
    overlap = compare(first, first.iloc[:30])
    assert overlap.n_duplicates == 30
    assert "30 of 30 rows stand in the reference table too" in overlap.verdict
    json.dumps(report.to_dict())


def test_missing_shares_and_level_shares_have_their_own_effects(rng: np.random.Generator) -> None:
    a = pd.DataFrame({"x": rng.normal(size=300), "k": rng.choice(["a", "b", "c"], 300)})
    b = pd.DataFrame({"x": rng.normal(size=300), "k": rng.choice(["a", "b", "c"], 300, p=[0.7, 0.2, 0.1])})
    b.loc[:99, "x"] = np.nan
    found = {f.statistic: f for f in compare(a, b).findings if f.p_value is not None}
    assert found["missing share"].effect == pytest.approx(1 / 3, abs=1e-9)
    assert found["level shares"].column == "k"


def test_a_number_read_as_text_on_one_side_is_compared_as_text() -> None:
    report = compare(pd.DataFrame({"x": [1.0, 2.0] * 20}), pd.DataFrame({"x": ["1.0", "n/a"] * 20}))
    assert any(f.statistic == "new levels" and f.place == "level 'n/a'" for f in report.findings)


def test_equal_tables_are_never_called_the_same(rng: np.random.Generator) -> None:
    X = rng.normal(size=(100, 2))
    report = compare(X, X + 0.0)
    assert not report.rejected
    assert report.verdict.startswith("No evidence of a difference between the tables was found (p = 1.00, 2 columns)")
    constant = compare(np.ones((50, 1)), np.ones((50, 1)))
    assert constant.global_p_value is None
    assert constant.verdict.startswith("No column could be compared")


def test_tables_without_a_shared_column_and_useless_levels_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"current must share columns with reference \(a\), got b"):
        compare(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}))
    with pytest.raises(InvalidInput, match=r"alpha must lie between 0 and 1, got 2"):
        compare(np.ones((5, 1)), np.ones((5, 1)), alpha=2)
    with pytest.raises(InvalidInput, match=r"n_permutations must be at least 19 at alpha=0\.05, got 5"):
        compare(np.ones((5, 1)), np.ones((5, 1)), n_permutations=5)
