"""Options that name what to run; `run` and `plan` share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli_texts import assignments, numbers, split_list
from mmea_bench.bench.cluster import ClusterRequest
from mmea_bench.datasets.core.errors import UserError

if TYPE_CHECKING:
    from mmea_bench.bench.placement import CellsPerGpu
    from mmea_bench.bench.plan import Place
    from mmea_bench.bench.runner import RunSettings
    from mmea_bench.bench.suite import Suite

RUNS_FOLDER = Path("results") / "runs"
DEVICES = ("auto", "cpu", "cuda")

WHAT = "What to run"
HOW = "How to run it"
WHERE = "Where"
CLUSTER = "On a cluster"

SuiteOption = Annotated[
    str | None,
    typer.Option("--suite", help="Name of a suite, or a .toml file.", rich_help_panel=WHAT),
]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option("--methods", help="Methods, separated by commas.", rich_help_panel=WHAT),
]
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--datasets", help="Datasets, such as synthetic[n=1000,seed=1].", rich_help_panel=WHAT
    ),
]
SeedRatiosOption = Annotated[
    list[str] | None,
    typer.Option("--seed-ratios", help="Shares of seeds, such as 0.2,0.5.", rich_help_panel=WHAT),
]
RepeatsOption = Annotated[
    int | None,
    typer.Option("--repeats", help="Splits and trainings per cell.", rich_help_panel=WHAT),
]
VariantsOption = Annotated[
    list[str] | None,
    typer.Option("--variants", help="Variants, or `all`.", rich_help_panel=WHAT),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option("--protocol", help="`strict` or `paper`.", rich_help_panel=WHAT),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="method.parameter=value, or parameter=value for every method. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
MethodFileOption = Annotated[
    list[Path] | None,
    typer.Option("--method-file", help="A method of your own. Repeatable.", rich_help_panel=WHAT),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", help="Seconds allowed per cell.", rich_help_panel=HOW),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto, cpu or cuda.", rich_help_panel=HOW)
]
JobsOption = Annotated[
    int, typer.Option("--jobs", min=1, help="Cells at the same time.", rich_help_panel=HOW)
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Run all cells again.", rich_help_panel=HOW)
]
FailFastOption = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first failure.", rich_help_panel=HOW)
]
CheckpointOption = Annotated[
    float,
    typer.Option(
        "--checkpoint-every",
        min=0,
        help="Minutes between two kept states of a training; 0 keeps none.",
        rich_help_panel=HOW,
    ),
]
MemoryLimitOption = Annotated[
    float | None,
    typer.Option(
        "--memory-limit", min=0.1, help="GiB of memory allowed per cell.", rich_help_panel=HOW
    ),
]
CellsPerGpuOption = Annotated[
    str,
    typer.Option(
        "--cells-per-gpu",
        help="Cells on one GPU at a time; auto packs by measured memory.",
        rich_help_panel=HOW,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler", help="Dask scheduler, such as tcp://host:8786.", rich_help_panel=CLUSTER
    ),
]
SchedulerFileOption = Annotated[
    Path | None,
    typer.Option("--scheduler-file", help="File of a Dask scheduler.", rich_help_panel=CLUSTER),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", help="TOML with [cluster]: a batch system.", rich_help_panel=CLUSTER),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Results folder; default results/runs/SUITE.", rich_help_panel=WHERE
    ),
]


DEFAULT_EVERY_MIN = 10.0


@dataclass(frozen=True)
class Request:
    """What the command line asks for; options that were not given are None or empty.

    Attributes are named as the options.
    """

    suite: str | None = None
    methods: Sequence[str] | None = None
    datasets: Sequence[str] | None = None
    seed_ratios: Sequence[str] | None = None
    repeats: int | None = None
    variants: Sequence[str] | None = None
    protocol: str | None = None
    set_values: Sequence[str] | None = None
    method_files: Sequence[Path] = field(default_factory=tuple)
    timeout: float | None = None
    device: str = "auto"
    jobs: int = 1
    checkpoint_every: float = DEFAULT_EVERY_MIN
    memory_limit: float | None = None
    cells_per_gpu: str = "1"
    cluster: ClusterRequest = field(default_factory=ClusterRequest)
    out: Path | None = None
    data_root: Path | None = None
    cache_dir: Path | None = None

    def load(self) -> tuple[Suite, Place, Path]:
        """The checked suite, where it runs, and its results folder.

        Raises:
            UserError: If something that was asked for cannot be.
        """
        # Imported here: suites need torch, which `--help` should not wait for.
        from mmea_bench.bench.suite import load_suite

        place = self._place()
        if self.suite is None and not (self.datasets and (self.methods or self.method_files)):
            raise UserError(
                "Name a suite with --suite (see `mmea-bench list suites`), or give both --methods "
                "and --datasets."
            )
        suite = load_suite(self.suite, self._changes(), place.data_root, place.method_files)
        return suite, place, self.out or RUNS_FOLDER / suite.name

    def settings(self, *, fail_fast: bool) -> RunSettings:
        """How the run behaves.

        Raises:
            UserError: If an option has no such value.
        """
        from mmea_bench.bench.runner import RunSettings

        given = self.cells_per_gpu
        if given != "auto" and not (given.isdecimal() and int(given) > 0):
            raise UserError(f"--cells-per-gpu takes a number from 1 on, or auto, not '{given}'.")
        per_gpu: CellsPerGpu = "auto" if given == "auto" else int(given)
        return RunSettings(n_jobs=self.jobs, fail_fast=fail_fast, cells_per_gpu=per_gpu)

    def _place(self) -> Place:
        from mmea_bench.bench.plan import Place
        from mmea_bench.datasets.core.catalogue import default_cache_dir, resolve_data_root

        if self.device not in DEVICES:
            raise UserError(f"--device takes {', '.join(DEVICES)}, not '{self.device}'.")
        return Place(
            # The option already carries MMEA_DATA; no environment is read anywhere else.
            data_root=resolve_data_root(self.data_root, {}),
            cache_dir=self.cache_dir or default_cache_dir(),
            device=self.device,
            method_files=tuple(path.resolve() for path in self.method_files),
            n_jobs=self.jobs,
            memory_limit_mib=None if self.memory_limit is None else 1024.0 * self.memory_limit,
            states_every_s=60.0 * self.checkpoint_every or None,
        )

    def _changes(self) -> dict[str, object]:
        """The options in the words of a suite file."""
        changes = {
            "methods": split_list(self.methods),
            "datasets": split_list(self.datasets),
            "seed_ratios": numbers("--seed-ratios", self.seed_ratios),
            "repeats": self.repeats,
            "variants": split_list(self.variants),
            "protocol": self.protocol,
            "set": assignments(self.set_values) or None,
            "timeout_s": self.timeout,
        }
        return {key: value for key, value in changes.items() if value is not None}
