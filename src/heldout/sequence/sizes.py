"""Width, depth and batch of a network, from what the time budget can pay for.

::

    cost of a step  =  6 x parameters x tokens of a batch / (numbers a second that this machine multiplies)

    steps the budget pays for        below 60: smaller batches, then the smaller network
                                     above what the data bear: the deeper network
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from heldout.sequence.plan import FitPlan
from heldout.sequence.windows import Windows

__all__ = ["Sizes", "operations_per_second", "sizes_for"]

_ROWS_OF_A_STEP, _LEAST_ROWS = 256, 64
_FEWEST_STEPS = 60
_SMALL, _USUAL, _DEEP = (32, 1), (64, 2), (128, 4)
# Passes over the windows after which networks of these sizes have learned what there is.
_PASSES_OF_DEEP = 24
_WINDOWS_OF_DEEP = 100_000
# Matrices of a network are small, and much of a step is no product: of the speed of a large product this share is seen.
_SHARE_OF_PEAK = 0.35


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network and its steps.

    Parameters
    ----------
    width, depth : int
    batch_size : int
        Windows of a step.
    """

    width: int
    depth: int
    batch_size: int


def operations_per_second(device: str) -> float:
    """Return how many multiplications and additions a second a large product does here, measured for a few hundredths.

    Parameters
    ----------
    device : str
    """
    size = 256 if device == "cpu" else 2048
    left = torch.ones(size, size, device=device)
    spent, n_products = 0.0, 0
    _ = float((left @ left)[0, 0])
    began = time.perf_counter()
    while spent < 0.03:
        product = left @ left
        _ = float(product[0, 0])
        n_products += 1
        spent = time.perf_counter() - began
    return 2.0 * size**3 * n_products / spent


def sizes_for(windows: Windows, plan: FitPlan, n_tokens: int, budget: float) -> Sizes:
    """Choose the sizes that the plan leaves open.

    Parameters
    ----------
    windows : Windows
        To be learned from.
    plan : FitPlan
    n_tokens : int
        Tokens of one variable of a window.
    budget : float
        Seconds of one training.

    Returns
    -------
    Sizes
        Asked for again, they give the same network; without a probe where all are given, or the number of steps.
    """
    n_variables = windows.sequences.n_variables
    rows = _ROWS_OF_A_STEP
    width, depth = _USUAL
    is_open = plan.n_steps is None and None in (plan.width, plan.depth, plan.batch_size)
    if is_open:
        speed = operations_per_second(plan.device) * _SHARE_OF_PEAK

        def steps(size: tuple[int, int], n_rows: int) -> float:
            wide, deep = plan.width or size[0], plan.depth or size[1]
            parameters = 12 * wide * wide * deep * plan.replicas
            return 0.6 * budget * speed / (6.0 * parameters * n_rows * n_tokens)

        while rows > _LEAST_ROWS and steps(_USUAL, rows) < _FEWEST_STEPS:
            rows //= 2
        enough = _PASSES_OF_DEEP * len(windows) * n_variables / rows
        if steps(_USUAL, rows) < _FEWEST_STEPS:
            width, depth = _SMALL
        elif len(windows) * n_variables >= _WINDOWS_OF_DEEP and steps(_DEEP, rows) > enough:
            width, depth = _DEEP
    batch_size = plan.batch_size or max(1, rows // n_variables)
    return Sizes(plan.width or width, plan.depth or depth, min(batch_size, len(windows)))
