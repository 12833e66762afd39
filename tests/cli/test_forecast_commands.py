"""From a CSV of series to a report, a model and the next horizon, on the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

QUICK = ("--candidates", "seasonal-naive,ridge", "--threads", "1")


def sales(n: int = 160) -> pl.DataFrame:
    """Two shops, a week in their sales, promotions known in advance."""
    parts = []
    first = pl.datetime(2024, 1, 1)
    for k, shop in enumerate(("north", "south")):
        rng = np.random.default_rng([11, k])
        promotion = rng.integers(0, 2, 1000)[:n]
        noise = rng.normal(size=1000)[:n]
        sold = 20 + 5 * k + 3 * promotion + 4 * np.sin(2 * np.pi * np.arange(n) / 7) + noise
        day = pl.date_range(first, first + pl.duration(days=n - 1), "1d", eager=True).dt.date()
        parts.append(pl.DataFrame({"shop": shop, "day": day, "promotion": promotion, "sold": sold.round(3)}))
    return pl.concat(parts)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    sales().write_csv(tmp_path / "sales.csv")
    return tmp_path / "sales.csv"


@pytest.fixture
def audited(table: Path, heldout: Callable[..., Any]) -> Path:
    out = table.parent / "out"
    done = heldout("audit", table, *asked(), "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith("Rows are not independent")
    return out


def asked(**changes: str) -> list[str]:
    options = {"--target": "sold", "--time": "day", "--group": "shop", "--horizon": "7"} | changes
    return [word for pair in options.items() for word in pair] + list(QUICK)


def test_an_audit_writes_report_numbers_and_model(audited: Path) -> None:
    assert {path.name for path in audited.iterdir()} == {"report.html", "report.json", "model.heldout"}
    document = json.loads((audited / "report.json").read_text("utf-8"))
    assert document["forecast"]["horizon"] == 7
    assert "forecasts the next 7 days with RMSE" in document["verdict"]
    page = (audited / "report.html").read_text("utf-8")
    assert document["verdict"] in page
    assert len(page.encode()) < 500_000


def test_predict_gives_the_next_horizon_of_the_series_in_the_file(
    audited: Path, table: Path, heldout: Callable[..., Any]
) -> None:
    model = audited / "model.heldout"
    new = table.parent / "new.csv"
    rows = sales(164).filter((pl.col("shop") == "south") & (pl.col("day") > pl.date(2024, 6, 8)))
    rows.drop("promotion").write_csv(new)
    done = heldout("predict", model, new, "--interval", "0.9")
    assert done.code == 0, done.err
    found = pl.read_csv(io.StringIO(done.out), try_parse_dates=True)
    assert found.columns == ["shop", "day", "prediction", "lower", "upper"]
    assert found["shop"].to_list() == ["south"] * 7
    assert str(found["day"][0]) == "2024-06-13"
    assert ((found["lower"] < found["prediction"]) & (found["prediction"] < found["upper"])).all()
    assert done.err == ""


def test_predict_tells_of_a_series_never_seen_and_writes_files(
    audited: Path, table: Path, heldout: Callable[..., Any]
) -> None:
    new, out = table.parent / "new.csv", table.parent / "next.parquet"
    sales().with_columns(shop=pl.lit("east")).unique("day", maintain_order=True).write_csv(new)
    done = heldout("predict", audited / "model.heldout", new, "--out", out)
    assert done.code == 0, done.err
    assert done.out == ""
    assert "not seen when the model was fitted, forecast from its own rows: east" in done.err
    assert pl.read_parquet(out).height == 7


def test_columns_known_in_advance_come_from_a_second_file(table: Path, heldout: Callable[..., Any]) -> None:
    out = table.parent / "out"
    assert heldout("audit", table, *asked(), "--known", "promotion", "--out", out).code == 0
    ahead = table.parent / "ahead.csv"
    sales(167).filter(pl.col("day") > pl.date(2024, 6, 8)).drop("sold").write_csv(ahead)
    done = heldout("predict", out / "model.heldout", table, "--future", ahead)
    assert done.code == 0, done.err
    assert pl.read_csv(io.StringIO(done.out)).height == 14


def test_known_columns_without_their_future_get_one_line(
    table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    out = table.parent / "out"
    assert heldout("audit", table, *asked(), "--known", "promotion", "--out", out).code == 0
    is_one_line(heldout("predict", out / "model.heldout", table), "promotion", "known in advance", "next 7 times")


def test_a_model_of_rows_takes_no_interval_and_no_future(
    table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    out = table.parent / "out"
    done = heldout(
        "audit", table, "--target", "sold", "--drop", "day", "--candidates", "ridge", "--time-budget", "0.3",
        "--threads", "1", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    model = out / "model.heldout"
    is_one_line(heldout("predict", model, table, "--interval", "0.9"), "--interval 0.9", "predicts rows")
    is_one_line(heldout("predict", model, table, "--future", table), "--future", "predicts rows")


@pytest.mark.parametrize("interval", ["0", "0.99", "90"])
def test_an_interval_that_is_none_gets_one_line(
    interval: str, audited: Path, table: Path, heldout: Callable[..., Any], is_one_line: Callable[..., None]
) -> None:
    is_one_line(heldout("predict", audited / "model.heldout", table, "--interval", interval), interval, "try 0.9")


def test_a_random_walk_fails_on_the_baseline(tmp_path: Path, heldout: Callable[..., Any]) -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=400)).round(3)
    pl.DataFrame({"t": range(400), "y": walk}).write_csv(tmp_path / "walk.csv")
    done = heldout(
        "audit", tmp_path / "walk.csv", "--target", "y", "--time", "t", "--horizon", "5", "--candidates",
        "drift,ridge", "--threads", "1", "--out", tmp_path / "out", "--fail-on", "iid,baseline",
    )  # fmt: skip
    assert done.code == 1
    assert "The last value suffices for the next 5 steps" in " ".join(done.out.split())
    assert "--fail-on baseline: no candidate was shown to beat the last value" in done.err
    assert "--fail-on iid" not in done.err


def test_the_plan_of_a_report_is_repeated_to_the_same_numbers(
    audited: Path, table: Path, heldout: Callable[..., Any]
) -> None:
    again = table.parent / "again"
    done = heldout("audit", table, *asked(), "--plan", audited / "report.json", "--out", again)
    assert done.code == 0, done.err
    one, other = (json.loads((folder / "report.json").read_text("utf-8")) for folder in (audited, again))
    for section in ("forecast", "winner", "differences", "predictions", "verdict"):
        assert one[section] == other[section]
    assert (audited / "model.heldout").read_bytes() == (again / "model.heldout").read_bytes()


def broken(tmp_path: Path, frame: pl.DataFrame) -> Path:
    frame.write_csv(tmp_path / "broken.csv")
    return tmp_path / "broken.csv"


@pytest.mark.parametrize(
    ("change", "options", "fragments"),
    [
        (lambda f: pl.concat([f, f.head(1)]), {}, ["north", "line 2", "line 322", "more than once"]),
        (lambda f: f.with_columns(pl.when(pl.int_range(320) == 3).then(None).otherwise("day").alias("day")), {},
         ["'day'", "missing", "line 5"]),
        (lambda f: f.with_columns(sold=pl.lit(None, pl.Float64)), {}, ["'sold'", "missing in all 320 rows"]),
        (lambda f: f.with_columns(sold=pl.lit(7.5)), {}, ["'sold'", "constant", "7.5"]),
        (lambda f: f, {"--horizon": "159"}, ["160 rows", "horizon of 159", "161"]),
        (lambda f: f, {"--metric": "accuracy"}, ["'accuracy'", "rmse, mse, mae, mase, wql"]),
        (lambda f: f, {"--weight": "promotion"}, ["weight 'promotion'", "no row weights"]),
        (lambda f: f, {"--known": "weather"}, ["no known column 'weather'"]),
        (lambda f: f, {"--test": "later.csv"}, ["later.csv", "append it"]),
        (lambda f: f, {"--candidates": "seasonal-naive,forest"}, ["'seasonal-naive'", "'forest'"]),
        (lambda f: f, {"--horizon": "-1"}, ["-1"]),
    ],
)  # fmt: skip
def test_series_that_cannot_be_forecast_get_one_line_and_leave_no_folder(
    change: Any, options: dict[str, str], fragments: list[str], tmp_path: Path, heldout: Callable[..., Any],
    is_one_line: Callable[..., None],
) -> None:  # fmt: skip
    path = broken(tmp_path, change(sales()))
    is_one_line(heldout("audit", path, *asked(**options), "--out", tmp_path / "out"), *fragments)
    assert not (tmp_path / "out").exists()


def test_a_horizon_of_nought_is_an_audit_of_the_table_as_before(table: Path, heldout: Callable[..., Any]) -> None:
    out = table.parent / "out"
    done = heldout(
        "audit", table, "--target", "sold", "--time", "day", "--candidates", "ridge", "--time-budget", "0.3",
        "--threads", "1", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "forecast" not in json.loads((out / "report.json").read_text("utf-8"))
