"""The same training twice gives the same bits, whatever the number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from mmea_bench.bench.battery.fits import brief, fit_anew, is_same
from mmea_bench.bench.battery.small_pairs import easy_pair
from mmea_bench.bench.precision.repeatable import repeatable
from mmea_bench.methods.core.catalogue import get_method


@pytest.fixture(autouse=True)
def _several_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def gradient_of_rows(*, n_threads: int = 4) -> torch.Tensor:
    """Gradient of 40,000 rows picked from 50: PyTorch shares such sums among its threads."""
    torch.set_num_threads(n_threads)
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(50, 32, generator=generator, requires_grad=True)
    ids = torch.randint(50, (40_000,), generator=generator)
    (vectors[ids] * torch.randn(40_000, 32, generator=generator)).sum().backward()
    assert vectors.grad is not None
    return vectors.grad


def test_a_gradient_of_rows_is_that_of_one_thread() -> None:
    alone = gradient_of_rows(n_threads=1)
    with repeatable(torch.device("cpu")):
        assert all(torch.equal(gradient_of_rows(), alone) for _ in range(5))


# Their losses pick rows by `vectors[ids]`: two trainings with one seed differed.
@pytest.mark.parametrize("method", ["kecg", "mugnn", "ermc"])
def test_two_trainings_on_several_threads_are_equal(method: str) -> None:
    trained = brief(get_method(method))
    first, second = (fit_anew(trained, easy_pair()).alignment for _ in range(2))
    assert is_same(first, second)


def test_afterwards_all_is_as_it_was() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with repeatable(torch.device("cpu")):
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.are_deterministic_algorithms_enabled() == before
    assert torch.utils.deterministic.fill_uninitialized_memory == fills  # type: ignore[attr-defined]


def test_a_gpu_keeps_its_kernels() -> None:
    with repeatable(torch.device("cuda")):
        assert not torch.are_deterministic_algorithms_enabled()
