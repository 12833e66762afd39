"""Losses against closed forms and another library; metrics against their inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peers

from heldout.errors import InvalidInput
from heldout.losses import LOSSES, METRICS, SMALLEST_PROBABILITY, default_metric, find_loss, find_metric

seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, n: int = 40, k: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(size=n), rng.integers(k, size=n), rng.dirichlet(np.ones(k), size=n)


@given(seed=seeds)
def test_losses_of_numbers_have_the_means_of_another_library(seed: int) -> None:
    y, prediction, _, _ = drawn(seed)
    squared, absolute = (LOSSES[name].per_row(y, prediction) for name in ("squared_error", "absolute_error"))
    assert squared.mean() == pytest.approx(peers.mean_squared_error(y, prediction))
    assert absolute.mean() == pytest.approx(peers.mean_absolute_error(y, prediction))
    np.testing.assert_allclose(np.sqrt(squared), absolute)


@given(seed=seeds)
def test_losses_of_classes_have_the_means_of_another_library(seed: int) -> None:
    _, _, y, probability = drawn(seed)
    codes = probability.argmax(axis=1)
    assert LOSSES["zero_one"].per_row(y, codes).mean() == pytest.approx(peers.zero_one_loss(y, codes))
    expected = peers.log_loss(y, probability, labels=[0, 1, 2])
    assert LOSSES["log_loss"].per_row(y, probability).mean() == pytest.approx(expected, rel=1e-5)
    brier = LOSSES["brier"].per_row(y, probability)
    # Of each row by hand: the probability that came counts its distance to 1, the others to 0.
    by_hand = [
        sum((float(c == came) - p) ** 2 for c, p in enumerate(row)) for came, row in zip(y, probability, strict=True)
    ]
    np.testing.assert_allclose(brier, by_hand)


def test_of_two_classes_the_brier_score_is_twice_the_usual_one() -> None:
    y, p = np.array([0, 1, 1]), np.array([0.2, 0.6, 0.9])
    mine = LOSSES["brier"].per_row(y, np.column_stack([1 - p, p])).mean()
    assert mine == pytest.approx(2 * peers.brier_score_loss(y, p))


def test_a_class_that_was_given_no_chance_costs_a_finite_loss() -> None:
    loss = LOSSES["log_loss"].per_row(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert loss.tolist() == [pytest.approx(-np.log(SMALLEST_PROBABILITY)), 0.0]


def test_a_probability_above_one_by_rounding_costs_nothing() -> None:
    assert LOSSES["log_loss"].per_row(np.array([0]), np.array([[1 + 1e-12, 0.0]])).tolist() == [0.0]


def test_wrong_is_one_and_right_is_nothing_for_labels_too() -> None:
    assert LOSSES["zero_one"].per_row(np.array(["a", "b"]), np.array(["a", "c"])).tolist() == [0.0, 1.0]


@given(seed=seeds, name=st.sampled_from(sorted(LOSSES)))
def test_every_loss_is_one_finite_number_of_zero_or_more_per_row(seed: int, name: str) -> None:
    y, prediction, codes, probability = drawn(seed)
    loss = LOSSES[name]
    if loss.task == "regression":
        found = loss.per_row(y, prediction)
    else:
        found = loss.per_row(codes, probability if loss.prediction == "probability" else probability.argmax(axis=1))
    assert found.shape == (40,)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert loss.name == name


@given(first=st.floats(0, 1), second=st.floats(0, 1), name=st.sampled_from(sorted(METRICS)))
def test_metrics_are_monotone_in_the_mean_loss_in_the_direction_they_say(
    first: float, second: float, name: str
) -> None:
    metric = METRICS[name]
    low, high = (metric.from_mean_loss(loss) for loss in sorted((first, second)))
    assert (low >= high) if metric.higher_is_better else (low <= high)
    assert metric.name == name


def test_metrics_have_their_closed_forms() -> None:
    assert METRICS["rmse"].from_mean_loss(9.0) == 3.0
    assert METRICS["accuracy"].from_mean_loss(0.25) == 0.75
    for name in ("mse", "mae", "log_loss", "brier", "error_rate"):
        assert METRICS[name].from_mean_loss(0.3) == 0.3


def test_the_root_of_an_end_below_zero_is_zero() -> None:
    assert METRICS["rmse"].from_mean_loss(-0.1) == 0.0


def test_only_accuracy_is_better_when_higher() -> None:
    assert [name for name, metric in METRICS.items() if metric.higher_is_better] == ["accuracy"]


def test_the_default_is_rmse_for_numbers_and_log_loss_for_classes() -> None:
    for task, name in (("regression", "rmse"), ("classification", "log_loss")):
        assert default_metric(task) is find_metric(None, task) is find_metric(name, task) is METRICS[name]


def test_a_loss_is_found_by_name_or_passed_through() -> None:
    assert find_loss("brier") is LOSSES["brier"]
    assert find_loss(LOSSES["brier"]) is LOSSES["brier"]


def test_an_unknown_loss_is_named_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="unknown loss 'hinge': choose one of squared_error, absolute_error"):
        find_loss("hinge")


@pytest.mark.parametrize(
    ("name", "task", "choices"),
    [
        ("rmse", "classification", "log_loss, brier"),
        ("accuracy", "regression", "rmse, mse, mae"),
        ("f1", "regression", "rmse"),
    ],
)
def test_a_metric_of_another_task_is_named_with_those_that_fit(name: str, task: str, choices: str) -> None:
    with pytest.raises(InvalidInput, match=f"unknown {task} metric '{name}': choose one of {choices}"):
        find_metric(name, task)
