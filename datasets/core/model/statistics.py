"""Counts of a dataset, and how they differ from the published ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.nodes import (
    PAIR_KINDS,
    TRIPLE_KINDS,
    pair_kinds,
    triple_kinds,
    visual_nodes,
)
from mmea_bench.datasets.core.model.pair import MODALITIES, KGPair

PAIR = ""
"""Graph name under which the statistics of the whole pair stand."""

STATISTICS = (
    "entities",
    "relations",
    "attributes",
    "relation_triples",
    "attribute_triples",
    "images",
    "pairs",
)
"""Every counted statistic in printing order: the columns of MCLEA 2022, Table 5."""

_GRAPH = ("structure", "relation")
READ_AS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "relations": _GRAPH,
        "relation_triples": _GRAPH,
        **{f"{kind.lower()}_relations": _GRAPH for kind in TRIPLE_KINDS},
        **{f"{kind.lower()}_triples": _GRAPH for kind in TRIPLE_KINDS},
        "attributes": ("attribute",),
        "attribute_triples": ("attribute",),
        "text_attributes": ("attribute",),
        "visual_attributes": ("attribute",),
        "images": ("image",),
        "visual_nodes": ("image",),
        "text_nodes": ("text",),
        "names": ("name",),
    }
)
"""Statistic to the modalities that read it; any other one (entities, pairs) concerns everybody."""

DeviationKind = Literal["absent", "fewer", "more"]
Counts = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Deviation:
    """One count that is not the published one.

    Attributes:
        graph: Printed name of the KG, empty for the pair.
        statistic: One of ``STATISTICS``.
        published: Count of the paper.
        found: Count of the files.
        difference: ``found - published``.
    """

    graph: str
    statistic: str
    published: int
    found: int
    difference: int

    @property
    def kind(self) -> DeviationKind:
        """``absent`` if the files hold none at all, else whether there are fewer or more."""
        if self.found == 0:
            return "absent"
        return "fewer" if self.difference < 0 else "more"

    @property
    def sentence(self) -> str:
        """The deviation in words, such as ``FB15K relations: 1,209 of 1,345 (89.9 %)``."""
        what = f"{self.graph} {self.statistic.replace('_', ' ')}".strip()
        if self.kind == "absent":
            return f"{what}: not in these files ({self.published:,} published)"
        if self.kind == "fewer":
            share = _rounded_down(self.found / self.published)
            return f"{what}: {self.found:,} of {self.published:,} ({share:.1f} %)"
        return f"{what}: {self.found:,}, published {self.published:,} ({self.difference:+,})"


@dataclass(frozen=True)
class DegreeStatistics:
    """Relation-triple ends per entity of one KG; a loop counts twice, duplicates count.

    Attributes:
        mean: Mean over all entities.
        median: Median over all entities.
        largest: Largest degree.
        n_isolated: Entities in no relation triple.
    """

    mean: float
    median: float
    largest: int
    n_isolated: int


@dataclass(frozen=True)
class PairStatistics:
    """Everything that ``data stats`` prints of one dataset.

    Attributes:
        counts: As ``count_pair``.
        degrees: KG name to its degrees.
        coverage: (KG name, modality) to the share of entities that have it, in [0, 1].
        n_in_several_links: KG name to the number of entities that stand in several links.
    """

    counts: dict[tuple[str, str], int]
    degrees: dict[str, DegreeStatistics]
    coverage: dict[tuple[str, str], float]
    n_in_several_links: dict[str, int]

    @property
    def is_one_to_one(self) -> bool:
        """Whether no entity stands in several links."""
        return not any(self.n_in_several_links.values())


def count_pair(pair: KGPair) -> dict[tuple[str, str], int]:
    """Count of every statistic: (KG name, or "" for the pair; statistic) to a number.

    ``images`` counts the entities with an image feature; an index of images without features
    counts nothing, since no method could use it. An N-MMKG has the counts of ``count_kinds`` too.
    """
    counts: dict[tuple[str, str], int] = {}
    images = pair.features.get("image")
    for side, graph in enumerate((pair.source, pair.target)):
        counts |= {
            (graph.name, "entities"): graph.n_entities,
            (graph.name, "relations"): graph.n_relations,
            (graph.name, "attributes"): graph.n_attributes,
            (graph.name, "relation_triples"): len(graph.relation_triples),
            (graph.name, "attribute_triples"): len(graph.attribute_triples),
            (graph.name, "images"): images[side].n_present if images is not None else 0,
        }
    counts[(PAIR, "pairs")] = len(pair.anchor_links)
    return counts | (count_kinds(pair) if pair.task == "n-mmkg" else {})


def count_kinds(pair: KGPair) -> dict[tuple[str, str], int]:
    """Counts of an N-MMKG by modality, keyed as in ``count_pair`` (Xiao et al. 2025, Table 1).

    Nodes, and attributes in use, of texts and of images; relations in use and triples of the
    kinds TT, TV and VV; pairs of the kinds tt, vv and tv.
    """
    counts: dict[tuple[str, str], int] = {}
    visual = visual_nodes(pair.features)
    for graph, is_visual in zip((pair.source, pair.target), visual, strict=True):
        owners_visual = is_visual[graph.attribute_triples[:, 0]]
        for name, is_own in (("text", False), ("visual", True)):
            used = graph.attribute_triples[owners_visual == is_own, 1]
            counts[(graph.name, f"{name}_nodes")] = int((is_visual == is_own).sum())
            counts[(graph.name, f"{name}_attributes")] = np.unique(used).size
        kinds = triple_kinds(graph.relation_triples, is_visual)
        for kind in TRIPLE_KINDS:
            triples = graph.relation_triples[kinds == kind]
            counts[(graph.name, f"{kind.lower()}_relations")] = np.unique(triples[:, 1]).size
            counts[(graph.name, f"{kind.lower()}_triples")] = len(triples)
    found = pair_kinds(pair.anchor_links, *visual)
    return counts | {(PAIR, f"{kind}_pairs"): int((found == kind).sum()) for kind in PAIR_KINDS}


def compare(pair: KGPair, expected: Counts) -> list[Deviation]:
    """Every published count that the loaded files do not match.

    Args:
        pair: The loaded dataset.
        expected: Published counts, keyed as in ``count_pair``; statistics that a paper leaves out
            are not compared.

    Returns:
        Deviations in the order of the KGs, then of ``STATISTICS``; empty if all counts are equal.
        A graph or statistic that the files do not know counts as 0. What a transform took away on
        purpose counts as there.
    """
    found = {key: n + pair.hidden.get(key, 0) for key, n in count_pair(pair).items()}
    order = {pair.source.name: 0, pair.target.name: 1}
    rank = {statistic: position for position, statistic in enumerate(STATISTICS)}
    keys = sorted(expected, key=lambda key: (order.get(key[0], 2), rank.get(key[1], len(rank))))
    return [
        Deviation(*key, expected[key], found.get(key, 0), found.get(key, 0) - expected[key])
        for key in keys
        if found.get(key, 0) != expected[key]
    ]


def lacking(
    pair: KGPair, expected: Counts, modalities: Collection[str] | None = None
) -> list[Deviation]:
    """Counts of which a copy has fewer than published.

    Args:
        pair: The loaded dataset.
        expected: Published counts, as for ``compare``.
        modalities: What is read of it: counts that only other modalities read do not matter. None
            takes all.
    """
    found = [item for item in compare(pair, expected) if item.difference < 0]
    if modalities is None:
        return found
    return [item for item in found if _readers(item, modalities)]


def lacking_parts(deviations: Collection[Deviation], modalities: Collection[str]) -> list[str]:
    """The modalities among those read that the deviations concern; ``entities`` and ``pairs``."""
    return sorted({part for item in deviations for part in _readers(item, modalities)})


def _readers(item: Deviation, modalities: Collection[str]) -> list[str]:
    """Modalities among those read that read a count; its own name where everybody does."""
    of_all = "pairs" if item.statistic.endswith("pairs") else item.statistic
    readers = READ_AS.get(item.statistic)
    return [of_all] if readers is None else [name for name in readers if name in modalities]


def spelled(deviations: Collection[Deviation]) -> str:
    """Deviations as one text, empty for none."""
    return ", ".join(item.sentence for item in deviations)


def partial_copy(pair: KGPair, expected: Counts) -> str:
    """What a copy lacks of the published dataset, in one sentence; empty if it lacks nothing."""
    found = spelled(lacking(pair, expected))
    return f"partial copy: {found}" if found else ""


def describe(pair: KGPair) -> PairStatistics:
    """Counts, degrees, modality coverage and link multiplicity of a loaded dataset."""
    graphs = (pair.source, pair.target)
    return PairStatistics(
        counts=count_pair(pair),
        degrees={graph.name: degree_statistics(graph) for graph in graphs},
        coverage=coverage(pair),
        n_in_several_links={
            graph.name: n_in_several_links(pair.anchor_links[:, side])
            for side, graph in enumerate(graphs)
        },
    )


def degree_statistics(graph: KnowledgeGraph) -> DegreeStatistics:
    """Degrees of the entities of one KG in its relation triples."""
    degrees = _degrees(graph)
    if not len(degrees):
        return DegreeStatistics(0.0, 0.0, 0, 0)
    return DegreeStatistics(
        mean=float(degrees.mean()),
        median=float(np.median(degrees)),
        largest=int(degrees.max()),
        n_isolated=int((degrees == 0).sum()),
    )


def coverage(pair: KGPair) -> dict[tuple[str, str], float]:
    """Share of entities that have a modality: (KG name, modality) to a fraction in [0, 1]."""
    shares: dict[tuple[str, str], float] = {}
    more = sorted(set(pair.features) - set(MODALITIES))
    for side, graph in enumerate((pair.source, pair.target)):
        has: dict[str, NDArray[np.bool_]] = {
            "structure": _degrees(graph) > 0,
            "relation": _degrees(graph) > 0,
            "attribute": np.bincount(graph.attribute_triples[:, 0], minlength=graph.n_entities) > 0,
            "name": np.asarray(graph.names != "", dtype=np.bool_),
        } | {modality: sides[side].present for modality, sides in pair.features.items()}
        for modality in (*MODALITIES, *more):
            mask = has.get(modality)
            share = float(mask.mean()) if mask is not None and len(mask) else 0.0
            shares[(graph.name, modality)] = share
    return shares


def n_in_several_links(column: NDArray[np.integer]) -> int:
    """Number of entities that occur more than once in one column of the links, [n_links]."""
    return int((np.unique(column, return_counts=True)[1] > 1).sum())


def _degrees(graph: KnowledgeGraph) -> NDArray[np.int64]:
    heads, tails = graph.relation_triples[:, 0], graph.relation_triples[:, 2]
    both: NDArray[np.int64] = np.bincount(heads, minlength=graph.n_entities)
    return both + np.bincount(tails, minlength=graph.n_entities)


def _rounded_down(share: float) -> float:
    # An incomplete copy must never read "100.0 %".
    return min(round(100 * share, 1), 99.9)
