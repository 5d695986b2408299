"""Facts on the entities of a dataset that slices of links are made from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmea_bench.bench.predictions.name_similarity import edit_similarities
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.results.core.predictions.schema import IDENTIFYING, DatasetFacts, EntityFacts


def dataset_facts(pair: KGPair) -> DatasetFacts:
    """The facts on a dataset, of both KGs and of all anchor links."""
    source, target = (_entities(pair, side) for side in (0, 1))
    links = np.asarray(pair.anchor_links, dtype=np.int32)
    similarity = edit_similarities(
        source.names[links[:, 0]].tolist(), target.names[links[:, 1]].tolist()
    )
    return DatasetFacts(pair.version, source, target, links, similarity)


def _entities(pair: KGPair, side: int) -> EntityFacts:
    graph = (pair.source, pair.target)[side]
    n, triples = graph.n_entities, graph.relation_triples
    images = pair.features.get("image")
    names = [
        name or surface_form(uri) for uri, name in zip(graph.entities, graph.names, strict=True)
    ]
    return EntityFacts(
        uris=graph.entities,
        names=text_array(names),
        degrees=_counts(np.concatenate([triples[:, 0], triples[:, 2]]), n),
        n_attributes=_counts(graph.attribute_triples[:, 0], n),
        has_image=np.array(images[side].present) if images else np.zeros(n, dtype=np.bool_),
        is_identified=identified(graph),
        n_links=_counts(pair.anchor_links[:, side], n),
    )


def identified(graph: KnowledgeGraph) -> NDArray[np.bool_]:
    """Entities in a triple of a relation that (nearly) identifies them, [n_ent].

    A relation identifies its heads if it reaches ``IDENTIFYING`` by ``distinct tails / triples``,
    and its tails by ``distinct heads / triples``; triples that come twice count once.
    """
    found = np.zeros(graph.n_entities, dtype=np.bool_)
    triples = distinct_rows(graph.relation_triples)
    n_relations = graph.n_relations
    n_triples = np.maximum(np.bincount(triples[:, 1], minlength=n_relations), 1)
    for own, other in ((0, 2), (2, 0)):
        pairs = distinct_rows(triples[:, [1, other]])
        shares = np.bincount(pairs[:, 0], minlength=n_relations) / n_triples
        found[triples[shares[triples[:, 1]] >= IDENTIFYING, own]] = True
    return found


def _counts(ids: NDArray[np.integer], n: int) -> NDArray[np.int32]:
    return np.bincount(ids, minlength=n).astype(np.int32)
