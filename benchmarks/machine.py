"""What a benchmark writes down of where it ran, the rows it keeps, and how busy others keep the machine."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# What decides how fast the product is; other commits leave the rows of earlier ones as good as new.
MEASURED = ("src", "native", "CMakeLists.txt")


def processor() -> str:
    """Name the processor as the system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def usable_processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str:
    """Return the last commit that changed what is measured, with a mark where it was changed since."""

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    name = git("log", "-1", "--format=%h", "--", *MEASURED).stdout.strip()
    if not name:
        return f"release {version('heldout')}"
    return name + ("-dirty" if git("diff", "--quiet", "HEAD", "--", *MEASURED).returncode else "")


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of packages, "absent" for those that are not installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def now() -> str:
    """Return the time of day, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of earlier runs; a line cut short by an interrupt is passed over."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Append one row as a line of JSON."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


class ForeignLoad:
    """The 1-minute load average, less what this process and its children have added to it.

    The system's average forgets the past at a rate of 1 / minute, and so does ours of our own processor time.
    """

    def __init__(self) -> None:
        self._own = 0.0
        self._at, self._used = time.monotonic(), self._processor_time()

    @staticmethod
    def _processor_time() -> float:
        used = os.times()
        return used.user + used.system + used.children_user + used.children_system

    def now(self) -> float:
        """Return the load of others."""
        at, used = time.monotonic(), self._processor_time()
        passed = max(at - self._at, 1e-3)
        kept = math.exp(-passed / 60)
        self._own = self._own * kept + (used - self._used) / passed * (1 - kept)
        self._at, self._used = at, used
        return max(0.0, os.getloadavg()[0] - self._own)

    def wait_until_below(self, limit: float, seconds: float = 60.0) -> float:
        """Wait for the load to fall, so many seconds at most, and return it."""
        end = time.monotonic() + seconds
        while (load := self.now()) > limit and time.monotonic() < end:
            time.sleep(2)
        return load
