"""One training: a method in one variant on one dataset, ratio and repeat under one protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.options import format_address


@dataclass(frozen=True)
class Cell:
    """Everything that names one result.

    Attributes:
        method: Catalogue name, such as ``mclea``.
        variant: Named variant, ``full`` for none.
        overrides: Single parameters changed on top of the variant, sorted by name.
        dataset: Canonical dataset address.
        seed_ratio: Share of the anchor links that are seeds.
        repeat: Counted from 1.
        protocol: Rules of training and scoring.
    """

    method: str
    variant: str
    overrides: tuple[tuple[str, object], ...]
    dataset: str
    seed_ratio: float
    repeat: int
    protocol: Protocol


def cell_words(cell: Cell) -> dict[str, Any]:
    """What tells a cell from others, in the words of cells.csv."""
    return {
        "method": cell.method,
        "variant": format_address(cell.variant, dict(cell.overrides)),
        "dataset": cell.dataset,
        "seed_ratio": cell.seed_ratio,
        "repeat": cell.repeat,
    }
