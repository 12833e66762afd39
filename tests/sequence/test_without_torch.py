"""What needs no network loads no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["fitted", "judging", "measures", "backtest", "baselines", "reading", "worth"])
def test_stage_0_and_its_judging_load_no_torch(module: str) -> None:
    script = f"import sys, heldout.sequence.{module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
