"""The summary fits a terminal, begins with the verdict and keeps what matters."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from heldout.errors import InvalidInput
from heldout.report import summary_text
from report.documents import SAMPLES


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_summary_fits_and_begins_with_the_verdict(sample: str, width: int) -> None:
    document = SAMPLES[sample]()
    lines = summary_text(document, width=width).split("\n")
    assert len(lines) <= 25
    assert max(map(len, lines)) <= width
    verdict = " ".join(lines[: lines.index("")])
    assert verdict == document["verdict"]


def many_candidates() -> dict[str, Any]:
    document = SAMPLES["regression"]()
    extra = [
        document["candidates"][1]
        | {"name": f"mine {k}", "label": f"a learner of mine, number {k}", "error": 2.0 + k / 99}
        for k in range(40)
    ]
    document["candidates"] += extra
    document["advice"] *= 9
    return document


def test_many_candidates_are_cut_but_the_winner_and_the_baseline_stay() -> None:
    text = summary_text(many_candidates())
    assert len(text.split("\n")) <= 25
    assert "> forest" in text
    assert "predicting the mean " in text
    assert re.search(r"and \d+ more in report.html", text)


def test_every_number_of_the_table_comes_from_report_json() -> None:
    document = SAMPLES["vowel"]()
    table = summary_text(document).split("\n\n")[1].split("\n")[1:]
    for line, name in zip(table, ["forest", "boosting", "logistic", "majority", "k-nn", "tree"], strict=True):
        one = next(c for c in document["candidates"] if c["name"] == name)
        error, low, high = (
            (document["winner"] if name == "forest" else one)[key] for key in ("error", "ci_low", "ci_high")
        )
        wanted = f"{error:.2f} {low:.2f} to {high:.2f} {one['training_error']:.2f} {100 * one['accuracy']:.0f} %"
        assert " ".join(line.split()).endswith(wanted)


def test_both_splits_and_the_advice_are_there() -> None:
    text = summary_text(SAMPLES["vowel"]())
    assert "A random split would have promised 83 % right; whole groups (Speaker) held out,\nit is 55 %." in text
    assert "- Hold rows out as the verdict says" in text


def test_no_control_character_reaches_the_terminal() -> None:
    document = json.loads(json.dumps(SAMPLES["vowel"]()))
    document["candidates"][4]["label"] = "\x1b[2J\x07evil\nname"
    document["verdict"] = "Rows\x1b[31m"
    text = summary_text(document)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_the_summary_is_written_in_signs_of_old_terminals() -> None:
    document = SAMPLES["vowel"]()
    document["candidates"][3]["label"] = "a very long name of a candidate that somebody brought along with him"
    document["candidates"][3]["ci_low"] = -1.5
    summary_text(document).encode("cp1252")


def test_a_document_with_nothing_but_a_verdict_is_summed_up() -> None:
    assert summary_text({"verdict": "No signal."}) == "No signal."
    assert summary_text({}) == "No verdict."


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(InvalidInput, match="got int"):
        summary_text(3)  # type: ignore[arg-type]
