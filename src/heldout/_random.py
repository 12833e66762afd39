"""Seeds: one integer in, independent named streams out.

A stream is named by what it is for, so that adding a stage never changes the draws of another one.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from heldout.errors import InvalidInput

__all__ = ["seed_of", "stream", "stream_seed"]


def seed_of(random_state: Any) -> int:
    """Turn scikit-learn's `random_state` into one integer seed.

    Parameters
    ----------
    random_state : None, int, numpy Generator or RandomState
        None draws a fresh seed from the operating system.

    Raises
    ------
    InvalidInput
        Anything else, or a negative integer.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if random_state < 0:
            raise InvalidInput(f"random_state must be 0 or more, got {random_state}: give another seed")
        return int(random_state)
    raise InvalidInput(
        f"random_state must be None, an int or a numpy generator, got {random_state!r:.60}: "
        "pass a whole number to get the same draws again"
    )


def _sequence(random_state: Any, names: tuple[str | int, ...]) -> np.random.SeedSequence:
    keys = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.SeedSequence([seed_of(random_state), *keys])


def stream(random_state: Any, *names: str | int) -> np.random.Generator:
    """Return the generator of one named purpose: equal names give equal draws, other names independent ones.

    Examples
    --------
    >>> bool(stream(0, "folds").integers(1000) == stream(0, "folds").integers(1000))
    True
    """
    return np.random.default_rng(_sequence(random_state, names))


def stream_seed(random_state: Any, *names: str | int) -> int:
    """Return a 31-bit seed for code that wants an integer (scikit-learn estimators)."""
    return int(_sequence(random_state, names).generate_state(1)[0] & 0x7FFFFFFF)
