"""``names``: a dataset without entity names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.transforms.transform import Transform


def without_names(pair: KGPair, _value: float, _seed: int) -> KGPair:
    """The dataset without surface forms; views then hide the URIs, which may spell them.

    Attribute values stay: one that states a name is an attribute as any other.
    """
    return replace(pair, source=_nameless(pair.source), target=_nameless(pair.target), version="")


def _nameless(graph: KnowledgeGraph) -> KnowledgeGraph:
    names = np.empty(graph.n_entities, dtype=object)
    names[:] = ""
    return replace(graph, names=names)


TRANSFORM = Transform(
    name="names",
    neutral=True,
    lowest=0.0,
    highest=1.0,
    meaning="Whether the dataset offers entity names, and the URIs that may spell them.",
    apply=without_names,
    needs="name",
    changes_names=True,
)
