"""A suite: a checked plan of an experiment, and the points of its grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from mmea_bench.bench.precision.reduced import FULL_PRECISION, Precision
from mmea_bench.bench.scoring.protocol import Protocol, SplitKind
from mmea_bench.methods.core.base import FULL

DEFAULT_REPEATS = 3
DEFAULT_SEED_RATIOS = (0.3,)

GridMode = Literal["all combinations", "one at a time"]


def _key(form: str, default: str, meaning: str) -> Any:
    return field(default=None, metadata={"form": form, "default": default, "meaning": meaning})


@dataclass(frozen=True)
class SuiteTable:
    """The keys of a suite's TOML file, each with its form, its default and what it says."""

    title: object = _key("text", "name of the file", "Printed name.")
    description: object = _key("text", "", "What the suite answers and how long it takes.")
    methods: object = _key('list of names, or "all"', "needed", "Methods to run.")
    datasets: object = _key("list of addresses", "needed", "Datasets to run on.")
    seed_ratios: object = _key("list of numbers", "[0.3]", "Shares of anchor links that are seeds.")
    split: object = _key(
        '"published", "random", or a table by dataset',
        "published where a dataset has some",
        "Whose split: fold k for repeat k, or drawn.",
    )
    repeats: object = _key("whole number", "3", "Splits and trainings of each setting.")
    variants: object = _key(
        'list of names, "all", or a table by method', '["full"]', "Named variants to run."
    )
    grid: object = _key(
        'tables such as `[grid.mclea]` of lists, or "published"',
        "none",
        "Values of parameters that are run; `[grid.'*']` for every method that has them.",
    )
    grid_mode: object = _key(
        '"all combinations" or "one at a time"',
        '"all combinations"',
        "Whether all values meet, or one parameter moves while the others keep their defaults. Two "
        "names of one configuration are trained once.",
    )
    protocol: object = _key(
        "name, or table `[protocol]`", '"strict"', "Rules of training, stopping and scoring."
    )
    set: object = _key(
        '`"method.parameter" = value`, `"*"` for every method', "none", "Changed parameters."
    )
    use_test_params: object = _key(
        "true or false", "false", "Start from the small settings of the methods' own tests."
    )
    names: object = _key(
        "tables `[names.methods]`, `[names.variants]`, `[names.datasets]`",
        "ids",
        "How reports print ids.",
    )
    precision: object = _key('"full", "tf32" or "bf16"', '"full"', "What trainings compute in.")
    timeout_s: object = _key("number", "no limit", "Seconds after which a cell is stopped.")


SUITE_KEYS = tuple(each.name for each in fields(SuiteTable))


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
        splits: Dataset to the kind of split that was asked for; one without an entry takes the
            published splits where it has some.
        repeats: Splits and trainings per cell.
        variants: Method to its variants; every method of the suite has an entry.
        grid: Method to parameter to the values that are run.
        grid_mode: Whether the values run in all combinations, or one parameter at a time with the
            others at their defaults.
        overrides: Method to parameter to the value that replaces the default.
        protocol: Rules of training and scoring.
        timeout_s: Time after which a cell is stopped, None for no limit.
        precision: What the trainings compute in.
        names: How reports print ids, in tables ``methods``, ``variants`` and ``datasets``.
        only_repeat: The one repeat to run, None for all of them.
        left_out: Sentences about methods that "all" names but that cannot be used here.
    """

    name: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    title: str = ""
    description: str = ""
    seed_ratios: tuple[float, ...] = DEFAULT_SEED_RATIOS
    splits: Mapping[str, SplitKind] = field(default_factory=dict)
    repeats: int = DEFAULT_REPEATS
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grid: Mapping[str, Mapping[str, tuple[object, ...]]] = field(default_factory=dict)
    grid_mode: GridMode = "all combinations"
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    protocol: Protocol = field(default_factory=Protocol)
    timeout_s: float | None = None
    precision: Precision = FULL_PRECISION
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only_repeat: int | None = None
    left_out: tuple[str, ...] = ()

    @property
    def n_cells(self) -> int:
        """How many cells the suite asks for, counted without making them."""
        n_settings = 0
        for method in self.methods:
            lengths = [len(values) for values in self.grid.get(method, {}).values()]
            one_by_one = self.grid_mode == "one at a time" and lengths
            n_points = sum(lengths) if one_by_one else math.prod(lengths)
            n_settings += n_points * len(self.variants.get(method, (FULL,)))
        n_repeats = len(self.wanted_repeats)
        return n_settings * len(self.datasets) * len(self.seed_ratios) * n_repeats

    @property
    def wanted_repeats(self) -> Sequence[int]:
        """Numbers of the repeats that are run."""
        every = range(1, self.repeats + 1)
        return every if self.only_repeat is None else [self.only_repeat]


def settings(suite: Suite, method: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Variants of a method with their parameter overrides, every point of the grid once."""
    grid = suite.grid.get(method, {})
    for variant in suite.variants.get(method, (FULL,)):
        for chosen in _grid_points(grid, suite.grid_mode):
            yield variant, {**suite.overrides.get(method, {}), **chosen}


def _grid_points(
    grid: Mapping[str, tuple[object, ...]], mode: GridMode
) -> Iterator[dict[str, object]]:
    if mode == "all combinations" or not grid:
        for point in itertools.product(*grid.values()):
            yield dict(zip(grid, point, strict=True))
    else:
        for name, values in grid.items():
            for value in values:
                yield {name: value}
