"""``attribute_ratio``: fewer entities with attributes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.priorities import first_share
from mmea_bench.datasets.core.transforms.transform import EVERY_TASK, Transform
from mmea_bench.datasets.core.transforms.vocabulary import in_use


def with_attribute_ratio(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset in which ``round(share * n)`` of the n entities with attributes keep theirs.

    An entity keeps all of its attribute triples or none. Attributes that nobody has any more leave
    the vocabulary, as in a dataset that was read from files.
    """
    return replace(
        pair,
        source=_thinned(pair.source, share, seed, "source"),
        target=_thinned(pair.target, share, seed, "target"),
        version="",
    )


def _thinned(graph: KnowledgeGraph, share: float, seed: int, side: str) -> KnowledgeGraph:
    owners = np.unique(graph.attribute_triples[:, 0])
    kept = owners[first_share(f"attribute_ratio {side}", graph.entities[owners], share, seed)]
    is_kept = np.isin(graph.attribute_triples[:, 0], kept)
    triples = graph.attribute_triples[is_kept]
    attributes, triples[:, 1] = in_use(graph.attributes, triples[:, 1])
    return replace(
        graph,
        attributes=attributes,
        attribute_triples=triples,
        attribute_values=graph.attribute_values[is_kept],
    )


TRANSFORM = Transform(
    name="attribute_ratio",
    neutral=1.0,
    lowest=0.0,
    highest=1.0,
    meaning="Share of the entities with attributes that keep all of them, in each KG.",
    apply=with_attribute_ratio,
    needs="attribute",
    tasks=EVERY_TASK,
)
