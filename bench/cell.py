"""One training: a method in one variant on one dataset, ratio and repeat under one protocol."""

from __future__ import annotations

from dataclasses import dataclass

from mmea_bench.bench.protocol import Protocol


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
