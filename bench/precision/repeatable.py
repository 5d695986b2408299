"""The same training twice gives the same bits, on a CPU with any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Alignment, Method, RunContext


def fit_repeatably(method: Method, view: TrainView, ctx: RunContext) -> Alignment:
    """What a method returns, seeded by the context: the same bits every time."""
    torch.manual_seed(ctx.rng_seed)
    with repeatable(ctx.device):
        return method.fit(view, ctx)


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Lets nothing in here depend on which thread was first.

    On a CPU PyTorch adds up the gradient of ``vectors[ids]`` in whatever order its threads come,
    unless it is told not to; one thread in order takes no longer. GPUs stay as they are: many of
    their kernels have no such form.

    Args:
        device: Where the training runs.
    """
    if device.type != "cpu":
        yield
        return
    before = torch.get_deterministic_debug_mode()
    memory = torch.utils.deterministic
    fills = memory.fill_uninitialized_memory  # type: ignore[attr-defined]
    # Memory that nobody has written yet is not what differs, and filling it takes time.
    memory.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_deterministic_debug_mode("warn")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        memory.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
