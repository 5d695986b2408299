"""One order of everything in a dataset, whatever the order of lines or the file layout."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import Ids, KnowledgeGraph, Text
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.model.row_keys import order_of_rows, sorted_rows

EntityOrder = Callable[[Text, str], NDArray[np.int64]]
"""From the URIs of a side and the side's name to the present row of each new row."""


def canonical(pair: KGPair) -> KGPair:
    """The same dataset with entities, relations, attributes, triples and links in a fixed order.

    Readers end with this, so that ids, splits and hashes do not depend on the order of lines or
    on the file layout. Entities stand in the order of a hash of side and URI: in the order of the
    URIs themselves a row number would tell how a name begins, and partners that are spelt alike
    would stand at like places of both KGs.
    """
    return with_entity_order(pair, _scattered_order)


def with_entity_order(pair: KGPair, entity_order: EntityOrder) -> KGPair:
    """The same dataset with entities in an order of one's own and all else sorted.

    Args:
        pair: Dataset.
        entity_order: Gives, for the URIs of a side [n_ent] and its name ("source" or "target"),
            the present row of each new row, [n_ent].
    """
    source_order = entity_order(pair.source.entities, "source")
    target_order = entity_order(pair.target.entities, "target")
    source = _canonical_graph(pair.source, source_order)
    target = _canonical_graph(pair.target, target_order)
    links = np.stack(
        [
            _inverse(source_order)[pair.anchor_links[:, 0]],
            _inverse(target_order)[pair.anchor_links[:, 1]],
        ],
        axis=1,
    ).astype(np.int32)
    link_order = order_of_rows((links[:, 0], links[:, 1]))
    position = _inverse(link_order)
    features = {
        modality: (_reorder(sides[0], source_order), _reorder(sides[1], target_order))
        for modality, sides in pair.features.items()
    }
    folds = tuple(
        Fold(
            fold.name,
            *(np.sort(position[rows]) for rows in (fold.train, fold.valid, fold.test)),
            problem=fold.problem,
        )
        for fold in pair.folds
    )
    return KGPair(
        pair.dataset,
        source,
        target,
        links[link_order],
        features,
        pair.simulated,
        pair.notes,
        folds,
        task=pair.task,
        dangling=(
            _moved(pair.dangling[0], source_order),
            _moved(pair.dangling[1], target_order),
        ),
    )


def _moved(ids: Ids, order: NDArray[np.int64]) -> Ids:
    return np.sort(_inverse(order)[ids]).astype(np.int32)


def _canonical_graph(graph: KnowledgeGraph, entity_order: NDArray[np.int64]) -> KnowledgeGraph:
    relation_order, attribute_order = map(text_order, (graph.relations, graph.attributes))
    entity, relation, attribute = map(_inverse, (entity_order, relation_order, attribute_order))
    triples = np.stack(
        [
            entity[graph.relation_triples[:, 0]],
            relation[graph.relation_triples[:, 1]],
            entity[graph.relation_triples[:, 2]],
        ],
        axis=1,
    ).astype(np.int32)
    triples = sorted_rows(triples)
    facts = np.stack(
        [entity[graph.attribute_triples[:, 0]], attribute[graph.attribute_triples[:, 1]]], axis=1
    ).astype(np.int32)
    values = graph.attribute_values
    by_value = _inverse(text_order(values))
    fact_order = order_of_rows((facts[:, 0], facts[:, 1], by_value))
    return KnowledgeGraph(
        graph.name,
        graph.entities[entity_order],
        graph.relations[relation_order],
        graph.attributes[attribute_order],
        triples,
        facts[fact_order],
        values[fact_order],
        graph.names[entity_order],
    )


def text_order(texts: Text, _side: str = "") -> NDArray[np.int64]:
    """Rows of texts in the order of their characters, [n]; an ``EntityOrder``."""
    return np.array(sorted(range(len(texts)), key=texts.tolist().__getitem__), dtype=np.int64)


def _scattered_order(texts: Text, side: str) -> NDArray[np.int64]:
    keys = [
        hashlib.sha256(f"{side}\x00{text}".encode("utf-8", "surrogatepass")).digest()
        for text in texts
    ]
    return np.array(sorted(range(len(texts)), key=keys.__getitem__), dtype=np.int64)


def _inverse(order: NDArray[np.int64]) -> NDArray[np.int64]:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def _reorder(features: Features, order: NDArray[np.int64]) -> Features:
    return Features(features.values[order], features.present[order])
