"""The figures of attention draw the numbers of its maps, and say so where these explain nothing."""

from __future__ import annotations

import copy
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from heldout.errors import InvalidInput
from heldout.report.displays import AttentionDisplay, Display, LagProfileDisplay, VariablesDisplay
from heldout.report.svg import draw_svg

ALL = (AttentionDisplay, LagProfileDisplay, VariablesDisplay)
SAID = "Not explanatory: hiding the most attended 20 % of the past is not shown to hurt more than random ones (0.01)."


def document() -> dict[str, Any]:
    """Return the section of two rows of three hours, after 24 tokens of the past."""
    first = [*range(-71, 0, 3), 1, 4]
    weights = np.linspace(0.01, 0.06, 26)
    lags = {
        "time": [3.0 * k for k in range(1, 26)],
        "weight": [0.01 + 0.05 * (k == 8) for k in range(1, 26)],
        "even": [1 / 26] * 25,
        "replica_spread": [0.005] * 25,
        "window_spread": [0.5] * 25,
        "register_share": 0.12,
        "future_share": 0.2,
        "unit": "hours",
        "peak": "24 hours",
        "peak_time": 24.0,
        "season": 24.0,
        "patch": "3 hours",
        "spread_over": "3 replicas",
    }
    table = {
        "weights": [(0.9 * weights / weights.sum()).tolist(), (0.8 * weights[::-1] / weights.sum()).tolist()],
        "registers": [0.1, 0.2],
        "row_first": [1, 4],
        "row_last": [3, 6],
        "first": first,
        "last": [step + 2 for step in first],
        "n_past": 24,
        "size": 1.0,
        "unit": "hours",
    }
    variables = {"names": ["heat", "rain"], "weight": [[0.75, 0.25], [0.4, 0.6]], "layers": [1], "reason": None}
    return {"attention": {"map": table, "lags": lags, "variables": variables, "deletion": None}}


def deletion(explanatory: bool) -> dict[str, Any]:
    return {"explanatory": explanatory, "sentence": SAID.removeprefix("Not e").capitalize() if explanatory else SAID}


def drawn(display: Display) -> Any:
    return display.plot(Figure().add_subplot())


def texts(display: Any) -> str:
    found = [text.get_text() for text in display.ax_.texts] + [display.ax_.get_title(loc="left")]
    return " | ".join(" ".join(text.split()) for text in found)


@pytest.mark.parametrize("kind", ALL)
def test_a_figure_is_drawn_from_maps_or_their_dictionary(kind: Any) -> None:
    class Maps:
        def to_dict(self) -> dict[str, Any]:
            return document()

    for result in (document(), Maps()):
        display = kind.from_result(result)
        assert display.missing() is None
        drawn(display)
        assert display.ax_.figure is display.figure_
        assert display.title
        assert display.description()
        assert display.height() > 0


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("width", [360, 640])
def test_figures_go_into_the_page(kind: Any, width: int) -> None:
    svg = str(draw_svg(kind.from_result(document()), "k", width=width))
    assert ElementTree.fromstring(svg).get("class") == "figure"  # noqa: S314 - we wrote it
    assert svg == str(draw_svg(kind.from_result(document()), "k", width=width))


def test_without_axes_a_pyplot_figure_is_made() -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt

    display = LagProfileDisplay.from_result(document()).plot()
    assert plt.fignum_exists(display.figure_.number)
    plt.close(display.figure_)


def test_what_are_no_maps_is_refused() -> None:
    with pytest.raises(InvalidInput, match="got ndarray"):
        AttentionDisplay.from_result(np.zeros(3))
    with pytest.raises(InvalidInput, match="got float"):
        LagProfileDisplay.from_result(document(), deletion=0.5)


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        (AttentionDisplay, "map", "AttentionDisplay cannot be drawn: there are no maps of a layer along time"),
        (LagProfileDisplay, "lags", "LagProfileDisplay cannot be drawn: there are no maps of a layer along time"),
        (VariablesDisplay, "variables", "VariablesDisplay cannot be drawn: there are no maps across variables"),
    ],
)
def test_what_is_not_there_cannot_be_drawn(kind: Any, key: str, said: str) -> None:
    section = document()
    section["attention"][key] = None
    with pytest.raises(InvalidInput, match=said):
        kind.from_result(section).plot()


def test_the_reason_is_given_where_there_are_no_variables_or_one_lag() -> None:
    section = document()
    section["attention"]["variables"] |= {"weight": None, "reason": "there is one variable"}
    with pytest.raises(InvalidInput, match="there is one variable"):
        VariablesDisplay.from_result(section).plot()
    section["attention"]["lags"]["time"] = [1.0]
    with pytest.raises(InvalidInput, match="there is one lag only"):
        LagProfileDisplay.from_result(section).plot()


