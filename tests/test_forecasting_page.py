"""What docs/forecasting.md says of candidates and metrics is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from heldout.auditing.forecast_metrics import FORECAST_METRICS
from heldout.auditing.forecast_route import FORECASTERS

PAGE = Path(__file__).parents[1] / "docs" / "forecasting.md"


def test_every_candidate_and_every_metric_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert table == list(FORECASTERS)
    for name in FORECAST_METRICS:
        assert f"`{name}`" in page or name == "rmse" or f"metric {name}" in page
