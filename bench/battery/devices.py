"""Checks that a training and its scoring run on a GPU, on a pretend one."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from mmea_bench.bench.battery.failures import NotApplicableError, require
from mmea_bench.bench.battery.fits import RNG_SEED, applicable, brief, numbers_of
from mmea_bench.bench.battery.second_device import MixedDevicesError, second_device
from mmea_bench.bench.battery.small_pairs import main_task, tiny_pair, tiny_split, tiny_view
from mmea_bench.bench.battery.transfers import EpochTransfers, TransferLog
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import make_scorer
from mmea_bench.methods.core.base import Alignment, Method, RunContext

N_EPOCHS = 3
"""Of a training on the pretend device, where every operation is looked at."""

MOST_WAITS = 12
"""Times that a training may wait for a GPU in an epoch: for its loss, and to draw a few things."""

_KEPT = 8


@dataclass(frozen=True)
class _Trained:
    """What a training on the pretend device left behind.

    Attributes:
        places: Kinds of devices on which the result lies.
        epoch: Transfers of its quietest epoch; None of a method without epochs.
        refused: What CUDA would refuse, as a sentence; None for nothing.
    """

    places: frozenset[str] = frozenset()
    epoch: EpochTransfers | None = None
    refused: str | None = None


def check_second_device(method_type: type[Method], task: str) -> None:
    """Training, monitor, ranks and CSLS keep tensors of two devices apart."""
    trained = _trained(method_type, task)
    require(
        trained.refused is None,
        f"On a GPU this would fail: {trained.refused} Make tensors with device=ctx.device, or move "
        "them there.",
    )
    require(
        trained.places == {"cuda"},
        "What fit returned is not on ctx.device: train there, and return it as it is.",
    )


def check_transfers(method_type: type[Method], task: str) -> None:
    """No step of a training waits for a GPU, or `waits_for_device` says why it does."""
    epoch, reason = _trained(method_type, task).epoch, method_type.waits_for_device
    if epoch is None:
        raise NotApplicableError("the method does not train in epochs")
    n_waits = epoch.waits.total()
    lines = ", ".join(f"{n} at {line}" for line, n in epoch.waits.most_common(3))
    is_fast = not epoch.waits_of_steps and n_waits <= MOST_WAITS
    require(
        is_fast or bool(reason),
        f"An epoch of {epoch.n_passes} backward passes waits for a GPU {n_waits} times ({lines}); "
        f"no step may, nor an epoch more than {MOST_WAITS} times. Add losses up on the device, and "
        "find on the CPU what has no fixed size; or give the reason in waits_for_device.",
    )
    require(
        not is_fast or not reason,
        f"waits_for_device says that the steps wait for a GPU ({reason}), but they do not.",
    )


def transfers(method_type: type[Method], task: str = "") -> EpochTransfers | None:
    """Transfers of a method's quietest epoch on the pretend device; None without epochs.

    Args:
        method_type: The method.
        task: By default its main task.

    Raises:
        NotApplicableError: If it cannot run on the pair of the task.
    """
    return _trained(method_type, task or main_task(method_type)).epoch


@functools.lru_cache(maxsize=_KEPT)
def _trained(method_type: type[Method], task: str) -> _Trained:
    """One training and its scoring on the pretend device, shared by the checks."""
    pair = tiny_pair(task)
    method = applicable(brief(method_type, n_epochs=N_EPOCHS), pair)
    scorer = make_scorer(Protocol(csls=(0, 3)), pair, tiny_split(pair))
    log = TransferLog()

    def monitor(_epoch: int, _loss: float, alignment: Alignment) -> None:
        with log.paused():
            scorer.curve(alignment)

    torch.manual_seed(RNG_SEED)
    try:
        with second_device(log) as device:
            ctx = RunContext(RNG_SEED, device, monitor, eval_every=N_EPOCHS, tick=log.end_epoch)
            alignment = method.fit(tiny_view(pair, method), ctx)
            places = frozenset(part.device.type for part in numbers_of(alignment))
            scorer.final(alignment)
    except MixedDevicesError as error:
        return _Trained(refused=f"{error}. {_own_line(error)}")
    return _Trained(places, log.typical())


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
