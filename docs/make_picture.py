"""Write what README.md shows of a real run: ``python docs/make_picture.py``.

Runs `heldout demo`, puts what it printed into README.md (between the two markers), and takes a picture of the top of
its report: verdict, tiles and the first section, light, in a window 1200 pixels wide. Needs selenium, chromium and
chromedriver. The picture's PNG text holds the verdict, so that a test can tell whether it is of the run shown.

The demo follows a written plan (examples/vowel-plan.json), so its numbers are the same on every machine.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from heldout.cli import run

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "report.png"
WIDTH = 1200
MARGIN = 40  # pixels of paper around the column of text
LARGEST = 250_000  # bytes
BEGIN, END = "<!-- begin demo -->", "<!-- end demo -->"
FOLDER = "/home/you/heldout"  # stands in the README for the folder of the run
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run"
BOX = """
const column = document.querySelector('main').getBoundingClientRect();
const section = document.querySelector('#iid').getBoundingClientRect();
return [column.left, section.bottom, column.width];
"""


def run_demo(folder: Path) -> tuple[str, dict[str, Any]]:
    """Run `heldout demo` in a folder; return what it printed and its report.json."""
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        code = run(["demo"])
    if code:
        raise SystemExit(f"heldout demo ended with exit code {code}")
    return printed.getvalue(), json.loads((folder / "heldout-demo" / "report.json").read_text("utf-8"))


def demo_block(printed: str, folder: Path) -> str:
    """Return what the demo printed as the README shows it: the run's folder is named `FOLDER`."""
    return f"```console\n$ heldout demo\n{printed.replace(str(folder.resolve()), FOLDER).rstrip()}\n```"


def with_block(readme: str, block: str) -> str:
    """Return the README with another block between its markers."""
    pattern = f"{re.escape(BEGIN)}.*?{re.escape(END)}"
    return re.sub(pattern, lambda _: f"{BEGIN}\n{block}\n{END}", readme, count=1, flags=re.DOTALL)


def crop(picture: Image.Image, left: float, bottom: float, width: float) -> Image.Image:
    """Cut the picture to the column of text and to the end of the first section, with paper around."""
    box = (left - MARGIN, 0, left + width + MARGIN, bottom + MARGIN / 2)
    return picture.crop(tuple(round(edge) for edge in box))  # type: ignore[arg-type]


def photograph(report: Path) -> Image.Image:
    """Open a report in a light browser window and return a picture of its top."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in FLAGS.split():
        options.add_argument(flag)
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            light = {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", light)
            size = {"width": WIDTH, "height": 2400, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(report.as_uri())
            left, bottom, width = browser.execute_script(BOX)
            picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
        finally:
            browser.quit()
    return crop(picture, left, bottom, width)


def save(picture: Image.Image, verdict: str) -> None:
    """Write the picture with a small palette, and the verdict as its text."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt("Description", verdict)
    PICTURE.parent.mkdir(exist_ok=True)
    small = picture.quantize(128, dither=Image.Dither.NONE)
    small.save(PICTURE, optimize=True, pnginfo=text)
    if PICTURE.stat().st_size > LARGEST:
        raise SystemExit(f"{PICTURE} has {PICTURE.stat().st_size:,} bytes, expected at most {LARGEST:,}")


def main() -> None:
    """Run the demo, then write the README's block and the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        printed, document = run_demo(folder)
        if document["plan"]["left_out"]:
            raise SystemExit(f"the plan of the demo left something out: {document['plan']['left_out']}")
        save(photograph(folder / "heldout-demo" / "report.html"), document["verdict"])
        block = demo_block(printed, folder)
    README.write_text(with_block(README.read_text("utf-8"), block), encoding="utf-8")


if __name__ == "__main__":
    main()
