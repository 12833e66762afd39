"""The verdict says what the fields of the report say, and nothing else."""

from __future__ import annotations

from typing import Any

from heldout.auditing.verdict import write_verdict


def document(*, advice: list[dict[str, Any]] | None = None, **changes: dict[str, Any]) -> dict[str, Any]:
    sections: dict[str, dict[str, Any]] = {
        "iid": {"verdict": "No evidence against exchangeable rows was found (p = 0.31, 4 columns)."},
        "split": {"scheme": "random", "confidence_level": 0.95, "conditional": None},
        "winner": {
            "name": "tree",
            "label": "a single tree",
            "is_baseline": False,
            "metric": "rmse",
            "metric_label": "RMSE",
            "error": 2.4137,
            "ci_low": 2.291,
            "ci_high": 2.551,
            "indicative": False,
            "accuracy": None,
            "baseline_label": "predicting the mean",
            "improvement": 0.38,
            "improvement_ci": [0.31, 0.44],
            "tied_with": [],
        },
        "tree": {
            "name": "tree",
            "variance": 3.0,
            "variance_share_ci": [0.52, 0.7],
            "expected_loss": 5.0,
            "bias_plus_noise": 2.0,
            "excess_bias": None,
            "decomposition": {"loss": "squared_error", "n_train": 1_250},
        },
    }
    for name, section in changes.items():
        sections[name] = sections[name] | section
    candidates = [{"name": "other", "variance": None}, sections.pop("tree")]
    next_step = [
        {"sentence": "Average models fitted on resampled rows.", "basis": 3.0},
        {"sentence": "More rows.", "basis": 0.2},
    ]
    return {**sections, "candidates": candidates, "advice": next_step if advice is None else advice}


def model(**changes: dict[str, Any]) -> str:
    return str(write_verdict(document(**changes))[1]["model"])


def shortfall(**tree: Any) -> str | None:
    return write_verdict(document(tree=tree))[1]["shortfall"]


def test_the_verdict_is_its_four_parts_in_order() -> None:
    verdict, parts = write_verdict(document())
    assert verdict == (
        "No evidence against exchangeable rows was found (p = 0.31, 4 columns). "
        "A single tree: RMSE 2.41 (95 % CI 2.29 to 2.55), 38 % (31 to 44) below predicting the mean. "
        "Most of the squared error is variance (60 %, 52 to 70, at 1,250 training rows). "
        "Next: average models fitted on resampled rows."
    )
    assert verdict == " ".join(str(part) for part in parts.values())
    assert list(parts) == ["iid", "model", "shortfall", "next"]


def test_a_baseline_that_won_is_no_signal_and_is_not_taken_apart() -> None:
    winner = {"is_baseline": True, "label": "predicting the mean", "improvement": 0.0, "improvement_ci": None}
    verdict, parts = write_verdict(document(winner=winner))
    assert parts["model"] == (
        "No signal: no candidate was shown to beat predicting the mean, RMSE 2.41 (95 % CI 2.29 to 2.55)."
    )
    assert parts["shortfall"] is None
    assert "None" not in verdict


def test_an_improvement_that_reaches_zero_is_not_claimed() -> None:
    sentence = model(winner={"improvement_ci": [-0.02, 0.44]})
    assert "not shown to beat predicting the mean" in sentence
    assert "below" not in sentence


def test_without_an_interval_the_numbers_stand_alone() -> None:
    sentence = model(winner={"improvement_ci": None, "ci_low": None, "ci_high": None})
    assert sentence == "A single tree: RMSE 2.41, 38 % below predicting the mean."


def test_an_error_above_the_baseline_is_said_to_be_above() -> None:
    assert "12 % above predicting the mean" in model(winner={"improvement": -0.12, "improvement_ci": None})


def test_an_improvement_that_has_no_number_is_not_compared() -> None:
    assert "not comparable with predicting the mean" in model(winner={"improvement": None, "improvement_ci": None})


def test_ties_are_named_and_the_rule_told() -> None:
    assert "; tied with boosting, the simplest is taken." in model(winner={"tied_with": ["boosting"]})
    assert "; tied with a, b and c, the simplest is taken." in model(winner={"tied_with": ["a", "b", "c"]})


def test_accuracy_is_shown_beside_log_loss_but_not_twice() -> None:
    classes = {"accuracy": 0.546, "metric": "log_loss", "metric_label": "log loss"}
    assert "log loss 2.41 (95 % CI 2.29 to 2.55), 55 % right, 38 %" in model(winner=classes)
    for name, label in (("accuracy", "accuracy"), ("error_rate", "error rate")):
        assert "right" not in model(winner={"accuracy": 0.546, "metric": name, "metric_label": label})


def test_of_an_accuracy_the_error_rate_is_what_lies_below_the_baseline() -> None:
    accuracy = {"metric": "accuracy", "metric_label": "accuracy", "accuracy": 0.9}
    assert "error rate 38 % (31 to 44) below predicting the mean" in model(winner=accuracy)


def test_few_groups_and_few_periods_make_it_indicative() -> None:
    assert "(indicative: few groups)" in model(winner={"indicative": True}, split={"scheme": "group"})
    for scheme in ("blocked_time", "group_time"):
        assert "(indicative: few periods)" in model(winner={"indicative": True}, split={"scheme": scheme})
    assert "indicative" not in model()


def test_the_confidence_level_is_the_one_of_the_audit() -> None:
    assert "(90 % CI 2.29 to 2.55)" in model(split={"confidence_level": 0.9})


def test_half_of_the_error_is_most_of_it() -> None:
    assert "Most of the squared error is variance (50 %," in str(shortfall(variance=2.5, bias_plus_noise=2.5))
    unresolved = str(shortfall(variance=2.4, bias_plus_noise=2.6))
    assert unresolved.startswith("Most of the squared error (52 %, at 1,250 training rows) is unresolved")


def test_no_part_above_a_half_names_all_three() -> None:
    mixed = str(shortfall(variance=2.0, bias_plus_noise=3.0, excess_bias=1.0))
    assert mixed == (
        "The squared error is 40 % variance, 20 % excess bias and 40 % unresolved (at 1,250 training rows)."
    )


def test_a_share_without_an_interval_stands_alone() -> None:
    assert "is variance (60 %, at 1,250 training rows)" in str(shortfall(variance_share_ci=None))


def test_an_error_that_was_not_split_is_left_out_of_the_sentence() -> None:
    verdict, parts = write_verdict(document(tree={"variance": None}))
    assert parts["shortfall"] is None
    assert "  " not in verdict


def test_no_advice_means_no_next_step() -> None:
    verdict, parts = write_verdict(document(advice=[]))
    assert parts["next"] is None
    assert "Next" not in verdict


def test_advice_that_rests_on_no_number_is_no_next_step() -> None:
    unknown = {"sentence": "What the error is made of is not known.", "basis": None}
    assert write_verdict(document(advice=[unknown]))[1]["next"] is None
    step = {"sentence": "More rows.", "basis": 0.2}
    assert write_verdict(document(advice=[unknown, step]))[1]["next"] == "Next: more rows."
