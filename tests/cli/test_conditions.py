"""`--fail-on`: exit code 1 when a random split would have lied, or nothing beats the baseline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heldout.cli.conditions import broken_conditions, parse_conditions
from heldout.errors import InvalidInput

from statistical import assert_rate, power


def gap(low: float | None, high: float | None, *, safe: float = 1.0, metric: str = "rmse") -> dict[str, Any]:
    return {
        "metric": metric,
        "metric_label": metric,
        "error_random": 0.9,
        "error_safe": safe,
        "ci_low": low,
        "ci_high": high,
    }


@pytest.mark.parametrize(
    ("optimism", "holds"),
    [
        (gap(0.021, 0.2), True),
        (gap(0.019, 0.2), False),
        (gap(-0.1, 0.2), False),
        (gap(None, None), False),
        (gap(0.03, 0.2, safe=2.0), False),
        # Accuracy 0.8, so an error of 0.2, of which 2 % is 0.004: a random split promises more, so the gap is below 0.
        (gap(-0.02, -0.005, safe=0.8, metric="accuracy"), True),
        (gap(-0.02, -0.003, safe=0.8, metric="accuracy"), False),
        (gap(0.02, 0.05, safe=0.8, metric="accuracy"), False),
    ],
)
def test_iid_holds_when_the_gap_is_surely_above_2_percent_of_the_error(
    optimism: dict[str, Any], holds: bool, document: Callable[..., dict[str, Any]]
) -> None:
    assert bool(broken_conditions(document(optimism=optimism), ["iid"])) is holds


@pytest.mark.parametrize(
    ("copies", "within", "holds"), [(20, 0, True), (5, 0, False), (0, 0, False), (200, 80, False), (260, 80, True)]
)
def test_iid_holds_when_more_test_rows_are_copies_than_coarse_data_has_by_right(
    copies: int, within: int, holds: bool, document: Callable[..., dict[str, Any]]
) -> None:
    leaking = document(
        test={"shift": {"n_duplicates": copies, "n_current": 500}},
        iid={"n_duplicates": within},
        data={"n_rows": 500},
    )
    expected = [f"--fail-on iid: {copies} of 500 rows of the test file are exact copies of training rows"]
    assert broken_conditions(leaking, ["iid"]) == (expected if holds else [])


@pytest.mark.slow
def test_copies_that_coarse_data_has_by_right_seldom_count_as_a_leak(document: Callable[..., dict[str, Any]]) -> None:
    draws = np.random.default_rng(11)
    alarms, runs = 0, 2000
    for _ in range(runs):
        n_cells = int(10 ** draws.uniform(1, 6))
        training, test = draws.integers(n_cells, size=500), draws.integers(n_cells, size=300)
        report = document(
            test={"shift": {"n_duplicates": int(np.isin(test, training).sum()), "n_current": 300}},
            iid={"n_duplicates": 500 - len(np.unique(training))},
            data={"n_rows": 500},
        )
        alarms += bool(broken_conditions(report, ["iid"]))
    # Power: were the rate 3 %, this test would fail in more than 99 % of its runs.
    assert power(runs, 0.01, 0.03) > 0.99
    assert_rate("copies by right taken for a leak", alarms, runs, at_most=0.01)


@pytest.mark.parametrize(
    ("ends", "holds"), [([0.1, 0.3], False), ([0.0, 0.3], True), ([-0.1, 0.3], True), (None, True)]
)
def test_baseline_holds_when_the_improvement_reaches_0_or_is_not_known(
    ends: list[float] | None, holds: bool, document: Callable[..., dict[str, Any]]
) -> None:
    report = document(winner={"label": "a forest", "improvement_ci": ends})
    assert bool(broken_conditions(report, ["baseline"])) is holds


def test_baseline_names_the_baseline_where_it_won(document: Callable[..., dict[str, Any]]) -> None:
    winner = {"label": "predicting the mean", "is_baseline": True, "improvement_ci": None}
    sentences = broken_conditions(document(winner=winner), ["baseline"])
    assert sentences == ["--fail-on baseline: no candidate was shown to beat predicting the mean"]


def test_no_condition_asked_for_means_none_holds(document: Callable[..., dict[str, Any]]) -> None:
    assert broken_conditions(document(winner={"improvement_ci": None}), []) == []


def test_an_unknown_condition_is_named() -> None:
    with pytest.raises(InvalidInput, match="rain"):
        parse_conditions(["iid,rain"])


@pytest.mark.parametrize(("asked", "code"), [([], 0), (["--fail-on", "iid"], 0), (["--fail-on", "iid,baseline"], 1)])
def test_a_condition_that_holds_ends_with_1_after_everything_is_written(
    asked: list[str],
    code: int,
    table: Path,
    heldout: Callable[..., Any],
    stand_in: Callable[..., Any],
    document: Callable[..., dict[str, Any]],
) -> None:
    stand_in(document(winner={"label": "a forest", "improvement_ci": [-0.1, 0.2]}))
    outcome = heldout("audit", table, "--target", "outcome", "--out", table.parent / "out", *asked)
    assert outcome.code == code
    assert (table.parent / "out" / "report.json").exists()
    assert ("--fail-on baseline: " in outcome.err) is bool(code)
