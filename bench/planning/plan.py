"""What a run would do: the cells of a suite with their keys, and which of them are done."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.expand import expand
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keeping import NOTHING_KEPT, Keeping
from mmea_bench.bench.planning.keys import keyed
from mmea_bench.bench.planning.machine import threads_of_cell
from mmea_bench.bench.planning.splits import planned_splits
from mmea_bench.bench.planning.suite import Suite
from mmea_bench.bench.planning.tasks import mismatch_remark
from mmea_bench.datasets.core.access.base import PairDataset
from mmea_bench.datasets.core.access.catalogue import load_pair, open_dataset
from mmea_bench.datasets.core.access.layouts import FolderDataset
from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.folds import FoldSeries
from mmea_bench.datasets.core.model.pair import KGPair, Task
from mmea_bench.datasets.core.model.statistics import partial_copy
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.results.core.store import ResultStore

NO_DATA_VERSION = "missing"
"""Stands in a key for the version of data that are not there: once they are, the key changes."""


@dataclass(frozen=True)
class Place:
    """Where and on what cells run.

    Attributes:
        data_root: Folder of the datasets.
        cache_dir: Folder of parsed datasets.
        device: ``auto``, ``cpu`` or ``cuda``.
        method_files: Method files of the user.
        dataset_files: Dataset files of the user.
        n_jobs: Cells at the same time.
        states_every_s: Seconds between two kept states of a training; None keeps none.
        memory_limit_mib: Memory above which a cell is killed, None for no limit.
        keeping: What is kept of a cell besides its record.
        energy: Country whose electricity the energy of cells is counted by; "" measures none.
    """

    data_root: Path | None
    cache_dir: Path
    device: str = "auto"
    method_files: tuple[Path, ...] = ()
    dataset_files: tuple[Path, ...] = ()
    n_jobs: int = 1
    states_every_s: float | None = None
    memory_limit_mib: float | None = None
    keeping: Keeping = NOTHING_KEPT
    energy: str = ""

    def job(
        self,
        cell: Cell,
        key: str,
        *,
        suite: str,
        threads: int,
        deadline_s: float | None,
        dataset_version: str,
    ) -> Job:
        """A cell, ready to be run here; arguments are the fields of the job."""
        return Job(
            cell=cell,
            key=key,
            suite=suite,
            data_root=self.data_root,
            cache_dir=self.cache_dir,
            device=self.device,
            method_files=self.method_files,
            dataset_files=self.dataset_files,
            threads=threads,
            deadline_s=deadline_s,
            states_every_s=self.states_every_s,
            dataset_version=dataset_version,
            memory_limit_mib=self.memory_limit_mib,
            keeping=self.keeping,
            energy=self.energy,
        )


@dataclass(frozen=True)
class Plan:
    """Cells of a suite.

    Attributes:
        suite: The suite.
        cells: Every cell with its key, in the order of running.
        done: Keys that a results folder holds already.
        without_data: Dataset to the sentence that says what is missing.
        versions: Dataset to the content hash of its files.
        offers: Dataset to its task and its modalities.
        sizes: Dataset to its numbers of anchor links and of entities.
        to_skip: Key to the reason why the cell will be skipped; see ``with_outlook``.
        twins: Key of a missing cell to the key of the cell whose training is its own as well.
        remarks: Dataset to what its user should know: the layout and gaps of an own folder, what
            a partial copy lacks, simulated features, methods that cannot do what it asks.
    """

    suite: Suite
    cells: Sequence[tuple[str, Cell]]
    done: frozenset[str]
    without_data: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    offers: Mapping[str, tuple[Task, tuple[str, ...]]] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    to_skip: Mapping[str, str] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[tuple[str, Cell]]:
        """Cells without a result."""
        return [(key, cell) for key, cell in self.cells if key not in self.done]

    @property
    def to_run(self) -> list[tuple[str, Cell]]:
        """Missing cells that get a process of their own; a twin takes the result of another."""
        return [(key, cell) for key, cell in self.missing if key not in self.twins]

    @property
    def to_train(self) -> list[tuple[str, Cell]]:
        """Cells to run that will not be skipped."""
        return [(key, cell) for key, cell in self.to_run if key not in self.to_skip]


def make_plan(suite: Suite, store: ResultStore, place: Place, *, fresh: bool = False) -> Plan:
    """The plan of a suite for a results folder.

    Args:
        suite: A checked suite.
        store: The results folder; it need not exist yet.
        place: Where the data are.
        fresh: Counts nothing as done.
    """
    methods = {name: get_method(name, place.method_files) for name in suite.methods}
    versions: dict[str, str] = {}
    without_data: dict[str, str] = {}
    remarks: dict[str, tuple[str, ...]] = {}
    published: dict[str, Sequence[FoldSeries]] = {}
    offers: dict[str, tuple[Task, tuple[str, ...]]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for address in suite.datasets:
        try:
            dataset = open_dataset(address, place.data_root)
            pair = load_pair(dataset, place.cache_dir)
            versions[address], remarks[address] = pair.version, _remarks(dataset, pair)
            offers[address] = pair.task, pair.modalities
            n_entities = pair.source.n_entities + pair.target.n_entities
            sizes[address] = len(pair.anchor_links), n_entities
            remarks[address] += mismatch_remark(address, pair.task, methods)
            splits = planned_splits(suite, pair)
            if splits is not None:
                published[address] = splits.series
                remarks[address] += splits.remarks
                without_data |= {address: splits.problem} if splits.problem else {}
        except DataError as error:
            versions[address], without_data[address] = NO_DATA_VERSION, str(error)
    for address, sentence in _same_files(versions).items():
        remarks[address] += (sentence,)
    cells = keyed(expand(suite, published), versions, place.method_files)
    done = set() if fresh else store.done_keys()
    of_plan = frozenset(done & {key for key, _ in cells})
    return Plan(suite, cells, of_plan, without_data, remarks, versions, offers, sizes)


def jobs_of(plan: Plan, place: Place) -> list[Job]:
    """The missing cells, ready to be run; the jobs share the processor cores evenly."""
    threads = threads_of_cell(place.n_jobs, os.environ)
    return [
        place.job(
            cell,
            key,
            suite=plan.suite.name,
            threads=threads,
            deadline_s=plan.suite.timeout_s,
            dataset_version=_version_of(plan, cell),
        )
        for key, cell in plan.to_run
    ]


def _version_of(plan: Plan, cell: Cell) -> str:
    version = plan.versions.get(cell.dataset, NO_DATA_VERSION)
    return "" if version == NO_DATA_VERSION else version


def _same_files(versions: Mapping[str, str]) -> dict[str, str]:
    """A sentence for each address whose files an earlier one has, too."""
    first: dict[str, str] = {}
    found = {}
    for address, version in versions.items():
        other = first.setdefault(version, address)
        if other != address and version != NO_DATA_VERSION:
            found[address] = (
                f"{address}: the same files as {other} (version {version}) under another address, "
                "which gives other random splits."
            )
    return found


def _remarks(dataset: PairDataset, pair: KGPair) -> tuple[str, ...]:
    plain = dataset.plain
    sentences = list(plain.layout().sentences) if isinstance(plain, FolderDataset) else []
    lacking = partial_copy(pair, dataset.expected)
    if lacking:
        sentences.append(f"{dataset.address}: {lacking}")
    if pair.simulated:
        sentences.append(
            f"{dataset.address}: the {' and '.join(pair.simulated)} features are simulated, not "
            "measured; every row that uses them says so."
        )
    return tuple(sentences)
