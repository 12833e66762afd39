"""An audit of forecasts from end to end: verdicts, an interrupt at each stage, plans repeated, torch missing."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import heldout as ho
from heldout.auditing import forecast_attention, forecast_run
from heldout.errors import DataError, InvalidInput

from .small_series import shops, walk, wave

QUICK: dict[str, Any] = {"time": "day", "horizon": 7, "candidates": ["seasonal-naive", "ridge"], "n_jobs": 1}


def forecast(frame: Any, **options: Any) -> ho.Audit:
    return ho.audit(frame, "y", **(QUICK | options))


def numbers(document: dict[str, Any]) -> Any:
    """The document without what differs from run to run: times and dates."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: stripped(v) for k, v in value.items() if k not in {"seconds", "created", "time_budget"}}
        return [stripped(item) for item in value] if isinstance(value, list) else value

    return stripped(document)


# -- what is said -------------------------------------------------------------------------------------------------


def test_the_last_value_suffices_for_a_random_walk() -> None:
    audit = forecast(walk(), time="t", candidates=["drift", "ridge"])
    parts = audit.document["verdict_parts"]
    assert parts["model"].startswith("The last value suffices for the next 7 steps: RMSE ")
    assert "conditional on the periods seen" in parts["model"]
    assert audit.document["winner"]["is_baseline"]
    assert audit.advice[0]["action"] == "no_signal"


def test_a_season_is_forecast_with_skill_over_naive_forecasts() -> None:
    audit = forecast(wave(400))
    document = audit.document
    assert document["winner"]["name"] == "ridge"
    model = document["verdict_parts"]["model"]
    assert model.startswith("Ridge on lags forecasts the next 7 days with RMSE ")
    assert "below the last value and" in model
    assert model.endswith("below the seasonal naive forecast.")
    skill = {one["name"]: one for one in document["forecast"]["skill"]}
    # The noise of the last value adds to that of the value to come: a forecast of the mean has 1 / sqrt 2 of the error.
    assert skill["seasonal-naive"]["improvement"] == pytest.approx(1 - 0.5**0.5, abs=0.05)
    assert skill["seasonal-naive"]["ci_low"] > 0
    assert document["winner"]["error"] == pytest.approx(1.0, abs=0.15)
    assert audit.verdict == " ".join(part for part in document["verdict_parts"].values() if part)


def test_the_interval_for_ninety_percent_holds_about_so_many() -> None:
    document = forecast(wave(900)).document
    shares = {one["level"]: one["share"] for one in document["forecast"]["coverage"]}
    assert shares[0.9] == pytest.approx(0.9, abs=0.06)
    assert list(shares) == sorted(shares)
    assert list(shares.values()) == sorted(shares.values())


def test_the_document_is_plain_json_with_the_sections_of_any_audit() -> None:
    document = forecast(wave()).document
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    frame = wave(60).with_columns(x=pl.col("y") ** 2)
    table = ho.audit(frame, "y", time="day", horizon=2, candidates=["baseline"], time_budget=0.5, n_jobs=1).document
    assert set(table) - {"forecast"} == set(document) - {"forecast", "attention"}
    assert set(document["candidates"][0]) == set(table["candidates"][0])
    assert set(document["winner"]) == set(table["winner"])
    assert set(document["optimism"]) == set(table["optimism"])
    assert set(document["split"]) == set(table["split"])


def test_examples_show_windows_of_the_part_held_out() -> None:
    document = forecast(wave(300)).document
    examples = document["forecast"]["examples"]
    assert [one["what"] for one in examples] == ["the last origin", "a typical one", "one of the hardest"]
    y = wave(300)["y"].to_list()
    last = examples[0]
    assert last["actual"] == y[-7:]
    assert last["history"] == y[-7 - len(last["history"]) : -7]
    assert (last["origin"], last["end"]) == ("2021-10-20", "2021-10-27")
    assert all(low <= high for low, high in zip(last["low"], last["high"], strict=True))


def test_errors_by_step_are_those_of_the_forecasts() -> None:
    document = forecast(walk(), time="t", candidates=["drift"]).document
    y = walk()["y"].to_numpy()
    lines = {line["name"]: line["error"] for line in document["forecast"]["by_step"]["lines"]}
    origins = np.arange(319, 393)
    for step in range(1, 8):
        wanted = np.sqrt(np.mean((y[origins + step] - y[origins]) ** 2))
        assert lines["last-value"][step - 1] == pytest.approx(wanted)


