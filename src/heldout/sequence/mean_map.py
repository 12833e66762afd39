"""One map for the eye: attention weights averaged over windows, from the steps forecast to the tokens looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.plain_numbers import plain
from heldout.sequence.token_times import TokenTimes

__all__ = ["MeanMap"]


@dataclass(frozen=True, eq=False)
class MeanMap:
    """Mean weights, rows of which sum to 1 with the share of registers.

    Parameters
    ----------
    weights : array of float64, shape (n_rows, n_tokens)
    registers : array of float64, shape (n_rows,)
        Share that rests on all registers together.
    rows : array of int64, shape (n_rows,)
        Which tokens the rows are.
    times : TokenTimes
    layers, heads : tuple of int
        That the mean is over.
    """

    weights: NDArray[np.float64]
    registers: NDArray[np.float64]
    rows: NDArray[np.int64]
    times: TokenTimes
    layers: tuple[int, ...]
    heads: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts; `first` and `last` are steps from the origin, `size` units in a step."""
        times, words = self.times, self.times.words
        return {
            "weights": plain(self.weights),
            "registers": plain(self.registers),
            "rows": [words[row] for row in self.rows],
            "row_first": plain(times.first[self.rows]),
            "row_last": plain(times.last[self.rows]),
            "tokens": list(words),
            "first": plain(times.first),
            "last": plain(times.last),
            "n_past": times.n_past,
            "size": times.unit.size,
            "unit": times.unit.plural,
            "layers": list(self.layers),
            "heads": list(self.heads),
        }
