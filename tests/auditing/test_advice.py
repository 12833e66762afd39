"""Each piece of advice follows from the numbers of the report, by rules a reader can follow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.auditing.advice import advise, has_signal, shares


def winner(**changes: Any) -> dict[str, Any]:
    base = {
        "name": "ridge",
        "label": "ridge regression",
        "is_baseline": False,
        "metric": "rmse",
        "error": 2.0,
        "baseline_label": "predicting the mean",
        "improvement": 0.3,
        "improvement_ci": [0.1, 0.5],
    }
    return base | changes


def candidate(**changes: Any) -> dict[str, Any]:
    """A candidate whose error of 4 is 1 variance, 1 excess bias and 2 unresolved."""
    base = {
        "name": "ridge",
        "is_baseline": False,
        "expected_loss": 4.0,
        "variance": 1.0,
        "bias_plus_noise": 3.0,
        "excess_bias": 1.0,
        "unresolved": 2.0,
        "error_at_half": 2.1,
        "error_same_loss": 2.0,
        "reason": None,
        "decomposition": {
            "loss": "squared_error",
            "metric_label": "RMSE",
            "n_train": 1_040,
            "n_train_full": 2_080,
        },
    }
    return base | changes


def optimism(**changes: Any) -> dict[str, Any]:
    nothing = {"metric": "rmse", "metric_label": "RMSE", "error_random": None, "error_safe": None, "gap": None}
    return nothing | {"ci_low": None, "ci_high": None} | changes


def advice(**sections: dict[str, Any]) -> list[dict[str, Any]]:
    document = {"winner": winner(), "optimism": optimism(), "candidate": candidate()} | sections
    other = candidate(name="other", variance=None)
    return advise({**document, "candidates": [other, document["candidate"]]})


def actions(**sections: dict[str, Any]) -> list[str]:
    return [piece["action"] for piece in advice(**sections)]


def test_the_largest_part_names_the_first_action() -> None:
    parts = {"variance": 3.0, "bias_plus_noise": 1.0, "excess_bias": 0.4, "unresolved": 0.6}
    assert actions(candidate=candidate(**parts))[0] == "bag"
    parts = {"variance": 0.5, "bias_plus_noise": 3.5, "excess_bias": 3.0, "unresolved": 0.5}
    assert actions(candidate=candidate(**parts))[0] == "boost"
    assert actions()[0] == "unresolved"


def test_variance_comes_first_where_two_parts_are_equally_large() -> None:
    parts = {"variance": 2.0, "bias_plus_noise": 2.0, "excess_bias": 2.0, "unresolved": 0.0}
    assert actions(candidate=candidate(**parts)) == ["bag", "more_rows"]


@pytest.mark.parametrize("name", ["forest", "bagged-boosting"])
def test_a_winner_that_averages_already_is_not_told_to_begin(name: str) -> None:
    parts = {"variance": 3.0, "bias_plus_noise": 1.0, "excess_bias": None, "unresolved": 1.0}
    bag, _ = advice(candidate=candidate(name=name, label="a forest", **parts), winner=winner(name=name))
    assert bag["action"] == "bag"
    assert bag["basis"] == 3.0
    assert bag["sentence"] == (
        "Get more rows, or average more models: variance is 75 % of the squared error, although a forest averages "
        "models fitted on resampled rows already."
    )


def test_each_piece_states_the_number_it_rests_on_and_forecasts_nothing() -> None:
    bag, rows = advice(candidate=candidate(variance=3.0, bias_plus_noise=1.0, excess_bias=None, unresolved=1.0))
    assert (bag["action"], bag["basis"], bag["metric"]) == ("bag", 3.0, "squared_error")
    assert "variance is 75 % of the squared error" in bag["sentence"]
    assert rows["basis"] == pytest.approx(0.1)
    assert "trained on 1,040 rows its RMSE is 2.10, on 2,080 rows 2.00" in rows["sentence"]
    for piece in (bag, rows):
        assert (piece["forecast"], piece["ci_low"], piece["ci_high"]) == (None, None, None)
        assert piece["reason"]


def test_the_words_for_classes_are_those_of_the_error_rate() -> None:
    kohavi_wolpert = {"loss": "zero_one", "metric_label": "error rate", "n_train": 40, "n_train_full": 80}
    (first, *_) = advice(candidate=candidate(decomposition=kohavi_wolpert))
    assert "50 % of the error rate is noise, or bias that every candidate shares" in first["sentence"]
    (boost, *_) = advice(
        candidate=candidate(
            decomposition=kohavi_wolpert, variance=0.0, bias_plus_noise=4.0, excess_bias=3.0, unresolved=1.0
        )
    )
    assert "75 % of its error rate is bias that another candidate does not have" in boost["sentence"]
    assert boost["basis"] == 3.0


def test_of_the_candidate_with_the_lowest_bias_all_the_rest_is_unresolved() -> None:
    (first, *_) = advice(candidate=candidate(excess_bias=None, unresolved=3.0))
    assert (first["action"], first["basis"]) == ("unresolved", 3.0)
    assert "75 %" in first["sentence"]


@pytest.mark.parametrize("half", [2.0, 1.9, None])
def test_rows_are_asked_for_only_where_half_of_them_did_worse(half: float | None) -> None:
    assert "more_rows" not in actions(candidate=candidate(error_at_half=half))


def test_rows_are_not_asked_for_where_sizes_cannot_be_compared() -> None:
    assert "more_rows" not in actions(candidate=candidate(error_same_loss=None))


def test_an_improvement_whose_interval_reaches_zero_is_no_signal() -> None:
    for low in (0.0, -0.1):
        first = advice(winner=winner(improvement_ci=[low, 0.5]))[0]
        assert (first["action"], first["basis"]) == ("no_signal", 0.3)
        assert "predicting the mean (improvement 30 %" in first["sentence"]
    assert "no_signal" not in actions(winner=winner(improvement_ci=[1e-9, 0.5]))


def test_a_chosen_baseline_is_no_signal_and_the_error_itself_is_the_basis() -> None:
    chosen = winner(is_baseline=True, label="predicting the mean", improvement=0.0, improvement_ci=None)
    pieces = advice(winner=chosen, candidate=candidate(is_baseline=True))
    assert [piece["action"] for piece in pieces] == ["no_signal"]
    assert pieces[0]["basis"] == 2.0
    assert "no candidate was shown to beat predicting the mean" in pieces[0]["sentence"]
    assert "too few" not in pieces[0]["sentence"]


def test_without_an_interval_no_signal_says_why_and_rests_on_no_number() -> None:
    first = advice(winner=winner(improvement_ci=None))[0]
    assert (first["action"], first["basis"]) == ("no_signal", None)
    assert "cannot be told" in first["sentence"]
    assert "no interval" in first["reason"]


def test_an_error_that_was_not_split_is_unresolved_with_the_reason() -> None:
    left = candidate(variance=None, reason="there was no time left to decompose this candidate")
    (piece,) = advice(candidate=left)
    assert (piece["action"], piece["basis"], piece["metric"]) == ("unresolved", None, "rmse")
    assert piece["reason"] == "there was no time left to decompose this candidate"


def test_a_random_split_that_would_have_flattered_is_warned_of_last() -> None:
    found = optimism(error_random=1.5, error_safe=2.0, gap=0.5, ci_low=0.2, ci_high=0.8)
    piece = advice(optimism=found)[-1]
    assert (piece["action"], piece["basis"]) == ("split_first", 0.5)
    assert "RMSE 1.50 instead of 2.00" in piece["sentence"]


def test_a_gap_whose_interval_reaches_zero_is_not_warned_of() -> None:
    assert "split_first" not in actions(optimism=optimism(gap=0.5, ci_low=0.0, ci_high=0.8))
    assert "split_first" not in actions(optimism=optimism(gap=0.5))


def test_of_an_accuracy_a_gap_below_zero_flatters() -> None:
    accuracy = {"metric": "accuracy", "metric_label": "accuracy", "error_random": 0.9, "error_safe": 0.5}
    assert "split_first" in actions(optimism=optimism(**accuracy, gap=-0.4, ci_low=-0.5, ci_high=-0.3))
    assert "split_first" not in actions(optimism=optimism(**accuracy, gap=-0.4, ci_low=-0.9, ci_high=0.0))
    assert "split_first" not in actions(optimism=optimism(**accuracy, gap=0.4, ci_low=0.3, ci_high=0.5))


def test_signal_is_yes_no_or_not_known() -> None:
    assert has_signal(winner()) is True
    assert has_signal(winner(improvement_ci=[-0.1, 0.3])) is False
    assert has_signal(winner(improvement_ci=None)) is None


@given(
    variance=st.floats(-0.5, 10),
    rest=st.floats(0.1, 10),
    excess=st.one_of(st.none(), st.floats(-0.5, 10)),
)
def test_the_three_shares_sum_to_one(variance: float, rest: float, excess: float | None) -> None:
    total = variance + rest
    parts = shares({"variance": variance, "bias_plus_noise": rest, "excess_bias": excess, "expected_loss": total})
    if total:
        assert sum(parts.values()) == pytest.approx(1, abs=1e-9 + 1e-9 * (abs(variance) + rest) / abs(total))
    else:
        assert parts is None


def test_an_error_of_zero_has_no_shares() -> None:
    assert shares(candidate(expected_loss=0.0, variance=0.0)) is None
