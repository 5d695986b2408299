"""A suite: a checked plan of an experiment, and the points of its grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmea_bench.bench.scoring.protocol import Protocol, SplitKind
from mmea_bench.methods.core.base import FULL

DEFAULT_REPEATS = 3
DEFAULT_SEED_RATIOS = (0.3,)

GridMode = Literal["all combinations", "one at a time"]

SUITE_KEYS = (
    "title",
    "description",
    "methods",
    "datasets",
    "seed_ratios",
    "split",
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
        return n_settings * len(self.datasets) * len(self.seed_ratios) * self.repeats


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
