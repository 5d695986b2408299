"""Records of cells that could not write their own."""

from __future__ import annotations

import signal

from mmea_bench.bench.cells.process import Ending
from mmea_bench.bench.planning.job import Job, failure_record
from mmea_bench.results.core.record import Record


def record_of(job: Job, ending: Ending) -> Record:
    """The record that a cell sent, or one that says how its process ended without."""
    if ending.record is not None:
        return ending.record
    status, reason = _verdict(job, ending)
    has_output = ending.printed and ending.how != "refused"
    notes = f"Last output: {ending.printed}" if has_output else None
    return failure_record(job, status, reason, notes=notes)


def _verdict(job: Job, ending: Ending) -> tuple[str, str]:
    if ending.how == "timeout":
        limit = "its start" if job.deadline_s is None else f"{job.deadline_s:g} s"
        return "timeout", f"killed from outside: it did not end within {limit}"
    if ending.how == "refused":
        return "failed", ending.printed
    if ending.how == "memory":
        limit_gib = (job.memory_limit_mib or 0.0) / 1024
        return "out_of_memory", f"killed from outside: it took more than {limit_gib:.3g} GiB"
    if ending.how == "lost":
        return "failed", "the server that starts cells was killed each time that this cell ran"
    code = ending.exit_code
    others = "by hand, by a batch system or by another program"
    if ending.is_kill:
        if ending.n_memory_kills:
            return "out_of_memory", "killed by the kernel for lack of memory"
        if ending.n_memory_kills is None:
            return "failed", f"killed from outside (SIGKILL): for lack of memory, {others}"
        return "failed", f"killed from outside (SIGKILL), not for lack of memory: {others}"
    if ending.is_from_outside:
        return "failed", f"ended from outside (SIGTERM): {others}"
    if code is not None and code < 0:
        return "failed", f"the process died of signal {_signal_name(-code)}"
    return "failed", f"the process ended with exit code {code} before it had a result"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
