"""The command line as a whole: help, version, what is loaded, Ctrl-C, pipes."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer

import heldout as package
from heldout.cli import app
from heldout.cli.output import as_json, write_file
from heldout.errors import DataError

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)


def test_help_names_every_command_and_every_command_has_help_with_an_example(heldout: Callable[..., Any]) -> None:
    outcome = heldout("--help")
    assert outcome.code == 0
    assert {"audit", "demo", "predict", "iid", "evaluate", "decompose"} == set(COMMANDS)
    for command in COMMANDS:
        assert f"\n  {command} " in outcome.out
        own = heldout(command, "--help")
        assert (own.code, own.err) == (0, "")
        assert f"Example:  heldout {command} " in own.out


def test_every_option_has_a_help_text() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        for parameter in command.params:
            assert parameter.hidden or parameter.help, f"{name} {parameter.name}"


def test_the_page_on_the_command_line_is_what_its_script_makes() -> None:
    script = Path(__file__).parents[2] / "docs" / "make_command_line.py"
    namespace = runpy.run_path(str(script))
    assert script.with_name("command_line.md").read_text(encoding="utf-8") == namespace["page"](), f"run {script}"


def test_without_arguments_help_is_shown(heldout: Callable[..., Any]) -> None:
    assert heldout().out == heldout("--help").out


def test_the_version_is_printed(heldout: Callable[..., Any]) -> None:
    outcome = heldout("--version")
    assert (outcome.code, outcome.out) == (0, f"heldout {package.__version__}\n")


def test_help_loads_no_numeric_library_and_the_program_starts_as_a_module() -> None:
    code = "import sys; from heldout.cli import run; run(['--help']); print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "scipy", "polars", "sklearn", "matplotlib", "torch", "rich", "jinja2", "joblib"}
    asked = subprocess.run([sys.executable, "-m", "heldout", "nonsense"], capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.startswith("heldout: No such command 'nonsense'")


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_says_so(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    columns = {f"x{i}": draws.normal(size=4000) for i in range(20)}
    pl.DataFrame(columns | {"y": draws.normal(size=4000)}).write_csv(tmp_path / "table.csv")
    # A candidate that reports when it is first fitted, and then takes its time.
    (tmp_path / "slow_model.py").write_text(
        "import pathlib, time\n"
        "from sklearn.dummy import DummyRegressor\n"
        "class Slow(DummyRegressor):\n"
        "    def fit(self, X, y):\n"
        "        pathlib.Path('started').touch()\n"
        "        time.sleep(5)\n"
        "        return super().fit(X, y)\n"
    )
    command = [sys.executable, "-m", "heldout", "audit", "table.csv", "--target", "y", "--out", "out", "--threads", "1"]
    process = subprocess.Popen(
        [*command, "--candidates", "ridge,slow_model:Slow"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "started").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    document = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [candidate["name"] for candidate in document["candidates"]] == ["baseline", "ridge"]
    assert document["verdict"] in " ".join(out.split())
    assert any("interrupted" in sentence for sentence in document["plan"]["left_out"])


@pytest.mark.slow
def test_a_process_prints_utf_8_and_no_warnings_whatever_the_locale(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "import warnings\n"
        "from sklearn.dummy import DummyRegressor\n"
        "class Loud(DummyRegressor):\n"
        "    def fit(self, X, y):\n"
        "        warnings.warn('a lot of noise')\n"
        "        return super().fit(X, y)\n"
    )
    name = "\N{GRINNING FACE}"
    pl.DataFrame({"x": range(40), name: [row * 7 % 11 + 0.5 for row in range(40)]}).write_csv(tmp_path / "table.csv")
    command = [sys.executable, "-m", "heldout", "audit", "table.csv", "--target", name, "--json", "--threads", "2"]
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    done = subprocess.run(
        [*command, "--candidates", "loud:Loud", "--time-budget", "1"], cwd=tmp_path, capture_output=True, check=False,
        env=plain | {"PYTHONIOENCODING": "latin1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"noise" not in done.stderr
    assert json.loads(done.stdout.decode("utf-8"))["data"]["target"] == name


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    code = "import sys; from heldout.cli.output import emit; sys.stdin.read(); emit('x' * 10**6); emit('more')"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(b"", timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_the_demo_copies_the_table_prints_its_command_and_where_the_report_lies(
    tmp_path: Path, heldout: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    audit = stand_in()
    folder = tmp_path / "demo"
    outcome = heldout("demo", "--out", folder)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    command = (
        f"heldout audit {folder / 'vowel.csv'} --target Class --group SpeakerNumber --drop TT "
        f"--plan {folder / 'vowel-plan.json'} --out {folder}"
    )
    assert lines[0] == f"$ {command}"
    assert lines[-1] == f"Report: {folder / 'report.html'}"
    assert audit.calls[0]["command"] == command
    assert audit.calls[0]["data"] == folder / "vowel.csv"
    assert pl.read_csv(folder / "vowel.csv").shape == (990, 14)
    assert "CC BY 4.0" in (folder / "vowel.md").read_text()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.csv"
    write_file(path, b"first")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_mask()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(DataError, match=r"p\.csv: no space left"):
        write_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["p.csv"]
    with pytest.raises(DataError, match="absent"):
        write_file(tmp_path / "absent" / "p.csv", b"")


def current_mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_json_has_no_number_that_json_does_not_have() -> None:
    assert as_json({"b": 1, "a": "\u00e9"}) == '{\n  "b": 1,\n  "a": "\u00e9"\n}'
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json({"x": float("nan")})
