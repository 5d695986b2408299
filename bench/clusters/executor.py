"""Runs cells on a Dask cluster: any machine that `dask worker` runs on."""

from __future__ import annotations

import itertools
import pickle
import queue
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker

from mmea_bench.bench.cells.messages import Tick
from mmea_bench.bench.cells.process import Ending
from mmea_bench.bench.clusters.remote import Errand, Reply
from mmea_bench.bench.clusters.task import TOPIC, run_here
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.executor import Done, ExecutorError
from mmea_bench.bench.running.progress import Progress
from mmea_bench.results.core.disk.files import read_regular

_POLL_S = 0.5
_LOOK_S = 5.0
_FETCH_LIMIT_S = 5.0
WAIT_S = 60.0


class DaskExecutor:
    """Sends every cell to a worker and takes its record back as a message.

    Cells that a worker refuses, or that it did not live to end, go to another one. A record that
    arrives after its cell was given away is not looked at.

    Args:
        client: Connected client; whoever made it closes it.
        cells_per_gpu: Cells on one GPU at a time, for workers that declare the resource ``GPU``.
        wait_s: Seconds to be without any worker, at the start and later.
    """

    def __init__(self, client: Client, cells_per_gpu: int = 1, wait_s: float = WAIT_S) -> None:
        self._client, self._cells_per_gpu, self._wait_s = client, cells_per_gpu, wait_s
        self._is_stopped = False
        self._rank = itertools.count()
        self._last_worker = self._next_look = 0.0
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._workers: dict[str, int] = {}
        self._resources_of: dict[str, dict[str, float]] = {}
        self._contents: dict[Path, bytes] = {}
        self._futures: dict[str, Future[Any]] = {}
        self._sent_to: dict[str, str] = {}
        self._refusals: dict[str, dict[str, Reply]] = {}

    def stop(self) -> None:
        """Gives the cells up; workers end them within seconds."""
        self._is_stopped = True

    def run(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done]:
        """Runs all jobs and yields each one as it ends.

        Jobs are asked for as workers have room, and one more for each place, so that no worker
        waits and a cluster that grows with its work does.

        Raises:
            ExecutorError: If the scheduler is gone, or no worker has been there for too long.
        """
        left = iter(jobs)
        waiting: dict[str, Job] = {}
        self._last_worker = time.monotonic()
        self._client.subscribe_topic(TOPIC, _Announcer(waiting, progress))
        try:
            self._wait_for_workers()
            while not self._is_stopped:
                for job in itertools.islice(left, max(0, self._n_places() - len(waiting))):
                    waiting[job.key] = job
                    self._submit(job)
                if not waiting:
                    return
                done = self._next_done(waiting)
                if done is not None:
                    del waiting[done.job.key], self._futures[done.job.key]
                    yield done
            for job in waiting.values():
                yield Done(job, Ending("stopped"), 0.0)
        finally:
            if self._client.status == "running":
                with suppress(OSError):  # the scheduler went this moment; nothing is left to do
                    self._client.unsubscribe_topic(TOPIC)
                    self._client.cancel(list(self._futures.values()), force=True)

    def _wait_for_workers(self) -> None:
        self._look_for_workers()
        while not self._workers and not self._is_stopped:
            time.sleep(_POLL_S)
            self._look_for_workers()

    def _n_places(self) -> int:
        """Cells to be with the scheduler at a time."""
        return max(1, 2 * sum(self._workers.values()))

    def _parcel(self, job: Job) -> bytes:
        for path in (*job.method_files, *job.dataset_files):
            # Read once: a method file that its author edits meanwhile would be another version.
            if path not in self._contents:
                self._contents[path] = read_regular(path)
        files, of_datasets = (
            {path.name: self._contents[path] for path in paths}
            for paths in (job.method_files, job.dataset_files)
        )
        return pickle.dumps(Errand(_absolute(job), files, of_datasets))

    def _submit(self, job: Job, to: Sequence[str] = ()) -> None:
        future = self._client.submit(
            run_here,
            self._parcel(job),
            # Another run may have left a task of the same cell with the scheduler.
            key=f"{job.key}-{time.time_ns()}",
            pure=False,
            priority=-next(self._rank),
            resources=self._resources(job),
            workers=list(to) or None,
            # A worker that restarts has another address: better anywhere than nowhere for ever.
            allow_other_workers=bool(to),
        )
        self._futures[job.key] = future
        self._sent_to[job.key] = to[0] if len(to) == 1 else ""
        future.add_done_callback(self._ended.put)

    def _next_done(self, waiting: dict[str, Job]) -> Done | None:
        self._check_scheduler()
        if time.monotonic() >= self._next_look:
            self._look_for_workers()
        try:
            future = self._ended.get(timeout=_POLL_S)
        except queue.Empty:
            return None
        job = waiting.get(str(future.key).partition("-")[0])
        if job is None or self._futures.get(job.key) is not future:
            return None  # late: the cell was given to another worker, or has its record
        if future.status == "error":
            return self._after_error(job, future)
        try:
            address, reply = future.result(timeout=_FETCH_LIMIT_S)
        except TimeoutError:
            # Its worker may have died with the record: comes again with that of another worker.
            future.add_done_callback(self._ended.put)
            return None
        except (CancelledError, OSError) as error:
            raise ExecutorError(self._gone()) from error
        if reply.ending is not None and reply.ending.how == "stopped":
            self._submit(job)  # by a worker that had lost the scheduler, not by us
            return None
        if reply.ending is not None:
            return Done(job, reply.ending, reply.seconds)
        return self._elsewhere(job, address, reply)

    def _after_error(self, job: Job, future: Future[Any]) -> Done | None:
        """What becomes of a cell that no worker could even begin, or that killed them."""
        error = future.exception()
        if isinstance(error, KilledWorker):
            reason = "every worker that ran it died, most often for lack of memory"
            return Done(job, Ending("refused", printed=reason), 0.0)
        # Such as another version of the program, or none. Dask does not tell which worker it was,
        # so the cell goes to one after the other.
        address = self._sent_to[job.key]
        reason = f"its Python cannot take the cell ({type(error).__name__}: {error})"
        return self._elsewhere(job, address, Reply(address, None, reason), one_at_a_time=True)

    def _elsewhere(
        self, job: Job, address: str, reply: Reply, *, one_at_a_time: bool = False
    ) -> Done | None:
        """Sends the cell to a worker that has not refused it; its end if there is none."""
        refusals = self._refusals.setdefault(job.key, {})
        if address:
            refusals[address] = reply
        self._look_for_workers()
        others = [worker for worker in self._workers if worker not in refusals]
        if others and not self._is_stopped:
            self._submit(job, others[:1] if one_at_a_time else others)
            return None
        reasons = {reply.refusal: reply.host for reply in refusals.values()}
        words = "; ".join(f"{host}: {reason}" for reason, host in reasons.items())
        return Done(job, Ending("refused", printed=f"no worker can run it: {words}"), 0.0)

    def _resources(self, job: Job) -> dict[str, float] | None:
        """What the cell takes of what workers declare (`dask worker --resources ...`).

        What no worker has would keep the cell waiting for ever.
        """
        most: dict[str, float] = {}
        for address in self._workers:
            for name, amount in self._resources_of.get(address, {}).items():
                most[name] = max(amount, most.get(name, 0.0))
        wanted = {}
        if job.device != "cpu" and "GPU" in most:
            wanted["GPU"] = 1.0 / self._cells_per_gpu
        if job.memory_mib and "MEMORY" in most:
            wanted["MEMORY"] = min(job.memory_mib * 2.0**20, most["MEMORY"])
        return wanted or None

    def _look_for_workers(self) -> None:
        """Notes which workers are there, with how many threads and which resources.

        Raises:
            ExecutorError: If the scheduler is gone, or there has been none for too long.
        """
        try:
            self._workers = dict(self._client.nthreads())
        except OSError as error:
            raise ExecutorError(self._gone()) from error
        # Not asked who is there: a background task of the client may empty this at any moment.
        described = self._client.scheduler_info(n_workers=-1).get("workers", {})
        for address, worker in described.items():
            self._resources_of[address] = worker.get("resources", {})
        self._check_scheduler()
        now = time.monotonic()
        self._next_look = now + _LOOK_S
        if self._workers:
            self._last_worker = now
        elif now - self._last_worker > self._wait_s:
            raise ExecutorError(
                f"The scheduler {self._address} has had no worker for {self._wait_s:g} s. Start "
                f"some with `dask worker {self._address}` and run the same command again."
            )

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


def _absolute(job: Job) -> Job:
    """The job with folders that mean the same wherever a worker was started."""
    return replace(
        job,
        data_root=job.data_root and job.data_root.absolute(),
        cache_dir=job.cache_dir and job.cache_dir.absolute(),
    )


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
