"""One cell with all that is needed to run it in another process, and the records it can end in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmea_bench.bench.planning.cell import Cell, cell_words
from mmea_bench.bench.planning.keeping import NOTHING_KEPT, Keeping
from mmea_bench.bench.planning.machine import code_version, library_versions
from mmea_bench.bench.scoring.seeds import rng_seed, split_seed
from mmea_bench.datasets.core.transforms.catalogue import plain_address
from mmea_bench.results.core.record import Record


@dataclass(frozen=True)
class Length:
    """How long a cell trains.

    Attributes:
        epochs: That are asked for; None where the method has none, or nobody knows.
        eval_every: Epochs between two points of the learning curve; 0 where there are none.
    """

    epochs: float | None = None
    eval_every: int = 0


@dataclass(frozen=True)
class Job:
    """A cell and where to run it.

    Attributes:
        cell: What to run.
        key: Its key.
        suite: Suite that asked for it.
        data_root: Folder of the datasets; None is the user's default.
        cache_dir: Folder of parsed datasets.
        device: ``auto``, ``cpu`` or ``cuda``.
        method_files: Files of the user's own methods.
        dataset_files: Files of the user's own datasets.
        threads: CPU threads this cell may use; 0 leaves the library's choice.
        deadline_s: Seconds allowed, None for no limit.
        states_every_s: Seconds between two kept states of its training; None keeps none.
        dataset_version: Content hash that the files had when the run was planned; empty if they
            were not there.
        memory_mib: Memory that such cells took before, 0 if none has been measured.
        gpu_memory_mib: The same for the memory of a GPU.
        length: Of its training.
        memory_limit_mib: Memory above which the cell is killed, None for no limit.
        gpu: Number of the GPU to use, None for the first or none.
        keeping: What is kept of it besides its record.
        energy: Country whose electricity its energy is counted by; "" measures none.
        scored_on: Links that the cell is scored on: ``test``, or ``valid`` for a trial of a tuning,
            which never has the test links.
    """

    cell: Cell
    key: str
    suite: str
    data_root: Path | None
    cache_dir: Path | None
    device: str = "auto"
    method_files: tuple[Path, ...] = ()
    dataset_files: tuple[Path, ...] = ()
    threads: int = 0
    deadline_s: float | None = None
    states_every_s: float | None = None
    dataset_version: str = ""
    memory_mib: float = 0.0
    gpu_memory_mib: float = 0.0
    length: Length = Length()
    memory_limit_mib: float | None = None
    gpu: int | None = None
    keeping: Keeping = NOTHING_KEPT
    energy: str = ""
    scored_on: Literal["test", "valid"] = "test"


def cell_row(job: Job) -> dict[str, Any]:
    """The part of a cell's row that is known before it runs.

    A dataset that is changed by transforms shares the random numbers of the plain one, so that the
    points of a curve are paired.
    """
    cell = job.cell
    plain = plain_address(cell.dataset)
    return {
        "key": job.key,
        **cell_words(cell),
        "rng_seed": rng_seed(cell.method, plain, cell.seed_ratio, cell.repeat),
        "split_seed": split_seed(plain, cell.repeat),
        "protocol": cell.protocol.name,
        "split": cell.split,
        "protocol_settings": json.dumps(cell.protocol.settings, sort_keys=True),
        "suite": job.suite,
        "overrides": json.dumps(dict(cell.overrides), sort_keys=True),
        "versions": json.dumps(library_versions(), sort_keys=True),
        "git_commit": code_version(),
    }


def failure_record(job: Job, status: str, reason: str, **known: Any) -> Record:
    """Record of a cell that gave no numbers.

    Args:
        job: The cell.
        status: ``skipped``, ``failed``, ``timeout``, ``out_of_memory`` or ``diverged``.
        reason: Why, for the user.
        known: Further fields of the cell's row that are known.
    """
    fields: Mapping[str, Any] = {"status": status, "reason": reason, **known}
    return Record.of({**cell_row(job), **fields})
