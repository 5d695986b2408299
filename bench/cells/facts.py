"""What a cell's numbers rest on, found out once: what was read, learned and made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmea_bench.datasets.core.model.pair import MODALITIES, KGPair
from mmea_bench.datasets.core.model.statistics import Counts, lacking, lacking_parts, spelled
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.training_log import TrainingLog


@dataclass(frozen=True)
class CellFacts:
    """Facts of one finished training, which hold for all of its numbers.

    Attributes:
        modalities: What this configuration reads of this dataset.
        names: Whether entity names are among that.
        iterative: Whether it learned from pseudo-labels.
        own_similarity: How it compares pairs itself, whatever else it is scored by.
        simulated: Inputs that it read and that were made up, not measured.
        lacking: What it reads and the copy of the dataset has in part only, or not at all:
            modalities, ``entities``, ``pairs``.
        partial_copy: The same in counts, empty for nothing.
        interpretation: Why the method follows no released code; empty where it does.
        notes: Why inputs were made up, and what became of pseudo-labels.
    """

    modalities: tuple[str, ...]
    names: bool
    iterative: bool
    own_similarity: str
    simulated: tuple[str, ...]
    lacking: tuple[str, ...]
    partial_copy: str
    interpretation: str
    notes: tuple[str, ...]

    @property
    def columns(self) -> dict[str, Any]:
        """The facts as columns of cells.csv; notes stand there with others."""
        return {
            "modalities": " ".join(self.modalities) or None,
            "names": _word(is_so=self.names),
            "iterative": _word(is_so=self.iterative),
            "own_similarity": self.own_similarity,
            "simulated_features": " ".join(self.simulated) or None,
            "lacking": " ".join(self.lacking) or None,
            "partial_copy": self.partial_copy or None,
            "interpretation": self.interpretation or None,
        }


def cell_facts(
    method: Method, pair: KGPair, expected: Counts, log: TrainingLog, similarity: str
) -> CellFacts:
    """The facts of a finished training.

    Args:
        method: The method as it was configured.
        pair: The dataset that it was trained on.
        expected: Published counts of the dataset.
        log: What the training reported.
        similarity: How the method compares pairs.
    """
    read = method.used_modalities(pair.modalities)
    # A modality that the files lack altogether is not offered, and would be read if it were.
    would_read = method.used_modalities(tuple(dict.fromkeys((*MODALITIES, *pair.modalities))))
    missing = lacking(pair, expected, would_read)
    made_up: Mapping[str, str] = log.simulated
    of_labels = filter(None, [log.pseudo_label_note])
    return CellFacts(
        modalities=read,
        names="name" in read,
        iterative=log.is_iterative,
        own_similarity=similarity,
        simulated=tuple(sorted({*made_up, *(name for name in pair.simulated if name in read)})),
        lacking=tuple(lacking_parts(missing, would_read)),
        partial_copy=spelled(missing),
        interpretation="" if method.paper is None else method.paper.interpretation,
        notes=(*(f"{what}: {why}" for what, why in sorted(made_up.items())), *of_labels),
    )


def _word(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
