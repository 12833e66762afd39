"""Whether attention learns what attention is for: recall of pairs, and copying at a lag that the sequence itself tells.

    python benchmarks/sequence_tasks.py [--seeds 5] [--steps 400] [--recurrent]

Small vocabularies, sequences drawn anew for each step, one thread. After training, fresh sequences are answered twice:
as learned, and with all attention weights made uniform, which leaves a network only how often it has seen what.
--recurrent trains gated recurrent units of the same width and depth beside it, by the same recipe, which was not
made for them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heldout.sequence.backbone import Backbone
from heldout.sequence.linear import ReplicatedLinear
from heldout.sequence.optimizer import Muon, sort_parameters
from heldout.sequence.recurrent import RecurrentBackbone

SYMBOLS = 16
NOT_ASKED = -1
WIDTH, DEPTH, N_HEADS = 64, 2, 2


@dataclass(frozen=True)
class Task:
    """A law of sequences: ``draw(n, generator)`` gives tokens and, where a question is asked, answers.

    Tokens are of shape (n, T), below 2 * SYMBOLS; answers (n, T), below SYMBOLS, or NOT_ASKED. `chance` is the share of
    right answers of one who knows only which symbols were seen, and how often.
    """

    name: str
    draw: Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
    chance: float


def associative_recall(n: int, generator: torch.Generator, n_pairs: int = 8) -> tuple[Tensor, Tensor]:
    """Draw pairs of a key and a value, all different, then each key once more, in another order, to be answered."""
    key = torch.rand(n, SYMBOLS, generator=generator).argsort(dim=1)[:, :n_pairs]
    value = torch.rand(n, SYMBOLS, generator=generator).argsort(dim=1)[:, :n_pairs]
    order = torch.rand(n, n_pairs, generator=generator).argsort(dim=1)
    pairs = torch.stack([key, SYMBOLS + value], dim=2).flatten(1)
    tokens = torch.cat([pairs, key.gather(1, order)], dim=1)
    return tokens, torch.cat([torch.full_like(pairs, NOT_ASKED), value.gather(1, order)], dim=1)


def copy_at_lag(n: int, generator: torch.Generator, length: int = 48) -> tuple[Tensor, Tensor]:
    """Draw a lag and then symbols; from the longest lag on, the answer is the symbol of so many places before."""
    lag = torch.randint(1, SYMBOLS + 1, (n, 1), generator=generator)
    symbol = torch.randint(0, SYMBOLS, (n, length), generator=generator)
    place = torch.arange(length)[None]
    answer = torch.where(place >= SYMBOLS, symbol.gather(1, (place - lag).clamp_min(0)), NOT_ASKED)
    return torch.cat([SYMBOLS - 1 + lag, symbol], dim=1), torch.cat([torch.full_like(lag, NOT_ASKED), answer], dim=1)


RECALL = Task("associative recall", associative_recall, chance=1 / 8)  # one of the eight values that were shown
COPY = Task(
    "copy at a lag", copy_at_lag, chance=0.154
)  # the symbol seen most often is right at 0.1536 of 2,048,000 places
TASKS = (RECALL, COPY)


class Answerer(nn.Module):
    """A table of tokens, a backbone, and scores of answers that start at zero."""

    def __init__(self, backbone: Backbone | RecurrentBackbone, generator: torch.Generator) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(1, 2 * SYMBOLS, WIDTH, generator=generator))
        self.backbone = backbone
        self.head = ReplicatedLinear(WIDTH, SYMBOLS, zero=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores of shape (n, T, SYMBOLS)."""
        return self.head(self.backbone(self.table[:, tokens]))[0]


def train(task: Task, seed: int, *, steps: int = 400, batch: int = 32, recurrent: bool = False) -> Answerer:
    """Train by Muon and AdamW: 20 steps of warm-up, and a linear fall of the rate over the last 40 % of the steps."""
    generator = torch.Generator().manual_seed(seed)
    backbone: Backbone | RecurrentBackbone
    if recurrent:
        backbone = RecurrentBackbone(WIDTH, DEPTH, causal=True, generator=generator)
    else:
        backbone = Backbone(WIDTH, DEPTH, N_HEADS, causal=True, generator=generator)
    answerer = Answerer(backbone, generator)
    optimizer = Muon(*sort_parameters(answerer, backbone))
    for step in range(steps):
        tokens, answers = task.draw(batch, generator)
        optimizer.zero_grad()
        scores = answerer(tokens).flatten(0, 1)
        nn.functional.cross_entropy(scores, answers.flatten(), ignore_index=NOT_ASKED).backward()
        optimizer.step(min(1.0, (step + 1) / 20, (steps - step) / (0.4 * steps)))
    return answerer


def share_right(answerer: Answerer, task: Task, seed: int, n: int = 500) -> float:
    """Return the share of right answers over fresh sequences, which no training of a seed below a million has drawn."""
    tokens, answers = task.draw(n, torch.Generator().manual_seed(1_000_000 + seed))
    with torch.no_grad():
        right = answerer(tokens).argmax(-1) == answers
    return right[answers != NOT_ASKED].double().mean().item()


@contextmanager
def uniform_attention(backbone: Backbone) -> Iterator[None]:
    """Make all attention weights equal over the keys that a token may see: scores of zero do that."""
    scales = [block.attention.score_scale for block in backbone.blocks]
    learned = [scale.detach().clone() for scale in scales]
    with torch.no_grad():
        try:
            for scale in scales:
                scale.zero_()
            yield
        finally:
            for scale, value in zip(scales, learned, strict=True):
                scale.copy_(value)


@dataclass(frozen=True)
class Outcome:
    """Shares of right answers as learned and under uniform attention (NaN without attention), and processor seconds."""

    learned: float
    uniform: float
    seconds: float


def measure(task: Task, seed: int, *, steps: int = 400, recurrent: bool = False) -> Outcome:
    """Train on one task and answer fresh sequences."""
    start = time.process_time()
    answerer = train(task, seed, steps=steps, recurrent=recurrent)
    seconds = time.process_time() - start
    learned, uniform = share_right(answerer, task, seed), float("nan")
    if isinstance(answerer.backbone, Backbone):
        with uniform_attention(answerer.backbone):
            uniform = share_right(answerer, task, seed)
    return Outcome(learned, uniform, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--recurrent", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for task in TASKS:
        for recurrent in (False, True) if asked.recurrent else (False,):
            found = []
            for seed in range(asked.seeds):
                found.append(measure(task, seed, steps=asked.steps, recurrent=recurrent))
                print(f"  {task.name}, seed {seed}: {found[-1]}", flush=True)
            kind = "recurrent" if recurrent else "attention"
            hits = sum(outcome.learned >= 0.99 for outcome in found)
            print(f"{task.name}, {kind}: 99 % right in {hits} / {len(found)}", flush=True)


if __name__ == "__main__":
    main()
