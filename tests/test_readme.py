"""README and docs say what is so: commands parse, links lead somewhere, snippets run, figures are those of a run."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from heldout.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
GROUP: Any = typer.main.get_command(app)
PICTURE = ROOT / "docs" / "images" / "report.png"
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def fenced(text: str, language: str) -> list[str]:
    """Return the content of the blocks fenced as `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Return what is typed in the console blocks, lines that end in a backslash joined."""
    joined = "\n".join(fenced(text, "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]


def inline_commands(text: str) -> list[str]:
    """Return `heldout command ...` as it stands in running text, tables and indented blocks."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    quoted = re.findall(r"`(heldout [a-z][^`]*)`", prose)
    return quoted + re.findall(r"^    (heldout [a-z].*)$", prose, flags=re.MULTILINE)


def parse(line: str) -> None:
    """Parse a heldout command as the command line does, without carrying it out."""
    name, *arguments = shlex.split(line)[1:]
    assert name in GROUP.commands, f"{line}: there is no command {name!r}"
    if {"--help", "-h"} & set(arguments):
        return
    GROUP.commands[name].make_context(f"heldout {name}", arguments)


def options_of(commands: Iterator[Any] | list[Any]) -> set[str]:
    return {option for command in commands for parameter in command.params for option in parameter.opts} | {"--help"}


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)}


@each_page
def test_every_command_shown_is_understood(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    for line in commands(page.read_text("utf-8")):
        program, *arguments = shlex.split(line)
        if program == "heldout":
            parse(line)
        elif program == "make":
            assert set(arguments) <= targets, line
        elif program == "python" and arguments[0] != "-m":
            assert (ROOT / arguments[0]).is_file(), line
        else:
            assert line in {"python -m pip install .", "python -m pip install '.[test]'"}, f"nothing checks {line!r}"


@each_page
def test_every_command_named_in_running_text_exists_with_its_options(page: Path) -> None:
    for line in inline_commands(page.read_text("utf-8")):
        words = line.split()
        if words[1] == "COMMAND":
            continue
        assert words[1] in GROUP.commands, f"{page.name}: there is no command {words[1]!r}"
        flags = {word for word in words if word.startswith("--")}
        assert flags <= options_of([GROUP.commands[words[1]]]), f"{page.name}: {line}"


@each_page
def test_every_flag_named_exists(page: Path) -> None:
    known = options_of(list(GROUP.commands.values()))
    text = page.read_text("utf-8")
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.sub(r"<!--|-->", "", text)))
    assert flags <= known, f"{page.name} names {sorted(flags - known)}"


@pytest.mark.parametrize(
    "line", ["heldout audit t.csv --target y --folds 3", "heldout audit t.csv", "heldout train t.csv --target y"]
)
def test_a_command_that_is_not_understood_would_be_caught(line: str) -> None:
    with pytest.raises((Exception, SystemExit), match=r"folds|target|no command 'train'"):
        parse(line)


@each_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_the_index_links_every_page() -> None:
    links = re.findall(r"\]\(([^)#\s]+\.md)", (ROOT / "docs" / "index.md").read_text("utf-8"))
    assert {page.name for page in PAGES[1:]} - {"index.md"} <= set(links)


def test_the_readme_has_a_line_for_every_folder() -> None:
    folders = {"benchmarks", "docs", "native", "src/heldout", "tests", ".ci"}
    named = set(re.findall(r"^\| `([^`]+)/` \|", README.read_text("utf-8"), flags=re.MULTILINE))
    rooms = {f"src/heldout/{path.parent.name}" for path in (ROOT / "src" / "heldout").glob("*/__init__.py")}
    assert named == folders | rooms


def sales() -> pl.DataFrame:
    """Two shops over five months, which docs/forecasting.md forecasts."""
    day = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 6, 1), "1d", eager=True)
    draws = np.random.default_rng(0)
    parts = [pl.DataFrame({"shop": shop, "day": day, "sold": 9 + draws.normal(size=len(day))}) for shop in "ab"]
    return pl.concat(parts)


