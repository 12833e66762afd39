"""What training lowers, by plain loops; and each replica of many is trained as if it were alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from heldout.sequence.baselines import RidgeOnLags
from heldout.sequence.examples import Examples, Shape
from heldout.sequence.folds import fold_windows
from heldout.sequence.generators import torch_generator
from heldout.sequence.learned_windows import learnable
from heldout.sequence.network import ForecastNetwork, forecast
from heldout.sequence.network_fit import choose_design
from heldout.sequence.network_optimizer import NetworkOptimizer
from heldout.sequence.objective import Objective, losses_by_window
from heldout.sequence.sequences import Sequences
from heldout.sequence.sharding import ShardedObjective, ShardedOptimizer, join_replicas, split_replicas
from heldout.sequence.stage_zero import spread_of_errors
from heldout.sequence.training import Course, train

from reference.series import make_sequences, with_gaps
from reference.small_forecasts import LEVELS, small_plan

torch = pytest.importorskip("torch")

LOSSES = ("quantile", "absolute_error", "squared_error")


def some_sequences(seed: int) -> Sequences:
    rng = np.random.default_rng(seed)
    time = np.arange(60)[:, None]
    return make_sequences(
        [with_gaps(5 * np.sin(time * np.pi / 2) + rng.normal(size=(60, 2)), 0.1, rng) for _ in range(2)], 4
    )


class Setting:
    """Windows with stage 0's forecasts, out of fold, and a network to move them."""

    def __init__(self, seed: int, replicas: int = 1, **changes: Any) -> None:
        self.plan = small_plan(replicas=replicas, dropout=0.0, **changes)
        self.windows = learnable(some_sequences(seed), 3)
        self.base = RidgeOnLags().fit(self.windows, fold_windows(self.windows)).out_of_fold()
        self.spread = spread_of_errors(self.windows, self.base, LEVELS)
        design, _ = choose_design(self.windows, self.plan, 1.0)
        self.network = ForecastNetwork(design, torch_generator(seed))

    def objective(self, weights: NDArray[np.float64], network: ForecastNetwork | None = None) -> Objective:
        network = network or self.network
        return Objective(
            network,
            Examples(self.windows, self.base, network.design.shape),
            weights,
            torch.from_numpy(self.spread).to(torch.float32),
            torch.from_numpy(LEVELS).to(torch.float32),
            loss=self.plan.loss,
            batch_size=16,
            seed=3,
        )


def naive_loss(point: Tensor, quantiles: Tensor, batch: Any, levels: list[float], loss: str) -> list[list[float]]:
    """Return the mean loss of each replica and window over the values that are known."""
    result = []
    for r in range(len(point)):
        result.append([])
        for w in range(point.shape[1]):
            lost = []
            for v, h in np.ndindex(*point.shape[2:]):
                if not batch.target_known[w, v, h]:
                    continue
                truth = float(batch.target[w, v, h])
                errors = [truth - float(q) for q in quantiles[r, w, v, h]]
                if loss == "squared_error":
                    lost.append((truth - float(point[r, w, v, h])) ** 2)
                elif loss == "absolute_error":
                    lost.append(abs(errors[levels.index(0.5)]))
                else:
                    both = [2 * max(q * e, (q - 1) * e) for q, e in zip(levels, errors, strict=True)]
                    lost.append(sum(both) / len(both))
            result[r].append(sum(lost) / len(lost) if lost else 0.0)
    return result


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_of_windows_are_those_of_plain_loops(loss: str, seed: int) -> None:
    setting, generator = Setting(seed, replicas=2), torch.Generator().manual_seed(seed)
    examples = Examples(setting.windows, setting.base, setting.network.design.shape)
    batch = examples.gather(torch.arange(6))
    unknown = batch.target_known.clone()
    unknown[2] = 0
    batch = replace(batch, target_known=unknown)
    point = torch.randn(2, 6, 2, 3, generator=generator)
    quantiles = torch.randn(2, 6, 2, 3, 5, generator=generator).sort(dim=-1).values
    found = losses_by_window(point, quantiles, batch, torch.from_numpy(LEVELS).to(torch.float32), loss)
    expected = naive_loss(point, quantiles, batch, LEVELS.tolist(), loss)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
    wild = replace(batch, target=torch.where(batch.target_known > 0, batch.target, 1e6))
    again = losses_by_window(point, quantiles, wild, torch.from_numpy(LEVELS).to(torch.float32), loss)
    assert torch.equal(found, again), "a value that is not known counts"


@pytest.mark.parametrize("loss", ["quantile", "squared_error"])
def test_the_loss_of_a_step_is_the_weighted_loss_of_its_windows_over_that_of_stage_zero(loss: str, seed: int) -> None:
    """With squared error both losses are added, each as a share of what stage 0 loses."""
    setting = Setting(seed, replicas=2, loss=loss)
    n = len(setting.windows)
    weights = np.random.default_rng(seed).poisson(1.0, (n, 2)).astype(float)
    objective = setting.objective(weights)
    found, _ = objective(7)

    future = np.nan_to_num(objective.examples.scaling.down(setting.windows.future()))
    weights = weights / (1 + (future**2).mean(axis=(1, 2)) / 49)[:, None]
    every = objective.examples.gather(torch.arange(n))
    with torch.no_grad():
        point, quantiles = forecast(setting.network, every, objective.spread)
    chosen = np.random.default_rng([3, 7]).integers(0, n, 16)
    for r in range(2):
        expected = 0.0
        for name in dict.fromkeys(("quantile", loss)):
            # Before the first step the network says what stage 0 says.
            lost = np.array(naive_loss(point[r : r + 1], quantiles[r : r + 1], every, LEVELS.tolist(), name)[0])
            relative = lost / np.average(lost, weights=weights[:, r])
            expected += float(np.mean(relative[chosen] * weights[chosen, r] / weights[:, r].mean()))
        assert found[r].item() == pytest.approx(expected, rel=1e-4)


