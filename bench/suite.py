"""Suites: named plans of an experiment, read from TOML and checked as a whole."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mmea_bench.bench.protocol import Protocol
from mmea_bench.datasets.core.errors import UserError, shown, unknown_name

SUITES_FOLDER = Path(__file__).resolve().parent / "suites"
DEFAULT_REPEATS = 3
DEFAULT_SEED_RATIOS = (0.3,)

LARGEST_SUITE_BYTES = 2**18
DEEPEST_SUITE = 6
_FLAT = "A suite has keys, tables such as [grid.mclea], and lists of values."

GridMode = Literal["all combinations", "one at a time"]

SUITE_KEYS = (
    "title",
    "description",
    "methods",
    "datasets",
    "seed_ratios",
    "repeats",
    "variants",
    "grid",
    "grid_mode",
    "protocol",
    "set",
    "use_test_params",
    "timeout_s",
)


@dataclass(frozen=True)
class Suite:
    """A checked plan in which every name exists and every value has its type.

    Attributes:
        name: File name without ``.toml``, or the user's.
        title: Printed name.
        description: What the suite answers and how long it takes.
        methods: Catalogue names.
        datasets: Canonical addresses.
        seed_ratios: Shares of the anchor links that are seeds.
        repeats: Splits and trainings per cell.
        variants: Method to its variants; every method of the suite has an entry.
        grid: Method to parameter to the values that are run.
        grid_mode: Whether the values run in all combinations, or one parameter at a time with the
            others at their defaults.
        overrides: Method to parameter to the value that replaces the default.
        protocol: Rules of training and scoring.
        timeout_s: Time after which a cell is stopped, None for no limit.
        left_out: Sentences about methods that "all" names but that cannot be used here.
    """

    name: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    title: str = ""
    description: str = ""
    seed_ratios: tuple[float, ...] = DEFAULT_SEED_RATIOS
    repeats: int = DEFAULT_REPEATS
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grid: Mapping[str, Mapping[str, tuple[object, ...]]] = field(default_factory=dict)
    grid_mode: GridMode = "all combinations"
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    protocol: Protocol = field(default_factory=Protocol)
    timeout_s: float | None = None
    left_out: tuple[str, ...] = ()

    @property
    def n_cells(self) -> int:
        """How many cells the suite asks for, counted without making them."""
        n_settings = 0
        for method in self.methods:
            lengths = [len(values) for values in self.grid.get(method, {}).values()]
            one_by_one = self.grid_mode == "one at a time" and lengths
            n_points = sum(lengths) if one_by_one else math.prod(lengths)
            n_settings += n_points * len(self.variants.get(method, ("full",)))
        return n_settings * len(self.datasets) * len(self.seed_ratios) * self.repeats


def suite_names() -> list[str]:
    """Names of the suites that come with the program; ``papers/`` holds one per published study."""
    found = (
        path.relative_to(SUITES_FOLDER).with_suffix("") for path in SUITES_FOLDER.rglob("*.toml")
    )
    return sorted((path.as_posix() for path in found), key=lambda name: ("/" in name, name))


def read_suite_table(name_or_file: str) -> tuple[str, dict[str, object]]:
    """Name and raw TOML table of a suite; nothing in it is checked yet.

    Args:
        name_or_file: Name of a suite of the program, or a path that ends in ``.toml``.

    Raises:
        UserError: If there is no such suite or the file is not TOML.
    """
    if name_or_file.endswith(".toml"):
        path = Path(name_or_file)
        try:
            n_bytes = path.stat().st_size if path.is_file() else -1
        except (OSError, ValueError) as error:
            raise UserError(
                f"Suite file {shown(name_or_file)} cannot be opened: {error}."
            ) from None
        if n_bytes < 0:
            raise UserError(f"Suite file {path} does not exist.")
        if n_bytes > LARGEST_SUITE_BYTES:
            raise UserError(
                f"{path} has {n_bytes} bytes; a suite has at most {LARGEST_SUITE_BYTES}. "
                "Split it, or name the right file."
            )
    elif name_or_file in suite_names():
        path = SUITES_FOLDER / f"{name_or_file}.toml"
    else:
        where = "bench list suites"
        raise UserError(
            unknown_name("suite", name_or_file, suite_names(), where)
            + " A file of your own is named by a path that ends in .toml."
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not valid TOML: {shown(error, quote='')}.") from None
    except RecursionError:
        raise UserError(f"{path} nests its lists or tables too deeply. {_FLAT}") from None
    if not _is_flat(table):
        raise UserError(f"{path} nests its lists or tables too deeply. {_FLAT}")
    return path.stem, table


def _is_flat(value: object, levels_left: int = DEEPEST_SUITE) -> bool:
    """Whether lists and tables stand in one another a few times only."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels_left > 0 and all(_is_flat(item, levels_left - 1) for item in inner)


def load_suite(
    name_or_file: str | None,
    changes: Mapping[str, object] | None = None,
    data_root: Path | None = None,
    method_files: Sequence[Path] = (),
) -> Suite:
    """The suite of a name or file with the changes of the command line applied.

    Args:
        name_or_file: As for ``read_suite_table``; None starts from an empty table.
        changes: Same keys and forms as the TOML file; they win over it, ``set`` and ``protocol``
            entry by entry.
        data_root: Folder of the data files; only addresses are read here.
        method_files: Method files of the user.

    Raises:
        UserError: If something is wrong; the text lists every problem, one per line.
    """
    # The checks need the catalogues (and so torch); names of suites alone do not.
    from mmea_bench.bench.suite_checks import SuiteChecker

    name, table = ("custom", {}) if name_or_file is None else read_suite_table(name_or_file)
    where = name_or_file or "the command line"
    return SuiteChecker(where, data_root, tuple(method_files)).check(name, table, changes or {})
