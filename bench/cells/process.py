"""Starts one process per cell, listens to it, and ends it when its time is over."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

import psutil

from mmea_bench.bench.cells import worker
from mmea_bench.bench.cells.limits import hard_limit_s, interrupts_held, kill, kill_group
from mmea_bench.bench.cells.memory_kills import n_memory_kills
from mmea_bench.bench.cells.messages import Tick
from mmea_bench.bench.cells.server import Server
from mmea_bench.bench.planning.job import Job
from mmea_bench.results.core.disk.files import open_regular
from mmea_bench.results.core.record import Record

START_LIMIT_S = 120.0
_EXIT_LIMIT_S = 5.0
_LEAST_KEEP_STATE_S, _MOST_KEEP_STATE_S = 6.0, 90.0
"""How long a training that was stopped may take to end its epoch and keep its state."""

_POLL_S = 0.1
_LOOK_S = 0.5
_TAIL_CHARACTERS = 2000
_MOST_STARTS = 5
_KILLED = -getattr(signal, "SIGKILL", 9)
_ENDED_BY_OTHERS = (
    _KILLED,
    -signal.SIGTERM,
    worker.EXIT_STOPPED,  # what a training answers to SIGTERM, once its state is kept
)

TickListener = Callable[[Tick], None]


How = Literal["record", "timeout", "memory", "stopped", "gone", "lost", "refused"]


@dataclass(frozen=True)
class Ending:
    """How a cell's process ended.

    Attributes:
        how: ``record`` sent its record, ``timeout`` and ``memory`` were killed by us for taking too
            much of it, ``stopped`` was ended by us because the run ends, ``gone`` ended without a
            record, ``lost`` ended with the server that had started it, ``refused`` was never
            started (``printed`` says why).
        record: The record, if one was sent.
        exit_code: As of ``multiprocessing``: negative for a signal.
        printed: Last lines of what the cell printed.
        n_memory_kills: Processes that the kernel killed for lack of memory meanwhile; None where it
            does not say.
    """

    how: How
    record: Record | None = None
    exit_code: int | None = None
    printed: str = ""
    n_memory_kills: int | None = None

    @property
    def is_kill(self) -> bool:
        """Whether somebody else than us killed the process, which says nothing of the cell."""
        return self.how == "gone" and self.exit_code == _KILLED

    @property
    def is_from_outside(self) -> bool:
        """Whether it says nothing of the cell: others ended its process, or none was started."""
        if self.how == "gone":
            return self.exit_code in _ENDED_BY_OTHERS
        return self.how in ("lost", "refused")


class Launcher:
    """Runs cells in processes of their own; may be used by several threads at once.

    Processes are forked from a server process that has imported the heavy modules once, so a
    cell pays milliseconds for its process, not seconds. Where there is no fork (Windows), every
    cell starts a fresh interpreter. A server that is killed is replaced, and cells that ended with
    it are started again.

    Args:
        log_folder: Folder for what cells print.
        preload: Modules for the server process to import besides the worker's own.
    """

    def __init__(self, log_folder: Path, preload: Sequence[str] = ()) -> None:
        self._log_folder = log_folder
        self._stop = threading.Event()
        # Python's bookkeeping of child processes is not safe across threads: a start polls the
        # other children, and two polls of one child lose its exit code.
        self._bookkeeping = threading.Lock()
        self._context = _context((worker.__name__, *preload))
        self._has_server = self._context.get_start_method() == "forkserver"

    @property
    def is_stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ends running cells, once their epoch is kept, and lets no further one start."""
        self._stop.set()

    def run(
        self, job: Job, listener: TickListener, is_wanted: Callable[[], bool] = lambda: True
    ) -> Ending:
        """Runs a cell to its end; never raises for what happens inside the cell.

        Args:
            job: The cell and how to run it.
            listener: Gets every tick, in the calling thread.
            is_wanted: Asked about once a second; the cell is stopped once nobody wants it.
        """
        ending = Ending("stopped")
        for _ in range(_MOST_STARTS):
            if self.is_stopped:
                return Ending("stopped")
            ending = self._run_once(job, listener, is_wanted)
            if ending.how != "lost":
                break
        return ending

    def _run_once(self, job: Job, listener: TickListener, is_wanted: Callable[[], bool]) -> Ending:
        log_path = self._log_folder / f"{job.key}.log"
        kills_before = n_memory_kills()
        ours, theirs = self._context.Pipe(duplex=False)
        with ours:
            with theirs:
                process = self._start(job, theirs, log_path)
            if isinstance(process, str):
                return Ending("refused", printed=process)
            watch, group = _Watch(job, process, is_wanted), process.pid
            server = Server.of(process) if self._has_server else None
            how, record = self._listen(process, ours, watch, listener)
            if how == "stopped" and job.states_every_s is not None:
                record = self._ask_to_stop(process, ours, watch.keep_state_s())
                # A cell that nobody wants has nobody to take its record.
                how = "record" if record is not None and self.is_stopped else how
            exit_code = self._end(process, how)
        kill_group(group)  # what the cell has started is not told of its end
        if how == "gone" and server is not None and server.took_along(exit_code):
            how = "lost"
        kills = n_memory_kills()
        n_kills = None if kills is None or kills_before is None else kills - kills_before
        return Ending(how, record, exit_code, _take_log(log_path), n_kills)

    def _start(self, job: Job, pipe: Connection, log_path: Path) -> BaseProcess | str:
        """The started process, or why none can be started."""
        why = ""
        for _ in range(_MOST_STARTS):
            process = cast(
                BaseProcess,
                self._context.Process(target=worker.run_cell, args=(job, pipe, log_path)),  # type: ignore[attr-defined]
            )
            try:
                with self._bookkeeping, _without_main_module(), interrupts_held():
                    process.start()
            except (EOFError, ConnectionError, FileNotFoundError) as error:
                # The server was killed a moment ago; the next start begins a new one.
                why = f"the server that starts cells is gone ({type(error).__name__}: {error})"
                time.sleep(_POLL_S)
            else:
                return process
        return why

    def _listen(
        self,
        process: BaseProcess,
        pipe: Connection,
        watch: _Watch,
        listener: TickListener,
    ) -> tuple[How, Record | None]:
        while True:
            ready = wait([pipe, process.sentinel], timeout=_POLL_S)
            message = _received(pipe) if pipe in ready else None
            if isinstance(message, Record):  # is worth having, whatever was asked meanwhile
                return "record", message
            if self.is_stopped:
                return "stopped", None
            if pipe in ready:
                if message is None:
                    return "gone", None
                if isinstance(message, Tick):
                    watch.ticked(message.epoch)
                    listener(message)
                else:
                    watch.started()
            elif process.sentinel in ready:
                return "gone", None
            crossed = watch.crossed()
            if crossed is not None:
                return crossed, None

    def _ask_to_stop(self, process: BaseProcess, pipe: Connection, seconds: float) -> Record | None:
        """Lets a cell keep its state; its record if it was past its last epoch."""
        with self._bookkeeping:
            process.terminate()
        return _wait_for_state(process, pipe, seconds)

    def _end(self, process: BaseProcess, how: str) -> int | None:
        if how in ("record", "gone"):
            wait([process.sentinel], timeout=_EXIT_LIMIT_S)
        with self._bookkeeping:
            kill(process)
        wait([process.sentinel])
        with self._bookkeeping:
            process.join()
            exit_code = process.exitcode
            process.close()
        return exit_code


