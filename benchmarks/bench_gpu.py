"""What a graphics card does with attention and with the forecast network; one line and exit 0 where there is none.

    python benchmarks/bench_gpu.py [--quick] [--cells PART,PART] [--again] [--no-record] [--device cuda]

Parts, each a substring for --cells:

    attention  TFLOP/s of `attend_fused` in bfloat16, beside torch's own kernels called by name, forward and forward
               with backward: 16,384 tokens in all, 2,048 / head width heads, causal or not
    steps      training steps a second of the forecast network, in float32 and in bfloat16, two sizes
    replicas   seconds of a step of 1 to 64 replicas of a small network, together

An operation of attention is a multiplication or an addition of the two matrix products: 4 B H T^2 d forward, half of it
where it is causal, and 3.5 times as many with the backward pass. A kernel that refuses the arguments is left out, with
what torch said. A cell appends a row to benchmarks/results/gpu.jsonl.

--device cpu tries the script at small sizes, and records nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cells import Cell, Row, run

RESULTS = Path(__file__).parent / "results" / "gpu.jsonl"
PACKAGES = ("heldout", "numpy", "torch")
TOKENS, HIDDEN = 16_384, 2048
KERNELS = ("FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION", "MATH")
REPLICAS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Size:
    """Tokens of a sequence, width of a head, and whether attention is causal."""

    length: int
    head: int
    causal: bool

    def __str__(self) -> str:
        return f"{self.length} tokens, head width {self.head}, {'causal' if self.causal else 'full'}"

    def operations(self, batch: int, heads: int, *, backward: bool) -> float:
        """Return multiplications and additions of the matrix products of one pass."""
        return 4 * batch * heads * self.length**2 * self.head * (0.5 if self.causal else 1) * (3.5 if backward else 1)


def seconds_of(work: Callable[[], Any], device: str, repeats: int) -> float:
    """Return the median seconds of a call, after two that are not counted."""
    import torch

    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds = []
    for _ in range(repeats + 2):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[2:])


def ways_of(size: Size) -> dict[str, Callable[[Any, Any, Any], Any]]:
    """Return our fused path, and torch's kernels by name."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    from heldout.sequence.attend import attend_fused
    from heldout.sequence.mask import AttentionMask

    mask = AttentionMask(is_causal=size.causal)

    def by_kernel(kernel: Any) -> Callable[[Any, Any, Any], Any]:
        def mix(query: Any, key: Any, value: Any) -> Any:
            with sdpa_kernel(kernel):
                return scaled_dot_product_attention(query, key, value, is_causal=size.causal)

        return mix

    found: dict[str, Callable[[Any, Any, Any], Any]] = {"ours": lambda q, k, v: attend_fused(q, k, v, mask)}
    return found | {name.lower(): by_kernel(getattr(SDPBackend, name)) for name in KERNELS if hasattr(SDPBackend, name)}


