"""A replica of many is stepped as if it were alone, by Muon where it is a hidden matrix and by AdamW elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heldout.errors import InvalidInput
from heldout.sequence.backbone import Backbone
from heldout.sequence.linear import ReplicatedLinear
from heldout.sequence.newton_schulz import orthogonalise
from heldout.sequence.optimizer import Muon, sort_parameters


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def parameters(*tensors: Tensor) -> list[nn.Parameter]:
    return [nn.Parameter(tensor.clone()) for tensor in tensors]


def give_gradients(ps: Iterable[nn.Parameter], seed: int, scale: float = 1.0) -> None:
    for index, p in enumerate(ps):
        p.grad = scale * draw(1000 * seed + 77 + index, *p.shape)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5)])
def test_orthogonalising_maps_singular_values_by_the_polynomial(shape: tuple[int, int], seed: int) -> None:
    matrices = draw(seed, 6, *shape).double()
    found = orthogonalise(matrices).numpy()
    for matrix, got in zip(matrices.numpy(), found, strict=True):
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        values = values / np.sqrt((matrix**2).sum())
        for _ in range(5):
            values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
        np.testing.assert_allclose(got, (left * values) @ right, rtol=0, atol=1e-10)


def test_singular_values_come_near_one_and_zeros_stay(seed: int) -> None:
    values = torch.linalg.svdvals(orthogonalise(draw(seed, 20, 16, 64)))
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (orthogonalise(torch.zeros(2, 3, 3)) == 0).all()


@pytest.mark.parametrize("shape", [(6, 6), (5, 12), (12, 5)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_one_matrix_is_stepped_as_by_torch_muon(shape: tuple[int, int], weight_decay: float, seed: int) -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon to compare with")
    (ours,) = parameters(draw(seed, 1, *shape))
    # torch holds matrices as (outputs, inputs).
    theirs = nn.Parameter(ours.detach()[0].T.clone())
    reference = torch.optim.Muon([theirs], lr=0.02, momentum=0.95, weight_decay=weight_decay)
    optimizer = Muon([ours], weight_decay=weight_decay, cautious=False, clip=None)
    for k in range(5):
        give_gradients([ours], seed + k)
        theirs.grad = ours.grad[0].T.clone()  # type: ignore[index]
        optimizer.step()
        reference.step()
    # torch orthogonalises in bfloat16, of 8 bits, of which five rounds lose about two. A step moves numbers by up to
    # 0.02 sqrt(outputs / inputs), so five by up to 0.16.
    torch.testing.assert_close(ours[0].T, theirs, rtol=0, atol=5 * 0.02 * 1.6 * 2**-6)
    moved = (ours.detach()[0] - draw(seed, 1, *shape)[0]).norm()
    assert (ours.detach()[0].T - theirs).norm() < 0.03 * moved


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_others_are_stepped_as_by_torch_adamw(weight_decay: float, seed: int) -> None:
    ours = parameters(draw(seed, 2, 5, 3), draw(seed + 1, 2, 4, 4))
    theirs = parameters(*ours)
    reference = torch.optim.AdamW(theirs, lr=3e-3, betas=(0.9, 0.95), weight_decay=weight_decay)
    optimizer = Muon([], ours, weight_decay=weight_decay, cautious=False, clip=None)
    for k in range(20):
        give_gradients(ours, seed + k)
        for one, other in zip(ours, theirs, strict=True):
            other.grad = one.grad.clone()  # type: ignore[union-attr]
        optimizer.step()
        reference.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [0.01, 100.0], ids=["short", "clipped"])
def test_a_replica_of_many_is_stepped_as_if_it_were_alone(scale: float, seed: int) -> None:
    shapes = [(4, 8), (4, 8), (8, 4), (6,), ()]
    many = parameters(*(draw(seed + i, 3, *shape) for i, shape in enumerate(shapes)))
    alone = [parameters(*(p.detach()[r : r + 1] for p in many)) for r in range(3)]
    options: dict[str, Any] = {"weight_decay": 0.1}
    together = Muon(many[:3], many[3:], **options)
    single = [Muon(ps[:3], ps[3:], **options) for ps in alone]
    for k in range(10):
        give_gradients(many, seed + k, scale)
        many[0].grad[1] *= 50.0  # type: ignore[index] # one replica is clipped otherwise than its neighbours
        together.step()
        for r in range(3):
            for p, whole in zip(alone[r], many, strict=True):
                p.grad = whole.grad[r : r + 1].clone()  # type: ignore[index]
            single[r].step()
    for r in range(3):
        for p, whole in zip(alone[r], many, strict=True):
            torch.testing.assert_close(p.detach()[0], whole.detach()[r], rtol=0, atol=1e-6)


def test_gradients_are_clipped_by_replica_over_all_its_parameters(seed: int) -> None:
    ps = parameters(torch.zeros(2, 3, 3), torch.zeros(2, 4))
    optimizer = Muon(ps[:1], ps[1:], clip=2.0)
    give_gradients(ps, seed)
    with torch.no_grad():
        for p in ps:
            p.grad[0] *= 1e-3  # type: ignore[index]
    one = nn.Parameter(torch.zeros(13))
    one.grad = torch.cat([p.grad[1].flatten() for p in ps])  # type: ignore[index]
    nn.utils.clip_grad_norm_([one], 2.0)
    optimizer.step()
    state = optimizer.state_dict()
    torch.testing.assert_close(state["mean"][1] / 0.1, one.grad[9:])
    torch.testing.assert_close(state["momentum.0"][0, 1].flatten() / 0.05, one.grad[:9])
    torch.testing.assert_close(state["mean"][0] / 0.1, ps[1].grad[0])  # type: ignore[index]


def test_a_replica_without_numbers_poisons_no_other(seed: int) -> None:
    many = parameters(draw(seed, 3, 4, 4), draw(seed + 1, 3, 5))
    other = parameters(*many)
    for ps, poison in ((many, torch.nan), (other, 1.0)):
        give_gradients(ps, seed)
        for p in ps:
            p.grad[1] = poison  # type: ignore[index]
        Muon(ps[:1], ps[1:]).step()
    for p, q in zip(many, other, strict=True):
        assert torch.equal(p[[0, 2]], q[[0, 2]])
        assert torch.isnan(p[1]).all()


def test_cautious_decay_never_works_against_the_step(seed: int) -> None:
    start = [draw(seed, 1, 6, 6), draw(seed + 1, 1, 6, 6)]
    after = {}
    for name, options in {
        "none": {},
        "plain": {"weight_decay": 0.5, "cautious": False},
        "cautious": {"weight_decay": 0.5},
    }.items():
        ps = parameters(*start)
        give_gradients(ps, seed)
        Muon(ps[:1], ps[1:], **options).step()  # type: ignore[arg-type]
        after[name] = [p.detach() for p in ps]
    for p, none, plain, cautious in zip(start, *after.values(), strict=True):
        towards_zero = (p - none) * p > 0
        assert towards_zero.any()
        assert not towards_zero.all()
        assert torch.equal(cautious, torch.where(towards_zero, plain, none))


def test_scales_and_biases_do_not_decay() -> None:
    scale, table = parameters(torch.ones(2, 4), torch.ones(2, 4, 4))
    optimizer = Muon([], [scale, table], weight_decay=0.5, cautious=False)
    optimizer.step()  # without any gradient
    assert (scale == 1).all()
    torch.testing.assert_close(table.detach(), torch.full((2, 4, 4), 1 - 3e-3 * 0.5))


def test_the_factor_scales_the_rates_and_zero_stops_a_replica(seed: int) -> None:
    start = [draw(seed, 2, 4, 4), draw(seed, 2, 4)]
    ps, full = parameters(*start), parameters(*start)
    for each in (ps, full):
        give_gradients(each, seed)
    Muon(ps[:1], ps[1:]).step(torch.tensor([0.0, 0.5]))
    Muon(full[:1], full[1:]).step()
    for p, q, before in zip(ps, full, start, strict=True):
        assert torch.equal(p[0], before[0])
        torch.testing.assert_close(p[1] - before[1], (q[1] - before[1]) / 2, rtol=1e-4, atol=1e-7)


def test_going_on_from_a_stored_state_is_going_on(seed: int) -> None:
    ps = parameters(draw(seed, 2, 4, 4), draw(seed, 2, 4))
    first = Muon(ps[:1], ps[1:])
    give_gradients(ps, seed)
    first.step()
    copies = parameters(*ps)
    second = Muon(copies[:1], copies[1:])
    second.load_state_dict(first.state_dict())
    for each, optimizer in ((ps, first), (copies, second)):
        give_gradients(each, seed + 1)
        optimizer.step()
    assert second.n_steps == 2
    assert all(torch.equal(p, q) for p, q in zip(ps, copies, strict=True))


def test_zero_grad_forgets() -> None:
    ps = parameters(torch.zeros(1, 2, 2))
    give_gradients(ps, 0)
    Muon(ps).zero_grad()
    assert ps[0].grad is None


def test_parameters_of_a_model_are_sorted_once_each() -> None:
    model = nn.ModuleDict({"backbone": Backbone(16, 2, 2, replicas=3), "head": ReplicatedLinear(16, 4, 3)})
    matrices, others = sort_parameters(model, model["backbone"])
    assert {id(p) for p in [*matrices, *others]} == {id(p) for p in model.parameters()}
    assert len(matrices) == 2 * 6
    assert any(p is model["head"].weight for p in others)


def test_training_lowers_the_loss_of_each_replica(seed: int) -> None:
    backbone = Backbone(16, 2, 2, replicas=3, generator=torch.Generator().manual_seed(seed))
    x, goal = draw(seed, 3, 8, 6, 16), draw(seed + 1, 3, 8, 6, 16)
    optimizer = Muon(*sort_parameters(backbone, backbone))
    before = {name: p.detach().clone() for name, p in backbone.named_parameters()}
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (backbone(x) - goal).square().mean(dim=(1, 2, 3))
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.detach())
    assert (losses[-1] < 0.8 * losses[0]).all()
    for name, p in backbone.named_parameters():
        assert (p != before[name]).reshape(3, -1).any(1).all(), name


@pytest.mark.parametrize(
    ("matrices", "others", "options", "said"),
    [
        ([], [], {}, "got no parameter"),
        ([(2, 3, 3)], [(4, 3)], {}, "got 2, 4"),
        ([], [()], {}, "got None"),
        ([(2, 3)], [], {}, r"shape \(R, m, n\), got \(2, 3\)"),
        ([(2, 3, 3)], [], {"learning_rate": -0.1}, "got -0.1, 0.003 and 0.0"),
        ([(2, 3, 3)], [], {"weight_decay": -1.0}, "and -1.0"),
        ([(2, 3, 3)], [], {"momentum": 1.0}, r"got \(1.0, 0.9, 0.95\)"),
        ([(2, 3, 3)], [], {"clip": 0.0}, "clip must be above 0, got 0.0"),
    ],
)
def test_an_impossible_optimizer_is_refused(
    matrices: list[tuple[int, ...]], others: list[tuple[int, ...]], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        Muon(parameters(*map(torch.zeros, matrices)), parameters(*map(torch.zeros, others)), **options)


def test_factors_and_states_of_other_replicas_are_refused() -> None:
    one, other = (Muon(parameters(torch.zeros(n, 3, 3)), parameters(torch.zeros(n, 2))) for n in (2, 3))
    with pytest.raises(InvalidInput, match=r"of shape \(2,\), got shape \(3,\)"):
        one.step(torch.ones(3))
    with pytest.raises(InvalidInput, match=r"must be torch.Size\(\[2, 2\]\), got torch.Size\(\[3, 2\]\)"):
        one.load_state_dict({**one.state_dict(), "mean": other.state_dict()["mean"]})
    with pytest.raises(InvalidInput, match=r"the state of momentum\.1 must be False, got torch"):
        one.load_state_dict({**one.state_dict(), "momentum.1": torch.zeros(1)})
