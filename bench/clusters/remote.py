"""What runs on a worker of a cluster: a cell in a process of its own, where data and code fit."""

from __future__ import annotations

import functools
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmea_bench.bench.cells.kept_states import forget_cell
from mmea_bench.bench.cells.process import Ending, Launcher, TickListener
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keys import keyed
from mmea_bench.bench.planning.machine import n_cores
from mmea_bench.datasets.core.access.catalogue import (
    default_cache_dir,
    load_pair,
    open_dataset,
    own_dataset_files,
    resolve_data_root,
)
from mmea_bench.datasets.core.errors import MissingDataError, UserError

_CORES_OF_A_JOB = ("SLURM_CPUS_PER_TASK", "NCPUS", "NSLOTS", "LSB_DJOB_NUMPROC")
"""As Slurm, PBS, SGE and LSF tell it."""


@dataclass(frozen=True)
class Errand:
    """A cell on its way to a worker.

    Attributes:
        job: The cell; its folders are those of the machine that sent it.
        method_files: Name to content of the user's own method files.
        dataset_files: The same of the user's own dataset files.
        share: Part of the worker's processor cores that the cell may use.
    """

    job: Job
    method_files: Mapping[str, bytes]
    dataset_files: Mapping[str, bytes] = field(default_factory=dict)
    share: float = 1.0


@dataclass(frozen=True)
class Reply:
    """What a worker sends back.

    Attributes:
        host: Name of the worker's machine.
        ending: How the cell's process ended; None if the worker refused the cell.
        refusal: Why it did.
        seconds: Time that the cell took there.
    """

    host: str
    ending: Ending | None
    refusal: str = ""
    seconds: float = 0.0


def run_errand(
    errand: Errand, scratch: Path, listener: TickListener, is_wanted: Callable[[], bool]
) -> Reply:
    """Runs a cell here, unless its data or code are not the ones that the sender has.

    Args:
        errand: The cell.
        scratch: Folder for the cell's method files and what it prints.
        listener: Gets every tick.
        is_wanted: Asked about once a second; the cell is stopped once nobody waits for it.
    """
    host = platform.node()
    started = time.monotonic()
    job = _at_home(errand, scratch)
    try:
        with own_dataset_files(job.dataset_files):
            refusal = refusal_of(job)
    except UserError as error:
        refusal = str(error)
    if refusal:
        return Reply(host, None, refusal)
    _allow_children()
    ending = _launcher(scratch).run(job, listener, is_wanted)
    if job.cache_dir is not None and _is_over(ending):
        forget_cell(job.cache_dir, job.key)
    return Reply(host, ending, seconds=time.monotonic() - started)


def refusal_of(job: Job) -> str:
    """Why a cell cannot run on this machine; empty if it can.

    Raises:
        UserError: If the data are not here or cannot be read.
    """
    try:
        pair = load_pair(open_dataset(job.cell.dataset, job.data_root), job.cache_dir)
    except MissingDataError:
        if job.dataset_version:
            raise
        return ""  # the sender has no data either: the cell itself says that it is skipped
    if not job.dataset_version:
        return f"{job.cell.dataset} is here, but was not where the run was planned"
    if pair.version != job.dataset_version:
        return (
            f"{job.cell.dataset} has other content here: {pair.version}, the run was planned with "
            f"{job.dataset_version}"
        )
    ((key, _),) = keyed([job.cell], {job.cell.dataset: pair.version}, job.method_files)
    if key != job.key:
        return (
            f"the code of {job.cell.method} or of the scoring is another version here; install the "
            "same version of mmea-bench on every machine"
        )
    return ""


def _is_over(ending: Ending) -> bool:
    """Whether the next attempt at the cell must not go on where this one was."""
    if ending.record is not None:
        return bool(ending.record.cell["status"] != "out_of_memory")
    return ending.how == "timeout"


def _at_home(errand: Errand, scratch: Path) -> Job:
    """The job with the folders, method files and cores of this machine.

    The folders are taken from MMEA_DATA and MMEA_CACHE where they are set, because a worker's
    disks need not look like the sender's.
    """
    job = errand.job
    files = _written(errand.method_files, scratch / job.key)
    dataset_files = _written(errand.dataset_files, scratch / job.key / "datasets")
    own_root = "MMEA_DATA" in os.environ
    return replace(
        job,
        data_root=resolve_data_root(None, os.environ) if own_root else job.data_root,
        cache_dir=Path(os.environ.get("MMEA_CACHE") or job.cache_dir or default_cache_dir()),
        method_files=files,
        dataset_files=dataset_files,
        threads=max(1, int(_n_allotted_cores(os.environ) * errand.share)),
    )


def _written(files: Mapping[str, bytes], folder: Path) -> tuple[Path, ...]:
    paths = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    return tuple(paths)


def _n_allotted_cores(environment: Mapping[str, str]) -> int:
    """Processor cores of this machine that a batch system's job may use.

    Not every batch system binds its jobs to their cores, but all say how many there are.
    """
    said = [environment.get(name, "") for name in _CORES_OF_A_JOB]
    return min([n_cores(), *(int(text) for text in said if text.isdecimal() and int(text))])


@functools.cache
def _launcher(scratch: Path) -> Launcher:
    return Launcher(scratch / "logs")


def _allow_children() -> None:
    """Lets this process start processes, although its own parent marked it as a daemon.

    Workers under a nanny carry that mark, and Python refuses them children. Our cells watch for
    the end of their parent themselves, which is what the mark is about.
    """
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
