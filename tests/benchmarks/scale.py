"""How time and memory grow with the size of a dataset; writes the table of ``docs/scale.md``.

    python tests/benchmarks/scale.py [--only STEP ...] [--most N] [--again]

Every step on every size of the built-in generator is measured alone in a process of its own. What
an earlier call measured is kept beside the figure and not measured again. A step ends at the size
where its last two sizes say that the next one would pass a limit.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
from scale_page import Measured, write_page
from scale_steps import FILL, STEPS, report

from mmea_bench.datasets.core.access.catalogue import default_cache_dir

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
KEPT = Path(__file__).resolve().parents[2] / "docs" / "figures" / "scale.json"
_POLL_S = 0.2


@dataclass(frozen=True)
class Limits:
    """What no step may pass."""

    seconds: float
    memory: float


def expected(measured: Measured, line: str, n: int) -> tuple[float, float] | None:
    """Seconds and GiB of a line on the next size, as its last two sizes have it grow."""
    known = [
        size for size in SIZES if size < n and "seconds" in measured.get(line, {}).get(size, {})
    ]
    if len(known) < 2:
        return None
    small, large = known[-2:]
    step = math.log(n / large) / math.log(large / small)
    values = []
    for what in ("seconds", "memory"):
        before, last = measured[line][small][what], measured[line][large][what]
        values.append(last * max(1.0, last / max(before, 1e-9)) ** step)
    return values[0], values[1]


def too_much(measured: Measured, step: str, n: int, limits: Limits) -> str:
    """Why a step is not run on a size; empty if it may be."""
    for line in measured:
        if line.split(",")[0] != step:
            continue
        foreseen = expected(measured, line, n)
        if foreseen is None:
            continue
        seconds, memory = foreseen
        if seconds > limits.seconds:
            return f"not run: extrapolated {said_seconds(seconds)}"
        if memory > limits.memory:
            return f"not run: extrapolated {memory:.0f} GiB"
    return ""


def said_seconds(seconds: float) -> str:
    """A long time in words."""
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min"


def run_alone(step: str, n: int, cache: Path, threads: int, limits: Limits) -> Measured:
    """Lines of one step on one size; of a process that failed or passed a limit the reason."""
    # Forked, so that no process has to import the libraries again.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=report, args=(sender, step, n, cache, threads))
    process.start()
    sender.close()
    reason = _watched(process.pid or 0, receiver, limits)
    if reason:
        process.kill()
    try:
        found = receiver.recv() if not reason else {}
    except EOFError:
        reason, found = "failed: its process ended", {}
    process.join()
    if isinstance(found, str):
        reason = f"failed: {found}"
    if reason:
        return {step: {n: {"note": reason}}}
    return {line: {n: numbers} for line, numbers in found.items()}


def _watched(pid: int, receiver: Connection, limits: Limits) -> str:
    """Waits for an answer; the reason where the process needs far more than the limits."""
    child = psutil.Process(pid)
    while not receiver.poll(_POLL_S):
        try:
            memory = child.memory_info().rss / 2**30
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            return ""
        if memory > limits.memory * 1.1:
            return f"stopped above {limits.memory:.0f} GiB"
        if times.user + times.system > 2 * limits.seconds:
            return f"stopped after {said_seconds(2 * limits.seconds)}"
    return ""


def measure_all(arguments: argparse.Namespace, measured: Measured) -> None:
    """Measures what is asked for and not known yet; keeps every number at once."""
    limits = Limits(arguments.seconds, arguments.memory)
    for n in (size for size in SIZES if size <= arguments.most):
        is_cached = False
        for step in arguments.only or STEPS:
            lines = [line for line in measured if line.split(",")[0] == step]
            if any(n in measured[line] for line in lines) and not arguments.again:
                continue
            found: Measured
            reason = too_much(measured, step, n, limits)
            if reason:
                found = {line: {n: {"note": reason}} for line in lines or [step]}
            else:
                if step not in ("generate", "ranking") and not is_cached:
                    run_alone(FILL, n, arguments.cache, arguments.threads, limits)
                    is_cached = True
                found = run_alone(step, n, arguments.cache, arguments.threads, limits)
            _keep(measured, found, step, lines)
            print(n, step, found, flush=True)


def _keep(measured: Measured, found: Measured, step: str, lines: list[str]) -> None:
    """Adds what was found, here and in the file; another call may have written there meanwhile."""
    for line, sizes in kept().items():
        measured.setdefault(line, {}).update(sizes)
    for line, sizes in found.items():
        # A reason concerns all lines of its step.
        for each in lines if line == step and lines else [line]:
            measured.setdefault(each, {}).update(sizes)
    KEPT.parent.mkdir(exist_ok=True)
    text = json.dumps(measured, indent=1, sort_keys=True)
    KEPT.write_text(text + "\n", encoding="utf-8")


def kept() -> Measured:
    """What earlier calls measured."""
    if not KEPT.exists():
        return {}
    lines = json.loads(KEPT.read_text(encoding="utf-8"))
    return {
        line: {int(n): numbers for n, numbers in sizes.items()} for line, sizes in lines.items()
    }


def main() -> None:
    """Measures, and writes table and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=STEPS, default=[], metavar="STEP")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="largest n")
    parser.add_argument("--again", action="store_true", help="measure what is known too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1800.0, help="limit of a step")
    parser.add_argument("--memory", type=float, default=12.0, help="limit of a step, GiB")
    parser.add_argument("--cache", type=Path, default=default_cache_dir())
    arguments = parser.parse_args()
    measured = kept()
    measure_all(arguments, measured)
    write_page(measured, SIZES, arguments.threads)


if __name__ == "__main__":
    main()
