"""The examples of docs/forecasting.md run, and what the page says of candidates is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heldout.auditing.forecast_metrics import FORECAST_METRICS
from heldout.auditing.forecast_route import FORECASTERS

PAGE = Path(__file__).parents[1] / "docs" / "forecasting.md"


def test_the_example_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 6, 1), "1d", eager=True)
    rng = np.random.default_rng(0)
    parts = [pl.DataFrame({"shop": shop, "day": day, "sold": 9 + rng.normal(size=len(day))}) for shop in "ab"]
    pl.concat(parts).write_csv(tmp_path / "sales.csv")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(example, {})  # noqa: S102 - our own page
    assert (tmp_path / "report" / "model.heldout").exists()


def test_every_candidate_and_every_metric_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert table == list(FORECASTERS)
    for name in FORECAST_METRICS:
        assert f"`{name}`" in page or name == "rmse" or f"metric {name}" in page
