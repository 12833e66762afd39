"""Rows for the tests of single stages: codes with missing cells and empty bins, derivatives of each format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout import _native

from reference import quantise as twin

FORMATS = twin.FORMATS
PATHS = ("plain", "avx2")


@dataclass
class Rows:
    codes: NDArray[np.uint8]
    n_bins: list[int]
    gradient: NDArray[np.float32]
    hessian: NDArray[np.float32] | None
    count: NDArray[np.uint8] | None
    forced: str | None

    def table(self) -> Any:
        code = -1 if self.forced is None else FORMATS.index(self.forced)
        return _native.stages.Table(self.codes, self.n_bins, self.gradient, self.hessian, self.count, code)

    def twin(self) -> twin.Quantised:
        return twin.quantise(self.gradient, self.hessian, self.count, self.forced)

    def some(self, rng: np.random.Generator, share: float = 0.5) -> NDArray[np.uint32]:
        return np.flatnonzero(rng.random(self.gradient.size) < share).astype(np.uint32)


def make_rows(
    seed: int,
    form: str,
    n_rows: int = 600,
    n_bins: tuple[int, ...] = (1, 2, 3, 254, 9, 60, 9, 5, 30, 7, 12),
    counts: bool = False,
) -> Rows:
    """Features of few and many bins in more than one block; some cells missing, some bins empty, two features alike."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, n, n_rows) for n in n_bins]).astype(np.uint8)
    codes[6] = codes[4]
    codes[:, rng.random(n_rows) < 0.02] = 0
    for feature in (2, 3, 8):
        codes[feature, rng.random(n_rows) < 0.15] = 255
    codes[5][codes[5] < 20] = 20
    codes[9][codes[9] == 0] = 255
    gradient = (rng.normal(size=n_rows) + (codes[0] > 0) + 0.05 * (codes[4] % 200)).astype(np.float32)
    hessian = None if form == "unit" else rng.uniform(0.02, 0.25, n_rows).astype(np.float32)
    count = rng.integers(0, 4, n_rows).astype(np.uint8) if counts else None
    return Rows(codes, list(n_bins), gradient, hessian, count, None if form == "unit" else form)


def avx2_is_there() -> bool:
    table = make_rows(0, "unit", 4).table()
    try:
        table.scan(np.arange(4, dtype=np.uint32), "avx2")
    except ValueError:
        return False
    return True
