"""torch's global state, left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from heldout._threads import n_threads
from heldout.errors import InvalidInput

__all__ = ["choose_device", "precision", "torch_as_found"]


@contextmanager
def torch_as_found(n_jobs: int | None) -> Iterator[None]:
    """Run with so many threads and float32 as the default, and put both back, whatever happens inside.

    Random numbers are drawn from generators of our own, never from torch's global one.

    Parameters
    ----------
    n_jobs : int, optional
        As `heldout._threads.n_threads` takes it.
    """
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(n_threads(n_jobs))
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)


def precision(device: torch.device | str) -> AbstractContextManager[Any]:
    """Return a context in which matrix products on CUDA are in bfloat16; on a processor all stays in float32.

    bfloat16 on processors without the instructions for it was seen to take 30 times as long.
    """
    on_cuda = torch.device(device).type == "cuda"
    return torch.autocast("cuda", torch.bfloat16) if on_cuda else nullcontext()


def choose_device(asked: str) -> str:
    """Return the device to compute on: for "auto", cuda where there is one.

    Raises
    ------
    InvalidInput
        A device that torch does not know, or that is not there.
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError) as problem:
        why = " ".join(str(problem).split())[:120]
        raise InvalidInput(f"device {asked!r} cannot be used ({why}): try 'cpu' or 'auto'") from None
    return asked
