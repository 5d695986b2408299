"""Runs cells on a Dask cluster: any machine that `dask worker` runs on."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from distributed import Client, Future, KilledWorker, get_worker

from mmea_bench.bench.executors import Done, ExecutorError
from mmea_bench.bench.job import Job
from mmea_bench.bench.process import Ending
from mmea_bench.bench.progress import Progress
from mmea_bench.bench.remote import Errand, Reply, run_errand
from mmea_bench.bench.worker import Tick

_TOPIC = "mmea-bench-cells"
_TICK_INTERVAL_S = 2.0
_POLL_S = 0.5
_WAIT_FOR_WORKERS_S = 60.0


class DaskExecutor:
    """Sends every cell to a worker and takes its record back as a message.

    Cells that a worker refuses, or that it did not live to end, go to another one. A record that
    arrives after its cell was given away is not looked at.

    Args:
        client: Connected client; whoever made it closes it.
        cells_per_gpu: Cells on one GPU at a time, for workers that declare the resource ``GPU``.
        wait_s: Seconds to wait for the first worker.
    """

    def __init__(
        self, client: Client, cells_per_gpu: int = 1, wait_s: float = _WAIT_FOR_WORKERS_S
    ) -> None:
        self._client, self._cells_per_gpu, self._wait_s = client, cells_per_gpu, wait_s
        self._is_stopped = False
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._futures: dict[str, Future[Any]] = {}
        self._refusals: dict[str, dict[str, Reply]] = {}

    def stop(self) -> None:
        """Gives the cells up; workers end them within seconds."""
        self._is_stopped = True

    def run(self, jobs: Sequence[Job], progress: Progress) -> Iterator[Done]:
        """Runs all jobs and yields each one as it ends.

        Raises:
            ExecutorError: If the scheduler is gone or no worker came.
        """
        if not jobs:
            return
        self._wait_for_workers()
        waiting = {job.key: job for job in jobs}
        self._client.subscribe_topic(_TOPIC, _Announcer(dict(waiting), progress))
        try:
            for rank, job in enumerate(jobs):
                self._submit(job, rank)
            while waiting and not self._is_stopped:
                done = self._next_done(waiting)
                if done is not None:
                    del waiting[done.job.key]
                    yield done
            for job in waiting.values():
                yield Done(job, Ending("stopped"), 0.0)
        finally:
            with suppress(Exception):  # the scheduler may be gone; nothing is left to be done then
                self._client.unsubscribe_topic(_TOPIC)
                self._client.cancel(list(self._futures.values()), force=True)

    def _wait_for_workers(self) -> None:
        limit = time.monotonic() + self._wait_s
        while not self._workers() and not self._is_stopped:
            if time.monotonic() > limit:
                raise ExecutorError(
                    f"No worker has joined the scheduler {self._address} within "
                    f"{self._wait_s:g} s. Start some with `dask worker {self._address}`."
                )
            time.sleep(_POLL_S)

    def _submit(self, job: Job, rank: int = 0, workers: Sequence[str] | None = None) -> None:
        files = {path.name: path.read_bytes() for path in job.method_files}
        future = self._client.submit(
            run_here,
            Errand(job, files),
            # Another run may have left a task of the same cell with the scheduler.
            key=f"{job.key}-{time.time_ns()}",
            pure=False,
            priority=-rank,
            resources=self._resources(job),
            workers=list(workers) if workers is not None else None,
        )
        self._futures[job.key] = future
        future.add_done_callback(self._ended.put)

    def _next_done(self, waiting: dict[str, Job]) -> Done | None:
        try:
            future = self._ended.get(timeout=_POLL_S)
        except queue.Empty:
            self._check_scheduler()
            return None
        job = waiting.get(str(future.key).partition("-")[0])
        if job is None or self._futures.get(job.key) is not future:
            return None  # late: the cell was given to another worker, or has its record
        if future.status == "cancelled":
            raise ExecutorError(self._gone())
        if future.status == "error":
            return Done(job, Ending("refused", printed=_spell_error(future)), 0.0)
        address, reply = future.result()
        if reply.ending is not None:
            return Done(job, reply.ending, reply.seconds)
        return self._after_refusal(job, address, reply)

    def _after_refusal(self, job: Job, address: str, reply: Reply) -> Done | None:
        """Sends the cell to a worker that has not refused it; its end if there is none."""
        refusals = self._refusals.setdefault(job.key, {})
        refusals[address] = reply
        others = [worker for worker in self._workers() if worker not in refusals]
        if others:
            self._submit(job, workers=others)
            return None
        reasons = {reply.refusal: reply.host for reply in refusals.values()}
        words = "; ".join(f"{host}: {reason}" for reason, host in reasons.items())
        return Done(job, Ending("refused", printed=f"no worker can run it: {words}"), 0.0)

    def _resources(self, job: Job) -> dict[str, float] | None:
        """What the cell takes of what workers declare (`dask worker --resources ...`).

        A resource that no worker has would keep the cell waiting for ever.
        """
        declared: set[str] = set()
        for worker in self._workers().values():
            declared |= set(worker.get("resources", {}))
        wanted = {}
        if job.device != "cpu" and "GPU" in declared:
            wanted["GPU"] = 1.0 / self._cells_per_gpu
        if job.memory_mib and "MEMORY" in declared:
            wanted["MEMORY"] = job.memory_mib * 2.0**20
        return wanted or None

    def _workers(self) -> dict[str, dict[str, Any]]:
        self._check_scheduler()
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])

    def _check_scheduler(self) -> None:
        if self._client.status not in ("running", "newly-created"):
            raise ExecutorError(self._gone())

    @property
    def _address(self) -> str:
        return str(self._client.scheduler.address) if self._client.scheduler else "?"

    def _gone(self) -> str:
        return (
            f"The Dask scheduler {self._address} is gone. Every cell that had ended is stored; "
            "start the scheduler and run the same command again to go on."
        )


def run_here(errand: Errand) -> tuple[str, Reply]:
    """Runs a cell on this worker; returns the worker's address with the reply."""
    worker = get_worker()
    key = worker.get_current_task()
    last = 0.0

    def is_wanted() -> bool:
        # The scheduler takes tasks away whose client is gone or has cancelled them.
        task = worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")

    def announce(tick: Tick) -> None:
        nonlocal last
        if time.monotonic() - last > _TICK_INTERVAL_S:
            last = time.monotonic()
            worker.log_event(_TOPIC, {"cell": errand.job.key, "tick": asdict(tick)})

    worker.log_event(_TOPIC, {"cell": errand.job.key, "tick": None})
    here = replace(errand, share=1.0 / worker.state.nthreads)
    return worker.address, run_errand(here, announce, is_wanted)


class _Announcer:
    """Passes on what workers say about running cells."""

    def __init__(self, jobs: dict[str, Job], progress: Progress) -> None:
        self._jobs, self._progress = jobs, progress

    def __call__(self, event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        job = self._jobs.get(message["cell"])
        if job is None:
            return
        if message.get("tick") is None:
            self._progress.cell_started(job)
        else:
            self._progress.ticked(job, Tick(**message["tick"]))


def _spell_error(future: Future[Any]) -> str:
    error = future.exception()
    if isinstance(error, KilledWorker):
        return "every worker that ran it died, most often for lack of memory"
    return f"the worker failed: {type(error).__name__}: {error}"
