"""A method that trains in another precision than float32; what it returns is scored in float32."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor

from mmea_bench.bench.scoring.sealed import sealed
from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Alignment, Embeddings, Method, Monitor, RunContext
from mmea_bench.methods.core.wrapped import WrappedMethod

Precision = Literal["full", "tf32", "bf16"]
FULL_PRECISION: Precision = "full"
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def precision_of(value: object) -> Precision:
    """A precision by its name.

    Raises:
        UserError: If there is none of the name.
    """
    if value not in PRECISIONS:
        raise UserError(unknown_name("precision", str(value), PRECISIONS))
    return value


def in_precision(method: Method, precision: Precision) -> Method:
    """The method itself for ``full``; else one whose trainings run in the precision.

    ``bf16`` trains under autocast to bfloat16, with parameters and hand-written operations in
    float32; ``tf32`` lets a GPU round what it multiplies to 10 bits. Monitor and final scores see
    float32 vectors either way.

    Args:
        method: As configured.
        precision: Of its trainings.
    """
    if precision == FULL_PRECISION:
        return method
    return cast("Method", _Reduced(method, precision))


class _Reduced(WrappedMethod):
    """A method in all but ``fit``."""

    def __init__(self, method: Method, precision: Precision) -> None:
        super().__init__(method)
        self._precision = precision

    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """As the method's own, in the precision.

        Raises:
            UserError: If TF32 is asked for where no GPU trains.
        """
        device = ctx.device.type
        if self._precision == "tf32":
            if device != "cuda":
                raise UserError(
                    "--precision tf32 changes what a GPU multiplies, and this cell trains on the "
                    f"{device.upper()}. Use --device cuda, or leave it out."
                )
            with _tf32():
                return self._method.fit(view, ctx)
        inner = dataclasses.replace(ctx, monitor=_outside(ctx, device))
        # Without its cache, which keeps the first bfloat16 copy of each weight until autocast ends:
        # here with the training.
        with torch.autocast(device, dtype=torch.bfloat16, cache_enabled=False):
            return in_float32(self._method.fit(view, inner))


def _outside(ctx: RunContext, device: str) -> Monitor | None:
    """The monitor, called outside of autocast and with float32 vectors."""
    monitor = ctx.monitor
    if monitor is None:
        return None

    def scored(epoch: int, loss: float, alignment: Alignment) -> float | None:
        with torch.autocast(device, enabled=False):
            return monitor(epoch, loss, in_float32(alignment))

    return sealed(scored)  # as the monitor is: a training's state holds it


def in_float32(alignment: Alignment) -> Alignment:
    """Vectors in float32 that autocast left in bfloat16; scores of pairs are anyway."""
    if not isinstance(alignment, Embeddings):
        return alignment
    return dataclasses.replace(
        alignment,
        source=_widened(alignment.source),
        target=_widened(alignment.target),
        by_modality={
            name: (_widened(source), _widened(target))
            for name, (source, target) in alignment.by_modality.items()
        },
    )


def _widened(vectors: Tensor) -> Tensor:
    return vectors.float() if vectors.dtype == torch.bfloat16 else vectors


@contextmanager
def _tf32() -> Iterator[None]:
    """Products of a GPU in TF32 while it lasts."""
    backends: tuple[Any, ...] = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = True
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed
