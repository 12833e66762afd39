"""What a forecast model says of new rows of its series."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import heldout as ho
from heldout.auditing.forecast_model import ForecastModel
from heldout.errors import DataError, InvalidInput, SchemaMismatch

from .small_series import days, shops, wave


@cache
def model(name: str = "ridge") -> ForecastModel:
    frame = {"ridge": shops, "known": shops, "one": wave}[name](160)
    options: dict[str, Any] = {"time": "day", "horizon": 7, "candidates": ["seasonal-naive", "ridge"], "n_jobs": 1}
    options |= {} if name == "one" else {"group": "shop"}
    options |= {"known": "promotion"} if name == "known" else {}
    best = ho.audit(frame, "y", **options).best
    assert isinstance(best, ForecastModel)
    return best


def ahead(n: int = 160) -> pl.DataFrame:
    """The promotions of the week after the table."""
    return shops(n + 7).filter(pl.col("day") >= days(n + 1)[-1]).drop("y")


def test_the_next_horizon_of_every_series_comes_with_its_times() -> None:
    found = model().predict()
    assert found.columns == ["shop", "day", "prediction"]
    assert found["shop"].to_list() == ["s0"] * 7 + ["s1"] * 7 + ["s2"] * 7
    assert found["day"][:7].to_list() == days(167)[-7:].to_list()
    assert np.isfinite(found["prediction"].to_numpy()).all()


def test_the_whole_table_its_end_and_nothing_give_the_same_forecast() -> None:
    whole = model().predict(shops(160))
    assert whole.equals(model().predict())
    assert whole.equals(model().predict(shops(160).filter(pl.col("day") > days(150)[-1])))


def test_rows_that_go_on_are_put_after_those_the_model_keeps() -> None:
    longer = shops(165)
    new = longer.filter(pl.col("day") > days(160)[-1])
    assert model().predict(new).equals(model().predict(longer))
    assert model().predict(new)["day"][0] == days(166)[-1]


def test_only_the_series_in_the_new_rows_are_forecast() -> None:
    found = model().predict(shops(160).filter(pl.col("shop") == "s1"))
    assert found["shop"].unique().to_list() == ["s1"]
    together = model().predict().filter(pl.col("shop") == "s1")["prediction"]
    # Sums over rows in another order differ in the last bit.
    np.testing.assert_allclose(found["prediction"], together, rtol=1e-12)


def test_a_gap_between_the_kept_rows_and_the_new_ones_is_a_gap() -> None:
    new = shops(170).filter(pl.col("day") > days(165)[-1])
    whole = shops(170).filter((pl.col("day") <= days(160)[-1]) | (pl.col("day") > days(165)[-1]))
    assert model().predict(new).equals(model().predict(whole))


def test_new_rows_count_where_they_differ_from_those_kept() -> None:
    higher = shops(160).with_columns(y=pl.col("y") + 100).filter(pl.col("day") > days(130)[-1])
    found, kept = model().predict(higher)["prediction"], model().predict()["prediction"]
    assert (found - kept).min() > 50  # type: ignore[operator]


def test_a_series_never_seen_is_forecast_from_its_own_rows_and_named() -> None:
    new = shops(100, 1).with_columns(shop=pl.lit("new"))
    found, notes = model().predict_with_notes(new)
    assert found.height == 7
    assert any("not seen when the model was fitted, forecast from its own rows: new" in note for note in notes)


def test_a_history_that_ends_long_before_the_new_rows_is_left_out_and_named() -> None:
    new = shops(500).filter(pl.col("day") > days(480)[-1])
    found, notes = model().predict_with_notes(new)
    assert found.height == 21
    assert any("too far from the rows the model keeps" in note for note in notes)


def test_the_interval_asked_for_is_as_wide_as_asked() -> None:
    narrow, wide = (model().predict(interval=width) for width in (0.5, 0.9))
    assert wide.columns == ["shop", "day", "prediction", "lower", "upper"]
    assert (wide["lower"] <= narrow["lower"]).all()
    assert (narrow["upper"] <= wide["upper"]).all()
    assert (narrow["lower"] < narrow["upper"]).all()


def test_the_interval_holds_about_as_many_later_values_as_it_says(seed: int) -> None:
    held = n = 0
    for k in range(40):
        truth = wave(217, seed=1000 * seed + k)
        found = model("one").predict(truth.head(210), interval=0.8)
        came = truth["y"].tail(7)
        held += int(((found["lower"] <= came) & (came <= found["upper"])).sum())
        n += 7
    # Observed, not promised: the values of one window hang together, so this is no test of a rate.
    assert 0.7 < held / n < 0.9


@pytest.mark.parametrize("interval", [0.0, -0.5, 0.99, 90.0])
def test_an_interval_that_is_none_is_refused(interval: float) -> None:
    with pytest.raises(InvalidInput, match=rf"at most 0\.95, got {interval:g}: try 0\.9"):
        model().predict(interval=interval)


def test_columns_known_in_advance_are_asked_for_and_taken_from_either_table() -> None:
    with pytest.raises(DataError, match=r"promotion are known in advance: give their values for the next 7 times"):
        model("known").predict()
    with pytest.raises(DataError, match=r"the future lacks 2021-06-10 .* of s0"):
        model("known").predict(future=ahead(161))
    found = model("known").predict(future=ahead())
    together = pl.concat([shops(160), ahead().with_columns(y=pl.lit(None, pl.Float64)).select(shops(1).columns)])
    assert model("known").predict(together).equals(found)
    assert model("known").predict(shops(160), future=ahead()).equals(found)


def test_rows_without_a_target_are_told_and_none_at_all_is_refused() -> None:
    frame = shops(163).with_columns(y=pl.when(pl.col("day") > days(160)[-1]).then(None).otherwise(pl.col("y")))
    found, notes = model().predict_with_notes(frame)
    assert found.equals(model().predict())
    assert "9 rows without a target: the forecast begins after the last one that has it" in notes
    with pytest.raises(DataError, match="'y' is missing in all 480 rows"):
        model().predict(shops(160).with_columns(y=pl.lit(None, pl.Float64)))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda f: f.drop("y"), SchemaMismatch, "lacks column 'y'"),
        (lambda f: f.with_columns(day=pl.int_range(pl.len())), SchemaMismatch, "'day': expected a date"),
        (lambda f: f.with_columns(y=pl.lit("many")), SchemaMismatch, "'y': expected a number, .* got 'many'"),
        (lambda f: pl.concat([f, f]), DataError, "times more than once"),
        (lambda f: f.with_columns(shop=pl.lit(None, pl.String)), DataError, "group 'shop' is missing"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(change: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        model().predict(change(shops(160)))


def test_another_step_is_refused_and_gaps_are_not() -> None:
    hourly = pl.datetime_range(pl.datetime(2021, 7, 1), pl.datetime(2021, 7, 3), "1h", eager=True)
    frame = pl.DataFrame({"shop": "s0", "day": hourly, "y": np.arange(float(len(hourly))), "size": 0.0})
    with pytest.raises(SchemaMismatch, match="fitted on steps of 1 day, the table has steps of 1 hour"):
        model().predict(frame)
    gaps = shops(160).filter(pl.int_range(pl.len()).over("shop") % 2 == 0)
    assert model().predict(gaps).height == 21


def test_forecasts_come_in_the_kind_of_frame_that_was_given() -> None:
    polars = model().predict(shops(160))
    frame = pd.DataFrame({s.name: s.to_list() for s in shops(160)})
    found = model().predict(frame)
    assert isinstance(found, pd.DataFrame)
    np.testing.assert_array_equal(found["prediction"], polars["prediction"])
    assert model().predict(shops(160).to_arrow())["prediction"].to_pylist() == polars["prediction"].to_list()


def test_a_file_is_read_as_the_table_was(tmp_path: Path) -> None:
    shops(160).write_csv(tmp_path / "new.csv")
    assert model().predict(tmp_path / "new.csv")["prediction"].equals(model().predict()["prediction"])


def test_values_outside_the_seen_range_and_columns_not_used_are_told() -> None:
    frame = shops(160).with_columns(y=pl.when(pl.int_range(pl.len()) == 5).then(999.0).otherwise(pl.col("y")))
    _, notes = model().predict_with_notes(frame)
    assert "y: outside range in 1 row (999)" in notes
    assert "columns that the model does not use: promotion, noise" in notes
    assert not any("day" in note for note in notes)


def test_a_model_keeps_the_last_rows_of_many_series_and_all_of_few() -> None:
    assert model().history.n_rows == 480
    from heldout.auditing import forecast_model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast_model, "_MOST_ROWS", 90)
        sequences = model().history
        cut = forecast_model.model_of(model().fitted, sequences, 7, model().schema).history
    n_kept = forecast_model.least_history(model().fitted, 7)
    assert cut.lengths.tolist() == [max(30, n_kept)] * 3
    assert np.array_equal(cut.count[cut.offsets[1:] - 1], sequences.count[sequences.offsets[1:] - 1])
