"""Freed memory stays with the process: later tensors touch no new pages."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

N_TENSORS = 30


def _pages_of_last(queue: multiprocessing.Queue[int], keeps: bool) -> None:
    import resource

    import torch

    from mmea_bench.bench.metering.freed_memory import keep_freed_memory

    if keeps:
        assert keep_freed_memory()
    before = 0
    for _ in range(N_TENSORS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(12 * 2**20)  # 48 MiB, above the largest block that glibc reuses by itself
    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux")
@pytest.mark.parametrize(("keeps", "touches"), [(True, False), (False, True)])
def test_the_last_of_many_tensors_lies_in_pages_of_earlier_ones(keeps: bool, touches: bool) -> None:
    spawned = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[int] = spawned.Queue()
    child = spawned.Process(target=_pages_of_last, args=(queue, keeps))
    child.start()
    pages = queue.get(timeout=120)
    child.join()

    assert (pages > 1000) == touches
