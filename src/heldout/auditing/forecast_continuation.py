"""New rows of series after those that a model keeps, as if they had been one table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.sequences import Sequences

__all__ = ["Continued", "continued"]


@dataclass(frozen=True, eq=False)
class Continued:
    """Series of new rows, with their history before them.

    Parameters
    ----------
    sequences : Sequences
        In the order of the new rows.
    unknown : tuple of str
        Series without a history: they are forecast from their own rows.
    apart : tuple of str
        Series whose history ends too long before the new rows, or off their step, to be joined.
    """

    sequences: Sequences
    unknown: tuple[str, ...]
    apart: tuple[str, ...]


def continued(history: Sequences, new: Sequences) -> Continued:
    """Put the history of each series before its new rows; where both have a time, the new row counts.

    Parameters
    ----------
    history, new : Sequences
        Of one layout, step and season.
    """
    place = {label: k for k, label in enumerate(_labels(history))}
    pieces: list[_Piece] = []
    unknown, apart = [], []
    for series, label in enumerate(_labels(new)):
        fresh = _Piece.of(new, series)
        if label not in place:
            unknown.append(new.name(series))
            pieces.append(fresh)
            continue
        old = _Piece.of(history, place[label])
        joined = old.before(fresh, regular=new.step.regular)
        if joined is None:
            apart.append(new.name(series))
        pieces.append(fresh if joined is None else joined)
    lengths = [len(piece.count) for piece in pieces]
    sequences = replace(
        new,
        target=np.concatenate([piece.target for piece in pieces]),
        known=np.concatenate([piece.known for piece in pieces]),
        count=np.concatenate([piece.count for piece in pieces]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
    return Continued(sequences, tuple(unknown), tuple(apart))


def _labels(sequences: Sequences) -> list[tuple[object, ...]]:
    return sequences.labels.rows() if sequences.labels.width else [()]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Rows of one series."""

    count: NDArray[np.float64]
    target: NDArray[np.float64]
    known: NDArray[np.float64]

    @classmethod
    def of(cls, sequences: Sequences, series: int) -> _Piece:
        rows = slice(sequences.offsets[series], sequences.offsets[series + 1])
        return cls(sequences.count[rows], sequences.target[rows], sequences.known[rows])

    def before(self, later: _Piece, *, regular: bool) -> _Piece | None:
        """Return these rows and the later ones after them; None where they cannot be one series."""
        kept = self.count < later.count[0] - 1e-6
        if not kept.any():
            return later
        old = _Piece(self.count[kept], self.target[kept], self.known[kept])
        gap = float(later.count[0] - old.count[-1])
        n_between = 0
        if regular:
            n_between = round(gap) - 1
            if abs(gap - round(gap)) > 0.01 or n_between > len(self.count):
                return None
        between = np.arange(1, n_between + 1) + old.count[-1]
        return _Piece(
            np.concatenate([old.count, between, later.count]),
            np.concatenate([old.target, np.full((n_between, old.target.shape[1]), np.nan), later.target]),
            np.concatenate([old.known, np.full((n_between, old.known.shape[1]), np.nan), later.known]),
        )
