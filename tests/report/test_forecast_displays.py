"""Figures and sentences of forecasts draw and say what report.json holds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from heldout.errors import InvalidInput
from heldout.report import render_html, summary_text
from heldout.report.displays import Display, ForecastDisplay, HorizonErrorDisplay
from heldout.report.displays.horizon_error import apart
from report.documents import SAMPLES
from report.page_reader import Page


def drawn(display: Display) -> Any:
    return display.plot(Figure().add_subplot())


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("kind", [ForecastDisplay, HorizonErrorDisplay])
def test_a_figure_is_drawn_or_says_why_not(kind: Any, sample: str) -> None:
    display = kind.from_result(SAMPLES[sample]())
    why = display.missing()
    if why is None:
        drawn(display)
        assert display.title
        assert display.description()
    else:
        with pytest.raises(InvalidInput, match=f"{kind.__name__} cannot be drawn"):
            display.plot()


def test_history_forecast_interval_and_what_came_are_those_of_the_report() -> None:
    document = SAMPLES["forecast"]()
    example = document["forecast"]["examples"][0]
    display = drawn(ForecastDisplay.from_result(document))
    by_label = {line.get_label(): line for line in display.ax_.lines}
    assert by_label["known"].get_ydata().tolist() == example["history"]
    assert by_label["known"].get_xdata()[-1] == 0
    assert by_label["forecast and its interval"].get_ydata().tolist() == example["prediction"]
    assert by_label["what came"].get_ydata().tolist() == example["actual"]
    assert by_label["what came"].get_xdata()[0] == 1
    (band,) = display.ax_.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (min(example["low"]), max(example["high"]))


def test_missing_values_of_a_series_are_gaps() -> None:
    display = drawn(ForecastDisplay.from_result(SAMPLES["forecast"](), 1))
    by_label = {line.get_label(): line for line in display.ax_.lines}
    assert np.isnan(by_label["known"].get_ydata()[0])
    assert np.isnan(by_label["what came"].get_ydata()[0])


def test_an_example_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="there is no example 7 of a forecast"):
        ForecastDisplay.from_result(SAMPLES["forecast"](), 7).plot()


@pytest.mark.parametrize("narrow", [False, True])
def test_the_times_written_are_those_of_the_ends_and_of_the_origin_where_it_has_room(narrow: bool) -> None:
    document = SAMPLES["forecast"]()
    display = ForecastDisplay.from_result(document)
    display.narrow = narrow
    drawn(display)
    said = [label.get_text() for label in display.ax_.get_xticklabels()]
    example = document["forecast"]["examples"][0]
    assert {said[0], said[-1]} == {example["start"], example["end"]}
    assert (example["origin"] in said) is not narrow


def test_lines_of_the_error_by_step_start_at_step_one_and_the_axis_at_nought() -> None:
    document = SAMPLES["forecast"]()
    display = drawn(HorizonErrorDisplay.from_result(document))
    lines = document["forecast"]["by_step"]["lines"]
    for line, said in zip(display.ax_.lines, lines, strict=False):
        assert line.get_ydata() == pytest.approx(said["error"])
        assert line.get_xdata()[0] == 1
    assert display.ax_.get_ylim()[0] == 0.0
    assert {text.get_text() for text in display.ax_.texts} == {line["label"] for line in lines}


@pytest.mark.parametrize("heights", [[0.5, 0.5, 0.5], [0.98, 0.99, 1.0], [0.1, 0.9], [0.3], [0.0, 0.02, 0.9, 0.91]])
def test_names_stand_apart_in_the_order_of_their_lines(heights: list[float]) -> None:
    placed = apart(heights, 0.1)
    order = np.argsort(heights, kind="stable")
    gaps = np.diff(np.array(placed)[order])
    assert (gaps >= 0.1 - 1e-12).all()
    assert max(placed) <= 1.0 + 1e-12


def test_the_page_of_a_forecast_has_its_sections_and_none_of_parts() -> None:
    page = render_html(SAMPLES["forecast"]())
    for section in ("forecasts", "steps", "attention", "candidates", "next"):
        assert f'<section id="{section}">' in page
    assert '<section id="parts">' not in page
    headings = Page(page).headings
    assert "Forecasts of the next 12 hours : the 90 % intervals held 86 % of the values that came." in headings
    assert SAMPLES["forecast"]()["verdict_parts"]["shortfall"] in headings
    assert '<section id="forecasts">' not in render_html(SAMPLES["regression"]())


def test_why_attention_was_not_tried_is_the_heading_of_its_section() -> None:
    document = SAMPLES["naive_forecast"]()
    headings = Page(render_html(document)).headings
    assert any(one.startswith("Attention was not tried: attention was left out: torch is needed") for one in headings)
    assert '<section id="steps">' not in render_html(document)


def test_a_figure_of_attention_that_explains_nothing_is_stamped() -> None:
    page = render_html(SAMPLES["forecast"]())
    assert "not explanatory" in re.sub(r"<[^>]*>", "", page)


def test_the_terminal_has_no_column_for_an_error_on_training_rows() -> None:
    text = summary_text(SAMPLES["forecast"]())
    assert "training" not in text
    assert "> attention" in text
    assert "training" in summary_text(SAMPLES["regression"]())