def test_metrics_other_than_rmse_are_taken(seed: int) -> None:
    for metric, label in (("mae", "MAE"), ("mase", "MASE"), ("wql", "WQL")):
        document = forecast(wave(seed=seed), metric=metric).document
        assert document["winner"]["metric_label"] == label
        measures = {one["name"]: one for one in document["forecast"]["measures"]}
        winner = document["winner"]
        assert winner["error_before_correction"] == pytest.approx(measures[winner["name"]][metric], rel=1e-9)


def test_a_series_too_short_for_an_interval_still_has_a_forecast() -> None:
    audit = forecast(wave(30))
    assert audit.document["winner"]["ci_low"] is None
    assert "from too few periods to tell candidates apart" in audit.document["verdict_parts"]["model"]
    assert "cannot be told" in audit.advice[0]["sentence"]
    assert audit.best is not None
    assert audit.best.predict().height == 7


def test_a_series_that_leaves_nothing_to_learn_from_has_naive_forecasts() -> None:
    document = forecast(wave(14)).document
    assert document["winner"]["is_baseline"]
    assert any("ridge: no series is long enough to learn from" in line for line in document["plan"]["left_out"])


def test_a_constant_series_among_others_is_no_trouble() -> None:
    still = shops(120, 1).with_columns(shop=pl.lit("still"), y=pl.lit(5.0))
    audit = forecast(pl.concat([shops(120), still]), group="shop")
    assert audit.best is not None
    found = audit.best.predict(interval=0.9).filter(pl.col("shop") == "still")
    assert found["prediction"].to_list() == pytest.approx([5.0] * 7, rel=0.1)


def test_the_seasonal_naive_forecast_is_left_out_without_a_season() -> None:
    document = forecast(walk(), time="t").document
    assert "seasonal-naive" not in {one["name"] for one in document["candidates"]}
    assert any(line.startswith("the seasonal naive forecast: no season") for line in document["plan"]["left_out"])


def test_an_unknown_forecaster_is_named() -> None:
    with pytest.raises(InvalidInput, match="unknown candidate 'arima' of a forecast: choose from last-value"):
        forecast_run.choose_forecasters(["arima"], 7)


# -- attention ----------------------------------------------------------------------------------------------------


def with_attention(frame: pl.DataFrame, **options: Any) -> ho.Audit:
    pytest.importorskip("torch")
    return forecast(frame, **({"candidates": ["ridge", "attention"], "time_budget": 4.0} | options))


def test_attention_is_judged_beside_the_others_and_says_what_it_stands_on() -> None:
    document = with_attention(wave(260)).document
    attention = document["forecast"]["attention"]
    assert attention["tried"]
    assert (
        attention["against"]
        == min((one for one in document["candidates"] if one["name"] != "attention"), key=lambda one: one["error"])[
            "name"
        ]
    )
    assert attention["stands_on"] in {one["name"] for one in document["candidates"]}
    assert "ttention" in document["verdict_parts"]["shortfall"]
    assert document["plan"]["network"]["n_steps"] == attention["n_steps"] >= 1


def test_a_column_known_in_advance_makes_attention_worth_it_where_it_rules_the_target(seed: int) -> None:
    frame = shops(260, seed=seed).with_columns(y=pl.col("y") + 8 * pl.col("promotion"))
    audit = with_attention(frame, group="shop", known="promotion", time_budget=40.0)
    attention = audit.document["forecast"]["attention"]
    assert attention["worth_it"]
    assert audit.document["winner"]["name"] == "attention"
    assert "Attention lowers the error of " in audit.verdict


def test_a_plan_is_repeated_to_the_bit_whatever_the_clock_says() -> None:
    first = with_attention(wave(220))
    again = with_attention(wave(220), plan=json.loads(json.dumps(first.document)), time_budget=100.0)
    assert numbers(again.document) == numbers(first.document)
    assert first.best is not None
    assert again.best is not None
    assert first.best.predict(interval=0.8).equals(again.best.predict(interval=0.8))


