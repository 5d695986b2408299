"""What bounds a cell's process: its parent's life, its time, its process group."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

_PR_SET_PDEATHSIG = 1
_SMALLEST_GRACE_S = 2.0
_LARGEST_GRACE_S = 10.0


def hard_limit_s(timeout_s: float) -> float:
    """Seconds after which a cell is killed from outside.

    Methods look at the clock between epochs and end by themselves with a proper record; the
    grace leaves them the time to do so.
    """
    return timeout_s + min(_LARGEST_GRACE_S, max(_SMALLEST_GRACE_S, 0.1 * timeout_s))


def die_with_parent() -> None:
    """Ends this process as soon as the one that started it is gone, even by ``kill -9``.

    The watching thread works everywhere. On Linux the kernel helps too, for a thread cannot run
    while native code holds the interpreter: cells are forked by a server process that ends when
    the runner does, and its end kills them.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def own_process_group() -> None:
    """Makes this process the leader of a group of its own.

    Ctrl-C in a terminal then reaches the runner alone, which stops its cells in order, and a
    kill reaches whatever processes a method has started. An interrupt that came before, while
    the process was being made, is dropped: the runner has had it, too.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    if hasattr(signal, "pthread_sigmask"):
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, handler)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Holds interrupts back from this thread and from the processes that it starts.

    A process that is still being made belongs to the terminal's group: Ctrl-C would end it in
    Python's own start, with a traceback. ``own_process_group`` lets it hear interrupts again.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting the tracker lets interrupts through again, so that it has to run before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def kill(process: BaseProcess) -> None:
    """Ends a cell's process and everything it started, without waiting."""
    if process.pid is None or not process.is_alive():
        return
    if not kill_group(process.pid):  # not yet the leader of its group
        process.kill()


def kill_group(leader: int | None) -> bool:
    """Ends all processes of a group; False if there is no such group."""
    if leader is None or not hasattr(os, "killpg"):
        return False
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True
