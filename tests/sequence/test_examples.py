"""What the network is shown of windows equals plain loops, whatever is missing, irregular or padded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.examples import Examples, Shape, _compressed
from heldout.sequence.sequences import Sequences
from heldout.sequence.standards import standards_of
from heldout.sequence.time_step import TimeStep
from heldout.sequence.windows import Windows, last_origins

from reference.series import make_sequences, with_gaps
from reference.shown_windows import shown

torch = pytest.importorskip("torch")

LEVELS = {"k1": ("a", "b", "c"), "s0": ("x", "y")}
KNOWN_LEVELS, STATIC_LEVELS = (0, 3), (2, 0)


def some_sequences(seed: int, *, regular: bool = True, magnitude: float = 1.0) -> Sequences:
    """Return series of 1, 4, 9 and 30 rows, two variables with gaps, a number and a category each known and static."""
    rng = np.random.default_rng(seed)
    lengths = (1, 4, 9, 30)
    sequences = make_sequences(
        [with_gaps(magnitude * (100 + rng.standard_cauchy((n, 2))), 0.2, rng) for n in lengths],
        3,
        known=[
            np.stack([with_gaps(1e6 + rng.normal(size=n), 0.1, rng), rng.integers(0, 4, n)], axis=1) for n in lengths
        ],
        static=np.stack([rng.integers(0, 3, 4), rng.normal(size=4)], axis=1),
        levels=LEVELS,
        step=None if regular else TimeStep("number", 1.0, False),
    )
    if not regular:
        for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
            sequences.count[start:end] = rng.normal() * 50 + np.cumsum(rng.exponential(size=end - start))
    return sequences


def shape_for(windows: Windows, length: int) -> Shape:
    known, static = standards_of(windows, KNOWN_LEVELS, STATIC_LEVELS)
    cycles = (3.0, 7.5)
    return Shape(length, windows.horizon, 2, cycles, KNOWN_LEVELS, STATIC_LEVELS, *known, *static)


@pytest.mark.parametrize("regular", [True, False], ids=["regular", "irregular"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 12), horizon=st.integers(1, 6), told=st.booleans())
def test_windows_are_shown_as_by_plain_loops(regular: bool, seed: int, length: int, horizon: int, told: bool) -> None:
    sequences, rng = some_sequences(seed, regular=regular), np.random.default_rng(seed + 1)
    windows = Windows(sequences, np.arange(sequences.n_rows), horizon)
    base = 100 + rng.standard_cauchy((len(windows), horizon, 2)) * 10.0 ** rng.integers(0, 9)
    known_future = rng.integers(0, 4, (len(windows), horizon, 2)).astype(float) if told else None
    shape = shape_for(windows, length)
    examples = Examples(windows, base, shape, known_future=known_future)
    chosen = rng.integers(0, len(windows), (2, 10))
    batch = examples.gather(torch.from_numpy(chosen))
    for place, number in np.ndenumerate(chosen):
        future = None if known_future is None else known_future[number]
        expected = shown(sequences, int(windows.origin[number]), shape, base[number], future)
        for name, values in expected.items():
            found = getattr(batch, name)[place].numpy()
            np.testing.assert_allclose(found, np.array(values).reshape(found.shape), rtol=1e-5, atol=1e-5, err_msg=name)


def test_what_is_told_of_the_future_may_come_with_the_windows(seed: int) -> None:
    sequences = some_sequences(seed)
    told = np.random.default_rng(seed).integers(0, 4, (4, 2, 2)).astype(float)
    plain = last_origins(sequences, 2)
    base, shape = np.zeros((4, 2, 2)), shape_for(plain, 5)
    by_windows = Examples(Windows(sequences, plain.origin, 2, told), base, shape).gather(torch.arange(4))
    by_argument = Examples(plain, base, shape, known_future=told).gather(torch.arange(4))
    assert torch.equal(by_windows.known, by_argument.known)
    assert by_windows.known[:, -2:].abs().sum() > 0


@pytest.mark.parametrize("regular", [True, False], ids=["regular", "irregular"])
def test_no_other_series_of_the_table_is_shown(regular: bool, seed: int) -> None:
    sequences = some_sequences(seed, regular=regular)
    own = sequences.series_of_row == 2
    poisoned = some_sequences(seed, regular=regular)
    for values in (poisoned.target, poisoned.known):
        values[~own] = 3.0
    poisoned.count[~own] *= -7.0
    origin = np.flatnonzero(own)
    shape = shape_for(Windows(sequences, origin, 4), 12)
    base = np.full((len(origin), 4, 2), 100.0)
    batches = [Examples(Windows(s, origin, 4), base, shape).gather(torch.arange(9)) for s in (sequences, poisoned)]
    for name in ("context", "context_known", "base", "target", "target_known", "time", "cycles", "known"):
        assert torch.equal(getattr(batches[0], name), getattr(batches[1], name)), name


def test_small_changes_on_a_high_level_keep_their_digits(seed: int) -> None:
    """In float32 a level of 1e9 has no digit left below 64."""
    change = np.random.default_rng(seed).integers(-3, 4, 40).cumsum().astype(float)
    small, large = (make_sequences([level + change], 1) for level in (0.0, 1e9))
    batches = [
        Examples(
            Windows(s, np.arange(20, 30), 4), s.target[np.arange(20, 30)][:, None].repeat(4, 1), Shape(8, 4, 1, ())
        ).gather(torch.arange(10))
        for s in (small, large)
    ]
    for name in ("context", "base", "target"):
        torch.testing.assert_close(getattr(batches[0], name), getattr(batches[1], name), rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-12, 1.0, 1e12]))
def test_the_unit_of_the_target_does_not_matter(seed: int, unit: float) -> None:
    batches = []
    for magnitude in (1.0, unit):
        sequences = some_sequences(seed, magnitude=magnitude)
        sequences.target[sequences.offsets[:-1]] = 100 * magnitude  # where nothing is known there is no unit
        windows = Windows(sequences, np.arange(sequences.n_rows), 3)
        base = np.full((len(windows), 3, 2), 101.0 * magnitude)
        batches.append(Examples(windows, base, shape_for(windows, 6)).gather(torch.arange(len(windows))))
    for name in ("context", "base", "target"):
        torch.testing.assert_close(getattr(batches[0], name), getattr(batches[1], name), rtol=1e-4, atol=1e-4)


def test_the_unit_and_zero_of_a_known_column_do_not_matter(seed: int) -> None:
    batches = []
    for unit, zero in ((1.0, 0.0), (1e3, -2024.0)):
        sequences = some_sequences(seed)
        sequences.known[:, 0] = unit * (sequences.known[:, 0] - 1e6) + zero
        sequences.static[:, 1] = unit * sequences.static[:, 1] + zero
        windows = Windows(sequences, np.arange(sequences.n_rows), 3)
        examples = Examples(windows, np.zeros((len(windows), 3, 2)), shape_for(windows, 6))
        batches.append(examples.gather(torch.arange(len(windows))))
    for name in ("known", "static"):
        torch.testing.assert_close(getattr(batches[0], name), getattr(batches[1], name), rtol=1e-4, atol=1e-4)
        assert getattr(batches[0], name).abs().max() < 10


def test_columns_are_put_in_units_by_what_is_learned_from_alone() -> None:
    known = [np.array([1.0, 3.0, np.nan, 1e9]), np.array([1e9, 1e9])]
    sequences = make_sequences([np.zeros(4), np.zeros(2)], known=known, static=np.array([[5.0], [1e9]]))
    windows = Windows(sequences, np.array([0]), 2)
    assert standards_of(windows, (0,), (0,)) == (((2.0,), (1.0,)), ((5.0,), (1.0,)))
    assert standards_of(windows, (4,), (1,)) == (((0.0,), (1.0,)), ((0.0,), (1.0,)))


def test_values_far_from_the_level_grow_like_a_logarithm() -> None:
    values = torch.tensor([-8 * np.e, -8.0, 0.5, 8.0, 8 * np.e**2], dtype=torch.float32)
    torch.testing.assert_close(_compressed(values), torch.tensor([-16.0, -8.0, 0.5, 8.0, 24.0]))
