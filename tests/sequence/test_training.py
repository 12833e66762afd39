"""Training ends annealed, repeats itself to the bit, goes on where it was killed, and survives what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.errors import ModelFileError
from heldout.sequence import network_fit, training
from heldout.sequence.checkpoint import read_checkpoint, write_checkpoint
from heldout.sequence.fitting import fit_forecast
from heldout.sequence.folds import fold_windows
from heldout.sequence.learned_windows import learnable
from heldout.sequence.network_fit import FittedNetwork, choose_design, fit_network
from heldout.sequence.stage_zero import spread_of_errors
from heldout.sequence.training import length_from, rate_at

from reference.small_forecasts import LEVELS, small_plan, waves

torch = pytest.importorskip("torch")


def fitted_network(plan: Any, *, n_steps: int | None, budget: float = 1.0, **more: Any) -> FittedNetwork:
    from heldout.sequence.baselines import RidgeOnLags

    windows = learnable(waves(3, 90, np.random.default_rng(0)), plan.horizon)
    base = RidgeOnLags().fit(windows, fold_windows(windows)).out_of_fold()
    spread = spread_of_errors(windows, base, LEVELS)
    design, batch_size = choose_design(windows, plan, budget)
    return fit_network(
        windows, base, spread, design, plan, batch_size=batch_size, budget=budget, n_steps=n_steps, **more
    )


def same_bits(first: FittedNetwork, second: FittedNetwork) -> bool:
    one, two = first.network.state_dict(), second.network.state_dict()
    return all(torch.equal(one[name], two[name]) for name in one)


@given(st.integers(1, 20_000))
def test_cooling_begun_at_any_step_is_that_of_the_course_of_so_many_steps(step: int) -> None:
    n_steps = length_from(step)
    assert n_steps > step
    before = [rate_at(k, n_steps) for k in range(max(0, step - 50), step)]
    assert before == [rate_at(k, training._NO_END) for k in range(max(0, step - 50), step)], (
        "the rate had fallen before"
    )
    assert rate_at(n_steps - 1, n_steps) <= max(3 / n_steps, 0.05), "the last step is not annealed"
    rates = [rate_at(k, n_steps) for k in range(step, n_steps)]
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_the_same_steps_give_the_same_bits_and_other_seeds_do_not() -> None:
    first, again = (fitted_network(small_plan(dropout=0.2), n_steps=12) for _ in range(2))
    assert same_bits(first, again)
    assert not same_bits(first, fitted_network(small_plan(dropout=0.2, seed=1), n_steps=12))


def test_a_budgeted_run_repeats_itself_from_its_number_of_steps() -> None:
    open_ended = fitted_network(small_plan(n_steps=None, dropout=0.1), n_steps=None, budget=1.5)
    assert open_ended.trained.kept_step == open_ended.trained.n_steps
    assert len(open_ended.trained.losses) == open_ended.trained.n_steps
    again = fitted_network(small_plan(dropout=0.1), n_steps=open_ended.trained.n_steps)
    assert same_bits(open_ended, again)


def killed_at(step: int) -> Callable[[int, int | None], None]:
    def progress(done: int, _: int | None) -> None:
        if done == step:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("killed", [1, 7, 19])
def test_a_killed_run_goes_on_to_the_same_bits(killed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_SAVE_EVERY", -1.0)  # after every step
    plan, path = small_plan(dropout=0.2), tmp_path / "run"
    whole = fitted_network(plan, n_steps=20)
    with pytest.raises(KeyboardInterrupt):
        fitted_network(plan, n_steps=20, checkpoint=path, progress=killed_at(killed))
    assert path.exists()
    seen: list[int] = []
    rest = fitted_network(plan, n_steps=20, checkpoint=path, progress=lambda done, _: seen.append(done))
    assert seen == list(range(killed + 1, 21)), "steps were taken again"
    assert same_bits(whole, rest)
    assert rest.trained.losses == whole.trained.losses
    assert not path.exists(), "a finished run leaves no checkpoint"


def test_both_trainings_of_a_fit_go_on_from_their_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_SAVE_EVERY", -1.0)
    sequences = waves(2, 120, np.random.default_rng(1))
    plan = small_plan(stage0=None)
    whole = fit_forecast(sequences, plan)
    real, calls = network_fit.train, [0]

    def dies_in_the_second(*arguments: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            more["progress"] = killed_at(5)
        return real(*arguments, **more)

    monkeypatch.setattr(network_fit, "train", dies_in_the_second)
    checkpointed = small_plan(stage0=None, checkpoint=tmp_path / "fit.run")
    with pytest.raises(KeyboardInterrupt):
        fit_forecast(sequences, checkpointed)
    again = fit_forecast(sequences, checkpointed)
    assert same_bits(whole.networks[1], again.networks[1])


def test_a_loss_that_is_no_number_stops_training_at_the_last_good_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_KEEP_EVERY", 5)
    real = network_fit.ShardedObjective.__call__

    def breaks(self: Any, step: int) -> Any:
        losses, gathered = real(self, step)
        return (losses * float("nan") if step == 13 else losses), gathered

    monkeypatch.setattr(network_fit.ShardedObjective, "__call__", breaks)
    broken = fitted_network(small_plan(), n_steps=20)
    assert broken.trained.stopped_at == 13
    assert broken.trained.kept_step == 10
    assert broken.notes == (
        "the loss of step 14 was no number: training stopped there, and the network is that of step 10",
    )
    assert all(bool(torch.isfinite(tensor).all()) for tensor in broken.network.state_dict().values())


@pytest.mark.parametrize(
    "problem", [torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator: not enough memory")]
)
def test_where_memory_runs_out_batches_are_halved_and_it_is_said(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = network_fit.ShardedObjective.__call__

    def full_above_four(self: Any, step: int) -> Any:
        if self.objectives[0].batch_size > 4:
            raise problem
        return real(self, step)

    monkeypatch.setattr(network_fit.ShardedObjective, "__call__", full_above_four)
    found = fitted_network(small_plan(), n_steps=4)
    assert found.batch_size == 4
    assert found.notes == (
        "memory ran out with 16 windows a step: trained with 8",
        "memory ran out with 8 windows a step: trained with 4",
    )


def test_another_runtime_error_is_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, step: int) -> Any:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(network_fit.ShardedObjective, "__call__", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        fitted_network(small_plan(), n_steps=4)


def test_a_checkpoint_comes_back_whole_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run"
    tensors = {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3)}
    write_checkpoint(path, {"step": 3, "losses": [0.5, 0.25]}, tensors)
    state, read = read_checkpoint(path)
    assert state == {"step": 3, "losses": [0.5, 0.25]}
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    for damaged in (b"", b"nonsense", path.read_bytes()[:-4]):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"'.*run' is no checkpoint .*remove it to train from the start"):
            read_checkpoint(path)


def test_windows_set_apart_end_training_where_it_did_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge of this test finds step 15 best: training goes back there and cools from there."""
    from heldout.sequence.network_fit import Apart

    looked: list[int] = []

    def judged(self: Any, examples: Any) -> float:
        looked.append(len(looked))
        return abs(len(looked) - 2.0)

    monkeypatch.setattr(network_fit.Objective, "loss_on", judged)
    windows = learnable(waves(3, 90, np.random.default_rng(0)), 3)
    found = fitted_network(
        small_plan(n_steps=None), n_steps=None, budget=60.0, apart=Apart(windows, np.zeros((len(windows), 3, 1)))
    )
    steps = list(found.trained.judged)
    assert steps[:3] == [12, 15, 19]
    assert found.trained.n_steps == length_from(15)
    assert len(found.trained.losses) == found.trained.n_steps
    assert same_bits(found, fitted_network(small_plan(), n_steps=length_from(15)))
