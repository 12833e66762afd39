"""Verdicts on open tables against answers that were written down before the first run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from heldout.iid import IIDReport, check

from statistical import assert_rate

EXPECTED = json.loads((Path(__file__).parent / "expected_verdicts.json").read_text())["tables"]
KIND = {"random": "plain", "stratified": "plain"}


def report_on(folder: Path, expected: dict[str, Any]) -> IIDReport:
    frame = pl.read_parquet(folder / f"{expected['name']}.parquet")
    about = json.loads((folder / f"{expected['name']}.json").read_text())
    frame = frame.drop_nulls(about["target"])
    groups = times = None
    dropped = set(about["drop_or_leak"] or ()) | {about["target"]}
    if "group" in expected:
        groups = frame.select(
            pl.concat_str([pl.col(c).cast(pl.String) for c in expected["group"]], separator=" | ")
        ).to_series()
        dropped |= set(expected["group"])
    if "time" in expected:
        parts = frame.select(pl.col(c).cast(pl.Float64) for c in expected["time"]).to_numpy()
        times = parts @ (1000.0 ** np.arange(parts.shape[1])[::-1])
        dropped |= set(expected["time"])
    task = "regression" if about["task"] == "regression" else "classification"
    y = frame[about["target"]]
    X = frame.drop([c for c in frame.columns if c in dropped])
    return check(
        X,
        y.to_numpy() if task == "regression" else y.cast(pl.String).to_numpy(),
        groups=groups, order="rows" if times is None else times, task=task, target_name=about["target"],
        group_name=expected.get("group", ["group"])[0], n_jobs=1,
    )  # fmt: skip


def is_right(report: IIDReport, expected: dict[str, Any]) -> bool:
    answers = {
        "scheme": KIND.get(report.choice.scheme, report.choice.scheme),
        "rejected": report.rejected,
        "harmless": report.order_harmless,
        "sorted_by": report.sorted_by,
    }
    return all(expected[key] is None or expected[key] == answer for key, answer in answers.items())


@pytest.mark.slow
def test_verdicts_on_open_tables_agree_with_the_answers_written_down_before(open_data: Path) -> None:
    right = 0
    for expected in EXPECTED:
        report = report_on(open_data, expected)
        right += is_right(report, expected)
        print(
            f"\n{'right' if is_right(report, expected) else 'WRONG'} {expected['name']}: p {report.global_p_value}, "
            f"{report.choice.scheme}, sorted by {report.sorted_by}, harmless {report.order_harmless}, "
            f"{report.seconds:.1f} s\n    {report.verdict}"
        )
    assert_rate("open tables judged as written down before", right, len(EXPECTED), at_least=0.8)
