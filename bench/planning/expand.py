"""A suite as a list of cells in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.suite import Suite, settings
from mmea_bench.bench.scoring.protocol import SplitKind
from mmea_bench.datasets.core.model.folds import FoldSeries, fold_version

SeriesByDataset = Mapping[str, Sequence[FoldSeries]]
"""Dataset to the published splits that it is run on; without an entry its splits are drawn."""


def expand(suite: Suite, published: SeriesByDataset | None = None) -> list[Cell]:
    """Every cell of a suite, once.

    The repeat changes slowest: after one pass every method has a number on every dataset, so a
    run that is stopped early still leaves a table worth reading.

    Args:
        suite: A checked suite.
        published: Published splits to run on; each of them stands for one repeat at its own seed
            ratio. None for none.
    """
    by_method = {method: list(settings(suite, method)) for method in suite.methods}
    cells = [
        Cell(
            method=method,
            variant=variant,
            overrides=tuple(sorted(overrides.items())),
            dataset=dataset,
            seed_ratio=place.seed_ratio,
            repeat=repeat,
            protocol=suite.protocol,
            split=place.split,
            fold=place.fold,
            fold_version=place.fold_version,
            precision=suite.precision,
        )
        for repeat in suite.wanted_repeats
        for dataset in suite.datasets
        for place in _places(suite, dataset, repeat, published or {})
        for method in suite.methods
        for variant, overrides in by_method[method]
    ]
    return list(dict.fromkeys(cells))


@dataclass(frozen=True)
class _Place:
    """A seed ratio and where the split comes from."""

    seed_ratio: float
    split: SplitKind = "random"
    fold: str = ""
    fold_version: str = ""


def _places(
    suite: Suite, dataset: str, repeat: int, published: SeriesByDataset
) -> Iterator[_Place]:
    if dataset in published:
        for series in published[dataset]:
            for fold in series.folds[repeat - 1 : repeat]:
                yield _Place(series.seed_ratio, "published", fold.name, fold_version(fold))
    else:
        yield from map(_Place, suite.seed_ratios)
