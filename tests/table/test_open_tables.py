from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heldout.table import prepare, read_table

TABLES = (
    "iid/airfare",
    "iid/bike_hourly",
    "iid/storms",
    "iid/vowel",
    "tabular/abalone",
    "tabular/german_credit",
    "tabular/hotel_rates",
    "tabular/hypothyroid",
    "tabular/lending_club",
    "tabular/mushroom",
    "tabular/soybean",
    "tabular/telco_churn",
    "tabular/titanic",
)


@pytest.mark.parametrize("name", TABLES)
def test_an_open_table_reads_from_csv_as_from_parquet(open_data: Path, tmp_path: Path, name: str):
    parquet = open_data / f"{name}.parquet"
    csv = tmp_path / "table.csv"
    pl.read_parquet(parquet).write_csv(csv)
    from_csv, from_parquet = read_table(csv), read_table(parquet)
    assert from_csv.schema == from_parquet.schema
    assert from_csv.frame.equals(from_parquet.frame)


@pytest.mark.parametrize(
    ("name", "target", "task", "n_classes"),
    [
        ("iid/vowel", "Class", "classification", 11),
        ("tabular/abalone", "rings", "regression", 0),
        ("tabular/titanic", "Survived", "classification", 2),
        ("tabular/mushroom", "type", "classification", 2),
        ("tabular/nursery", "Class", "classification", 5),
        ("tabular/soybean", "class", "classification", 19),
        ("tabular/satimage", "class", "classification", 6),
        ("iid/bike_hourly", "cnt", "regression", 0),
        ("iid/storms", "wind", "regression", 0),
    ],
)
def test_the_task_of_an_open_table_is_what_its_makers_say(open_data: Path, name, target, task, n_classes):
    data = prepare(read_table(open_data / f"{name}.parquet"), target)
    assert (data.target.task, len(data.target.classes)) == (task, n_classes)


@pytest.mark.parametrize(
    ("name", "target", "time", "step"),
    [
        ("iid/bike_hourly", "cnt", ["dteday", "hr"], 3600.0),
        ("iid/beijing_pm25", "pm2.5", ["year", "month", "day", "hour"], 3600.0),
    ],
)
def test_hourly_tables_have_hourly_times(open_data: Path, name, target, time, step):
    data = prepare(read_table(open_data / f"{name}.parquet"), target, time=time)
    assert data.time is not None
    steps = np.diff(data.time)
    assert np.median(steps) == step
    assert np.all(steps > 0)


def test_the_row_counter_of_beijing_is_doubted_and_rows_without_target_are_counted(open_data: Path):
    data = prepare(read_table(open_data / "iid/beijing_pm25.parquet"), "pm2.5")
    assert data.n_target_missing == data.n_rows_read - data.n_rows > 0
    assert data.n_rows_read == 43_824
