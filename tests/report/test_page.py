"""The page shows what report.json holds, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from markupsafe import Markup

from heldout.errors import InvalidInput
from heldout.report import page as page_module
from heldout.report import render_html
from heldout.report.reading import look_up
from report.documents import SAMPLES
from report.page_reader import Page, Shown


@cache
def html_of(name: str) -> str:
    """Render each sample once: drawing is slow, and rendering changes nothing."""
    return render_html(SAMPLES[name]())


Make = Callable[[], dict[str, Any]]
SCALE = {"percent": 100.0, "level": 100.0}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def follow(document: Any, path: str) -> Any:
    """Find a value by a walk that shares nothing with the library's."""
    if path == "":
        return document
    if isinstance(document, dict):
        fits = [key for key in document if path == key or path.startswith(key + ".")]
        if not fits:
            return None
        key = max(fits, key=len)
        return follow(document[key], path[len(key) + 1 :])
    if isinstance(document, list):
        head, _, tail = path.partition(".")
        return follow(document[int(head)], tail)
    return None


def assert_shows(shown: Shown, value: Any) -> None:
    """The text equals the value to half a unit of its last digit."""
    if value is None:
        assert shown.text == "not known", shown
    elif shown.form == "text":
        assert shown.text == {True: "yes", False: "no"}.get(value if isinstance(value, bool) else None, str(value))  # type: ignore[call-overload]
    elif shown.form == "short":
        full = " ".join(str(value).split())
        assert shown.text == full or (shown.title == str(value) and "…" in shown.text), shown
    else:
        size = len(value) if shown.form == "length" else value
        assert shown.value == repr(size), shown
        digits = shown.text.removesuffix(" %").removesuffix(" s").replace(",", "").replace("−", "-")
        mantissa, _, exponent = digits.partition("e")
        places = len(mantissa.partition(".")[2])
        half = 0.5 * 10.0 ** (int(exponent or 0) - places)
        wanted = size * SCALE.get(shown.form, 1.0)
        assert abs(float(digits) - wanted) <= half * (1 + 1e-6), (shown, wanted)


def test_every_number_on_the_page_equals_report_json(sample: str) -> None:
    document = SAMPLES[sample]()
    page = Page(html_of(sample))
    assert len(page.shown) > 100
    for shown in page.shown:
        assert_shows(shown, follow(document, shown.path))


def test_a_number_that_differs_from_report_json_is_noticed() -> None:
    page, document = Page(html_of("vowel")), SAMPLES["vowel"]()
    shown = next(one for one in page.shown if one.path == "winner.error")
    assert_shows(shown, document["winner"]["error"])
    with pytest.raises(AssertionError, match=r"winner\.error"):
        assert_shows(shown, document["winner"]["error"] + 0.02)


def test_no_digit_stands_outside_the_elements_that_name_their_value(sample: str) -> None:
    with_digits = [text for text in Page(html_of(sample)).outside if re.search(r"\d", text)]
    assert with_digits == []


def test_the_title_and_the_first_heading_are_the_verdict(sample: str) -> None:
    document = SAMPLES[sample]()
    page = Page(html_of(sample))
    assert page.title == document["verdict"]
    assert next(shown for shown in page.shown if shown.path == "verdict").text == document["verdict"]


def test_the_page_asks_for_nothing_and_runs_nothing(sample: str) -> None:
    html = html_of(sample)
    page = Page(html)
    assert "default-src 'none'" in html
    assert not {"script", "iframe", "img", "object", "embed", "form"} & {one.tag for one in page.elements}
    for one in page.elements:
        assert not any(name.startswith("on") for name in one.attributes), one
        assert one.attributes.get("href", "#").startswith(("#", "data:,")), one
        assert "src" not in one.attributes
        assert "http" not in one.attributes.get("style", "")


