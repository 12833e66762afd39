r"""Training that ends fully annealed, within a time budget or a number of steps, and again to the same bits.

The learning rate rises for a few steps, stays, and falls to zero over the last two fifths. With a time budget the fall
begins when three fifths of it are spent: had the number of steps been asked for, it would have begun at the same step,
so a run repeats itself from `n_steps` alone::

    rate   /--------------\
          /                \
         /                  \
        0                .6 n   n

Windows set apart say when that is too long: they are judged now and then by the running average of the weights, and if
it was best well before, training goes back there and cools from there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from heldout.sequence.averaging import AveragedWeights
from heldout.sequence.checkpoint import read_checkpoint, write_checkpoint
from heldout.sequence.sharding import ShardedOptimizer

__all__ = ["Course", "Judge", "Trained", "rate_at", "train"]

_WARM_UP = 20
_COOLING = 0.4
_SAVE_EVERY = 10.0
_KEEP_EVERY = 50
_NO_END = 10**12
_FIRST_LOOK, _LOOK_AGAIN, _LEAST_STEPS, _PATIENCE = 12, 1.25, 72, 2.0


@dataclass(frozen=True)
class Course:
    """How long to train.

    Parameters
    ----------
    n_steps : int or None
        Steps; None lets the time budget decide.
    budget : float
        Seconds, when `n_steps` is None.
    most_steps : int
        No more steps than this, when `n_steps` is None.
    checkpoint : Path or None
        File that a killed run goes on from.
    """

    n_steps: int | None
    budget: float
    most_steps: int
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What a training run was.

    Parameters
    ----------
    n_steps : int
        Of the whole course: asked for again, it gives the same bits.
    seconds : float
    data_seconds : float
        Of those, spent on gathering batches.
    stopped_at : int or None
        Step, from 0, at which a loss was no number; the weights are those of `kept_step`.
    kept_step : int
        Steps that made the weights.
    losses : list of float
        Mean loss over replicas of every step.
    judged : dict of int to float
        Loss on the windows set apart after so many steps at the full rate.
    """

    n_steps: int
    seconds: float
    data_seconds: float
    stopped_at: int | None
    kept_step: int
    losses: list[float]
    judged: dict[int, float] = field(default_factory=dict)


def rate_at(step: int, n_steps: int) -> float:
    """Return the share of the full learning rate at a step, counted from 0.

    Examples
    --------
    >>> [round(rate_at(step, 1000), 4) for step in (0, 19, 500, 600, 800, 999)]
    [0.05, 1.0, 1.0, 1.0, 0.5, 0.0025]
    """
    rising = min(1.0, (step + 1) / _WARM_UP)
    falling = min(1.0, (n_steps - step) / max(1.0, _COOLING * n_steps))
    return rising * falling


def length_from(step: int) -> int:
    """Return the number of steps of a course that begins to cool at this step."""
    return max(step + 1, math.ceil(step / (1 - _COOLING)))


