"""docs/attention.md says what is so: its matrices move, its maps find the planted lag, its printed block is a run's."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("torch, an extra, is not installed", allow_module_level=True)

from heldout.sequence.torch_state import torch_as_found

PAGE = Path(__file__).parents[1] / "docs" / "attention.md"
ROW = re.compile(r"^ +(\d+) +(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+)$", re.MULTILINE)
LAG = re.compile(r"(\d+): (\d\.\d\d)")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the page's blocks one after the other, as a reader would."""
    import matplotlib as mpl

    mpl.use("agg")
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, torch_as_found(1), redirect_stdout(printed):
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks("python"):
            exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - the blocks are ours
    yield printed.getvalue(), names
    import matplotlib.pyplot as plt

    plt.close("all")


def rows(text: str) -> dict[int, list[float]]:
    """Return loss and changes of W_Q, W_K, W_V by step."""
    return {int(step): [float(number) for number in numbers] for step, *numbers in ROW.findall(text)}


def by_lag(text: str) -> dict[int, float]:
    return {int(lag): float(weight) for lag, weight in LAG.findall(text.partition("by lag:")[2])}


def test_every_matrix_moves_at_every_step(run: tuple[str, dict[str, Any]]) -> None:
    found = rows(run[0])
    assert list(found) == [1, 40, 80, 120, 160, 200]
    assert all(change > 0 for numbers in found.values() for change in numbers[1:])
    assert found[200][0] < 0.2 * found[1][0]


def test_attention_is_learned_where_the_answer_is(run: tuple[str, dict[str, Any]]) -> None:
    weights = by_lag(run[0])
    assert max(weights, key=lambda lag: weights[lag]) == 3
    assert weights[3] > 0.4


def test_the_block_printed_is_that_of_a_run(run: tuple[str, dict[str, Any]]) -> None:
    (shown,) = blocks("text")
    assert shown.splitlines()[0] == run[0].splitlines()[0]
    found, told = rows(run[0]), rows(shown)
    assert list(found) == list(told)
    # Sums are added in another order by other versions of torch, and training carries that on.
    for step, numbers in told.items():
        assert found[step] == pytest.approx(numbers, rel=0.25, abs=0.01), step
    assert by_lag(run[0]) == pytest.approx(by_lag(shown), abs=0.1)


def test_the_maps_show_the_planted_lag_and_the_test_that_it_matters(run: tuple[str, dict[str, Any]]) -> None:
    names = run[1]
    profile = names["profile"]
    assert profile.unit.words(profile.peak) == "5 hours"
    assert profile.weight.max() > 3 * profile.even.max()
    assert names["maps"].variables().reason == "there is one variable"
    assert names["maps"].times.words[0] == "8 hours before the origin"
    assert names["test"].explanatory
    assert names["test"].sentence in " ".join(names["display"].ax_.get_title(loc="left").split())


def test_the_measured_rate_is_the_one_in_the_log_of_the_test() -> None:
    source = (PAGE.parents[1] / "tests" / "sequence" / "test_deletion.py").read_text("utf-8")
    assert "13 / 400" in source
    assert "13 of 400" in PAGE.read_text("utf-8")
