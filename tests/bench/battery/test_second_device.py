"""The pretend second device refuses what CUDA refuses, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from mmea_bench.bench.battery.second_device import MixedDevicesError, second_device


@pytest.fixture
def device() -> Iterator[torch.device]:
    with second_device() as made:
        yield made


@pytest.fixture
def here(device: torch.device) -> Tensor:
    """Some numbers on the device."""
    return torch.ones(3, 3, device=device)


MIXTURES: dict[str, Callable[[Tensor], object]] = {
    "sum": lambda here: here + torch.ones(3, 3),
    "product": lambda here: torch.ones(3, 3) @ here,
    "in place": lambda here: here.add_(torch.ones(3)),
    "concatenation": lambda here: torch.cat([here, torch.ones(3, 3)]),
    "one value in a row": lambda here: here * torch.ones(1),
    "choice by rows of the CPU": lambda here: here.index_select(0, torch.tensor([0])),
    "values put into places": lambda here: here.index_put_((torch.tensor([0]),), torch.ones(3)),
    "CPU rows at places on the device": lambda here: torch.ones(3)[here[0].long()],
    "a condition": lambda here: torch.where(torch.ones(3, 3) > 0, here, here),
    "a loss": lambda here: cross_entropy(here, torch.tensor([0, 1, 2])),
    "comparison": lambda here: torch.equal(here, torch.ones(3, 3)),
    "a layer that was not moved": lambda here: nn.Linear(3, 2)(here),
    "a sparse matrix that was not moved": lambda here: torch.eye(3).to_sparse_csr() @ here,
    "a parameter group": lambda here: torch._foreach_add([here], [torch.ones(3, 3)]),
}


@pytest.mark.parametrize("what", MIXTURES)
def test_an_operation_on_both_devices_raises(what: str, here: Tensor) -> None:
    with pytest.raises(MixedDevicesError, match="on the device and on the CPU"):
        MIXTURES[what](here)


def test_a_cpu_generator_cannot_draw_for_the_device(device: torch.device, here: Tensor) -> None:
    generator = torch.Generator().manual_seed(1)
    for draw in (
        lambda: torch.rand(3, generator=generator, device=device),
        lambda: torch.randperm(3, generator=generator, device=device),
        lambda: here.normal_(generator=generator),
        lambda: torch.bernoulli(here / 2, generator=generator),
        lambda: torch.multinomial(here, 1, generator=generator),
        lambda: nn.init.xavier_normal_(here, generator=generator),
    ):
        with pytest.raises(MixedDevicesError, match="CPU generator"):
            draw()
    assert torch.rand(3, generator=generator).to(device).device.type == "cuda"


def test_numpy_takes_no_tensor_of_the_device(here: Tensor) -> None:
    for take in (lambda: here.numpy(), lambda: np.asarray(here), lambda: here.sum().numpy()):
        with pytest.raises(MixedDevicesError, match="numpy"):
            take()
    assert here.cpu().numpy().sum() == 9
    assert here.tolist() == [[1.0] * 3] * 3
    assert float(here.sum()) == 9


def test_results_and_views_lie_where_their_tensors_lie(device: torch.device, here: Tensor) -> None:
    on_device = [
        here * 2,
        here[0],
        here.T,
        here.new_zeros(2),
        torch.zeros_like(here),
        here.double(),
        here.detach(),
        here.topk(1).values,
        torch.unique(here),
        copy.deepcopy(here),
        nn.Parameter(here),
        nn.Linear(3, 2).to(device).weight,
        copy.deepcopy(nn.Linear(3, 2).to(device)).bias,
        torch.tensor([1, 2], device=device),
        torch.eye(3).to_sparse_csr().to(device),
        torch.eye(3).to_sparse().to(device) @ here,
    ]
    assert {tensor.device for tensor in on_device} == {torch.device("cuda:0")}
    assert all(tensor.is_cuda for tensor in on_device)
    on_cpu = [torch.ones(3), here.cpu(), here.to("cpu"), torch.zeros_like(here, device="cpu")]
    assert {tensor.device for tensor in on_cpu} == {torch.device("cpu")}


def test_moving_is_copying_and_leaves_the_first_where_it_is(device: torch.device) -> None:
    first = torch.ones(2)
    for moved in (first.to(device), first.cuda(), torch.as_tensor(first, device=device)):
        moved += 1
        assert (moved.is_cuda, first.is_cuda) == (True, False)
    assert first.tolist() == [1, 1]
    assert first.to("cpu") is first
    assert first.to(device, torch.float64).dtype == torch.float64
    assert first.to(torch.ones(1, device=device)).is_cuda
    first.copy_(torch.zeros(2, device=device))
    assert (first.tolist(), first.is_cuda) == ([0, 0], False)


def test_what_cuda_allows_is_allowed(here: Tensor) -> None:
    number = torch.tensor(2.0)
    assert (here * number).is_cuda
    assert here[torch.tensor([0, 2])].shape == (2, 3)
    here[torch.tensor([0])] = 5.0
    assert (here.sum() / 3 + number).item() == 9
    assert one_hot(here[1].long(), 3).is_cuda
    assert torch.cdist(here, here).is_cuda
    assert here.std() >= 0


def test_gradients_flow_between_devices(device: torch.device) -> None:
    start = nn.Parameter(torch.tensor([1.0, 2.0]))
    there = start.to(device) * 3
    back = there.cpu() * torch.tensor([1.0, 10.0])
    back.sum().backward()  # type: ignore[no-untyped-call]
    assert start.grad is not None
    assert start.grad.tolist() == [3.0, 30.0]
    assert not start.grad.is_cuda


def test_a_training_gives_the_very_weights_of_the_cpu() -> None:
    def trained(device: torch.device) -> Tensor:
        torch.manual_seed(0)
        layer = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)).to(device)
        inputs = torch.randn(8, 4).to(device)
        wanted = torch.arange(8, device=device) % 2
        optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
        for _ in range(5):
            optimiser.zero_grad()
            cross_entropy(layer(inputs), wanted).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return torch.cat([part.detach().flatten() for part in layer.parameters()]).cpu()

    expected = trained(torch.device("cpu"))
    with second_device() as device:
        found = trained(device)
    assert torch.equal(expected, found)


def test_outside_the_context_everything_is_ordinary(device: torch.device) -> None:
    with second_device() as inner:
        tensor = torch.ones(2, device=inner)
    assert tensor.device.type == "cpu"
    assert (tensor + torch.ones(2)).tolist() == [2, 2]


def test_marks_keep_no_memory_alive_and_no_address_twice(device: torch.device) -> None:
    for _ in range(300):
        large = torch.ones(100_000, device=device)
        del large
        small = torch.ones(100_000)
        assert not small.is_cuda
