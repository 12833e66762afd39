"""Without torch, sequence models say in one line what to install; importing the room never needs it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import heldout.sequence
from heldout.errors import InvalidInput
from heldout.sequence.torch_gate import require_torch


def test_missing_torch_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InvalidInput, match=r"torch is needed .* pip install 'heldout\[sequence\]'") as caught:
        require_torch()
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidInput, match="torch is needed"):
        heldout.sequence.SelfAttention  # noqa: B018 - the access is what is tested


def test_torch_blocked_by_the_import_system_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InvalidInput, match="torch is needed"):
        require_torch()


def test_importing_the_room_loads_no_torch() -> None:
    script = "import heldout.sequence, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(AttributeError, match="crystal_ball"):
        heldout.sequence.crystal_ball  # noqa: B018 - the access is what is tested
    assert dir(heldout.sequence) == heldout.sequence.__all__
