"""A suite as a list of cells in a fixed order."""

from __future__ import annotations

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.suite import Suite, settings


def expand(suite: Suite) -> list[Cell]:
    """Every cell of a suite, once.

    The repeat changes slowest: after one pass every method has a number on every dataset, so a
    run that is stopped early still leaves a table worth reading.
    """
    by_method = {method: list(settings(suite, method)) for method in suite.methods}
    cells = [
        Cell(
            method=method,
            variant=variant,
            overrides=tuple(sorted(overrides.items())),
            dataset=dataset,
            seed_ratio=seed_ratio,
            repeat=repeat,
            protocol=suite.protocol,
        )
        for repeat in range(1, suite.repeats + 1)
        for dataset in suite.datasets
        for seed_ratio in suite.seed_ratios
        for method in suite.methods
        for variant, overrides in by_method[method]
    ]
    return list(dict.fromkeys(cells))
