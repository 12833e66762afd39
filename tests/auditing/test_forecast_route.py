from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

import heldout as ho
from heldout.auditing.forecast_route import asks_for_forecast, holds_numbers
from heldout.auditing.request import load_table
from heldout.errors import DataError, InvalidInput

from .small_series import asked, shops, wave


@pytest.mark.parametrize(
    ("options", "candidates", "forecasts"),
    [
        ({}, None, True),
        ({"deploy": "future"}, None, True),
        ({"time": []}, None, False),
        ({"horizon": 0}, None, False),
        ({"task": "classification"}, None, False),
        ({"deploy": "same"}, None, False),
        ({}, ["seasonal-naive"], True),
        ({}, "seasonal-naive,ridge", True),
        ({}, ["attention"], True),
        ({}, ["ridge"], False),
        ({}, ["forest", "ridge"], False),
        ({}, ["package.module:estimator"], False),
        ({}, [("mine", LinearRegression())], False),
        ({"known": ["promotion"]}, ["ridge"], True),
        ({"known": ["promotion"]}, ["forest"], False),
    ],
)
def test_time_and_horizon_ask_for_forecasts_unless_the_candidates_are_those_of_tables(
    options: dict[str, Any], candidates: Any, forecasts: bool
) -> None:
    assert asks_for_forecast(asked(**options), candidates) is forecasts


@pytest.mark.parametrize("other", ["forest", ("mine", LinearRegression())])
def test_candidates_of_both_kinds_are_refused(other: Any) -> None:
    name = other if isinstance(other, str) else other[0]
    with pytest.raises(InvalidInput, match=f"'seasonal-naive' forecasts series and '{name}' does not"):
        asks_for_forecast(asked(), ["seasonal-naive", other])


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([0.5, 1.5, 2.5] * 10, True),
        ([0, 1] * 15, False),
        (["a", "b", "c"] * 10, False),
        ([None] * 30, True),
        ([7.0] * 30, True),
    ],
)
def test_only_a_target_that_is_a_number_is_forecast(values: list[Any], numbers: bool) -> None:
    table = load_table(pl.DataFrame({"day": range(30), "y": values}), None)
    assert holds_numbers(table, asked()) is numbers


def test_a_target_that_is_not_there_is_left_to_the_audit_of_the_table() -> None:
    table = load_table(wave(), None)
    assert not holds_numbers(table, asked(target="z"))
    with pytest.raises(DataError, match="no target column 'z'"):
        ho.audit(wave(), "z", time="day", horizon=7)


def test_classes_are_audited_as_a_table_as_before() -> None:
    frame = wave(60).with_columns(y=pl.Series([0, 1, 1] * 20), x=pl.col("y"))
    audit = ho.audit(frame, "y", time="day", horizon=2, candidates=["tree"], time_budget=0.5, n_jobs=1)
    assert "forecast" not in audit.document
    assert audit.document["data"]["task"] == "classification"


def test_named_candidates_of_tables_keep_the_audit_of_a_table() -> None:
    frame = wave(60).with_columns(x=pl.col("y").shift(1, fill_value=20.0))
    audit = ho.audit(frame, "y", time="day", horizon=2, candidates=["ridge"], time_budget=0.5, n_jobs=1)
    assert "forecast" not in audit.document
    assert audit.document["split"]["gap"] == 2


def test_known_columns_are_refused_where_nothing_is_forecast() -> None:
    with pytest.raises(InvalidInput, match="known column 'promotion': only forecasts"):
        ho.audit(shops(30), "y", group="shop", known="promotion")


def test_forecasts_take_no_test_table_and_no_weights() -> None:
    with pytest.raises(InvalidInput, match=r"test 'later\.csv': forecasts take no test table"):
        ho.audit(wave(), "y", time="day", horizon=7, test="later.csv")
    with pytest.raises(InvalidInput, match="weight 'noise': forecasts take no row weights"):
        ho.audit(shops(30), "y", time="day", group="shop", horizon=7, weight="noise")
