"""The house stands: rooms import only rooms below, names are what they say, the front door is light."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import heldout

ROOT = Path(heldout.__file__).parent
FLOORS = [
    # The ground floor has steps of its own: everything raises, a learner is seeded, and many are fitted at once.
    {"errors"},
    {"_arrays", "_random", "_threads"},
    {"learner"},
    {"_joint_fits"},
    {"table", "losses", "splits", "resampling", "_native", "examples"},
    {"iid", "generalization", "tradeoff", "trees"},
    {"bagging", "boosting", "sequence"},
    {"auditing"},
    {"report"},
    {"cli"},
]
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "core"}
FILES = sorted(path for path in ROOT.rglob("*.py") if "__pycache__" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively: write the whole path"
            modules = [node.module or ""]
            if node.module == "heldout":
                modules = [f"heldout.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "heldout" and len(parts) > 1 and parts[1] in FLOOR:
                yield parts[1]


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(FLOOR), rooms - set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    for other in imported_rooms(path):
        assert other == room or FLOOR[other] < FLOOR[room], f"{path}: {room} must not import {other}"


def test_a_climbing_import_would_be_caught(tmp_path: Path) -> None:
    climbing = tmp_path / "low.py"
    climbing.write_text("from heldout.report import displays\n")
    assert [FLOOR[room] for room in imported_rooms(climbing)] == [FLOOR["report"]]


def test_no_file_is_named_for_nothing() -> None:
    assert not [path for path in FILES if path.stem in FORBIDDEN_NAMES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_listed_as_public_exist(path: Path) -> None:
    relative = path.relative_to(ROOT.parent).with_suffix("")
    if relative.name == "__main__":
        return  # running it starts the command line
    name = ".".join(part for part in relative.parts if part != "__init__")
    if room_of(path) == "sequence" and importlib.util.find_spec("torch") is None:
        pytest.skip("torch, an extra, is not installed: its modules cannot be imported")
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public), f"{name}.__all__ lists {public}, which is not there"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_and_classes_say_what_they_do(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}:{node.lineno} {node.name} has no docstring"


def test_the_front_door_is_light() -> None:
    script = (
        "import heldout, sys; print(sorted({'torch', 'matplotlib', 'sklearn', 'polars', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_resolves() -> None:
    for name in heldout.__all__:
        assert getattr(heldout, name) is not None
    assert set(heldout.__all__) <= set(dir(heldout))


def test_an_unknown_public_name_is_named() -> None:
    with pytest.raises(AttributeError, match="forest_fire"):
        heldout.forest_fire  # noqa: B018 - the access is what is tested


def test_auditing_a_table_never_loads_torch() -> None:
    script = "import heldout, sys; heldout.audit; heldout.displays; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