def _wait_for_state(process: BaseProcess, pipe: Connection, seconds: float) -> Record | None:
    """Waits for a stopped cell, which still tells of its last epoch: a shut pipe would end it.

    Returns:
        Its record, where it ended by itself meanwhile.
    """
    limit = time.monotonic() + seconds
    listened: list[Connection] = [pipe]
    while (left := limit - time.monotonic()) > 0:
        ready = wait([*listened, process.sentinel], timeout=left)
        if pipe in ready:
            message = _received(pipe)
            if isinstance(message, Record):
                return message
            if message is None:
                listened = []
        elif process.sentinel in ready:
            break
    return None


def _received(pipe: Connection) -> object:
    """The next message of a cell; None where its end of the pipe is shut."""
    try:
        return cast(object, pipe.recv())
    except (EOFError, OSError):
        return None


class _Watch:
    """The limits of a running cell."""

    def __init__(self, job: Job, process: BaseProcess, is_wanted: Callable[[], bool]) -> None:
        self._job, self._is_wanted = job, is_wanted
        self._limit = time.monotonic() + START_LIMIT_S
        self._next_look = 0.0
        self._last_tick: tuple[int, float] | None = None
        self._epoch_s = 0.0
        self._process: psutil.Process | None = None
        with suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(process.pid)

    def started(self) -> None:
        """The cell's time counts from here."""
        timeout_s = self._job.deadline_s
        allowed = math.inf if timeout_s is None else hard_limit_s(timeout_s)
        self._limit = time.monotonic() + allowed

    def ticked(self, epoch: int) -> None:
        """Takes how long an epoch lasts, as the last two ticks tell."""
        now = time.monotonic()
        if self._last_tick is not None and epoch > self._last_tick[0]:
            self._epoch_s = (now - self._last_tick[1]) / (epoch - self._last_tick[0])
        self._last_tick = (epoch, now)

    def keep_state_s(self) -> float:
        """Seconds to end an epoch, with its evaluation, and to write down its state."""
        return min(_MOST_KEEP_STATE_S, _LEAST_KEEP_STATE_S + 2 * self._epoch_s)

    def crossed(self) -> Literal["timeout", "memory", "stopped"] | None:
        """The limit that the cell has crossed."""
        now = time.monotonic()
        if now > self._limit:
            return "timeout"
        if now < self._next_look:
            return None
        self._next_look = now + _LOOK_S
        if not self._is_wanted():
            return "stopped"
        limit_mib = self._job.memory_limit_mib
        return "memory" if limit_mib is not None and self._memory_mib() > limit_mib else None

    def _memory_mib(self) -> float:
        """Resident memory of the cell and of what it has started."""
        total = 0.0
        if self._process is None:
            return total
        with suppress(psutil.Error):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss / 2**20
        return total


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Hides the program's main module from a process that starts.

    Python would run it there again; a user's script that calls ``run`` outside of any function
    would start a run of its own in every cell.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _context(preload: Sequence[str]) -> BaseContext:
    # Threads that spin while they wait make trainings on a shared machine many times slower; the
    # cells inherit this, and a user's own choice stays.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def _take_log(path: Path) -> str:
    """End of a cell's log; a file without text is removed."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL_CHARACTERS))
            text = file.read(_TAIL_CHARACTERS).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    if not text:
        path.unlink()
    return text
