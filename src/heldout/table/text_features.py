"""Free text as numbers: its length, and where it lies among the texts of fitting.

Words, word pairs and runs of three and four characters are hashed into buckets, weighted by log counts and
inverse document frequency, normed, and projected on the leading singular vectors (latent semantic analysis:
Deerwester et al. 1990, "Indexing by latent semantic analysis").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["TextColumn"]

N_BUCKETS = 4096
N_TOPICS = 16
MOST_TEXTS = 3000  # weights and topics say what is common to texts: a few thousand fix them

# Polynomial hashing modulo 2^64. The multiplier is odd, hence invertible, so the hash of any stretch of the
# text is a difference of two prefix sums, shifted back to where the stretch begins.
_MULTIPLIER = 0x9E3779B97F4A7C15
_INVERSE = pow(_MULTIPLIER, -1, 2**64)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SPACE = ord(" ")


def _powers(base: int, n: int) -> NDArray[np.uint64]:
    values = np.full(n, base, np.uint64)
    values[:1] = 1
    return np.asarray(np.cumprod(values, dtype=np.uint64))


def _mixed(keys: NDArray[np.uint64], salt: int) -> NDArray[np.int64]:
    """Return the bucket of each key (the finaliser of splitmix64, Steele et al. 2014)."""
    keys = keys + np.uint64(salt * 0x94D049BB133111EB % 2**64)
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX
    keys = keys ^ (keys >> np.uint64(31))
    return (keys * np.uint64(_MULTIPLIER) >> np.uint64(52)).astype(np.int64)


def _normal(texts: pl.Series) -> pl.Series:
    return texts.fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def hashed_counts(texts: pl.Series) -> Any:
    """Count hashed words, word pairs and runs of 3 and 4 characters: a sparse (n_texts, 4096) matrix.

    No Python runs per text: all texts are laid end to end, each between two spaces, and hashed at once.
    """
    from scipy.sparse import coo_matrix

    clean = _normal(texts)
    lengths = clean.str.len_chars().to_numpy().astype(np.int64) + 2
    line = " " + "  ".join(clean.to_list()) + " " if len(clean) else ""
    points = np.frombuffer(line.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    row = np.repeat(np.arange(len(clean)), lengths)
    forward = np.zeros(len(points) + 1, np.uint64)
    np.cumsum((points + np.uint64(1)) * _powers(_MULTIPLIER, len(points)), out=forward[1:])
    back = _powers(_INVERSE, len(points) + 1)

    def stretches(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint64]:
        return np.asarray((forward[end] - forward[start]) * back[start])

    rows, buckets = [], []
    for width in (3, 4):
        start = np.arange(max(len(points) - width + 1, 0))
        start = start[row[start] == row[start + width - 1]] if len(start) else start
        rows.append(row[start])
        buckets.append(_mixed(stretches(start, start + width), width))
    space = points == _SPACE
    begin = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    end = np.flatnonzero(~space[:-1] & space[1:]) + 1
    words = stretches(begin, end)
    rows.append(row[begin])
    buckets.append(_mixed(words, 1))
    paired = np.flatnonzero(row[begin[:-1]] == row[begin[1:]])
    rows.append(row[begin[paired]])
    buckets.append(_mixed(words[paired] * _MIX + words[paired + 1], 2))
    place = (np.concatenate(rows), np.concatenate(buckets))
    ones = np.ones(len(place[0]))
    return coo_matrix((ones, place), shape=(len(clean), N_BUCKETS)).tocsr()


def _weighted(counts: Any, idf: NDArray[np.float64]) -> Any:
    counts = counts.copy()
    counts.data = (1.0 + np.log(counts.data)) * idf[counts.indices]
    norm = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.where(norm > 0, norm, 1.0), np.diff(counts.indptr))
    return counts


@dataclass(frozen=True)
class TextColumn:
    """Characters, words, and up to 16 topics. A missing text is an empty text."""

    kind: ClassVar[str] = "text"
    name: str
    idf: NDArray[np.float64]  # (4096,)
    topics: NDArray[np.float64]  # (n_topics, 4096)

    @classmethod
    def fit(cls, series: pl.Series, random_state: int) -> TextColumn:
        """Learn weights and topics from distinct texts in sorted order, so that row order plays no part."""
        from sklearn.utils.extmath import randomized_svd

        texts = series.cast(pl.String).drop_nulls().unique().sort()
        texts = texts.gather_every(max(1, -(-len(texts) // MOST_TEXTS))) if len(texts) else texts
        counts = hashed_counts(texts)
        frequency = np.bincount(counts.indices, minlength=N_BUCKETS)
        idf = np.log((1.0 + len(texts)) / (1.0 + frequency)) + 1.0
        n_topics = min(N_TOPICS, len(texts) - 1)
        if n_topics < 1 or counts.nnz == 0:
            return cls(series.name, idf, np.zeros((0, N_BUCKETS)))
        _, _, topics = randomized_svd(_weighted(counts, idf), n_topics, random_state=random_state)
        return cls(series.name, idf, np.ascontiguousarray(topics))

    @property
    def outputs(self) -> list[str]:
        """Names of the numbers this column becomes."""
        topics = [f"{self.name}: topic {i + 1}" for i in range(len(self.topics))]
        return [f"{self.name}: characters", f"{self.name}: words", *topics]

    def check(self) -> None:
        """Raise ValueError if a stored column is not one that `fit` makes."""
        if self.idf.shape != (N_BUCKETS,) or self.topics.ndim != 2 or self.topics.shape[1] != N_BUCKETS:
            raise ValueError(f"column {self.name!r}: its topics have shape {self.topics.shape}")

    def transform(self, series: pl.Series) -> NDArray[np.float64]:
        """Return lengths and topics, one row per text."""
        texts = series.cast(pl.String)
        clean = _normal(texts)
        characters = texts.fill_null("").str.len_chars().to_numpy()
        words = (clean.str.count_matches(" ", literal=True) + (clean != "").cast(pl.UInt32)).to_numpy()
        distinct = texts.fill_null("").unique(maintain_order=True)
        place = texts.fill_null("").cast(pl.Enum(distinct)).to_physical().to_numpy()
        topics = (_weighted(hashed_counts(distinct), self.idf) @ self.topics.T)[place]
        return np.column_stack([characters, words, topics]).astype(np.float64)
