"""The report in a browser: light and dark, wide and narrow; nothing is fetched, everything is drawn."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heldout.report import write_report
from report.documents import SAMPLES

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
)
FIGURES = """
return [...document.querySelectorAll('svg.figure')].map(svg => {
  const box = svg.getBoundingClientRect();
  const marks = [...svg.querySelectorAll('path, use, text')].filter(mark => {
    const one = mark.getBoundingClientRect();
    return !mark.closest('defs') && one.width + one.height > 0;
  });
  return {id: svg.getAttribute('aria-labelledby'), width: box.width, height: box.height, marks: marks.length,
          colour: getComputedStyle(svg).color};
});
"""
# A text counts as clipped when it reaches out of its figure by more than rounding.
CLIPPED = """
return [...document.querySelectorAll('svg.figure')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  if (!box.width) return [];
  return [...svg.querySelectorAll('text')].filter(text => {
    const one = text.getBoundingClientRect();
    return one.left < box.left - 2 || one.right > box.right + 2 || one.top < box.top - 2 || one.bottom > box.bottom + 2;
  }).map(text => text.textContent);
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver_path = shutil.which("chromedriver")
    if chromium is None or driver_path is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no chromium or chromedriver: install both, the report must be opened in a browser")
        pytest.skip("no chromium and chromedriver on the path: install both to open the report in a browser")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    return {name: write_report(make(), folder / name) for name, make in SAMPLES.items()}


def requested(browser: Any) -> list[str]:
    """Return what the page asked for since the last look."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def show(browser: Any, path: Path, scheme: str, width: int) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_report_opens_with_nothing_fetched_and_everything_drawn(
    browser: Any, reports: dict[str, Path], sample: str, scheme: str
) -> None:
    path, verdict = reports[sample], SAMPLES[sample]()["verdict"]
    drawn: set[str] = set()
    every: set[str] = set()
    for width in (1200, 400):
        requested(browser)
        browser.get_log("browser")
        show(browser, path, scheme, width)
        assert browser.title == verdict
        fetched = [url for url in requested(browser) if not url.startswith("data:,")]
        assert set(fetched) == {path.as_uri()}
        assert browser.get_log("browser") == []
        root = "document.documentElement"
        assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth"), f"scrolls at {width} px"
        assert browser.execute_script(CLIPPED) == []
        for figure in browser.execute_script(FIGURES):
            every.add(figure["id"])
            if figure["width"] > 0 and figure["height"] > 0:
                assert figure["marks"] > 5, figure
                assert figure["colour"] == ("rgb(27, 27, 27)" if scheme == "light" else "rgb(233, 231, 226)")
                drawn.add(figure["id"])
    assert drawn == every
    assert len(every) >= 3


def test_opened_tables_do_not_make_a_narrow_page_scroll(browser: Any, reports: dict[str, Path]) -> None:
    show(browser, reports["vowel"], "light", 400)
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400


def test_dark_and_light_differ_in_paper_and_ink(browser: Any, reports: dict[str, Path]) -> None:
    papers = []
    for scheme in ("light", "dark"):
        show(browser, reports["vowel"], scheme, 1200)
        papers.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(255, 255, 255)", "rgb(22, 24, 27)"]


def test_printing_opens_what_is_folded_away(browser: Any, reports: dict[str, Path]) -> None:
    show(browser, reports["regression"], "dark", 1200)
    folded = browser.execute_script("return document.documentElement.scrollHeight")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert (
            browser.execute_script("return document.querySelector('#candidates table').getBoundingClientRect().height")
            > 50
        )
        assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert browser.execute_script("return document.documentElement.scrollHeight") != folded
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