def test_the_draw_of_a_step_hangs_on_the_seed_and_its_number_alone(seed: int) -> None:
    setting = Setting(seed)
    one, other = (setting.objective(np.ones((len(setting.windows), 1))) for _ in range(2))
    later = one(5)[0].item()
    for step in range(5):
        other(step)
    assert other(5)[0].item() == later
    other.seed = 4
    assert other(5)[0].item() != later


@pytest.mark.parametrize("loss", ["quantile", "squared_error"])
def test_the_loss_on_windows_set_apart_is_their_mean(loss: str, seed: int) -> None:
    setting = Setting(seed, loss=loss)
    objective = setting.objective(np.ones((len(setting.windows), 1)))
    asked = setting.windows.take(np.arange(10, 40))
    examples = Examples(asked, setting.base[10:40], setting.network.design.shape)
    batch = examples.gather(torch.arange(30))
    with torch.no_grad():
        point, quantiles = forecast(setting.network, batch, objective.spread)
    squared, absolute = (float(one) for one in objective.zero_losses)
    expected = np.mean(naive_loss(point, quantiles, batch, LEVELS.tolist(), "quantile")) / absolute
    if loss == "squared_error":
        expected += np.mean(naive_loss(point, quantiles, batch, LEVELS.tolist(), loss)) / squared
    setting.network.train()
    assert objective.loss_on(examples) == pytest.approx(expected, rel=1e-4)
    assert setting.network.training, "judging must not end training mode"
    with torch.no_grad():
        setting.network.head.weight.fill_(torch.nan)
    assert objective.loss_on(examples) == np.inf


@pytest.mark.parametrize("loss", ["quantile", "squared_error"])
@pytest.mark.parametrize("encoder", ["attention", "recurrent"])
def test_a_replica_of_three_is_trained_as_if_it_were_alone(encoder: str, loss: str, seed: int) -> None:
    """From the same first weights and the same counts of windows; products are rounded in another order."""
    setting = Setting(seed, replicas=3, encoder=encoder, loss=loss)
    n = len(setting.windows)
    weights = np.random.default_rng(seed).poisson(1.0, (n, 3)).astype(float)
    alone = [part.network for part in split_replicas(setting.network, ["cpu"] * 3)]
    course = Course(12, 1.0, 12)

    def trained(network: ForecastNetwork, counted: NDArray[np.float64]) -> list[float]:
        objective = ShardedObjective([setting.objective(counted, network)])
        return train(ShardedOptimizer([NetworkOptimizer(network, network.encoder)]), objective, course).losses

    together = trained(setting.network, weights)
    single = [trained(network, weights[:, [r]]) for r, network in enumerate(alone)]
    np.testing.assert_allclose(together, np.mean(single, axis=0), rtol=1e-5)
    examples = Examples(setting.windows, setting.base, setting.network.design.shape)
    batch = examples.gather(torch.arange(len(examples)))
    spread = torch.from_numpy(setting.spread).to(torch.float32)
    with torch.no_grad():
        found = forecast(setting.network, batch, spread)
        assert (found[1] - found[1][:1])[1:].abs().max() > 1e-3, "the replicas are all alike: nothing was tested"
        for r, network in enumerate(alone):
            for ours, theirs in zip(found, forecast(network, batch, spread), strict=True):
                torch.testing.assert_close(ours[[r]], theirs, rtol=1e-5, atol=1e-5)


def test_replicas_on_several_devices_come_out_as_on_one(seed: int) -> None:
    """Shards of two and one replica, as two graphics cards would hold them."""
    setting = Setting(seed, replicas=3, loss="squared_error")
    weights = np.random.default_rng(seed).poisson(1.0, (len(setting.windows), 3)).astype(float)
    shards = split_replicas(setting.network, ["cpu", "cpu"])
    assert [(shard.first, shard.last) for shard in shards] == [(0, 2), (2, 3)]
    objectives = [setting.objective(weights[:, s.first : s.last], s.network) for s in shards]
    optimizer = ShardedOptimizer([NetworkOptimizer(s.network, s.network.encoder) for s in shards])
    spread_out = train(optimizer, ShardedObjective(objectives), Course(8, 1.0, 8))
    ours = ForecastNetwork(setting.network.design, torch_generator(99))
    join_replicas(ours, shards, "cpu")
    one = ShardedOptimizer([NetworkOptimizer(setting.network, setting.network.encoder)])
    whole = train(one, ShardedObjective([setting.objective(weights)]), Course(8, 1.0, 8))
    np.testing.assert_allclose(spread_out.losses, whole.losses, rtol=1e-5)
    for name, tensor in setting.network.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)


def test_windows_are_shown_without_columns_where_there_are_none() -> None:
    windows = learnable(some_sequences(0), 3)
    batch = Examples(windows, np.zeros((len(windows), 3, 2)), Shape(8, 3, 2, ())).gather(torch.arange(4))
    assert [tensor.shape[-1] for tensor in (batch.known, batch.static, batch.cycles)] == [0, 0, 0]
