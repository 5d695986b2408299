"""One training: a method in one variant on one dataset, ratio and repeat under one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmea_bench.bench.partitions.partitioned import partitioned
from mmea_bench.bench.planning.keeping import watched
from mmea_bench.bench.precision.reduced import FULL_PRECISION, Precision, in_precision
from mmea_bench.bench.scoring.protocol import Protocol, SplitKind, holds_out
from mmea_bench.datasets.core.model.folds import described
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.options import format_address
from mmea_bench.methods.core.base import Method

LATER_FIELDS = ("partitions", "precision")
"""Fields that stand in the brackets of a row's variant, and move no key at their default."""


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
        split: Whether the links are split at random or as published.
        fold: Name of the published split; "" for a random one, or where there is none.
        fold_version: Content hash of that split.
        partitions: Parts of the KGs that are trained one after the other; 1 trains on the whole.
        precision: What the training computes in.
    """

    method: str
    variant: str
    overrides: tuple[tuple[str, object], ...]
    dataset: str
    seed_ratio: float
    repeat: int
    protocol: Protocol
    split: SplitKind = "random"
    fold: str = ""
    fold_version: str = ""
    partitions: int = 1
    precision: Precision = FULL_PRECISION

    @property
    def label(self) -> str:
        """The variant with what it changes in brackets, as rows name it."""
        return format_address(self.variant, {**dict(self.overrides), **self._further})

    @property
    def identity(self) -> dict[str, Any]:
        """What a key covers of it: a field that joined later counts where it is set."""
        left_out = set(LATER_FIELDS) - self._further.keys()
        content = {name: value for name, value in asdict(self).items() if name not in left_out}
        for name in self.protocol.unset_rules:
            del content["protocol"][name]
        return content

    @property
    def _further(self) -> dict[str, object]:
        """Settings beside the parameters of the method that are not at their default."""
        return further_settings({name: getattr(self, name) for name in LATER_FIELDS})

    @property
    def published_for(self) -> str | None:
        """Dataset whose published settings apply: the cell's own under ``paper``, else none."""
        return self.dataset if self.protocol.name == "paper" else None


def further_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the fields that joined later that are given and not at their default."""
    asked = {name: given[name] for name in LATER_FIELDS if name in given}
    return {name: value for name, value in asked.items() if value != getattr(Cell, name)}


def configured(method_type: type[Method], cell: Cell) -> Method:
    """The method as a cell trains it: published settings, then variant, then overrides."""
    overrides = dict(cell.overrides)
    method = method_type.configure(cell.method, cell.variant, overrides, cell.published_for)
    if cell.partitions > 1:
        method = partitioned(method, cell.partitions)
    # Around the parts, for each of them is trained by a method made anew from its class.
    return watched(in_precision(method, cell.precision))


def published_note(method_type: type[Method], cell: Cell) -> str:
    """A sentence about the published settings that a cell trains with; "" without any.

    Those that the variant or an override replaces are not among them.
    """
    if cell.published_for is None:
        return ""
    pattern, published = method_type.published_for(cell.published_for)
    replaced = {*method_type.variants.get(cell.variant, {}), *dict(cell.overrides)}
    applied = {name: value for name, value in published.items() if name not in replaced}
    words = ", ".join(f"{name}={value}" for name, value in applied.items())
    return f"published settings for {pattern}: {words}" if applied else ""


def split_note(cell: Cell, pair: KGPair) -> str:
    """A sentence about the published split that a cell was trained on; "" for a random one."""
    fold = next((each for each in pair.folds if each.name == cell.fold), None)
    if fold is None:
        return ""
    note = f"published split {described(pair, fold)}"
    if holds_out(cell.protocol, pair.task) and not len(fold.valid):
        note += "; validation links are held out of its training links"
    return note


def cell_words(cell: Cell) -> dict[str, Any]:
    """What tells a cell from others, in the words of cells.csv."""
    return {
        "method": cell.method,
        "variant": cell.label,
        "dataset": cell.dataset,
        "seed_ratio": cell.seed_ratio,
        "repeat": cell.repeat,
    }