def train(
    optimizer: ShardedOptimizer,
    loss_of: Callable[[int], tuple[Tensor, float]],
    course: Course,
    *,
    judge: Judge | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Trained:
    """Take steps until the course is over.

    Parameters
    ----------
    optimizer : ShardedOptimizer
        Holds the network it moves.
    loss_of : callable
        Takes the number of a step and returns the loss of each replica, shape (R,), and the seconds that gathering
        took. All that is random in it hangs on that number alone.
    course : Course
    judge : Judge, optional
        Says when to begin to cool, where the number of steps is open.
    progress : callable, optional
        Takes the steps done, and all steps (None while the budget has not decided).

    Returns
    -------
    Trained
    """
    run = _Run(optimizer, course, judge)
    while run.n_steps is None or run.step < run.n_steps:
        run.maybe_cool()
        losses, gathered = loss_of(run.step)
        if not run.take(losses, gathered):
            break
        if progress is not None:
            progress(run.step, run.n_steps)
    return run.finish()


class Judge:
    """Look at windows set apart, at steps further and further apart, with the running average of the weights.

    Parameters
    ----------
    average : AveragedWeights
    loss : callable
        Returns the loss on the windows set apart, of the weights as they stand.

    Attributes
    ----------
    losses : dict of int to float
        By the number of steps taken.
    """

    def __init__(self, average: AveragedWeights, loss: Callable[[], float]) -> None:
        self.average, self.loss = average, loss
        self.losses: dict[int, float] = {}

    @property
    def best_step(self) -> int:
        """Steps after which the loss was least."""
        return min(self.losses, key=self.losses.__getitem__)

    def look(self, step: int) -> bool:
        """Take in a step, judge if it is time, and say whether this is the best so far."""
        self.average.update(step)
        if step < _FIRST_LOOK or step < _LOOK_AGAIN * max(self.losses, default=0):
            return False
        with self.average.in_place():
            self.losses[step] = self.loss()
        return self.best_step == step

    def is_over(self, step: int) -> bool:
        """Say whether the best lies so far back that going on is of no use."""
        return step >= _LEAST_STEPS and step >= _PATIENCE * self.best_step


class _Run:
    """A run between two steps."""

    def __init__(self, optimizer: ShardedOptimizer, course: Course, judge: Judge | None) -> None:
        self.optimizer, self.course = optimizer, course
        self.n_steps = course.n_steps
        self.judge = judge if self.n_steps is None else None
        self.best: dict[str, Tensor] = {}
        self.step, self.data_seconds = 0, 0.0
        self.losses: list[float] = []
        self.stopped_at: int | None = None
        self.spent = 0.0
        self.began = self.saved = time.perf_counter()
        if course.checkpoint is not None and course.checkpoint.exists():
            self._resume(read_checkpoint(course.checkpoint))
        self.good = self.step, optimizer.snapshot()

    @property
    def seconds(self) -> float:
        return self.spent + time.perf_counter() - self.began

    def maybe_cool(self) -> None:
        """Fix the number of steps when three fifths of the budget are spent, or when more would do harm."""
        if self.n_steps is not None:
            return
        if self.judge is not None and self.judge.is_over(self.step):
            self._cool_from_the_best()
            return
        enough = self.seconds >= (1 - _COOLING) * self.course.budget
        if enough or length_from(self.step) >= self.course.most_steps:
            self.n_steps = length_from(self.step)

    def _cool_from_the_best(self) -> None:
        assert self.judge is not None  # noqa: S101 - it has judged
        self.step = self.judge.best_step
        self.n_steps = length_from(self.step)
        self.losses = self.losses[: self.step]
        self.optimizer.restore(self.best)
        self.good = self.step, self.best

    def take(self, losses: Tensor, gathered: float) -> bool:
        """Take one step; False where the loss is no number."""
        loss = float(losses.detach().mean())
        if not math.isfinite(loss):
            self.stopped_at = self.step
            self.step, state = self.good
            self.optimizer.restore(state)
            return False
        self.optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        # While the course is open its end lies beyond: the rate is still full.
        self.optimizer.step(rate_at(self.step, self.n_steps or _NO_END))
        self.losses.append(loss)
        self.data_seconds += gathered
        self.step += 1
        if self.judge is not None and self.n_steps is None and self.judge.look(self.step):
            self.best = self.optimizer.snapshot()
        if self.step % _KEEP_EVERY == 0:
            self.good = self.step, self.optimizer.snapshot()
        if self.course.checkpoint is not None and time.perf_counter() - self.saved > _SAVE_EVERY:
            self.save()
        return True

    def save(self) -> None:
        assert self.course.checkpoint is not None  # noqa: S101 - the caller asked
        state: dict[str, Any] = {
            "step": self.step,
            "n_steps": self.n_steps,
            "seconds": self.seconds,
            "data_seconds": self.data_seconds,
            "losses": self.losses,
        }
        tensors = {f"now/{name}": tensor for name, tensor in self.optimizer.snapshot().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        if self.judge is not None:
            state["judged"] = list(self.judge.losses.items())
            tensors |= {f"average/{name}": tensor for name, tensor in self.judge.average.state().items()}
        write_checkpoint(self.course.checkpoint, state, tensors)
        self.saved = time.perf_counter()

    def _resume(self, found: tuple[dict[str, Any], dict[str, Any]]) -> None:
        state, tensors = found
        self.step, self.n_steps = int(state["step"]), state["n_steps"]
        self.spent, self.data_seconds = float(state["seconds"]), float(state["data_seconds"])
        self.losses = list(state["losses"])
        self.optimizer.restore(_named("now/", tensors))
        self.best = _named("best/", tensors)
        if self.judge is not None:
            self.judge.losses = {int(step): loss for step, loss in state["judged"]}
            self.judge.average.restore(_named("average/", tensors))

    def finish(self) -> Trained:
        n_steps = self.n_steps if self.n_steps is not None else self.step
        judged = {} if self.judge is None else dict(self.judge.losses)
        return Trained(n_steps, self.seconds, self.data_seconds, self.stopped_at, self.step, self.losses, judged)


def _named(start: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
