"""`heldout iid`, `evaluate` and `decompose`: one stage of the audit, with the audit's numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss

from .conftest import small_frame


def test_evaluate_and_decompose_print_the_numbers_of_the_audit(table: Path, heldout: Callable[..., Any]) -> None:
    common = ["--target", "outcome", "--group", "subject", "--seed", "5", "--threads", "1", "--json"]
    audit = heldout(
        "audit", table, *common, "--candidates", "tree", "--time-budget", "60", "--out", table.parent / "out"
    )
    expected = next(c for c in json.loads(audit.out)["candidates"] if c["name"] == "tree")
    evaluated = json.loads(heldout("evaluate", table, *common, "--candidate", "tree").out)
    for field in ("error", "ci_low", "ci_high", "training_error", "n_fits", "method", "estimand"):
        assert evaluated[field] == expected[field], field
    n_partitions = expected["decomposition"]["n_partitions"]
    parts = heldout("decompose", table, *common, "--candidate", "tree", "--partitions", n_partitions)
    decomposed = json.loads(parts.out)
    for field in ("expected_loss", "variance", "variance_ci", "bias_plus_noise"):
        assert decomposed[field] == expected[field], field


def test_the_parts_sum_to_the_error_and_are_printed_with_their_shares(table: Path, heldout: Callable[..., Any]) -> None:
    common = [table, "--target", "outcome", "--candidate", "tree", "--threads", "1"]
    document = json.loads(heldout("decompose", *common, "--json").out)
    assert math.isclose(document["variance"] + document["bias_plus_noise"], document["expected_loss"], abs_tol=1e-12)
    outcome = heldout("decompose", *common)
    share = document["variance"] / document["expected_loss"]
    assert f", {100 * share:.0f} % of it" in outcome.out
    assert "bias and noise cannot be told apart" in outcome.out
    assert "at n/2" in outcome.out


def test_evaluate_says_what_is_held_out_and_what_the_number_means(table: Path, heldout: Callable[..., Any]) -> None:
    outcome = heldout("evaluate", table, "--target", "outcome", "--group", "subject", "--candidate", "ridge")
    assert outcome.code == 0, outcome.err
    text = " ".join(outcome.out.split())
    assert "table.csv: 80 rows." in text
    assert "RMSE 0." in text
    assert "Estimand: " in text
    assert "20 independent units" in text


def test_predictions_made_elsewhere_are_judged_as_they_are(table: Path, heldout: Callable[..., Any]) -> None:
    frame = small_frame()
    guess = 2 * frame["x"]
    pl.DataFrame({"id": range(80), "p": guess}).write_csv(table.with_name("oof.csv"))
    common = ["--target", "outcome", "--json"]
    outcome = heldout("evaluate", table, *common, "--predictions", table.with_name("oof.csv"), "--prediction", "p")
    document = json.loads(outcome.out)
    expected = math.sqrt(((frame["outcome"] - guess) ** 2).mean())
    assert math.isclose(document["error"], expected, rel_tol=1e-9)
    assert document["n_fits"] == 0
    assert document["training_error"] is None
    assert document["ci_low"] < expected < document["ci_high"]
    beside = frame.with_columns(p=guess)
    beside.write_csv(table)
    assert json.loads(heldout("evaluate", table, *common, "--prediction", "p").out)["error"] == document["error"]


def classes_table(folder: Path, **columns: Any) -> Path:
    path = folder / "classes.csv"
    pl.DataFrame({"y": ["no", "yes"] * 20, **columns}).write_csv(path)
    return path


def test_labels_made_elsewhere_give_the_error_rate(tmp_path: Path, heldout: Callable[..., Any]) -> None:
    labels = ["no", "yes"] * 15 + ["yes", "no"] * 5
    path = classes_table(tmp_path, p=labels)
    document = json.loads(heldout("evaluate", path, "--target", "y", "--prediction", "p", "--json").out)
    assert (document["metric"], document["error"], document["method"]) == ("error_rate", 0.25, "wilson")


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_probabilities_made_elsewhere_give_the_log_loss_of_the_positive_class(
    positive: str, tmp_path: Path, heldout: Callable[..., Any]
) -> None:
    shares = np.random.default_rng(2).uniform(0.05, 0.95, 40).round(3)
    path = classes_table(tmp_path, p=shares)
    outcome = heldout("evaluate", path, "--target", "y", "--prediction", "p", "--positive", positive, "--json")
    document = json.loads(outcome.out)
    truth = np.array(["no", "yes"] * 20) == positive
    assert document["metric"] == "log_loss"
    assert math.isclose(document["error"], log_loss(truth, shares), rel_tol=1e-9)


def test_number_classes_match_predictions_however_they_are_written(tmp_path: Path, heldout: Callable[..., Any]) -> None:
    path = tmp_path / "numbers.csv"
    rows = [f"{i % 3},{float(i % 3 if i else 2)}" for i in range(60)]
    path.write_text("\n".join(["y,p", *rows]) + "\n")
    outcome = heldout("evaluate", path, "--target", "y", "--prediction", "p", "--json")
    assert math.isclose(json.loads(outcome.out)["error"], 1 / 60)


def test_rows_without_a_prediction_are_left_out_and_counted(tmp_path: Path, heldout: Callable[..., Any]) -> None:
    path = classes_table(tmp_path, p=[None] * 10 + ["no", "yes"] * 15)
    outcome = heldout("evaluate", path, "--target", "y", "--prediction", "p")
    assert "30 rows with a prediction in column 'p', 10 without left out." in " ".join(outcome.out.split())
    assert "error rate 0" in outcome.out


@pytest.mark.parametrize(
    ("columns", "options", "fragments"),
    [
        ({"p": ["no", "maybe"] * 20}, ["--metric", "error_rate"], ["'maybe'", "no, yes"]),
        ({"p": ["no", "maybe"] * 20}, [], ["'no'", "'p'"]),
        ({"p": [0.5, 1.5] * 20}, [], ["1.5", "'p'"]),
        ({"p": [None] * 40, "q": [1.0, 2.0] * 20}, [], ["'p'"]),
        ({"q": [1.0, 2.0] * 20}, [], ["'p'", "y, q"]),
        ({"p": [0.5, 0.6] * 20}, ["--candidate", "tree"], ["--candidate"]),
    ],
)
def test_predictions_that_cannot_be_judged_are_named(
    columns: dict[str, Any],
    options: list[str],
    fragments: list[str],
    tmp_path: Path,
    heldout: Callable[..., Any],
    is_one_line: Callable[..., None],
) -> None:
    path = classes_table(tmp_path, **columns)
    is_one_line(heldout("evaluate", path, "--target", "y", "--prediction", "p", *options), *fragments)


def test_numbers_are_wanted_for_a_number(
    table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    outcome = heldout("evaluate", table, "--target", "outcome", "--prediction", "colour")
    is_one_line(outcome, "'colour'", "numbers")


def test_a_file_of_predictions_has_one_row_for_each_row(
    table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    other = table.with_name("short.csv")
    small_frame().head(30).write_csv(other)
    outcome = heldout("evaluate", table, "--target", "outcome", "--predictions", other, "--prediction", "x")
    is_one_line(outcome, "short.csv has 30 rows", "80 rows")
    is_one_line(heldout("evaluate", table, "--target", "outcome", "--predictions", other), "--prediction")


def test_probabilities_of_three_classes_are_asked_for_as_labels(
    tmp_path: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    path = tmp_path / "three.csv"
    pl.DataFrame({"y": ["a", "b", "c"] * 20, "p": [0.25, 0.5, 0.7] * 20}).write_csv(path)
    is_one_line(heldout("evaluate", path, "--target", "y", "--prediction", "p"), "3 classes", "error_rate")


def ordered_table(folder: Path) -> Path:
    """A random walk: each row is close to the one before."""
    path = folder / "walk.csv"
    steps = np.random.default_rng(3).normal(size=(200, 2)).cumsum(axis=0)
    pl.DataFrame({"height": steps[:, 0], "y": steps[:, 1]}).write_csv(path)
    return path


def test_evaluate_states_the_condition_that_order_of_rows_rests_on(tmp_path: Path, heldout: Callable[..., Any]) -> None:
    outcome = heldout("evaluate", ordered_table(tmp_path), "--target", "y", "--candidate", "ridge")
    text = " ".join(outcome.out.split())
    assert ", if future rows continue this file's order. ridge regression: RMSE" in text


@pytest.mark.parametrize("with_target", [True, False])
def test_iid_names_the_column_that_drifts_with_effect_and_corrected_p(
    with_target: bool, tmp_path: Path, heldout: Callable[..., Any]
) -> None:
    path = ordered_table(tmp_path)
    options = ["--target", "y"] if with_target else ["--drop", "y"]
    outcome = heldout("iid", path, *options, "--threads", "1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("Rows are not independent")
    assert any(line.startswith("height ") for line in outcome.out.splitlines())
    assert max(len(line) for line in outcome.out.splitlines()) <= 80
    document = json.loads(heldout("iid", path, *options, "--threads", "1", "--json").out)
    assert document["choice"]["scheme"] == "blocked_time"
    assert document["rejected"] is True
    assert document["n_columns"] == (2 if with_target else 1)


def test_iid_reads_groups_without_a_target(table: Path, heldout: Callable[..., Any]) -> None:
    document = json.loads(heldout("iid", table, "--group", "subject", "--json", "--threads", "1").out)
    assert document["n_groups"] == 20
    assert document["choice"]["scheme"] == "group"
    # x, colour and the former target are columns now; the column that stands in for a target is none.
    assert {finding["column"] for finding in document["findings"]} <= {"x", "colour", "outcome", "rows", "subject"}
