"""Each figure draws the numbers of report.json, and refuses to draw what it cannot."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from heldout.errors import InvalidInput
from heldout.report.displays import (
    CandidatesDisplay,
    ConfusionDisplay,
    DifferencesDisplay,
    Display,
    OptimismDisplay,
    OrderDisplay,
    PartsDisplay,
    PredictionsDisplay,
)
from report.documents import SAMPLES

ALL = (
    CandidatesDisplay,
    ConfusionDisplay,
    DifferencesDisplay,
    OptimismDisplay,
    OrderDisplay,
    PartsDisplay,
    PredictionsDisplay,
)


def drawn(kind: type[Display], document: dict[str, Any]) -> Any:
    return kind.from_result(document).plot(Figure().add_subplot())


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_figure_is_drawn_or_says_why_not(kind: type[Display], sample: str) -> None:
    document = SAMPLES[sample]()
    display = kind.from_result(document)
    why = display.missing()
    if why is None:
        display.plot(Figure().add_subplot())
        assert display.ax_.figure is display.figure_
        assert display.title
        assert display.description()
        assert display.height() > 0
    else:
        with pytest.raises(InvalidInput, match=f"{kind.__name__} cannot be drawn"):
            display.plot()


def test_without_axes_a_pyplot_figure_is_made() -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt

    display = OptimismDisplay.from_result(SAMPLES["vowel"]()).plot()
    assert plt.fignum_exists(display.figure_.number)
    plt.close(display.figure_)


def test_an_audit_is_taken_as_well_as_its_document() -> None:
    class Audit:
        def to_dict(self) -> dict[str, Any]:
            return SAMPLES["vowel"]()

    assert CandidatesDisplay.from_result(Audit()).document["verdict"] == SAMPLES["vowel"]()["verdict"]


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(InvalidInput, match="got str"):
        CandidatesDisplay.from_result("report.json")


def test_the_reason_of_report_json_is_given_where_the_splits_were_not_compared() -> None:
    with pytest.raises(InvalidInput, match="interrupted before the random split"):
        OptimismDisplay.from_result(SAMPLES["no_signal"]()).plot()


def test_candidates_stand_at_their_errors_and_the_winner_at_its_corrected_one() -> None:
    document = SAMPLES["vowel"]()
    display = drawn(CandidatesDisplay, document)
    points = [line.get_xdata()[0] for line in display.ax_.lines if line.get_marker() in ("o", "D")]
    wanted = {one["error"] for one in document["candidates"] if one["name"] != "forest"}
    wanted |= {one["training_error"] for one in document["candidates"]} | {document["winner"]["error"]}
    assert set(points) == wanted
    intervals = {tuple(line.get_xdata()) for line in display.ax_.lines if len(line.get_xdata()) == 2}
    assert (document["winner"]["ci_low"], document["winner"]["ci_high"]) in intervals
    assert display.order()[0] == 4


def test_candidates_without_an_interval_have_no_line_and_indicative_ones_are_dotted() -> None:
    no_lines = drawn(CandidatesDisplay, SAMPLES["no_signal"]())
    drawn_lines = [line for line in no_lines.ax_.lines if len(set(line.get_xdata())) == 2]
    assert drawn_lines == []
    dotted = drawn(CandidatesDisplay, SAMPLES["time_ordered"]())
    lines = [line for line in dotted.ax_.lines if len(set(line.get_xdata())) == 2]
    assert {line.get_linestyle() for line in lines} == {":"}


def test_more_accurate_candidates_stand_first() -> None:
    document = SAMPLES["vowel"]()
    for one in document["candidates"]:
        one |= {"metric": "accuracy", "metric_label": "accuracy", "error": one["accuracy"]}
    document["winner"] |= {"metric": "accuracy", "error": 0.5473}
    order = CandidatesDisplay.from_result(document).order()
    assert [document["candidates"][k]["name"] for k in order][:2] == ["forest", "boosting"]


@pytest.mark.parametrize("sample", ["regression", "vowel", "time_ordered"])
def test_the_parts_of_each_bar_sum_to_the_expected_loss(sample: str) -> None:
    document = SAMPLES[sample]()
    display = drawn(PartsDisplay, document)
    bars: dict[float, float] = {}
    for patch in display.ax_.patches:
        row = round(patch.get_y() + patch.get_height() / 2, 6)
        bars[row] = bars.get(row, 0.0) + patch.get_width()
    wanted = [document["candidates"][k]["expected_loss"] for k in display.order()]
    np.testing.assert_allclose([bars[y] for y in sorted(bars, reverse=True)], wanted, rtol=1e-12)


def test_a_negative_part_is_drawn_left_of_nought_and_the_axis_shows_it() -> None:
    display = drawn(PartsDisplay, SAMPLES["regression"]())
    negative = [patch for patch in display.ax_.patches if patch.get_width() < 0]
    assert len(negative) == 1
    assert display.ax_.get_xlim()[0] < negative[0].get_x() + negative[0].get_width() < 0.0


def test_bars_start_at_nought_and_whiskers_are_not_cut_off() -> None:
    display = drawn(PartsDisplay, SAMPLES["vowel"]())
    low, high = display.ax_.get_xlim()
    assert low <= 0.0
    for line in display.ax_.lines:
        assert low <= min(line.get_xdata())
        assert max(line.get_xdata()) <= high


def test_unresolved_is_hatched() -> None:
    display = drawn(PartsDisplay, SAMPLES["vowel"]())
    rows = len(display.order())
    assert sum(bool(patch.get_hatch()) for patch in display.ax_.patches) == rows


@pytest.mark.parametrize(
    ("sample", "values"), [("vowel", (0.8323, 0.5473)), ("time_ordered", (68.0, 171.9))], ids=["accuracy", "error"]
)
def test_the_two_splits_are_bars_from_nought(sample: str, values: tuple[float, float]) -> None:
    display = drawn(OptimismDisplay, SAMPLES[sample]())
    assert tuple(patch.get_width() for patch in display.ax_.patches) == values
    assert {patch.get_x() for patch in display.ax_.patches} == {0.0}
    assert display.ax_.get_xlim()[0] == 0.0


def test_differences_leave_the_winner_out_and_fill_only_what_is_told_apart() -> None:
    document = SAMPLES["regression"]()
    display = drawn(DifferencesDisplay, document)
    assert "forest" not in [document["differences"][k]["name"] for k in display.order()]
    dots = [line for line in display.ax_.lines if line.get_marker() == "o"]
    filled = [line.get_markerfacecolor() == line.get_color() for line in dots]
    assert filled == [False, True, True, True, True]


def test_predictions_are_drawn_against_observations_on_equal_axes() -> None:
    document = SAMPLES["regression"]()
    display = drawn(PredictionsDisplay, document)
    dots = next(line for line in display.ax_.lines if line.get_marker() == "o")
    assert list(dots.get_xdata()) == document["predictions"]["y"]
    assert list(dots.get_ydata()) == document["predictions"]["x"]
    assert display.ax_.get_xlim() == display.ax_.get_ylim()


def test_at_most_2000_points_are_drawn_and_nulls_are_left_out() -> None:
    document = SAMPLES["regression"]()
    document["predictions"] |= {"x": [1.0, None, *range(9000)], "y": [1.5, 2.0, *range(9000)]}
    predicted, observed = PredictionsDisplay.from_result(document).points()
    assert len(predicted) == len(observed) <= 2000
    assert None not in observed


def test_one_value_only_is_still_a_figure() -> None:
    document = SAMPLES["regression"]()
    document["predictions"] |= {"x": [3.0], "y": [3.0]}
    assert drawn(PredictionsDisplay, document).ax_.get_xlim()[0] < 3.0


def test_the_twelve_classes_with_the_most_mistakes_are_drawn_of_a_hundred() -> None:
    document = SAMPLES["vowel"]()
    counts = np.diag([50] * 100)
    confused = [3, 7, 8, 15, 20, 31, 44, 45, 60, 77, 80, 99]
    for i, j in zip(confused, confused[1:] + confused[:1], strict=True):
        counts[i, j] = 9
    document["predictions"] |= {"classes": [str(k) for k in range(100)], "counts": counts.tolist()}
    assert ConfusionDisplay.from_result(document).classes() == confused


def test_every_count_of_the_confusion_is_written_in_its_cell() -> None:
    document = SAMPLES["vowel"]()
    display = drawn(ConfusionDisplay, document)
    written = {(text.xy[0] - 0.5, text.xy[1] - 0.5): text.get_text() for text in display.ax_.texts}
    counts = document["predictions"]["counts"]
    wanted = {(float(j), float(i)): str(counts[i][j]) for i in range(11) for j in range(11) if counts[i][j]}
    assert written == wanted


def test_only_correlations_share_the_axis_of_the_findings() -> None:
    document = SAMPLES["time_ordered"]()
    order = OrderDisplay.from_result(document).order()
    assert [document["iid"]["findings"][k]["statistic"] for k in order] == ["lag 1", "trend"]


def test_harmless_findings_are_hollow() -> None:
    display = drawn(OrderDisplay, SAMPLES["vowel"]())
    dots = [line for line in display.ax_.lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() != line.get_color() for line in dots] == [True, False, False, False]


def test_a_dollar_sign_in_a_name_is_no_formula() -> None:
    document = SAMPLES["vowel"]()
    for one in document["candidates"]:
        one["label"] = r"$\frac{broken$"
    figure = drawn(CandidatesDisplay, document).figure_
    figure.canvas.draw()