def test_the_line_is_the_profile_and_the_peak_is_named() -> None:
    display = drawn(LagProfileDisplay.from_result(document()))
    lags = document()["attention"]["lags"]
    lines = [list(line.get_ydata()) for line in display.ax_.lines if len(line.get_xdata()) == 25]
    assert lines == [lags["even"], lags["weight"]]
    assert "24 hours" in texts(display)
    assert "even" in texts(display)
    assert display.ax_.get_ylim()[0] == 0.0
    assert display.ax_.get_xlabel() == "hours before the value forecast"
    assert display.ax_.get_ylabel() == "mean attention on a token of 3 hours"


def test_ticks_are_whole_seasons() -> None:
    assert list(drawn(LagProfileDisplay.from_result(document())).ax_.get_xticks()) == [0.0, 24.0, 48.0, 72.0]
    ticks = drawn(AttentionDisplay.from_result(document())).ax_.get_xticks()
    assert list(ticks) == [-48.0, -24.0, 0.0]
    section = document()
    section["attention"]["lags"]["season"] = 100.0
    assert 100.0 not in drawn(LagProfileDisplay.from_result(section)).ax_.get_xticks()
    section["attention"]["lags"]["season"] = 1.0
    assert len(drawn(LagProfileDisplay.from_result(section)).ax_.get_xticks()) <= 9


def test_registers_and_future_stand_apart() -> None:
    said = texts(drawn(LagProfileDisplay.from_result(document())))
    assert "12 % | on registers" in said
    assert "20 % | of the rest on the future" in said
    map_said = texts(drawn(AttentionDisplay.from_result(document())))
    assert "on registers" in map_said
    assert "10 %" in map_said
    assert "20 %" in map_said


def test_the_band_is_over_replicas_where_there_are_several_else_over_windows() -> None:
    display = drawn(LagProfileDisplay.from_result(document()))
    assert "3 replicas | : the band is their standard deviation" in texts(display)
    assert height_of_band(display) == pytest.approx(0.065)
    section = document()
    section["attention"]["lags"] |= {"replica_spread": None, "spread_over": "30 windows"}
    section["attention"]["lags"]["window_spread"][-1] = None  # one window only has this lag
    assert height_of_band(drawn(LagProfileDisplay.from_result(section))) == pytest.approx(0.56)
    section["attention"]["lags"] |= {"window_spread": None, "spread_over": None}
    assert not drawn(LagProfileDisplay.from_result(section)).ax_.collections


def height_of_band(display: Any) -> float:
    (band,) = display.ax_.collections
    top = float(band.get_paths()[0].vertices[:, 1].max())
    assert top < display.ax_.get_ylim()[1]
    return top


@pytest.mark.parametrize("kind", [AttentionDisplay, LagProfileDisplay])
def test_what_explains_nothing_is_stamped(kind: Any) -> None:
    display = drawn(kind.from_result(document(), deletion(False)))
    assert "not explanatory" in [text.get_text() for text in display.ax_.texts]
    assert SAID in texts(display)
    assert SAID in display.description()


@pytest.mark.parametrize("kind", [AttentionDisplay, LagProfileDisplay])
def test_what_explains_is_not_stamped_and_what_is_untested_says_so(kind: Any) -> None:
    tested = kind.from_result(document(), deletion(True))
    assert "not explanatory" not in [text.get_text() for text in drawn(tested).ax_.texts]
    assert "Not tested by deletion" in texts(drawn(kind.from_result(document())))


def test_a_test_handed_over_leaves_the_document_as_it_was() -> None:
    section = document()
    before = copy.deepcopy(section)
    LagProfileDisplay.from_result(section, deletion(False))
    assert section == before


def test_cells_are_the_weights_at_their_times() -> None:
    display = drawn(AttentionDisplay.from_result(document()))
    (mesh,) = display.ax_.collections
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(2, 26), document()["attention"]["map"]["weights"])
    edges = mesh.get_coordinates()[0, :, 0]
    assert (edges[0], edges[-1]) == (-71.5, 6.5)
    np.testing.assert_allclose(np.diff(edges), 3.0)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["1 to 3", "4 to 6"]
    assert mesh.get_clim()[0] == 0.0


def test_rows_of_single_steps_are_named_by_them() -> None:
    section = document()
    section["attention"]["map"]["row_last"] = [1, 4]
    labels = drawn(AttentionDisplay.from_result(section)).ax_.get_yticklabels()
    assert [label.get_text() for label in labels] == ["1", "4"]


def test_variables_are_numbers_in_a_grid() -> None:
    display = drawn(VariablesDisplay.from_result(document()))
    assert [text.get_text() for text in display.ax_.texts] == ["0.75", "0.25", "0.40", "0.60"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["heat", "rain"]


def test_of_many_variables_those_looked_at_most_are_drawn() -> None:
    section = document()
    weight = np.full((20, 20), 0.01)
    weight[:, 5] = 0.5
    section["attention"]["variables"] |= {"names": [f"v{k}" for k in range(20)], "weight": weight.tolist()}
    display = VariablesDisplay.from_result(section)
    assert len(display.shown()) == 12
    assert 5 in display.shown()
    drawn(display)