def test_ids_are_unique_and_every_reference_finds_one(sample: str) -> None:
    html = html_of(sample)
    ids = [one.attributes["id"] for one in Page(html).elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    references = set(re.findall(r'(?:url\(|href=")#([^)"]+)', html))
    assert references <= set(ids)
    assert references, "clip paths and hatches refer to ids"


def test_every_figure_has_role_title_and_description(sample: str) -> None:
    page = Page(html_of(sample))
    figures = [one for one in page.elements if one.tag == "svg"]
    ids = {one.attributes.get("id"): one for one in page.elements}
    assert len(figures) >= 3
    for figure in figures:
        assert figure.attributes["role"] == "img"
        title, description = figure.attributes["aria-labelledby"].split()
        assert ids[title].tag == "title"
        assert ids[description].tag == "desc"
        assert ids[description].words


def test_figures_use_the_ink_of_the_page(sample: str) -> None:
    html = html_of(sample)
    assert "currentColor" in html
    assert "#010203" not in html
    assert "#fefdfc" not in html.lower()
    assert "<metadata" not in html
    assert "DejaVu" not in html


def test_the_same_document_gives_the_same_bytes_and_is_left_as_it_was() -> None:
    document = SAMPLES["vowel"]()
    assert render_html(document) == html_of("vowel")
    assert document == SAMPLES["vowel"]()


def test_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from report.documents import vowel; import hashlib;"
        "from heldout.report import render_html; print(hashlib.sha256(render_html(vowel()).encode()).hexdigest())"
    )
    tests = str(__file__).rsplit("/report/", 1)[0]
    runs = {
        subprocess.run(
            [sys.executable, "-c", program, tests],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_rendering_leaves_pyplot_and_settings_alone() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from report.documents import vowel; import matplotlib;"
        "before = matplotlib.rcParams.copy(); from heldout.report import render_html; render_html(vowel());"
        "assert 'matplotlib.pyplot' not in sys.modules; assert matplotlib.rcParams.copy() == before"
    )
    tests = str(__file__).rsplit("/report/", 1)[0]
    subprocess.run([sys.executable, "-c", program, tests], check=True)


def test_nothing_is_drawn_at_import() -> None:
    program = (
        "import sys; import heldout.report.displays, heldout.report.terminal;"
        "assert not {'matplotlib', 'jinja2', 'sklearn', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def hundred_classes() -> dict[str, Any]:
    document = SAMPLES["vowel"]()
    names = [f"class {k}" for k in range(100)]
    document["data"]["classes"] = names
    counts = [[20 if i == j else (i + j) % 3 for j in range(100)] for i in range(100)]
    document["predictions"] |= {"classes": names, "counts": counts}
    return document


@pytest.mark.parametrize("make", [*SAMPLES.values(), hundred_classes])
def test_a_page_is_smaller_than_half_a_megabyte(make: Make) -> None:
    assert len(render_html(make()).encode()) < 500_000


def test_names_are_shown_and_never_run() -> None:
    document = SAMPLES["vowel"]()
    document["data"] |= {"name": HOSTILE, "target": HOSTILE, "classes": [HOSTILE] * 11, "notes": [HOSTILE]}
    document["data"]["groups"]["columns"] = [HOSTILE, "{0.__class__}", "$x$"]
    document["predictions"]["classes"] = [HOSTILE] * 11
    document["verdict"] = f"{HOSTILE} & <b>"
    document["verdict_parts"]["next"] = HOSTILE
    document["command"] = f"heldout audit '{HOSTILE}'"
    for one in [*document["candidates"], *document["differences"], document["winner"], document["optimism"]]:
        one["label"] = HOSTILE
    for one in document["iid"]["findings"]:
        one["column"] = f"</svg>{HOSTILE}"
    html = render_html(document)
    page = Page(html)
    assert "<script" not in html.lower()
    assert page.title == document["verdict"]
    assert HOSTILE in next(shown for shown in page.shown if shown.path == "data.groups.columns.0").text
    assert next(shown for shown in page.shown if shown.path == "data.groups.columns.1").text == "{0.__class__}"
    for shown in page.shown:
        assert_shows(shown, follow(document, shown.path))


def test_null_is_printed_with_its_reason() -> None:
    document = SAMPLES["no_signal"]()
    text = " ".join(" ".join(one.words) for one in Page(render_html(document)).elements if one.tag == "main")
    text = " ".join(text.split())
    assert "not known : interrupted before the random split was measured" in text.replace("known:", "known :")
    assert "not known: 5 groups are too few to train on disjoint halves" in text.replace("known :", "known:")
    assert "5 groups are too few for an interval" in text
    assert "nan" not in re.findall(r"\w+", text.lower())
    assert "None" not in text


def test_no_plus_minus_sign_is_written(sample: str) -> None:
    assert "±" not in html_of(sample)


@pytest.mark.parametrize("key", SAMPLES["vowel"]())
def test_a_document_with_a_section_missing_still_makes_a_page(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if key not in {"candidates", "winner", "data"}:
        monkeypatch.setattr(page_module, "draw_svg", lambda *_, **__: Markup("<svg></svg>"))  # drawing is slow
    part = SAMPLES["vowel"]() | {key: None}
    for shown in Page(render_html(part)).shown:
        assert_shows(shown, follow(part, shown.path))
    del part[key]
    if key in {"candidates", "winner", "iid"}:
        assert render_html(part)


def test_a_candidate_whose_folds_were_fitted_together_is_said_to_be_one() -> None:
    page = re.sub(r"<[^>]*>", "", html_of("regression"))
    assert page.count("Fitted together, cut points shared.") == 1
    assert "one by one" not in page


def test_headings_are_findings() -> None:
    headings = Page(html_of("vowel")).headings
    assert headings[0] == (
        "A random split would have promised 83 % right; whole groups ( Speaker ) held out, it is 55 % ."
    )
    assert headings[1] == "Chosen: forest , log loss 1.35 , 44 % below predicting the class shares ."
    assert "No candidate was shown to beat predicting the class shares ." in Page(html_of("no_signal")).headings


def test_a_gap_below_one_percent_is_not_rounded_away() -> None:
    document = SAMPLES["vowel"]()
    document["optimism"] |= {"accuracy_random": 0.5514, "accuracy_safe": 0.5473, "accuracy_gap": -0.0041}
    heading = Page(render_html(document)).headings[0]
    assert "55.1 %" in heading
    assert "54.7 %" in heading


def test_an_audit_is_taken_as_well_as_its_document() -> None:
    class Audit:
        def to_dict(self) -> dict[str, Any]:
            return SAMPLES["regression"]()

    assert render_html(Audit()) == html_of("regression")  # type: ignore[arg-type]


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(InvalidInput, match="got list"):
        render_html([1, 2])  # type: ignore[arg-type]


def test_paths_with_dots_in_names_are_found() -> None:
    document = SAMPLES["time_ordered"]()
    assert look_up(document, "winner.share_of_resamples_won.sklearn.svm:SVR") == 0.01
    assert look_up(document, "winner.error.no") is None
    assert look_up(document, "candidates.99.error") is None
    assert look_up(document, "candidates.x") is None
    assert look_up({"a": float("nan")}, "a") is None


def test_a_winner_whose_improvement_reaches_zero_is_not_said_to_lie_below_the_baseline() -> None:
    document = SAMPLES["regression"]()
    document["winner"]["improvement_ci"] = [-0.02, 0.32]
    page = render_html(document)
    heading = next(part for part in page.split("<h2") if "Chosen:" in part).partition("</h2>")[0]
    assert "not shown to beat" in heading
    assert "below" not in heading
