"""Checks that a training and its scoring run on a GPU, on a pretend one."""

from __future__ import annotations

import torch

from mmea_bench.bench.battery.failures import CheckFailedError, require
from mmea_bench.bench.battery.fits import RNG_SEED, applicable, brief, numbers_of
from mmea_bench.bench.battery.second_device import MixedDevicesError, second_device
from mmea_bench.bench.battery.small_pairs import tiny_pair, tiny_split, tiny_view
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import make_scorer
from mmea_bench.methods.core.base import Alignment, Method, RunContext

N_EPOCHS = 4
"""Of a training on the pretend device, where every operation is looked at."""


def check_second_device(method_type: type[Method], task: str) -> None:
    """Training, monitor, ranks and CSLS keep tensors of two devices apart."""
    pair = tiny_pair(task)
    method = applicable(brief(method_type, n_epochs=N_EPOCHS), pair)
    scorer = make_scorer(Protocol(csls=(0, 3)), pair, tiny_split(pair))

    def monitor(_epoch: int, _loss: float, alignment: Alignment) -> None:
        scorer.curve(alignment)

    torch.manual_seed(RNG_SEED)
    try:
        with second_device() as device:
            ctx = RunContext(RNG_SEED, device, monitor, eval_every=N_EPOCHS)
            alignment = method.fit(tiny_view(pair, method), ctx)
            places = {part.device.type for part in numbers_of(alignment)}
            scorer.final(alignment)
    except MixedDevicesError as error:
        raise CheckFailedError(
            f"On a GPU this would fail: {error}. Make tensors with device=ctx.device, or move them "
            f"there. {_own_line(error)}"
        ) from error
    require(
        places == {device.type},
        "What fit returned is not on ctx.device: train there, and return it as it is.",
    )


def _own_line(error: BaseException) -> str:
    """Where the innermost line stands that is neither of torch nor of the battery."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith(("torch", "mmea_bench.bench.battery", "contextlib")):
            found = f"It happens in {code.co_filename}, line {trace.tb_lineno}."
        trace = trace.tb_next
    return found