def test_without_torch_attention_is_left_out_and_the_report_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else whole(name, *rest)
    )
    document = forecast(wave(), candidates=["ridge", "attention"]).document
    assert "attention" not in {one["name"] for one in document["candidates"]}
    (line,) = [line for line in document["plan"]["left_out"] if "torch" in line]
    assert "pip install 'heldout[sequence]'" in line
    assert document["verdict_parts"]["shortfall"] is None
    assert [piece["action"] for piece in document["advice"]][-1] == "install_torch"


def test_few_steps_of_training_are_not_taken_for_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    document = with_attention(wave(2000), time_budget=0.5).document
    attention = document["forecast"]["attention"]
    if attention["trained"]:
        pytest.skip("this machine passes through the table in less than a second")
    assert document["verdict_parts"]["shortfall"].startswith("Whether attention is worth it cannot be told: the time")
    assert "more_time" in {piece["action"] for piece in document["advice"]}


# -- plans and interrupts -----------------------------------------------------------------------------------------


def test_a_plan_notes_another_seed_and_is_refused_for_another_horizon() -> None:
    first = forecast(wave())
    other = forecast(wave(), plan=first.document, random_state=1)
    assert any("carried out with seed 0, this audit has seed 1" in line for line in other.document["plan"]["left_out"])
    with pytest.raises(DataError, match="for a horizon of 7, this audit has 3"):
        forecast(wave(), plan=first.document, horizon=3)


SIZES: dict[str, Any] = {"stands_on": "ridge", "context": 0, "width": 1, "depth": 1, "batch_size": 1, "n_steps": 1}
SIZES |= {"n_threads": 1, "enough": True}
PLANNED = {"forecasters": [], "horizon": 7, "time_budget": 1, "n_resamples": 9, "left_out": [], "network": SIZES}


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        ({}, "has no plan of forecasts"),
        ({"plan": {"n_folds": 5}}, "has no plan of forecasts"),
        ({"plan": {"forecasters": ["ridge"], "horizon": 7}}, r"is damaged \(KeyError"),
        ({"plan": PLANNED}, "a size of the network is 0"),
    ],
)
def test_a_plan_that_is_none_is_refused(plan: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match):
        forecast(wave(), plan=plan)


def stop_in(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, call: int = 0) -> None:
    """Press Ctrl-C in one call of a stage, counted from 0."""
    whole, calls = getattr(module, name), iter(range(10_000))

    def stopping(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(module, name, stopping)


@pytest.mark.parametrize(
    ("name", "call", "has_model"),
    [("fit_alone", 2, True), ("choose_forecaster", 0, True), ("fit_again", 0, False), ("fit_attention", 0, True)],
)
def test_an_interrupt_keeps_what_is_finished_and_can_be_saved(
    name: str, call: int, has_model: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if name == "fit_attention":
        pytest.importorskip("torch")
    stop_in(monkeypatch, forecast_run, name, call)
    audit = forecast(wave(), candidates=["ridge", "attention"] if name == "fit_attention" else ["drift", "ridge"])
    assert audit.interrupted
    assert any("interrupted" in line for line in audit.document["plan"]["left_out"])
    assert (audit.best is not None) is has_model
    folder = audit.save(tmp_path / "out")
    assert json.loads((folder / "report.json").read_text("utf-8"))["verdict"] == audit.verdict
    assert (folder / "model.heldout").exists() is has_model


def test_an_interrupt_before_anything_is_finished_ends_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_in(monkeypatch, forecast_run, "fit_alone")
    with pytest.raises(KeyboardInterrupt):
        forecast(wave())


def test_progress_names_the_stages_in_order() -> None:
    seen: list[str] = []
    forecast(wave(), progress=lambda stage, _done, _total: seen.append(stage))
    assert list(dict.fromkeys(seen)) == ["reading", "iid", "candidates", "fitting"]


def test_half_of_the_budget_is_the_most_that_attention_asks_for() -> None:
    budgets: list[float] = []
    pytest.importorskip("torch")
    whole = forecast_attention.fit_attention
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast_run, "fit_attention", lambda *args: (budgets.append(args[-1].budget), whole(*args))[1])
        forecast(wave(), candidates=["ridge", "attention"], time_budget=6.0)
    assert 0 < 3 * budgets[0] <= 3.0