def table() -> pl.DataFrame:
    """Return rows of 15 patients, whose level differs and whose dose matters."""
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(15), 6)
    dose = rng.normal(size=90).round(3)
    outcome = 2 * dose + rng.normal(size=15)[patient] + rng.normal(scale=0.3, size=90)
    return pl.DataFrame({"patient": [f"p{k:02d}" for k in patient], "dose": dose, "outcome": outcome.round(3)})


@pytest.mark.parametrize(
    "page", [page for page in PAGES if fenced(page.read_text("utf-8"), "python")], ids=lambda page: page.name
)
def test_python_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippets = fenced(page.read_text("utf-8"), "python")
    monkeypatch.chdir(tmp_path)
    frame = table()
    frame.write_csv("patients.csv")
    frame.drop("outcome").head(5).write_csv("new.csv")
    sales().write_csv("sales.csv")
    names: dict[str, Any] = {
        "X": frame.select("dose").to_pandas(),
        "y": frame["outcome"].to_numpy(),
        "groups": None,
        "patients": frame["patient"].to_numpy(),
        "model": Ridge(),
        "other": DecisionTreeRegressor(min_samples_leaf=10),
    }
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), names)  # noqa: S102 - the snippets are ours
    if page == README:
        assert names["audit"].document["winner"]["name"]
        assert len(names["predictions"]) == 5
        assert (tmp_path / "report" / "report.html").is_file()


@dataclass(frozen=True)
class Demo:
    block: str
    document: dict[str, Any]
    report: Path


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_picture", ROOT / "docs" / "make_picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def demo(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run the demo once."""
    folder = tmp_path_factory.mktemp("demo")
    printed, document = maker.run_demo(folder)
    return Demo(maker.demo_block(printed, folder), document, folder / "heldout-demo" / "report.html")


def shown_block(maker: ModuleType) -> str:
    _, _, rest = README.read_text("utf-8").partition(maker.BEGIN)
    return rest.partition(maker.END)[0].strip()


@pytest.mark.slow
def test_the_demo_prints_what_the_readme_shows(maker: ModuleType, demo: Demo) -> None:
    assert demo.document["plan"]["left_out"] == []
    assert demo.block == shown_block(maker), "run `python docs/make_picture.py` and look at what changed"


def test_figures_in_the_text_about_the_run_stand_in_its_output(maker: ModuleType) -> None:
    _, _, rest = README.read_text("utf-8").partition(maker.END)
    told = rest.partition("\n## ")[0]
    output = set(re.findall(r"\d+(?:\.\d+)?", shown_block(maker)))
    # What describes the table itself is checked against it.
    described = {str(number) for number in facts_of_the_table()}
    told = re.sub(r"\]\([^)]*\)", "]", told)
    assert set(re.findall(r"\d+(?:\.\d+)?", told)) <= output | described


def facts_of_the_table() -> set[int]:
    from heldout.examples import vowel_path

    frame = pl.read_csv(vowel_path())
    return {frame.height, frame["SpeakerNumber"].n_unique(), frame["Class"].n_unique()}


def test_the_picture_is_of_the_run_shown(maker: ModuleType) -> None:
    assert PICTURE.stat().st_size < maker.LARGEST
    with Image.open(PICTURE) as picture:
        assert picture.format == "PNG"
        assert 800 <= picture.width <= maker.WIDTH
        verdict = picture.info["Description"]
    assert " ".join(verdict.split()) in " ".join(shown_block(maker).split())


def test_the_readme_shows_the_picture() -> None:
    assert "](docs/images/report.png)" in README.read_text("utf-8")


def test_the_citation_names_the_version_of_the_package() -> None:
    import heldout

    assert f"version: {heldout.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_public_pages_speak_plainly() -> None:
    """No marketing, and one word per idea (docs/conventions.md)."""
    banned = r"\b(powerful|blazing|seamless\w*|state-of-the-art|effortless\w*|game.chang\w*|cutting.edge|easy|simply)\b"
    for page in PAGES:
        found = re.findall(banned, page.read_text("utf-8"), flags=re.IGNORECASE)
        assert not found, f"{page.name}: {found}"
