"""What a user asks for: one dataclass, from which the command line and Python calls are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.predictions.limits import DEFAULT_CANDIDATES

RUNS_FOLDER = Path("results") / "runs"
DEFAULT_EVERY_MIN = 10.0

WHAT = "What to run"
HOW = "How to run it"
WHERE = "Where"
CLUSTER = "On a cluster"


def _option(
    text: str, panel: str, *, plans: bool | None = None, **further: object
) -> Mapping[str, object]:
    """What the command line says of a field.

    Args:
        text: Help of the option.
        panel: Group of the option in the help.
        plans: Whether planning reads it too; by default what says what and where.
        further: ``flag`` (where it is not the field's name), ``min``, ``envvar``.
    """
    reads = panel in (WHAT, WHERE) if plans is None else plans
    return {"help": text, "panel": panel, "plans": reads, **further}


def _check_number(name: str, given: object, smallest: float, whole: bool) -> None:  # noqa: FBT001
    """Refuses what a script gives for a number; the command line reads numbers by itself."""
    if given is None:
        return
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if is_number and (not whole or isinstance(given, int)) and given >= smallest:  # type: ignore[operator]
        return
    kind = "a whole number" if whole else "a number"
    raise UserError(f"{name} must be {kind} of {smallest:g} or more, not {given!r}.")


@dataclass(frozen=True)
class Request:
    """What to run, how and where; every field is an option of the command line.

    A field left at its default asks for nothing; a suite's own settings then count.
    """

    suite: str | None = field(
        default=None, metadata=_option("Name of a suite, or a .toml file.", WHAT)
    )
    from_record: str | None = field(
        default=None,
        metadata=_option(
            "Repeat the cell of this key, or of this record's file, as it was configured.", WHAT
        ),
    )
    methods: tuple[str, ...] = field(
        default=(), metadata=_option("Methods, separated by commas.", WHAT)
    )
    datasets: tuple[str, ...] = field(
        default=(), metadata=_option("Datasets, such as synthetic[n=1000,seed=1].", WHAT)
    )
    seed_ratios: tuple[float, ...] = field(
        default=(), metadata=_option("Shares of seeds, such as 0.2,0.5.", WHAT)
    )
    split: str | None = field(
        default=None,
        metadata=_option(
            "`published` or `random`; by default published where a dataset has splits.", WHAT
        ),
    )
    repeats: int | None = field(
        default=None, metadata=_option("Splits and trainings per cell.", WHAT)
    )
    variants: tuple[str, ...] = field(default=(), metadata=_option("Variants, or `all`.", WHAT))
    protocol: str | None = field(default=None, metadata=_option("`strict` or `paper`.", WHAT))
    decoders: tuple[str, ...] = field(
        default=(),
        metadata=_option("Decoders of the final scores, such as csls[k=10],hungarian.", WHAT),
    )
    ranking: str | None = field(
        default=None,
        metadata=_option(
            "`exact`, or approximate[k=100] for very many test links (needs .[scale]).", WHAT
        ),
    )
    set_values: Mapping[str, object] | None = field(
        default=None,
        metadata=_option(
            "method.parameter=value, or parameter=value for every method. Repeatable.",
            WHAT,
            flag="--set",
        ),
    )
    grid: Mapping[str, tuple[object, ...]] | None = field(
        default=None,
        metadata=_option(
            "Values to sweep, such as method.tau=0.05,0.1,0.2, in all combinations; in place of "
            "the suite's grid. Repeatable.",
            WHAT,
        ),
    )
    partitions: int | None = field(
        default=None,
        metadata=_option(
            "Cut both KGs into so many parts and train on one after the other (needs .[scale]).",
            WHAT,
        ),
    )
    precision: str | None = field(
        default=None,
        metadata=_option(
            "Train in `full` float32 (default), with `tf32` products on a GPU, or in `bf16` mixed "
            "precision; it stands in the row's variant.",
            WHAT,
        ),
    )
    method_files: tuple[Path, ...] = field(
        default=(),
        metadata=_option("A method of your own. Repeatable.", WHAT, flag="--method-file"),
    )
    dataset_files: tuple[Path, ...] = field(
        default=(),
        metadata=_option("A dataset of your own. Repeatable.", WHERE, flag="--dataset-file"),
    )
    timeout: float | None = field(default=None, metadata=_option("Seconds allowed per cell.", HOW))
    device: str = field(
        default="auto", metadata=_option("auto, cpu, cuda, or one GPU such as cuda:1.", HOW)
    )
    jobs: int = field(
        default=1, metadata=_option("Cells at the same time.", HOW, plans=True, min=1)
    )
    checkpoint_every: float = field(
        default=DEFAULT_EVERY_MIN,
        metadata=_option(
            "Minutes between two kept states of a training; 0 keeps none.", HOW, min=0
        ),
    )
    memory_limit: float | None = field(
        default=None, metadata=_option("GiB of memory allowed per cell.", HOW, min=0.1)
    )
    keep: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "Keep of every cell that is trained: predictions (ranks and candidates of each test "
            "link), embeddings.",
            HOW,
        ),
    )
    top_k: int = field(
        default=DEFAULT_CANDIDATES,
        metadata=_option("Best candidates of each link that predictions hold.", HOW, min=1),
    )
    track: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "Tell trackers of the run: tensorboard, mlflow, wandb; by default into the results "
            "folder.",
            HOW,
        ),
    )
    energy: str | None = field(
        default=None,
        metadata=_option(
            "Estimate each cell's energy, and its CO2 by the electricity of this country, such "
            "as FRA.",
            HOW,
        ),
    )
    cells_per_gpu: str = field(
        default="1", metadata=_option("Cells on one GPU at a time; auto packs by memory.", HOW)
    )
    scheduler: str | None = field(
        default=None, metadata=_option("Dask scheduler, such as tcp://host:8786.", CLUSTER)
    )
    scheduler_file: Path | None = field(
        default=None, metadata=_option("File of a Dask scheduler.", CLUSTER)
    )
    profile: Path | None = field(
        default=None, metadata=_option("TOML with [cluster]: a batch system.", CLUSTER)
    )
    fresh: bool = field(
        default=False,
        metadata=_option("Run all cells again; nothing counts as done.", HOW, plans=True),
    )
    fail_fast: bool = field(default=False, metadata=_option("Stop at the first failure.", HOW))
    out: Path | None = field(
        default=None,
        metadata=_option(
            "Results folder; default results/runs/, named after what is asked.", WHERE
        ),
    )
    data_root: Path | None = field(
        default=None, metadata=_option("Folder that holds the datasets.", WHERE, envvar="MMEA_DATA")
    )
    cache_dir: Path | None = field(
        default=None, metadata=_option("Folder for parsed datasets.", WHERE, envvar="MMEA_CACHE")
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            if "min" in each.metadata:
                whole = str(each.type) == "int"
                _check_number(each.name, getattr(self, each.name), each.metadata["min"], whole)

    def suite_changes(self) -> dict[str, object]:
        """What was asked for in the words of a suite file."""
        changes = {
            "methods": list(self.methods),
            "datasets": list(self.datasets),
            "seed_ratios": list(self.seed_ratios),
            "split": self.split,
            "repeats": self.repeats,
            "variants": list(self.variants),
            "protocol": self._protocol_changes() or None,
            "set": self.set_values,
            "grid": self.grid and grid_table(self.grid),
            "partitions": self.partitions,
            "precision": self.precision,
            "timeout_s": self.timeout,
        }
        # An empty list asks for nothing; a number of 0 is a wish, which the checks refuse.
        return {key: value for key, value in changes.items() if value is not None and value != []}

    def _protocol_changes(self) -> dict[str, object]:
        asked = {
            "name": self.protocol,
            "decoders": list(self.decoders),
            "ranking": self.ranking,
        }
        return {key: value for key, value in asked.items() if value}


def grid_table(grid: Mapping[str, tuple[object, ...]]) -> dict[str, dict[str, list[object]]]:
    """``method.parameter`` to values as the table ``grid`` of a suite: by method, by parameter."""
    table: dict[str, dict[str, list[object]]] = {}
    for name, values in grid.items():
        method, _dot, parameter = name.partition(".")
        table.setdefault(method, {})[parameter] = list(values)
    return table
