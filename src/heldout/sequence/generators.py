"""torch generators from seeds, so that no module draws from torch's global state."""

from __future__ import annotations

from typing import Any

import torch

from heldout._random import seed_of

__all__ = ["torch_generator"]


def torch_generator(random_state: Any) -> torch.Generator:
    """Return a generator on the processor, seeded by `random_state`; a torch generator is returned as it is.

    Parameters
    ----------
    random_state : None, int, numpy generator or torch.Generator
        None draws a fresh seed from the operating system.

    Raises
    ------
    InvalidInput
        Anything else, or a negative integer.

    Examples
    --------
    >>> first, again = (torch.rand(1, generator=torch_generator(3)) for _ in range(2))
    >>> bool(first == again)
    True
    """
    if isinstance(random_state, torch.Generator):
        return random_state
    return torch.Generator().manual_seed(seed_of(random_state))