def attention_row(size: Size, options: Namespace) -> Row:
    """Return TFLOP/s of each way, forward and with backward."""
    import torch

    from heldout.sequence.attend import fused_backend
    from heldout.sequence.mask import AttentionMask

    tokens = TOKENS if options.device == "cuda" else 1024
    batch, heads = max(1, tokens // size.length), HIDDEN // size.head if options.device == "cuda" else 2
    shape, kind = (3, batch, heads, size.length, size.head), torch.bfloat16
    parts = torch.randn(shape, device=options.device, dtype=kind).unbind(0)
    query, key, value = (part.requires_grad_() for part in parts)
    chosen = fused_backend(query, key, value, AttentionMask(is_causal=size.causal))
    rates: dict[str, list[float]] = {}
    refused: dict[str, str] = {}
    for name, mix in ways_of(size).items():
        try:
            rates[name] = [
                size.operations(batch, heads, backward=backward)
                / seconds_of(passes(mix, (query, key, value), backward=backward), options.device, options.repeats)
                / 1e12
                for backward in (False, True)
            ]
        except RuntimeError as problem:
            refused[name] = " ".join(str(problem).split())[:120]
    note = ", ".join(f"{name} {forward:.0f} / {both:.0f}" for name, (forward, both) in rates.items())
    return {"tflops": rates, "refused": refused, "chosen": chosen, "shape": list(shape[1:]),
            "note": f"TFLOP/s forward / with backward: {note}; torch chose {chosen}"}  # fmt: skip


def passes(mix: Callable[..., Any], inputs: tuple[Any, ...], *, backward: bool) -> Callable[[], None]:
    """Return one pass: forward without gradients, or forward and backward."""
    import torch

    def forward() -> None:
        with torch.no_grad():
            mix(*inputs)

    def both() -> None:
        mixed = mix(*inputs)
        torch.autograd.grad(mixed, inputs, torch.ones_like(mixed))

    return both if backward else forward


def train(options: Namespace, n_steps: int, kind: str = "float32", **sizes: Any) -> float:
    """Train the forecast network on a made panel of hours, and return the median seconds of a step.

    In another precision than float32 the network's weights and all that it is shown are of it, times excepted: the
    product itself trains in float32, and its backbone takes tokens of the precision of its weights only.
    """
    import torch

    from heldout.sequence.network import ForecastNetwork, forecast
    from heldout.sequence.network_optimizer import NetworkOptimizer
    from heldout.sequence.objective import losses_by_window

    dtype = getattr(torch, kind)
    examples, design, plan, batch_size = made_examples(options.device, sizes)
    network = ForecastNetwork(design, torch.Generator().manual_seed(0)).to(options.device, dtype).train()
    optimizer = NetworkOptimizer(network, network.encoder)
    levels = torch.from_numpy(plan.levels).to(options.device, dtype)
    spread = torch.linspace(-1, 1, len(plan.levels), device=options.device, dtype=dtype).repeat(plan.horizon, 1)
    draws = torch.Generator().manual_seed(0)

    def step() -> None:
        chosen = torch.randint(len(examples), (batch_size,), generator=draws).to(options.device)
        batch = examples.gather(chosen)
        batch = replace(batch, **{name: value.to(dtype) for name, value in vars(batch).items() if name != "time"})
        point, quantiles = forecast(network, batch, spread)
        optimizer.zero_grad()
        losses_by_window(point, quantiles, batch, levels, "quantile").mean(1).sum().backward()
        optimizer.step(0.1)

    return seconds_of(step, options.device, n_steps)


def made_examples(device: str, sizes: dict[str, int]) -> tuple[Any, Any, Any, int]:
    """Return examples of the panel on the device, the network's design, the plan and the windows of a step."""
    from heldout.sequence import Forecaster
    from heldout.sequence.baselines import LastValue
    from heldout.sequence.examples import Examples
    from heldout.sequence.folds import fold_windows
    from heldout.sequence.network_fit import choose_design
    from heldout.sequence.windows import all_origins

    windows = all_origins(made_panel(), 96, least_context=24)
    plan = Forecaster(96, time="hour", target="value", group="series", device=device, **sizes)._plan()
    base = LastValue().fit(windows, fold_windows(windows)).out_of_fold()
    design, batch_size = choose_design(windows, plan, plan.time_budget)
    return Examples(windows, base, design.shape, device=device), design, plan, batch_size


def made_panel() -> Any:
    """Return 20 series of 1000 hours with a daily season."""
    import polars as pl

    from heldout.sequence.reading import read_sequences

    draws, hours = np.random.default_rng(0), np.arange(1000)
    values = np.sin(2 * np.pi * hours / 24) + draws.normal(size=(20, 1000)).cumsum(axis=1) / 10
    columns = {"series": np.repeat(np.arange(20), 1000), "hour": np.tile(hours, 20), "value": values.ravel()}
    return read_sequences(pl.DataFrame(columns), target="value", time="hour", group="series", season=24)


def steps_row(options: Namespace, sizes: dict[str, int]) -> Row:
    """Return steps a second in each precision; a precision that the network refuses, with what it said."""
    n_steps = 100 if options.device == "cuda" else 3
    rates: dict[str, float] = {}
    refused: dict[str, str] = {}
    for kind in ("float32", "bfloat16"):
        try:
            rates[kind] = 1 / train(options, n_steps, kind, **sizes)
        except (RuntimeError, ValueError) as problem:
            refused[kind] = " ".join(str(problem).split())[:160]
    note = ", ".join(f"{kind} {rate:.1f} steps a second" for kind, rate in rates.items())
    note += "".join(f"; {kind} refused: {why}" for kind, why in refused.items())
    return {"steps_a_second": rates, "refused": refused, "sizes": sizes, "note": note}


def replicas_row(options: Namespace) -> Row:
    """Return seconds a step by number of replicas."""
    n_steps = 50 if options.device == "cuda" else 2
    counts = REPLICAS if options.device == "cuda" else REPLICAS[:3]
    sizes = {"width": 32, "depth": 2, "context": 96, "batch_size": 32}
    seconds = {str(count): train(options, n_steps, replicas=count, **sizes) for count in counts}
    note = ", ".join(f"{count}: {value / seconds['1']:.2f}x" for count, value in seconds.items())
    return {"step_seconds": seconds, "note": f"a step of one takes {1000 * seconds['1']:.1f} ms; {note}"}


def all_cells(options: Namespace) -> Iterator[Cell]:
    """Yield every cell that was asked for."""
    chosen = [part for part in options.cells.split(",") if part]
    cells = [*attention_cells(options)]
    for sizes in ({"width": 64, "depth": 2, "batch_size": 256}, {"width": 256, "depth": 6, "batch_size": 256}):
        named = f"steps, width {sizes['width']}, depth {sizes['depth']}"
        cells.append(Cell(named, 1, lambda _, sizes=sizes: steps_row(options, sizes)))
    cells.append(Cell("replicas", 1, lambda _: replicas_row(options)))
    yield from (cell for cell in cells if not chosen or any(part in cell.name for part in chosen))


def attention_cells(options: Namespace) -> Iterator[Cell]:
    lengths = (512, 2048, 8192, 16_384) if options.device == "cuda" else (128,)
    for head in (64, 128):
        for length in lengths[:2][-1:] if options.quick else lengths:
            for causal in (True,) if options.quick else (True, False):
                size = Size(length, head, causal)
                yield Cell(f"attention {size}", 1, lambda _, size=size: attention_row(size, options))


def parsed() -> Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one length, fewer repeats")
    parser.add_argument("--cells", metavar="PARTS", default="", help="cells whose name holds one of these, by commas")
    parser.add_argument("--again", action="store_true", help="measure cells that have a row already")
    parser.add_argument("--no-record", action="store_true", help="neither read nor write results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try the script")
    options = parser.parse_args()
    options.repeats = 3 if options.quick or options.device == "cpu" else 20
    options.rows, options.only = None, ""
    options.no_record |= options.device == "cpu"
    return options


def main() -> None:
    """Measure what has no row yet, where there is a card."""
    import torch

    options = parsed()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device: nothing to measure")
        return
    card = torch.cuda.get_device_name() if options.device == "cuda" else "no card"
    run(lambda mode: all_cells(options), RESULTS, PACKAGES, options, {"card": card}, 0.0)  # noqa: ARG005


if __name__ == "__main__":
    main()
